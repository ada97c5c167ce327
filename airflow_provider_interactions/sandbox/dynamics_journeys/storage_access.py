"""Who may read what: bearer tokens of the storage's audience, and shared access signatures (SAS)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from airflow_provider_interactions.sandbox.dynamics_journeys.storage_responses import refuse
from airflow_provider_interactions.sandbox.vendor import Site

#: the audience of tokens for storage; OneLake takes no other ("Connect to OneLake", onelake-access-api.md)
AUDIENCE = "https://storage.azure.com"
_AUTHORITY = "https://login.microsoftonline.com/sandbox/oauth2/authorize"
_FIELDS = {"sv", "se", "sp", "sig"}


class Wanted(NamedTuple):
    """What a request is about: a path from the container on, and whether it lists or reads."""

    container: str
    path: str
    permission: str


def issue_sas(site: Site, container: str, folder: str, permissions: str, seconds: float) -> str:
    """A new SAS of a folder, as a query string; ``permissions`` are letters of r, l."""
    start, limit = datetime.now(UTC), min(seconds, site.options.sas_seconds)
    # A signature is good to the second that it names.
    expiry = (start + timedelta(seconds=limit)).replace(microsecond=0) + timedelta(seconds=1)
    signature = site.tokens.issue((expiry - start).total_seconds(), f"sas:{permissions}:{container}/{folder}")
    fields = {
        "sv": "2023-11-03",
        "st": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "se": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sr": "d",
        "sp": permissions,
        "sdd": str(folder.count("/") + 1),
        "sig": f"{signature}+/=",
    }
    return urlencode(fields)


def challenge_bearer(site: Site, request: web.Request) -> web.Response | None:
    """A 401 unless the request has a token of the storage's audience; 403 without a role in the workspace."""
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    challenge = {"WWW-Authenticate": f"Bearer authorization_uri={_AUTHORITY} resource_id={AUDIENCE}"}
    if scheme.lower() != "bearer":
        return refuse(request, 401, "NoAuthenticationInformation", headers=challenge)
    if not site.tokens.accept(presented):
        return refuse(request, 401, "InvalidAuthenticationInfo", "Lifetime validation failed.", challenge)
    if site.tokens.get_audience(presented) != AUDIENCE:
        detail = "Audience validation failed. Audience did not match."
        return refuse(request, 401, "InvalidAuthenticationInfo", detail, challenge)
    return None if site.options.role else refuse(request, 403, "AuthorizationPermissionMismatch")


def challenge_sas(site: Site, request: web.Request, wanted: Wanted) -> web.Response | None:
    """A refusal unless the request has a SAS that is good for what it wants."""
    query = request.query
    if "sig" not in query:
        refused = challenge_bearer(site, request)
        # A principal has a role in its workspace, but none in Dataverse's own storage.
        return refuse(request, 403, "AuthorizationPermissionMismatch") if refused is None else refused
    signature = query["sig"].removesuffix("+/=")
    if _FIELDS - query.keys() or not query["sig"].endswith("+/="):
        return refuse(request, 403, "AuthenticationFailed", "Signature fields not well formed.")
    if not site.tokens.accept(signature):
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        detail = f"Signature not valid in the specified time frame: Expiry [{query['se']}] - Current [{now}]"
        return refuse(request, 403, "AuthenticationFailed", detail)
    _, permissions, place = (site.tokens.get_audience(signature) or "::").split(":", 2)
    asked = f"{wanted.container}/{wanted.path}".rstrip("/")
    inside = asked == place or asked.startswith(f"{place}/")
    if not inside or wanted.permission not in permissions:
        return refuse(request, 403, "AuthorizationPermissionMismatch")
    return None
