"""Load windows into an Iceberg table: the very Parquet files that normalize wrote become the table's files.

A window is replaced whole, in one commit, and no row is rewritten. So the table mirrors the lake: rows that the vendor
no longer returns go, and an interaction that two windows hold is there twice. `iceberg_view` has a view
of the newest versions, and `iceberg_newest` a compaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import pyarrow as pa
import stamina
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table, Transaction

from airflow_provider_interactions.addresses import add_spellings
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.lake.manifest import Manifest, count_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, require_current
from airflow_provider_interactions.load.iceberg_catalog import explain_errors, is_conflict
from airflow_provider_interactions.load.iceberg_history import expire_all, expire_old
from airflow_provider_interactions.load.iceberg_ledger import append_steps, merge_days
from airflow_provider_interactions.load.iceberg_orphans import match_contacts, remove_orphans
from airflow_provider_interactions.load.iceberg_schema import prepare_ledger, prepare_table
from airflow_provider_interactions.load.iceberg_windows import (
    delete_rows,
    plan_replacement,
    read_addresses,
    select_contacts,
)
from airflow_provider_interactions.load.ledger import ReadSteps, name_table
from airflow_provider_interactions.schema import CANONICAL, refuse_newer

Result = TypeVar("Result")

#: Tries of a commit, with growing pauses (seconds), while other commits come first. Later Airflow retries the task.
TRIES, FIRST_PAUSE, LAST_PAUSE = 12, 0.1, 5.0


@dataclass(frozen=True, slots=True)
class IcebergTable:
    """A table in the Iceberg catalogue that pyiceberg opens with these properties. The table is made if it is absent.

    ``table`` without a namespace is in the namespace ``default``. ``name`` is the catalogue's name, which catalogues in
    SQL databases keep with each table. ``columns`` differ from the default in tests only.
    """

    properties: Mapping[str, str] = field(repr=False)  # they hold credentials, of the lake's storage too
    table: str = "interactions"
    columns: pa.Schema = field(default=CANONICAL, repr=False)
    name: str = "interactions"

    def prepare(self) -> None:
        """Make the table, or add the columns that it lacks. Raises as `Target.prepare` says."""
        self.change(lambda table: table)

    def load(self, lake: Lake, manifest: Manifest) -> Loaded:
        """Replace the manifest's windows in one commit. Does not commit if the table has their files already.

        Raises as `Target.load` says. A row of a replaced window counts as removed, and its new version as inserted.
        """
        refuse_newer(manifest.schema_version, self.columns, f"Window {manifest.window}")
        _require_rows(manifest, count_rows(manifest.files), manifest.counts.canonical)
        done = self.change(lambda table: _replace(table, lake, manifest))
        # A newer version without rows makes no commit that this one could have met, so look once more.
        require_current(lake, manifest)
        return done

    def erase(self, vendor: str, account: str, contacts: Iterable[Contact]) -> int:
        """Remove all rows of these contacts, and return their number. Raises LoadError.

        Rewrites only the files that hold such rows, into the table's own folder. Then expires all former snapshots, and
        removes files of such rows that no snapshot has, also if no current row is theirs. Erase here before the lake
        removes its files: a file that is gone cannot be rewritten.
        """
        people = list(contacts)
        return self.change(lambda table: _erase(table, vendor, account, people)) if people else 0

    def add_steps(self, read: ReadSteps) -> int:
        """Bring the table of the ledger up to date, in one commit; then merge the files of days that are over."""
        identifier = (*self.identifier[:-1], name_table(self.identifier[-1]))

        def prepare(catalog: Catalog) -> Table:
            return prepare_ledger(catalog, identifier)

        added = self._commit(prepare, lambda table: append_steps(table, read))
        self._commit(prepare, merge_days)
        return added

    def describe(self) -> tuple[str, str]:
        """The catalogue's address, without credentials, and the table's name with its namespace."""
        address = urlsplit(self.properties.get("uri", ""))
        kind = self.properties.get("type", "rest")
        host = address.netloc.rpartition("@")[2]
        return f"{address.scheme or kind}://{host}{address.path}", ".".join(self.identifier)

    @property
    def identifier(self) -> tuple[str, ...]:
        """Namespace and name of the table."""
        parts = tuple(self.table.split("."))
        return parts if len(parts) > 1 else ("default", *parts)

    def change(self, work: Callable[[Table], Result]) -> Result:
        """Change the prepared table. If another commit came first, start again with the new state of the table."""
        return self._commit(lambda catalog: prepare_table(catalog, self.identifier, self.columns), work)

    def _commit(self, prepare: Callable[[Catalog], Table], work: Callable[[Table], Result]) -> Result:
        again = stamina.retry_context(
            on=is_conflict, attempts=TRIES, timeout=None, wait_initial=FIRST_PAUSE, wait_max=LAST_PAUSE
        )
        with explain_errors(self.properties):
            for attempt in again:
                with attempt, load_catalog(self.name, **self.properties) as catalog:
                    return work(prepare(catalog))
        raise AssertionError  # the last attempt returns or raises


def _replace(table: Table, lake: Lake, manifest: Manifest) -> Loaded:
    plan = plan_replacement(table, lake, manifest)
    require_current(lake, manifest)
    rows = count_rows(manifest.files)
    if plan is None:
        return Loaded(rows, 0, 0, rows, 0)
    with table.transaction() as change:
        removed = -_delete(table, change, plan.where)
        inserted = 0
        if plan.added:
            change.add_files([lake.url(file.path) for file in plan.added])
            inserted = _count_added(table, change) + removed
        _require_rows(manifest, inserted, count_rows(plan.added))
    expire_old(table)
    return Loaded(rows, inserted, 0, plan.unchanged, 0, removed)


def _erase(table: Table, vendor: str, account: str, contacts: Sequence[Contact]) -> int:
    people = add_spellings(contacts, lambda: read_addresses(table, vendor, account))
    with table.transaction() as change:
        erased = -_delete(table, change, select_contacts(vendor, account, people))
    expire_all(table)
    remove_orphans(table, match_contacts(vendor, account, contacts))
    return erased


def _delete(table: Table, change: Transaction, where: BooleanExpression) -> int:
    """Delete rows; returns the change in the number of rows."""
    delete_rows(change, where)
    return _count_added(table, change)


def _count_added(table: Table, change: Transaction) -> int:
    """The rows that a transaction adds, less those that it deletes, by the metadata of its snapshots."""
    known = {one.snapshot_id for one in table.metadata.snapshots}
    summaries = (one.summary for one in change.table_metadata.snapshots if one.snapshot_id not in known)
    return sum(
        int(one.additional_properties.get("added-records", 0))
        - int(one.additional_properties.get("deleted-records", 0))
        for one in summaries
        if one is not None
    )


def _require_rows(manifest: Manifest, found: int, expected: int) -> None:
    if found != expected:
        msg = (
            f"Window {manifest.window}: {expected} rows are in the manifest, {found} in its files. The table is "
            "unchanged. Run the extraction again; if that does not help, report this as a defect."
        )
        raise Unreconciled(msg)
