"""A ``requests.Session`` that signs requests as the vendor wants, for endpoints that this package does not read.

It uses the same functions to sign as the client. Credentials go to the connection's host only: a request for another
host is refused, and a redirect there is returned instead of followed. No cookie is kept. This module imports requests,
so it is imported late.
"""

from __future__ import annotations

import time
from http.cookiejar import DefaultCookiePolicy
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests
import stamina
from requests.structures import CaseInsensitiveDict

from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, Token, Vendor
from airflow_provider_interactions.errors import ConfigError, Unavailable, VendorError
from airflow_provider_interactions.http.retry import Limits, Tries
from airflow_provider_interactions.http.tokens import TokenCache, read_token
from airflow_provider_interactions.urls import read_origin

#: Seconds to connect, and between two bytes of a response, if a call names no timeout.
TIMEOUT = (10.0, 120.0)

#: Requests for one token that may fail before the call fails, and the longest pause before a retry, in seconds.
TOKEN_TRIES, LONGEST_TOKEN_WAIT = 4, 30.0

FORM = "application/x-www-form-urlencoded"


def open_session(vendor: Vendor, credentials: Credentials) -> VendorSession:
    """Open a session; raises ConfigError if the connection's fields cannot be used. Nothing is sent yet."""
    return VendorSession(vendor.name, credentials, vendor.auth(credentials))


class VendorSession(requests.Session):
    """A session of one connection. URLs may be paths below its host.

    Calls return the response whatever its status, as requests does; after a 401 they try once more with a new token.
    They raise AuthRejected, Throttled, Unavailable or BadResponse if the token host gives no token, ConfigError for
    another host, and requests' own errors, without their URLs, if the vendor cannot be reached.
    """

    def __init__(self, vendor: str, credentials: Credentials, auth: Auth) -> None:
        super().__init__()
        self.vendor, self.host = vendor, credentials.host
        self.verify = credentials.settings.verify_tls is not False
        self.auth = _leave_unsigned
        self.headers["User-Agent"] = "airflow-provider-interactions"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._auth, self._tokens = auth, _Tokens(vendor, auth, verify=self.verify)

    def __repr__(self) -> str:
        return f"VendorSession({self.vendor}, {self.host})"

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepare as requests does, after a path was joined to the connection's host."""
        if not urlsplit(str(request.url)).scheme:
            request.url = f"{self.host}/{str(request.url).removeprefix('/')}"
        return super().prepare_request(request)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """The target of a redirect on this host; None for another host."""
        target = super().get_redirect_target(resp)
        stays = target is not None and (not urlsplit(target).netloc or self._is_home(target))
        return target if stays else None

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Sign and send; once more with a new token if the first one is refused."""
        if not self._is_home(str(request.url)):
            msg = f"{self.vendor}: this session talks to {self.host} only, so credentials never reach another host."
            raise ConfigError(msg)
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT
        if self.verify is False:
            kwargs["verify"] = False  # otherwise REQUESTS_CA_BUNDLE wins over the session
        token = self._tokens.current()
        response = self._send(request, token, **kwargs)
        if response.status_code != 401 or response.history or not _can_repeat(request) or not self._tokens.drop(token):
            return response
        response.close()
        return self._send(request, self._tokens.current(), **kwargs)

    def _send(self, request: requests.PreparedRequest, token: str, **kwargs: Any) -> requests.Response:
        signed = _write_signature(request.copy(), self._auth.apply(_read_request(request), token))
        try:
            return super().send(signed, **kwargs)
        except requests.RequestException as fault:
            # The exception's own text and request hold the full URL and the signature, so only its kind is kept.
            msg = f"{self.vendor}: {request.method} {urlsplit(str(request.url)).path} got no response"
            raise type(fault)(f"{msg} ({type(fault).__name__})") from None

    def _is_home(self, url: str) -> bool:
        return read_origin(url) == read_origin(self.host)


class _Tokens:
    """The tokens of one session, requested when first needed. Usable from many threads."""

    def __init__(self, vendor: str, auth: Auth, *, verify: bool) -> None:
        self._vendor, self._verify = vendor, verify
        self._cache, self._lock = TokenCache(auth), Lock()

    def current(self) -> str:
        """A token to use now, empty for a vendor without tokens; raises the token host's error."""
        with self._lock:
            if self._cache.is_usable(time.monotonic()):
                return self._cache.token
            return self._cache.store(self._request(), time.monotonic())

    def drop(self, refused: str) -> bool:
        """Forget a refused token; returns whether another one can be requested."""
        with self._lock:
            self._cache.drop(refused)
        return self._cache.auth.has_tokens

    def _request(self) -> Token:
        """Request a token; retry a few times what may be temporary."""
        limits = Limits(tries=TOKEN_TRIES, odd_tries=TOKEN_TRIES, patience=LONGEST_TOKEN_WAIT)
        for attempt in stamina.retry_context(on=Tries(limits).pause_after, attempts=limits.tries, timeout=None):
            with attempt:
                return self._request_once()
        raise AssertionError  # unreachable: the policy returns or raises

    def _request_once(self) -> Token:
        auth = self._cache.auth
        try:
            if auth.acquire is not None:
                return auth.acquire()
            assert auth.ask is not None  # noqa: S101 - has_tokens
            return read_token(auth, _send_token_request(auth.ask, verify=self._verify))
        except VendorError as error:
            error.vendor, error.path = self._vendor, error.path or (auth.ask.path if auth.ask else "")
            raise


def _send_token_request(request: Request, *, verify: bool) -> Response:
    """Send a token request, which may go to another host than the vendor's, with no other credentials."""
    data = request.form if request.form is not None else request.body
    with requests.Session() as client:
        client.auth = _leave_unsigned
        try:
            response = client.request(
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
    headers = {key.lower(): value for key, value in response.headers.items()}
    return Response(response.status_code, headers, response.content)


def _leave_unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # Without any auth, requests would take a password out of ~/.netrc.
    return request


def _read_request(prepared: requests.PreparedRequest) -> Request:
    """A prepared request as the contract's; a form stays a form, so that a signature can add fields."""
    url, headers, body = str(prepared.url), dict(prepared.headers), prepared.body
    if isinstance(body, str) and headers.get("Content-Type") == FORM:
        return Request(str(prepared.method), url, headers=headers, form=dict(parse_qsl(body, keep_blank_values=True)))
    return Request(str(prepared.method), url, headers=headers, body=body.encode() if isinstance(body, str) else None)


def _write_signature(prepared: requests.PreparedRequest, signed: Request) -> requests.PreparedRequest:
    """Take over a signature: headers always, query and form only if it has some."""
    prepared.headers = CaseInsensitiveDict(signed.headers)
    if signed.query:
        mark = "&" if urlsplit(str(prepared.url)).query else "?"
        prepared.url = f"{prepared.url}{mark}{urlencode(signed.query, quote_via=quote)}"
    if signed.form is not None:
        prepared.body = urlencode(signed.form)
        prepared.headers["Content-Type"] = FORM
        prepared.prepare_content_length(prepared.body)
    return prepared


def _can_repeat(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent twice; a stream is used up."""
    return request.body is None or isinstance(request.body, str | bytes)
