"""What Luminate's refusals mean: a table by the code in the body, which counts more than the HTTP status.

Nearly every error comes as HTTP 403, some as 200, so the status says little. Sources: "Error Codes", "HTTP Status
Codes" (open.convio.com, read 2026-11); "Constituent error codes" (developer.blackbaud.com/lo-api, read 2026-11). Codes
marked B were seen in public code only and are unverified. No rate limit is documented; a proxy may send a 429.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from airflow_provider_interactions import errors
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    ContactFailed,
    ContactNotFound,
    RequestRejected,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.status import WEB_PAGE, Verdict, build_error, is_html, judge
from airflow_provider_interactions.vendors.shared import xml, xml_source

_UNKNOWN = (RequestRejected, "the vendor rejected the call with a code that its pages do not list")
_LOGIN = "the login was refused. Check login and password of the API Administrator"
_NOT_READING = "the vendor reports an error of a writing call or of another service. This call only reads"
_MANY = "the identifier matches several constituents. Ask for this contact by cons_id"
_FAILED = (
    "the vendor could not process the call. If it happens again, check the host (secure2 or secure3, short name, up to "
    "/site), that the API Administrator may use this API, and the site's API call log"
)
_ADDRESS = (
    "the vendor does not allow calls from this worker's IP address. Add the public IP address of your "
    "workers (for many workers, one fixed NAT address) to the site's Open API allow list"
)

CODES: dict[str, Verdict] = {
    # For anything unforeseen on their side, and for plain misuse; so it is tried again, a bounded number of times.
    "1": (Unavailable, _FAILED),
    "2": (AuthRejected, "the api_key was refused. It must equal the site's CONVIO_API_KEY or its secondary key"),
    "3": (AuthRejected, "authorisation failed. Check login and password, and the account's API Administrator group"),
    "4": (AuthRejected, _ADDRESS),
    "5": (AuthRejected, "the method is restricted and needs a token. Check that the account is an API Administrator"),
    "6": (RequestRejected, "the method is missing, or not known on this site"),
    "7": (AuthRejected, "single sign-on failed: " + _LOGIN),
    "8": (ContactFailed, _MANY),
    "9": (RequestRejected, "a required parameter is missing"),
    "14": (RequestRejected, "the method is not allowed on this site"),
    "15": (ContactFailed, _MANY),
    "16": (ContactNotFound, "there is no such constituent"),
    "17": (RequestRejected, "the call names no method"),  # deprecated by the vendor
    "18": (ContactFailed, "a field of the identifier did not match any record"),
    "19": (RequestRejected, "the group does not exist, or this account may not read its members"),
    "25": (RequestRejected, "the vendor rejected the date range as invalid"),
    "26": (RequestRejected, "the interaction type does not exist on this site, or is not public. Check the types"),
    "27": (ContactFailed, "the interaction is invalid, or was removed in the meantime"),
    "29": (RequestRejected, "the category id is invalid"),
    "31": (RequestRejected, "too many interactions in one call. Ask for smaller pages"),
    "32": (ContactFailed, "the vendor keeps no interactions for this constituent"),
    "33": (AuthRejected, "no authentication fields are configured on this site"),
    "35": (RequestRejected, "a parameter holds characters that the vendor does not accept"),
    "50": (RequestRejected, "the list criteria are invalid: the page size or offset"),
    "405": (RequestRejected, "the call did not arrive as POST. Check the proxies on the way"),  # older pages
    **dict.fromkeys(("200", "201", "202", "204"), (AuthRejected, _LOGIN)),  # B
    **{str(code): (RequestRejected, _NOT_READING) for code in (*range(10, 14), *range(20, 25), 28, 30, 34, 36)},
    **{str(code): (RequestRejected, _NOT_READING) for code in range(901, 911)},  # address book
}

STATUSES: dict[int, Verdict] = {
    403: (AuthRejected, "the call was refused before it reached the API. Check proxies, firewalls and the host"),
    404: (RequestRejected, "this host has no API. It must be the site's secure URL up to and including /site"),
    405: CODES["405"],
}

_JSON_ERROR = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"errorResponse"\s*:')
_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
_HTML = re.compile(rb"<!doctype\s+html", re.IGNORECASE)


def classify(response: Response) -> VendorError | None:
    """The error that a response means, None for one to read. Looks at the first bytes, and parses errors only."""
    if response.status == 429:
        return build_error(judge(429), 429)
    if _is_error(response.body):
        code = _read_code(response.body)
        return build_error(_judge_code(code, response.status), response.status, code)
    if _is_web_page(response):
        # These do not mean maintenance: the host is wrong, and waiting would not help.
        wrong = response.status in (404, 405) or 300 <= response.status < 400
        return build_error(judge(response.status, STATUSES) if wrong else WEB_PAGE, response.status)
    return build_error(judge(response.status, STATUSES), response.status)


def classify_code(code: str) -> VendorError | None:
    """The error of a code inside a response that came with HTTP 200; None for a code that the pages do not list."""
    return build_error(CODES.get(code.strip()), 200, code.strip())


def _judge_code(code: str, status: int) -> Verdict:
    return CODES.get(code) or (status >= 500 and judge(status)) or _UNKNOWN


def _is_error(body: bytes) -> bool:
    return bool(_JSON_ERROR.match(body)) or xml_source.find_root(body) == "errorResponse"


def _is_web_page(response: Response) -> bool:
    # The API's own responses count as such under any Content-Type; XHTML starts with an XML declaration.
    if _JSON_START.match(response.body):
        return False
    root = xml_source.find_root(response.body)
    if root == "!DOCTYPE":
        return bool(_HTML.search(response.body, 0, 512))
    return root.lower() == "html" or (is_html(response.headers, response.body) and not root.endswith("Response"))


def _read_code(body: bytes) -> str:
    """The code of an error, empty where it cannot be read. Never another text: that could quote the call."""
    try:
        found = (
            _read_json_code(body)
            if _JSON_ERROR.match(body)
            else xml.read_text(xml.find_child(xml.parse(body, "error"), "code"))
        )
    except (BadResponse, AttributeError, *errors.UNREADABLE):
        return ""
    code = str(found or "").strip()
    return code if code.isdecimal() and len(code) < 6 else ""


def _read_json_code(body: bytes) -> Any:
    return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))["errorResponse"].get("code")
