"""Tables of a bulk vendor that were there and are gone: their rows would be missing without an error."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_interactions.contract.bulk import TableAddress
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.table_facts import find_present
from airflow_provider_interactions.lake.paths import AccountPaths
from airflow_provider_interactions.window import zulu


def refuse_vanished(job: Job, tables: Sequence[TableAddress]) -> None:
    """Raise BadResponse if a table of the account's last extraction is gone.

    A type has no table before its first interaction, but a table that has been made stays.
    """
    account = AccountPaths(job.vendor.name, job.credentials.account)
    extracted_at, present = find_present(job.lake, account)
    wanted, default = getattr(job.options, "types", ()), getattr(job.vendor.options(), "types", ())
    chosen = present if wanted == default else present.intersection(wanted)
    gone = sorted(chosen - {address.native_type for address in tables})
    if extracted_at and gone:
        msg = (
            f"{len(gone)} tables are gone that were there at the extraction of {zulu(extracted_at)}: "
            f"{', '.join(gone)}. Restore access to them, or name the types to read without these in the option types"
        )
        raise BadResponse(msg)
