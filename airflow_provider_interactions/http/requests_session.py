"""An ordinary ``requests.Session`` with a vendor's signature, for any endpoint this package does not know.

Signed by the same pure functions as the engine in ``http``. Credentials go to the connection's host only: a request
for another host is refused, a redirect there is handed out instead of followed. No cookie is kept. Importing this
module imports requests, so it is imported late.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
import stamina
from requests.structures import CaseInsensitiveDict

from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, Token, Vendor
from airflow_provider_interactions.errors import ConfigError, Throttled, Unavailable, VendorError
from airflow_provider_interactions.http.retry import Limits, Tries, retry_after
from airflow_provider_interactions.http.tokens import EARLY_SECONDS, EARLY_SHARE
from airflow_provider_interactions.urls import origin

#: Seconds to connect, and between two bytes of an answer, where a call names no timeout.
TIMEOUT = (10.0, 120.0)

#: Requests for one token that may fail before the call fails, and the longest pause in seconds that is waited for.
TOKEN_TRIES, LONGEST_TOKEN_WAIT = 4, 30.0

FORM = "application/x-www-form-urlencoded"


def session(vendor: Vendor, credentials: Credentials) -> VendorSession:
    """Open a session; raises ConfigError when the connection's fields cannot be used. Nothing is sent yet."""
    return VendorSession(vendor.name, credentials, vendor.auth(credentials))


class VendorSession(requests.Session):
    """A session of one connection. URLs may be paths below its host.

    Calls answer as with requests, whatever the status, after one fresh token on 401. They raise AuthRejected,
    Throttled, Unavailable or BadResponse when the token host does not give a token, ConfigError for another host, and
    requests' own errors, without their URLs, when the vendor cannot be reached.
    """

    def __init__(self, vendor: str, credentials: Credentials, auth: Auth) -> None:
        super().__init__()
        self.vendor, self.host = vendor, credentials.host
        self.verify = credentials.settings.verify_tls is not False
        self.auth = _unsigned
        self.headers["User-Agent"] = "airflow-provider-interactions"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._auth, self._tokens = auth, _Tokens(vendor, auth, verify=self.verify)

    def __repr__(self) -> str:
        return f"VendorSession({self.vendor}, {self.host})"

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """As requests does it, with a path joined to the connection's host."""
        if not urlsplit(str(request.url)).scheme:
            request.url = f"{self.host}/{str(request.url).removeprefix('/')}"
        return super().prepare_request(request)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where to follow a redirect, on this host only."""
        target = super().get_redirect_target(resp)
        stays = target is not None and (not urlsplit(target).netloc or self._is_home(target))
        return target if stays else None

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Sign and send; once more with a fresh token when the first one is refused."""
        if not self._is_home(str(request.url)):
            msg = f"{self.vendor}: this session talks to {self.host} only, so credentials never reach another host."
            raise ConfigError(msg)
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT
        if self.verify is False:
            kwargs["verify"] = False  # requests lets REQUESTS_CA_BUNDLE win over the session otherwise
        response = self._send(request, **kwargs)
        if response.status_code != 401 or response.history or not _repeatable(request) or not self._tokens.forget():
            return response
        response.close()
        return self._send(request, **kwargs)

    def _send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        signed = _written(request.copy(), self._auth.apply(_read(request), self._tokens.current()))
        try:
            return super().send(signed, **kwargs)
        except requests.RequestException as fault:
            # The exception's own text and request hold the full URL and the signature, so only its kind is kept.
            msg = f"{self.vendor}: {request.method} {urlsplit(str(request.url)).path} got no answer"
            raise type(fault)(f"{msg} ({type(fault).__name__})") from None

    def _is_home(self, url: str) -> bool:
        return origin(url) == origin(self.host)


