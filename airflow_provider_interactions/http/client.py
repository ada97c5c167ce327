"""The only module that opens a socket for extraction: it builds the ``Fetch`` for the vendors' generators.

What it guarantees:

- No more requests in flight, and no more a second, than the throttle allows; one gate for the whole connection.
- A refusal to slow down uses up no try. Faults and odd responses are retried a bounded number of times, with jitter.
- One new token after a 401, shared by all requests. Credentials that were refused once are refused for the run.
- No cookies, no redirects, no other host; bodies of bounded size; no secret in any text.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from airflow_provider_interactions.connection import choose_pace
from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, T, Token, Vendor
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    Throttled,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.http.proxy import build_connection_error, find_proxy, resolve_url
from airflow_provider_interactions.http.retry import Limits, Tries, read_retry_after
from airflow_provider_interactions.http.shared_limit import Sharing, share_limit
from airflow_provider_interactions.http.shares import AccountLimit
from airflow_provider_interactions.http.throttle import Throttle
from airflow_provider_interactions.http.tokens import TokenCache, Tokens, read_token
from airflow_provider_interactions.http.usage import add_usage

#: Times that one request may be refused with 401, each time with another token; tokens may expire on the way.
MOST_REFUSALS = 3


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
    """One vendor's connection, open. ``fetch`` is the contract's Fetch.

    ``reading`` is bytes of unfinished bodies, ``retrying`` how many requests have failed and are being retried.
    """

    vendor: Vendor
    credentials: Credentials
    auth: Auth
    session: aiohttp.ClientSession
    throttle: Throttle
    limits: Limits
    counters: Counters = field(default_factory=Counters)
    tokens: Tokens = field(init=False)
    proxy_for: Callable[[str], Mapping[str, Any]] = field(default_factory=lambda: cache(find_proxy))
    reading: int = 0
    retrying: int = 0

    def __post_init__(self) -> None:
        self.tokens = Tokens(TokenCache(self.auth), self.request_token)

    async def fetch(self, request: Request, decode: Callable[[Response], T], /) -> T:
        """Send a request until its response can be decoded; raises a VendorError that says what to do."""
        try:
            return await self._fetch_or_retry(request, decode)
        except VendorError as error:
            error.vendor, error.path = self.vendor.name, error.path or request.path
            raise

    async def _fetch_or_retry(self, request: Request, decode: Callable[[Response], T]) -> T:
        try:
            return decode(await self._send_when_allowed(request))  # the usual case: a retry context costs a tenth more
        except VendorError as error:
            first = error
        self.retrying += 1
        try:
            return await self._retry(request, decode, first)
        finally:
            self.retrying -= 1

    async def _retry(self, request: Request, decode: Callable[[Response], T], first: VendorError) -> T:
        """Send a failed request again while that may help; raises the last failure."""
        import stamina

        policy = stamina.retry_context(on=Tries(self.limits).pause_after, attempts=self.limits.tries, timeout=None)
        async for attempt in policy:
            with attempt:
                if attempt.num == 1:
                    raise first
                self.counters.retries += 1
                return decode(await self._send_when_allowed(request))
        raise AssertionError  # unreachable: the policy returns or raises

    async def _send_when_allowed(self, request: Request) -> Response:
        """Send a request again after each refusal to slow down, as long as the patience lasts."""
        deadline = None  # it begins with the first refusal: before that, the request waited for its own turn
        while True:
            try:
                return await self._send_with_token(request)
            except Throttled as refusal:
                self.counters.throttled += refusal.status is not None  # None: the gate was closed for too long
                now = asyncio.get_running_loop().time()
                deadline = now + self.limits.patience if deadline is None else deadline
                pause = refusal.retry_after or 0.0
                if now + pause > deadline or pause > self.limits.most_pause:
                    raise

    async def _send_with_token(self, request: Request) -> Response:
        """Send a request, again with another token after each 401.

        Other requests may use up the tokens. The last try has a token of its own: if that is refused, it is forbidden.
        """
        for refusals in range(MOST_REFUSALS):
            last = refusals == MOST_REFUSALS - 1
            async with self.throttle.acquire(ahead=refusals > 0) as turn, self.tokens.use(alone=last) as token:
                response = await self._send(self.auth.apply(request, token))
                error = self._classify(response)
                if error is None:
                    self.tokens.accept(token)
                    self.throttle.record_success(turn)
                    return response
                if last or not isinstance(error, AuthRejected):
                    raise error
            self.tokens.refuse(token, error)  # raises it, unless a new token may help
        raise AssertionError  # unreachable: the last try returns or raises

    def _classify(self, response: Response) -> VendorError | None:
        error = self.vendor.classify(response)
        if isinstance(error, Throttled | Unavailable):
            error.retry_after = read_retry_after(response)
        return error

    def report_usage(self) -> None:
        """Add what was sent and received to the step that is being measured."""
        sent, ahead = self.counters, self.throttle.paused_until - asyncio.get_running_loop().time()
        paused = self.throttle.paused_seconds - max(0.0, ahead)
        add_usage(sent.requests, sent.retries, sent.throttled, sent.received, paused)

    async def request_token(self) -> Token:
        """Send the token request, which may go to another host than the vendor's, and read its response."""
        request = self.auth.ask
        assert request is not None  # noqa: S101 - a vendor with tokens has it, or its own ``acquire``
        self.counters.tokens += 1
        try:
            return read_token(self.auth, await self._send(request))
        except VendorError as error:
            error.path = request.path
            raise

    async def _send(self, request: Request) -> Response:
        url = resolve_url(self.credentials.host, request) if request is not self.auth.ask else URL(request.url)
        self.counters.requests += 1
        try:
            async with self.session.request(
                request.method,
                url,
                headers=_build_headers(request),
                data=_encode_body(request),
                allow_redirects=False,
                **self.proxy_for(str(url.origin())),
            ) as response:
                body = await self._read(response)
                self.counters.received += len(body)
                return Response(response.status, {key.lower(): value for key, value in response.headers.items()}, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise build_connection_error(fault, request, self.vendor.name) from None
        except ValueError:
            # Of the headers only the token comes from elsewhere; the client's own text could quote it.
            msg = "the token host sent a token that no header can carry"
            raise BadResponse(msg, lasting=True) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks, size = [], 0
        try:
            async for chunk in response.content.iter_any():
                size += len(chunk)
                self.reading += len(chunk)
                if size > self.limits.body:
                    msg = f"the response is larger than {self.limits.body} bytes. Ask for smaller pages"
                    raise BadResponse(msg, lasting=True)
                if self.reading > self.limits.bodies:
                    msg = f"responses are larger than {self.limits.bodies} bytes together. Ask for fewer at once"
                    raise BadResponse(msg, lasting=True)
                chunks.append(chunk)
            return b"".join(chunks)
        finally:
            self.reading -= size


@asynccontextmanager
async def connect(
    vendor: Vendor,
    credentials: Credentials,
    *,
    concurrency: int | None = None,
    limits: Limits | None = None,
    sharing: Sharing | None = None,
) -> AsyncIterator[Client]:
    """Open a connection to a vendor; raises ConfigError when its fields cannot be used. Use inside one event loop.

    With ``sharing``, the connection shares the limit of its account with other tasks, see ``shares``.
    """
    limits = limits or Limits()
    auth = vendor.auth(credentials)
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0, ssl=credentials.settings.verify_tls is not False),
        timeout=aiohttp.ClientTimeout(total=limits.timeout, sock_connect=min(10.0, limits.timeout)),
        skip_auto_headers=("User-Agent",),
        headers={"User-Agent": "airflow-provider-interactions"},
    ) as session:
        # aiohttp would send again what broke on a reused connection: past the throttle, and uncounted.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        allowed = choose_pace(vendor, credentials.settings, concurrency)
        throttle = Throttle.start(allowed, limits.most_pause, tuning=limits.rate, proven=auth.has_tokens)
        account = choose_pace(vendor, credentials.settings)
        limit = AccountLimit(max(account.concurrency, allowed.concurrency), allowed.concurrency)
        client = Client(vendor, credentials, auth, session, throttle, limits)
        try:
            async with share_limit(sharing, limit, throttle, vendor.name):
                yield client
        finally:
            client.report_usage()


def _encode_body(request: Request) -> bytes | None:
    if request.form is not None:
        return urlencode(request.form).encode()
    return request.body


def _build_headers(request: Request) -> Mapping[str, str]:
    form = {"Content-Type": "application/x-www-form-urlencoded"} if request.form is not None else {}
    return {**request.headers, **form}
