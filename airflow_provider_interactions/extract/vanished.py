"""Tables of a bulk vendor that were there and are gone: their rows would be missing without an error."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from airflow_provider_interactions.contract.bulk import TableAddress
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.table_facts import read_former
from airflow_provider_interactions.lake.paths import AccountPaths
from airflow_provider_interactions.window import zulu

#: Former extractions that are looked at. One is enough, unless runs of an account differ in their types.
MOST = 100


def refuse_vanished(job: Job, tables: Sequence[TableAddress]) -> None:
    """Raise BadResponse if a table is gone that the last extraction which asked for its type has found.

    A type has no table before its first interaction, but a table that has been made stays.
    """
    found = {address.native_type.casefold() for address in tables}
    gone = {name: at for name, at in _find_present(job).items() if name.casefold() not in found}
    if gone:
        msg = (
            f"{len(gone)} tables are gone that were there at the extraction of {zulu(max(gone.values()))}: "
            f"{', '.join(sorted(gone))}. Restore access to them, or name the types to read without these in the "
            "option types"
        )
        raise BadResponse(msg)


def _find_present(job: Job) -> dict[str, datetime]:
    """The job's types that had a table when they were last asked for, and when that was."""
    account = AccountPaths(job.vendor.name, job.credentials.account)
    usual = _fold(getattr(job.vendor.options(), "types", ()))
    wanted = _fold(getattr(job.options, "types", ()))
    present, known = {}, set[str]()
    for extracted_at, facts in islice(read_former(job.lake, account), MOST):
        asked = _fold(facts.types)
        # By default, types are read that nobody has published, so they have no names beforehand.
        chosen = asked if wanted == usual and usual <= asked else asked & wanted
        present.update({name: extracted_at for name in facts.present if name.casefold() in chosen - known})
        known |= chosen
        if wanted <= known:
            break
    return present


def _fold(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name.strip().casefold() for name in names)
