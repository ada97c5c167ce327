"""What Which50's refusals mean: a table by HTTP status. No error body is published, so none is relied upon.

Source: the response codes of the help pages (app.which50.com/Which50API/documentation, read 2026-11).
"""

from __future__ import annotations

import msgspec

from airflow_provider_interactions import contract, errors, status
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import AuthRejected, RequestRejected, Unavailable, VendorError
from airflow_provider_interactions.status import Verdict

#: The code of errors for an address that the application does not have.
NO_ROUTE = "no_route"

STATUSES: dict[int, Verdict] = {
    401: (AuthRejected, "the credentials were refused. Check the extra's auth, login and password"),
    403: (AuthRejected, "the user of these credentials lacks the permission for this call. Grant it in Which50"),
    404: (RequestRejected, "there is nothing at this address. The host must end in /Which50API"),
    417: (RequestRejected, "the vendor rejected the parameters"),  # documented for writing calls only
    500: (Unavailable, "the vendor reports an error of its own"),
}


class _Body(msgspec.Struct):
    message: str = msgspec.field(name="Message", default="")


def classify(response: Response) -> VendorError | None:
    """The error that a response means, None for one to read. The caller knows whether a 404 is about a contact."""
    if status.is_success(response.status):
        return contract.classify_by_status(response)
    verdict = status.judge(response.status, STATUSES)
    return status.build_error(verdict, response.status, NO_ROUTE if _is_no_route(response) else "")


def _is_no_route(response: Response) -> bool:
    # The framework's own sentence (ASP.NET Web API; unverified here): no such contact never reads like this.
    if response.status != 404:
        return False
    try:
        message = msgspec.json.decode(response.body, type=_Body).message
    except errors.UNREADABLE:
        message = response.body[:512].decode("utf-8", "replace")
    return "No HTTP resource was found" in message