class _Tokens:
    """The token of one session, asked for when first needed and renewed before it ends. Usable from many threads."""

    def __init__(self, vendor: str, auth: Auth, *, verify: bool) -> None:
        self._vendor, self._auth, self._verify = vendor, auth, verify
        self._token, self._renew_at, self._lock = "", 0.0, Lock()

    def current(self) -> str:
        """A token to use now, empty for a vendor without tokens; raises what the token host said."""
        with self._lock:
            if self._auth.has_tokens and (not self._token or time.monotonic() >= self._renew_at):
                token = self._ask()
                early = min(EARLY_SECONDS, token.expires_in * EARLY_SHARE)
                self._token, self._renew_at = token.value, time.monotonic() + token.expires_in - early
            return self._token

    def forget(self) -> bool:
        """Drop a refused token; tells whether another one can be asked for."""
        self._token = ""
        return self._auth.has_tokens

    def _ask(self) -> Token:
        """Ask until there is a token; what may pass in a moment is tried again a few times."""
        limits = Limits(tries=TOKEN_TRIES, odd_tries=TOKEN_TRIES, patience=LONGEST_TOKEN_WAIT)
        for attempt in stamina.retry_context(on=Tries(limits).pause_after, attempts=limits.tries, timeout=None):
            with attempt:
                return self._ask_once()
        raise AssertionError  # unreachable: the policy returns or raises

    def _ask_once(self) -> Token:
        try:
            if self._auth.acquire is not None:
                return self._auth.acquire()
            assert self._auth.ask is not None and self._auth.read is not None  # noqa: S101, PT018 - has_tokens
            response = _ask(self._auth.ask, verify=self._verify)
            return _read_token(self._auth.read, response)
        except VendorError as error:
            error.vendor, error.path = self._vendor, error.path or (self._auth.ask.path if self._auth.ask else "")
            raise


def _read_token(read: Callable[[Response], Token], response: Response) -> Token:
    try:
        return read(response)
    except (Throttled, Unavailable) as error:
        error.retry_after = retry_after(response)
        raise


def _ask(request: Request, *, verify: bool) -> Response:
    """Send a token request, which may go to another host than the vendor's, with nothing but what is in it."""
    data = request.form if request.form is not None else request.body
    with requests.Session() as client:
        client.auth = _unsigned
        try:
            answer = client.request(
                request.method,
                request.url,
                headers=request.headers,
                data=data,
                timeout=TIMEOUT,
                allow_redirects=False,
                verify=verify,
            )
        except requests.RequestException as fault:
            msg = f"the token host cannot be reached ({type(fault).__name__}). Check its address, DNS and firewall"
            raise Unavailable(msg) from None
    return Response(answer.status_code, {key.lower(): value for key, value in answer.headers.items()}, answer.content)


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # An auth that does nothing keeps requests from taking a password out of ~/.netrc.
    return request


def _read(prepared: requests.PreparedRequest) -> Request:
    """A prepared request in the contract's words; a form stays a form, so that a signature can add fields."""
    url, headers, body = str(prepared.url), dict(prepared.headers), prepared.body
    if isinstance(body, str) and headers.get("Content-Type") == FORM:
        return Request(str(prepared.method), url, headers=headers, form=_fields(body))
    return Request(str(prepared.method), url, headers=headers, body=body.encode() if isinstance(body, str) else None)


def _fields(body: str) -> dict[str, str]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(body, keep_blank_values=True))


def _written(prepared: requests.PreparedRequest, signed: Request) -> requests.PreparedRequest:
    """Carry a signature back: headers always, query and form only where it has some."""
    prepared.headers = CaseInsensitiveDict(signed.headers)
    if signed.query:
        mark = "&" if urlsplit(str(prepared.url)).query else "?"
        prepared.url = f"{prepared.url}{mark}{urlencode(signed.query, quote_via=quote)}"
    if signed.form is not None:
        prepared.body = urlencode(signed.form)
        prepared.headers["Content-Type"] = FORM
        prepared.prepare_content_length(prepared.body)
    return prepared


def _repeatable(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent twice; a stream is used up."""
    return request.body is None or isinstance(request.body, str | bytes)
