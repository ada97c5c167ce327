"""Capillary's two logins: Basic with the MD5 of the password, and tokens.

Sources: "Basic authentication" and "OAuth" (docs.capillarytech.com/reference, read 2026-11).
"""

from __future__ import annotations

from hashlib import md5

import msgspec
from aiohttp import web

from airflow_provider_interactions.sandbox.auth import is_same, read_basic
from airflow_provider_interactions.sandbox.capillary.bodies import encode
from airflow_provider_interactions.sandbox.capillary.errors import refuse_token, reply
from airflow_provider_interactions.sandbox.capillary.options import Options
from airflow_provider_interactions.sandbox.faults import get_fault
from airflow_provider_interactions.sandbox.vendor import Site


class Credentials(msgspec.Struct, frozen=True):
    """The body of a token request."""

    key: str
    secret: str


async def issue_token(site: Site, request: web.Request) -> web.Response:
    """Answer ``POST /v3/oauth/token/generate``."""
    options: Options = site.options
    try:
        given = msgspec.json.decode(await request.read(), type=Credentials)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return refuse_token(400, "A key and a secret are needed as JSON.", 200)
    if not is_same((given.key, given.secret), (options.key, options.secret)):
        return refuse_token(401, "Invalid key or secret.", 200)
    seconds = options.token_seconds
    data = {"accessToken": site.tokens.issue(seconds), "ttlSeconds": int(seconds)}
    return reply(encode({"data": data, "errors": None}))


def is_logged_in(site: Site, request: web.Request) -> bool:
    """Whether the request has a good token, or else the till and the hash of its password."""
    options: Options = site.options
    presented = request.headers.get(options.token_header)
    if presented is not None:
        return site.tokens.accept(presented)
    # 32 lower-case digits: upper case, the password itself or a stray blank are all refused.
    digest = md5(options.password.encode(), usedforsecurity=False).hexdigest()
    given = read_basic(request.headers.get("Authorization", ""))
    # A fault that rejects tokens is meant for whatever the client logs in with.
    return get_fault("reject_tokens") is None and is_same(given, (options.till, digest))
