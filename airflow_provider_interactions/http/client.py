"""The only module that opens a socket for extraction: it builds the ``Fetch`` that vendors' generators are handed.

Promises: no more requests in flight than the pace allows; one gate for the whole connection; refusals to slow down
never use up tries; bounded, jittered retries of faults and of odd answers; one fresh token on 401, shared by all;
credentials refused once are refused for the run; no cookies; no redirects; no other host; bodies bounded; nothing
secret in any text.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, T, Token, Vendor, pace
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    Throttled,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.http.proxy import absolute, connection_error, proxy_for
from airflow_provider_interactions.http.retry import Limits, Tries, retry_after
from airflow_provider_interactions.http.throttle import Throttle
from airflow_provider_interactions.http.tokens import Tokens

#: Times that one request may be refused with 401, each time with another token; tokens may end while it is on its way.
MOST_REFUSALS = 5


@dataclass(slots=True)
class Counters:
    """What a run sent and received; ``received`` is bytes of decoded bodies."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    tokens: int = 0
    received: int = 0


@dataclass(slots=True)
class Client:
    """One vendor's connection, open. ``fetch`` is the contract's Fetch."""

    vendor: Vendor
    credentials: Credentials
    auth: Auth
    session: aiohttp.ClientSession
    pacer: Throttle
    tokens: Tokens
    limits: Limits
    counters: Counters
    through: Callable[[str], Mapping[str, Any]]
    reading: int = 0

    async def fetch(self, request: Request, decode: Callable[[Response], T], /) -> T:
        """Send a request until it is answered and can be decoded; raises a VendorError that says what to do."""
        try:
            return await self._patiently(request, decode)
        except VendorError as error:
            error.vendor, error.path = self.vendor.name, error.path or request.path
            raise

    async def _patiently(self, request: Request, decode: Callable[[Response], T]) -> T:
        try:
            return decode(await self._unthrottled(request))  # nearly always: what follows would cost each a tenth more
        except VendorError as error:
            first = error
        return await self._again(request, decode, first)

    async def _again(self, request: Request, decode: Callable[[Response], T], first: VendorError) -> T:
        """Send what failed until it is answered, or not worth it; raises the last failure."""
        import stamina

        policy = stamina.retry_context(on=Tries(self.limits).pause_after, attempts=self.limits.tries, timeout=None)
        async for attempt in policy:
            with attempt:
                if attempt.num == 1:
                    raise first
                self.counters.retries += 1
                return decode(await self._unthrottled(request))
        raise AssertionError  # unreachable: the policy returns or raises

    async def _unthrottled(self, request: Request) -> Response:
        deadline = None  # the request's patience begins with its first refusal: before, it waited for its own turn
        while True:
            try:
                return await self._authorized(request)
            except Throttled as refusal:
                self.counters.throttled += refusal.status is not None  # else the gate was shut for too long
                now = asyncio.get_running_loop().time()
                deadline = now + self.limits.patience if deadline is None else deadline
                if now + (refusal.retry_after or 0.0) > deadline:
                    raise

    async def _authorized(self, request: Request) -> Response:
        refusals = 0
        while True:
            async with self.pacer.slot() as turn:
                # Asked for here: while a request waits for its place, a token may end or prove useless.
                token = await self.tokens.current()
                response = await self._send(self.auth.apply(request, token))
                error = self._judge(response)
                if error is None:
                    self.tokens.worked(token)
                    self.pacer.succeeded(turn)
                    return response
                if not isinstance(error, AuthRejected):
                    raise error
            refusals += 1
            if refusals == MOST_REFUSALS:  # other requests pass with such tokens: it is this one that nobody may send
                raise error
            self.tokens.refused(token, error)  # raises it, unless a fresh token may help

    def _judge(self, response: Response) -> VendorError | None:
        error = self.vendor.classify(response)
        if isinstance(error, Throttled | Unavailable):
            error.retry_after = retry_after(response)
        return error

    async def ask_token(self) -> Token:
        """Send the token request, which may go to another host than the vendor's, and read its answer."""
        request, read = self.auth.ask, self.auth.read
        assert request is not None and read is not None  # noqa: S101, PT018 - has_tokens
        self.counters.tokens += 1
        try:
            response = await self._send(request)
            return read(response)
        except VendorError as error:
            error.path = request.path
            if isinstance(error, Throttled | Unavailable) and error.status:
                error.retry_after = retry_after(response)
            raise

    async def _send(self, request: Request) -> Response:
        url = absolute(self.credentials.host, request) if request is not self.auth.ask else URL(request.url)
        self.counters.requests += 1
        try:
            async with self.session.request(
                request.method,
                url,
                headers=_headers(request),
                data=_body(request),
                allow_redirects=False,
                **self.through(str(url.origin())),
            ) as answer:
                body = await self._read(answer)
                self.counters.received += len(body)
                return Response(answer.status, {key.lower(): value for key, value in answer.headers.items()}, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise connection_error(fault, request, self.vendor.name) from None
        except ValueError:
            # Of the headers only the token comes from elsewhere; the client's own text could quote it.
            msg = "the token host handed out a token that no header can carry"
            raise BadResponse(msg, lasting=True) from None

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        chunks, size = [], 0
        try:
            async for chunk in answer.content.iter_any():
                size += len(chunk)
                self.reading += len(chunk)
                if size > self.limits.body:
                    msg = f"the answer is larger than {self.limits.body} bytes. Ask for smaller pages"
                    raise BadResponse(msg, lasting=True)
                if self.reading > self.limits.bodies:
                    msg = f"answers are larger than {self.limits.bodies} bytes together. Ask for fewer at once"
                    raise BadResponse(msg, lasting=True)
                chunks.append(chunk)
            return b"".join(chunks)
        finally:
            self.reading -= size


@asynccontextmanager
async def connect(
    vendor: Vendor, credentials: Credentials, *, concurrency: int | None = None, limits: Limits | None = None
) -> AsyncIterator[Client]:
    """Open a connection to a vendor; raises ConfigError when its fields cannot be used. Use inside one event loop."""
    limits = limits or Limits()
    auth = vendor.auth(credentials)
    tokens = Tokens(auth)
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0, ssl=credentials.settings.verify_tls is not False),
        timeout=aiohttp.ClientTimeout(total=limits.timeout, sock_connect=min(10.0, limits.timeout)),
        skip_auto_headers=("User-Agent",),
        headers={"User-Agent": "airflow-provider-interactions"},
    ) as session:
        # aiohttp would by itself send once more what broke on a reused connection: past the pace, and uncounted.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        allowed = pace(vendor, credentials.settings, concurrency)
        pacer = Throttle.of(allowed, limits.patience, proven=auth.has_tokens)
        client = Client(vendor, credentials, auth, session, pacer, tokens, limits, Counters(), cache(proxy_for))
        tokens.ask = client.ask_token
        yield client


def _body(request: Request) -> bytes | None:
    if request.form is not None:
        return urlencode(request.form).encode()
    return request.body


def _headers(request: Request) -> Mapping[str, str]:
    form = {"Content-Type": "application/x-www-form-urlencoded"} if request.form is not None else {}
    return {**request.headers, **form}
