"""What Capillary's refusals mean: tables by the code in the body, and by HTTP status where there is none.

Three layers speak: the HTTP status, the request's status in the body, the customer's own status in the body. v1.1
answers HTTP 200 to nearly everything, so the body's flag decides. Its codes look like HTTP statuses and mean other
things (402, 407, 408), so they never meet the rules for HTTP. Sources: the v1.1 and v2 documentation
(github.com/capillary, read 2026-11), "Success and error codes" (docs.capillarytech.com, 2025); which codes are worth
another try is a judgement, unverified.
"""

from __future__ import annotations

import logging
import re

from airflow_provider_interactions import contract
from airflow_provider_interactions import status as shared_status
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    ContactDeleted,
    ContactError,
    ContactFailed,
    ContactNotFound,
    RequestRejected,
    Throttled,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.status import Verdict, judge
from airflow_provider_interactions.vendors.capillary import faults, responses
from airflow_provider_interactions.vendors.shared.encoding import to_utf8

log = logging.getLogger(__name__)

_UNKNOWN = (RequestRejected, "the vendor rejected the call with a code that its pages do not list")
_WRONG = (RequestRejected, "the vendor rejected the call as invalid")
_NOBODY = (ContactNotFound, "there is no such customer")
_PROBLEM = (ContactFailed, "the vendor cannot identify the customer by this identifier")
_LOGIN = (AuthRejected, "the credentials were refused. Check login and password (till or client key)")
_BUSY = (Unavailable, "the vendor is busy")

REQUEST_CODES: dict[str, Verdict] = {
    "400": (RequestRejected, "the vendor found invalid input. Check identifier, network and type"),
    "401": _LOGIN,
    "402": (RequestRejected, "this version of the API is not supported. Set api in the extra to the other version"),
    "403": (RequestRejected, "API v2 is not enabled for the organisation, or the call lacks a mandatory field"),
    **dict.fromkeys(("404", "405", "406", "415"), _WRONG),
    "407": (Unavailable, "the vendor reports an unknown error of its own"),
    "408": (RequestRejected, "the vendor expects calls from another network device (MAC id mismatch)"),
    "429": (RequestRejected, "a quota of the organisation is used up"),  # published for one-time passwords only
    "461": (Unavailable, "the vendor's search engine is busy"),
    "500": (Unavailable, "the whole call failed at the vendor, which gave no reason"),
    "503": (Unavailable, "the vendor could not check the authorisation"),
    "504": _BUSY,
    "521": (Unavailable, "the vendor is busy with another action for this customer"),
    **dict.fromkeys(("1060", "1061", "1062", "1064"), _WRONG),
}

ITEM_CODES: dict[str, Verdict] = {
    **dict.fromkeys(("816", "1011", "1012", "1013", "1020", "8015"), _NOBODY),
    "8109": (ContactDeleted, "the vendor deleted this customer after a request under privacy law"),
    "618": (ContactFailed, "the vendor has marked this customer as fraudulent"),
    "1015": (ContactFailed, "the vendor found no identifier of the customer in the call"),
    "1042": (ContactFailed, "the vendor rejected this identifier as invalid"),
    **dict.fromkeys(("8011", "8013", "8045", "8065", "8089"), _PROBLEM),
    "1044": (AuthRejected, "the till or client has no permission to read interactions"),
    "8003": (RequestRejected, "the vendor refuses the source of the call"),
}

CODES: dict[str, Verdict] = {**REQUEST_CODES, **ITEM_CODES}

#: HTTP statuses that mean more here than elsewhere; only where the body names no code.
STATUSES: dict[int, Verdict] = {
    404: (RequestRejected, "this host does not have the API. Check the cluster's address, and api in the extra"),
    461: CODES["461"],
    504: (Unavailable, "the gateway gave up after 20 to 30 seconds"),  # page of error codes, 2026-03
}

_REQUEST_ID = re.compile(r"[\w-]{1,64}")


def classify(response: Response) -> VendorError | None:
    """The error that a response means, None for one to read. Looks at the outline of the body only."""
    try:
        code = faults.find_fault(responses.read_body(to_utf8(response)))
    except BadResponse as wrong:
        return _judge_shapeless(response, wrong)
    error = _build_error(response, code)
    if error is not None and not isinstance(error, ContactError):
        # The vendor's support asks for it.
        request_id = _REQUEST_ID.fullmatch(response.headers.get("x-cap-requestid", ""))
        log.info("capillary: refused with code %s, X-Cap-Requestid %s", error.code, request_id and request_id[0])
    return error


def _judge_shapeless(response: Response, wrong: BadResponse) -> VendorError | None:
    wrong.status = response.status
    if shared_status.is_success(response.status):
        return contract.classify_by_status(response) or wrong
    return shared_status.build_error(judge(response.status, STATUSES), response.status)


def _build_error(response: Response, code: str | None) -> VendorError | None:
    if response.status == 429:
        return Throttled("the vendor asks to slow down", status=429, code=code or "")
    if response.status == 401 or code == "401":
        # As a refused token in either case, so that the engine asks once for a fresh one, as the vendor advises.
        return AuthRejected(_LOGIN[1], status=401, code=code or "")
    return shared_status.build_error(_judge(response.status, code), response.status, code or "")


def _judge(status: int, code: str | None) -> Verdict | None:
    known = CODES.get(code or "")
    if known is not None:
        return known
    return _UNKNOWN if code is not None and status < 300 else judge(status, STATUSES)
