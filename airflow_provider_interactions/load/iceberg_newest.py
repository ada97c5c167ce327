"""Leave only the newest version of each interaction in an Iceberg table, where several windows hold it.

Windows overlap if their lengths changed, or if a vendor moved an interaction to another time.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table

from airflow_provider_interactions.load.iceberg import IcebergTable
from airflow_provider_interactions.load.iceberg_history import expire_old
from airflow_provider_interactions.load.iceberg_view import list_rest
from airflow_provider_interactions.load.iceberg_windows import select_account, select_ids
from airflow_provider_interactions.schema import NEWEST


def compact(target: IcebergTable) -> int:
    """Leave only the newest version of each interaction in the table. Returns the number of removed rows.

    Rewrites the files that hold other versions; memory holds the ids of one account and all versions of those that
    occur twice. Loading one of the windows again brings its versions back. Raises as `Target.load` does.
    """
    accounts = target.change(_list_accounts)
    return sum(
        target.change(lambda table, one=one: _compact_account(table, *one))  # type: ignore[misc]
        for one in accounts
    )


def _list_accounts(table: Table) -> list[tuple[str, str]]:
    rows = table.scan(selected_fields=("vendor", "account")).to_arrow_batch_reader()
    found = {(one["vendor"], one["account"]) for batch in rows for one in _group(batch).to_pylist()}
    return sorted(found)


def _group(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch]).group_by(["vendor", "account"]).aggregate([])


def _compact_account(table: Table, vendor: str, account: str) -> int:
    everything = select_account(vendor, account)
    ids = table.scan(row_filter=everything, selected_fields=("interaction_id",)).to_arrow_batch_reader().read_all()
    counts = ids["interaction_id"].value_counts()
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()
    if not repeated:
        return 0
    where = select_account(vendor, account, select_ids(repeated))
    versions = table.scan(row_filter=where).to_arrow_batch_reader().read_all()  # to_arrow fails; see docs/iceberg.md
    newest = _choose_newest(versions)
    with table.transaction() as change:
        change.delete(where)
        change.append(newest)
    expire_old(table)
    return int(versions.num_rows - newest.num_rows)


def _choose_newest(versions: pa.Table) -> pa.Table:
    """One row of each interaction of an account: the same that the view shows."""
    order = [("interaction_id", "ascending"), *((name, "descending") for name in NEWEST)]
    order += [(name, "ascending") for name in list_rest(versions.schema)]
    # Nulls come last, as in the view: pyarrow's default, whose argument has changed between its versions.
    rows = versions.take(pc.sort_indices(versions, sort_keys=order))
    ids = rows["interaction_id"].combine_chunks()
    first = pc.not_equal(ids[1:], ids[:-1])
    return rows.filter(pa.concat_arrays([pa.array([True]), first]))
