"""What Dataverse's refusals mean: a table by HTTP status and code, read from every known variant of the body.

Source: "Compose HTTP requests and handle errors", "Service protection API limits" (learn.microsoft.com, 2026-11);
codes marked B were seen in public code only and are unverified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from airflow_provider_interactions import contract, errors
from airflow_provider_interactions import status as shared_status
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    ContactNotFound,
    RequestRejected,
    ServiceRemoved,
    Throttled,
    VendorError,
)
from airflow_provider_interactions.status import Verdict
from airflow_provider_interactions.vendors.shared import encoding

REMOVED = (
    "the action msdyncrm_LoadInteractionsPublic does not exist there. Microsoft removed outbound marketing, which "
    "owned it, from its cloud in May 2026. That history was merged into the tables of 'Customer Insights Journeys'. "
    "Read it with a connection of type dynamics_journeys, through Microsoft Fabric or through Dataverse alone"
)
_NOT_A_MEMBER = "the app is not an application user of this environment. Add it there with a security role"
_NO_PRIVILEGE = "the application user lacks a privilege. Give its security role read access to contacts and processes"
_DISABLED = "the application user is disabled. Enable it in the environment"
_SLOWER = "the service protection limit was reached"

CODES: dict[str, Verdict] = {
    "0x80072322": (Throttled, _SLOWER),  # requests in 300 s
    "0x80072321": (Throttled, _SLOWER),  # combined execution time
    "0x80072326": (Throttled, _SLOWER),  # CONCURRENT
    "0x8005f103": (Throttled, _SLOWER),  # B
    "0x80060308": (Throttled, _SLOWER),  # B
    "0x80048d19": (RequestRejected, "a parameter of the call is unknown or of the wrong type"),  # B
    "0x80060888": (RequestRejected, "a query option of the call is not allowed"),  # B
    "0x80040265": (RequestRejected, "the action itself failed with this call"),
    "0x80040220": (AuthRejected, _NO_PRIVILEGE),  # B
    "0x80048306": (AuthRejected, _NO_PRIVILEGE),  # B
    "0x80072560": (AuthRejected, _NOT_A_MEMBER),
    "0x80040225": (AuthRejected, _DISABLED),  # B
    "0x8004d24b": (AuthRejected, _DISABLED),  # B
    "0x80040217": (ContactNotFound, "there is no such contact"),  # B
    "0x80060891": (ContactNotFound, "there is no such contact"),  # B
}

#: The codes of a missing privilege.
PRIVILEGE_CODES = frozenset(code for code, (_, sentence) in CODES.items() if sentence == _NO_PRIVILEGE)

#: "Number of concurrent requests": fewer in flight are wanted, not fewer in a time.
CONCURRENT = "0x80072326"

_ACTION = "msdyncrm_LoadInteractionsPublic"
_NO_SUCH_TABLE = (
    "the Web API has no such table or function there. Check the connection's host and api_version, and that the "
    "application user may read the table"
)

#: The word by which a missing part of the Web API is known, with the part's name where it follows in quotes.
_SEGMENT = re.compile(r"segment\b(?:\W*['\"\u2018\u201c]([^'\"\u2019\u201d]+))?", re.IGNORECASE)
_CODE = re.compile(r"0x[0-9a-f]{1,8}")


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Body(msgspec.Struct):
    error: _Error | None = None


def classify(response: Response) -> VendorError | None:
    """The error that a response means, None for one to read. Status and code decide, the text only for 'segment'."""
    if shared_status.is_success(response.status):
        return contract.classify_by_status(response) or _find_error(response)
    found = _read(response.body)
    code = _read_code(found)
    return _build_error(_judge(response.status, code, found.message or ""), response, code)


_ERRORS = ("error", "errors")


def refuse_error(members: Mapping[str, msgspec.Raw]) -> None:
    """Raise BadResponse if a response has an error among its members that ``classify`` could not name."""
    if any(name.lower() in _ERRORS and bytes(value) not in (b"null", b"[]") for name, value in members.items()):
        msg = "the response holds an error instead of records, or beside them"
        raise BadResponse(msg)


def _find_error(response: Response) -> VendorError | None:
    """The error in the body of a response with a good status; None without a known error."""
    if b'"error"' not in response.body:  # in Data, quotes are escaped
        return None
    code = _read_code(_read(response.body.removeprefix(encoding.BYTE_ORDER_MARK)))
    return _build_error(CODES.get(code), response, code)


def _build_error(verdict: Verdict | None, response: Response, code: str) -> VendorError | None:
    error = shared_status.build_error(verdict, response.status, code)
    if isinstance(error, Throttled) and code == CONCURRENT:
        error.limit = "concurrency"
    return error


def _read_code(found: _Error) -> str:
    code = (found.code or "").lower()
    return code if _CODE.fullmatch(code) else ""  # error messages show it, so no other text may pass


def _judge(status: int, code: str, message: str) -> Verdict | None:
    # The same meaning comes under two codes and under none (B), so the word has to help.
    segment = _SEGMENT.search(message) if status == 404 else None
    if segment is not None:
        return (ServiceRemoved, REMOVED) if segment[1] in (None, _ACTION) else (RequestRejected, _NO_SUCH_TABLE)
    # A fault of the server is worth a retry whatever its code; 429 is always a request to slow down.
    if status >= 500 or status in (401, 429):
        return shared_status.judge(status)
    return CODES.get(code) or shared_status.judge(status)


def _read(body: bytes) -> _Error:
    try:
        return msgspec.json.decode(body, type=_Body).error or _Error()
    except errors.UNREADABLE:
        return _Error()  # a gateway's text or page: the status alone decides
