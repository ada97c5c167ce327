"""What can be wrong between the connection and the first row, step by step, and what Dataverse's refusals mean here.

Sources: "Create custom reports using … Microsoft Fabric" (MicrosoftDocs/customer-insights, fabric-integration.md,
2026-03-26); "Create a Dataverse shortcut", "Connecting to Microsoft OneLake" (learn.microsoft.com/fabric, read
2026-11). How OneLake answers a caller without a role, and Dataverse one without the privilege, is unverified.
"""

from __future__ import annotations

from typing import Literal, NoReturn

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

#: The steps from the connection to the first row. OneLake: workspace, lakehouse, tables. Dataverse: link, folder,
#: access, tables.
Step = Literal["workspace", "lakehouse", "link", "folder", "access", "tables"]

#: What a step shows: not there, there but refused, there but not complete, there but without anything in it.
Seen = Literal["missing", "forbidden", "incomplete", "empty"]

_PRIVILEGE = (
    "the application user may not read the managed data lake. Give its security role read access to the table Data "
    "Lake Folder; if that is not enough, try the role System Administrator (which privilege is needed is not published)"
)

#: The error class and sentence for what a step shows; no class where it is no error.
VERDICTS: dict[tuple[Step, Seen], tuple[type[VendorError] | None, str]] = {
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
    ("lakehouse", "missing"): (
        RequestRejected,
        "the workspace has no such lakehouse. Check lakehouse: its name, or the GUID in its address",
    ),
    ("lakehouse", "forbidden"): (
        AuthRejected,
        "the app may not read the lakehouse. Give it ReadAll there, or the role Contributor in the workspace",
    ),
    ("tables", "missing"): (
        RequestRejected,
        (
            f"the lakehouse has no tables of interactions. Make Dataverse shortcuts to the folder {FOLDER!r}; in a "
            "lakehouse with schemas, fill in schema"
        ),
    ),
    ("tables", "forbidden"): (
        AuthRejected,
        (
            "the shortcuts may not read Dataverse. Renew their connection: its account must be System Administrator "
            "in the environment"
        ),
    ),
    ("tables", "empty"): (
        None,
        "Journeys has written no interactions of these types yet: a table appears with its first interaction",
    ),
    ("link", "missing"): (
        RequestRejected,
        "Dataverse has no link to Microsoft Fabric. An administrator makes one in Power Apps, on the page Tables",
    ),
    ("link", "incomplete"): (
        Unavailable,
        "Dataverse still copies its first data into the lake. Try again later",
    ),
    ("folder", "missing"): (
        RequestRejected,
        f"Dataverse has no data lake folder {FOLDER!r}. Journeys is not installed there, or has written nothing yet",
    ),
    ("folder", "forbidden"): (AuthRejected, _PRIVILEGE),
    ("access", "forbidden"): (AuthRejected, _PRIVILEGE),
    ("access", "missing"): (
        RequestRejected,
        "the Web API has no functions for the data lake there. Check host and api_version, or read from OneLake",
    ),
}


def judge_step(step: Step, seen: Seen) -> VendorError | None:
    """The error for what a step shows; None where it is no error."""
    kind, sentence = VERDICTS[step, seen]
    return None if kind is None else kind(sentence)


def raise_step(step: Step, seen: Seen) -> NoReturn:
    """Raise the error for what a step shows, which must be one."""
    error = judge_step(step, seen)
    assert error is not None  # noqa: S101 - the table says which are errors
    raise error


def describe_step(step: Step, seen: Seen) -> str:
    """The sentence for what a step shows."""
    return VERDICTS[step, seen][1]


def classify(response: Response) -> VendorError | None:
    """The error that an answer of Dataverse means, None for one to read.

    The codes are those of the Web API, see ``dynamics_marketing``; here they are about the data lake.
    """
    error = dataverse.classify(response)
    if isinstance(error, AuthRejected) and error.code in dataverse.PRIVILEGE_CODES:
        return AuthRejected(_PRIVILEGE, status=error.status, code=error.code)
    if isinstance(error, ServiceRemoved | ContactError):
        return RequestRejected(describe_step("access", "missing"), status=error.status, code=error.code)
    return error
