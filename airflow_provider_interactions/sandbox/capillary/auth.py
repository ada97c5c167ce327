"""Capillary's two logins: Basic with the MD5 of the password, and tokens.

Sources: "Basic authentication" and "OAuth" (docs.capillarytech.com/reference, read 2026-11).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import md5

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.capillary.bodies import encode
from airflow_provider_interactions.sandbox.capillary.errors import reply, tokenless
from airflow_provider_interactions.sandbox.capillary.options import Options
from airflow_provider_interactions.sandbox.faults import active_fault
from airflow_provider_interactions.sandbox.vendor import Site


class Credentials(msgspec.Struct, frozen=True):
    """The body of a token request."""

    key: str
    secret: str


async def token(site: Site, request: web.Request) -> web.Response:
    """Answer ``POST /v3/oauth/token/generate``."""
    options: Options = site.options
    try:
        given = msgspec.json.decode(await request.read(), type=Credentials)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return tokenless(request, 400, "A key and a secret are needed as JSON.", options.token_failure_status)
    if not _same(given.key, options.key) or not _same(given.secret, options.secret):
        return tokenless(request, 401, "Invalid key or secret.", options.token_failure_status)
    seconds = options.token_seconds
    data = {"accessToken": site.tokens.issue(seconds), "ttlSeconds": int(seconds)}
    return reply(request, encode({"data": data, "errors": None}))


def logged_in(site: Site, request: web.Request) -> bool:
    """Tell whether the request bears a good token, or else the till and the hash of its password."""
    presented = request.headers.get(site.options.token_header)
    if presented is not None:
        return site.tokens.accepts(presented)
    # A fault that rejects tokens is meant for whatever the client logs in with.
    return active_fault("reject_tokens") is None and _basic(site.options, request.headers.get("Authorization", ""))


def _basic(options: Options, header: str) -> bool:
    scheme, _, encoded = header.partition(" ")
    try:
        till, _, digest = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    # 32 lower-case digits: upper case, the password itself or a stray blank are all refused.
    expected = md5(options.password.encode(), usedforsecurity=False).hexdigest()
    return scheme.lower() == "basic" and _same(till, options.till) and _same(digest, expected)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
