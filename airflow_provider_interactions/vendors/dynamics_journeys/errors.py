"""What can be wrong between the connection and the first row, step by step, and what Dataverse's refusals mean here.

Sources: "Create custom reports using … Microsoft Fabric" (MicrosoftDocs/customer-insights, fabric-integration.md,
2026-03-26); "Create a Dataverse shortcut", "Connecting to Microsoft OneLake" (learn.microsoft.com/fabric, read
2026-11). How OneLake answers a caller without a role, and Dataverse one without the privilege, is unverified.
"""

from __future__ import annotations

from typing import Literal

from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    ContactError,
    RequestRejected,
    ServiceRemoved,
    Unavailable,
    VendorError,
)
from airflow_provider_interactions.vendors.dynamics_marketing import errors as dataverse

FOLDER = "Customer Insights Journeys"

#: The steps from the connection to the first row. OneLake: workspace, tables. Dataverse: folder, link, access, tables.
Step = Literal["workspace", "link", "folder", "access", "tables"]

#: What a step shows: not there, there but refused, there but not complete.
Seen = Literal["missing", "forbidden", "incomplete", "several"]

_PRIVILEGE = (
    "the application user may not read the managed data lake. Give its security role read access to the table Data "
    "Lake Folder; if that is not enough, try the role System Administrator (which privilege is needed is not published)"
)

#: The error class and sentence for what a step shows.
VERDICTS: dict[tuple[Step, Seen], tuple[type[VendorError], str]] = {
    ("workspace", "forbidden"): (
        AuthRejected,
        (
            "the app has no access to the Fabric workspace. Give it the role Contributor there, and in Fabric's tenant "
            "settings allow service principals, and apps external to Fabric, to read OneLake"
        ),
    ),
    ("workspace", "missing"): (
        RequestRejected,
        "OneLake has no such workspace, or hides it from the app. Check workspace, and the app's role there",
    ),
    ("tables", "missing"): (
        RequestRejected,
        (
            "there are no tables of interactions. Check lakehouse: its name, or the GUID in its address. In it, make "
            f"Dataverse shortcuts to the folder {FOLDER!r}; in a lakehouse with schemas, fill in schema"
        ),
    ),
    ("link", "incomplete"): (
        Unavailable,
        "Dataverse still copies its first data into the lake. Try again later",
    ),
    ("folder", "missing"): (
        RequestRejected,
        f"Dataverse has no data lake folder {FOLDER!r}. Journeys is not installed there, or has written nothing yet",
    ),
    ("folder", "several"): (
        RequestRejected,
        (
            f"Dataverse has several data lake folders {FOLDER!r}, and no page says which one has the interactions. "
            "Remove the others, or read from OneLake"
        ),
    ),
    ("folder", "forbidden"): (AuthRejected, _PRIVILEGE),
    ("access", "forbidden"): (AuthRejected, _PRIVILEGE),
    ("access", "missing"): (
        RequestRejected,
        "the Web API has no functions for the data lake there. Check host and api_version, or read from OneLake",
    ),
}


def judge_step(step: Step, seen: Seen) -> VendorError:
    """The error for what a step shows."""
    kind, sentence = VERDICTS[step, seen]
    return kind(sentence)


def describe_step(step: Step, seen: Seen) -> str:
    """The sentence for what a step shows."""
    return VERDICTS[step, seen][1]


def classify(response: Response) -> VendorError | None:
    """The error that a response of Dataverse means; None if the response can be read.

    The codes are those of the Web API, see ``dynamics_marketing``; here they are about the data lake.
    """
    error = dataverse.classify(response)
    if isinstance(error, AuthRejected) and error.code in dataverse.PRIVILEGE_CODES:
        return AuthRejected(_PRIVILEGE, status=error.status, code=error.code)
    if isinstance(error, ServiceRemoved | ContactError):
        return RequestRejected(describe_step("access", "missing"), status=error.status, code=error.code)
    return error
