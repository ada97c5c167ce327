"""Capillary's two ways to sign a call: a till's name with its hashed password, or a token for a client's key.

Sources: "Basic authentication" and "OAuth" (docs.capillarytech.com/reference, read 2026-11). MD5 is what the vendor
demands, not a choice; whoever knows the hash can sign in with it, so it is as secret as the password. What one till
sees may differ from what another sees. How the token call says no is not published: only a token counts as success.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from airflow_provider_interactions import contract, status
from airflow_provider_interactions.contract import Auth, Credentials, Request, Response, Token
from airflow_provider_interactions.errors import BadResponse, ConfigError
from airflow_provider_interactions.vendors.capillary.about import ABOUT
from airflow_provider_interactions.vendors.capillary.times import find_zone
from airflow_provider_interactions.vendors.shared import auth as shared

TOKEN_PATH = "/v3/oauth/token/generate"  # noqa: S105 - a path

#: Seconds, where a response names none: the life of the token in the page's sample.
TOKEN_LIFE = 300.0

JSON = {"Accept": "application/json", "Content-Type": "application/json"}

_MD5 = re.compile(r"[0-9a-f]{32}")


class Settings(contract.Settings, frozen=True, kw_only=True):
    """The connection's extra.

    ``auth``: ``basic`` (login: till, password) or ``oauth`` (login: client key, password: its secret).
    ``password_is_md5``: the password is already the 32 hexadecimal digits of its MD5. ``token_header``: the header
    that carries a token; one overview page names CAP-API-ACCESS-TOKEN instead (unverified). ``api``: v2 answers with
    the whole history at once, v1.1 page by page. ``time_zone``: IANA name of the zone in which the vendor writes times
    that name none, for example Asia/Kolkata (unpublished, see ``times``).
    """

    auth: Literal["basic", "oauth"] = "basic"
    password_is_md5: bool = False
    token_header: str = "X-CAP-API-OAUTH-TOKEN"  # noqa: S105 - a name
    api: Literal["v2", "v1.1"] = "v2"
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            find_zone(self.time_zone)
        except ValueError:
            msg = f"{ABOUT.name}: the extra's time_zone is not an IANA time zone. Examples: Asia/Kolkata, UTC."
            raise ConfigError(msg) from None
        shared.require_header_name(ABOUT.name, "token_header", self.token_header)


def auth(credentials: Credentials[Settings]) -> Auth:
    """How to sign calls with this connection; raises ConfigError that names the field to mend."""
    login, password, settings = credentials.login, credentials.password, credentials.settings
    shared.require(ABOUT.name, {"login": login, "password": password})
    if settings.auth == "basic":
        # Without the blank that the vendor's old sample has before the hash.
        return shared.sign_basic(ABOUT.name, login, hash_password(password, settings), password)
    body = msgspec.json.encode({"key": login, "secret": password})
    return Auth(
        lambda request, token: shared.set_header(settings.token_header, token)(request, ""),
        ask=Request("POST", f"{credentials.host}{TOKEN_PATH}", headers=JSON, body=body),
        read=read_token,
        secrets=(password,),
    )


def hash_password(password: str, settings: Settings) -> str:
    """The password as the vendor wants it: MD5, lower-case hexadecimal; raises ConfigError where it should be one."""
    if not settings.password_is_md5:
        return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
    if not _MD5.fullmatch(password.lower()):
        msg = f"{ABOUT.name}: password_is_md5 is set, but the password is not 32 hexadecimal digits."
        raise ConfigError(msg)
    return password.lower()


def read_token(response: Response) -> Token:
    """Read the token host's response; raises AuthRejected, RequestRejected, Throttled, Unavailable or BadResponse."""
    members = shared.read_members(response)
    data = members.get("data")
    granted = data if isinstance(data, dict) else {}
    # A token is valid whatever the status of the response. A response without a token is an error.
    if granted.get("accessToken"):
        return shared.grant_token(granted["accessToken"], granted.get("ttlSeconds"), TOKEN_LIFE)
    if status.is_success(response.status) and not members:
        msg = "the token call's response does not have the documented shape"
        raise BadResponse(msg, status=response.status)
    raise shared.judge_refusal(
        response,
        "no token was granted. Check key (login) and secret (password), and that the client is in an access group",
    )
