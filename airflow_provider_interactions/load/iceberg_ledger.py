"""The ledger as an Iceberg table: a load appends rows, and each day that is over becomes one file.

Metadata say which keys a data file has: its bounds of ``file``. Such a name begins with the day of the try's end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa
import pyiceberg.expressions
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table
from pyiceberg.types import StringType

from airflow_provider_interactions.load.iceberg_history import expire_old
from airflow_provider_interactions.load.iceberg_windows import delete_rows
from airflow_provider_interactions.load.ledger import KEY, ReadSteps, read_missing
from airflow_provider_interactions.schema import STEPS

#: pyiceberg's predicates. Their declared types do not know the arguments that its documentation shows.
_p: Any = pyiceberg.expressions


class Bounds(NamedTuple):
    """The first and the last key of a data file."""

    first: str
    last: str


def append_steps(table: Table, read: ReadSteps) -> int:
    """Add what is missing, and return the number of rows. Of two commits that add the same rows, one is refused."""
    newest = max((one.last for one in _list_bounds(table)), default=None)
    rows = read_missing(newest, lambda start: _read(table, _p.GreaterThanOrEqual(KEY, start))[KEY].to_pylist(), read)
    if not rows.num_rows:
        return 0
    keys = rows[KEY].to_pylist()
    with table.transaction() as change:
        # Deletes nothing: it makes pyiceberg refuse this commit if another one comes first with rows in this range.
        delete_rows(change, _p.And(_p.GreaterThanOrEqual(KEY, min(keys)), _p.In(KEY, set(keys))))
        change.append(rows)
    expire_old(table)
    return int(rows.num_rows)


def merge_days(table: Table) -> None:
    """Write the rows of each day that is over, and is in several files, to one file. The rows stay the same."""
    bounds = _list_bounds(table)
    files = Counter(day for one in bounds for day in {_read_day(one.first), _read_day(one.last)})
    newest = max(files, default="")
    for day in sorted(day for day, number in files.items() if number > 1 and day < newest):
        where = _p.And(_p.GreaterThanOrEqual(KEY, f"{day}/"), _p.LessThan(KEY, f"{day}0"))  # "0" comes after "/"
        rows = _read(table, where, STEPS.names).cast(STEPS).sort_by(KEY)
        with table.transaction() as change:
            change.delete(where)
            change.append(rows)


def _list_bounds(table: Table) -> list[Bounds]:
    """Those of all files. A file that another tool has written without bounds does not count."""
    number = table.schema().find_field(KEY).field_id
    found = []
    for task in table.scan().plan_files():
        first, last = ((bounds or {}).get(number) for bounds in (task.file.lower_bounds, task.file.upper_bounds))
        if first is not None and last is not None:
            found.append(Bounds(*(str(from_bytes(StringType(), one)) for one in (first, last))))
    return found


def _read_day(key: str) -> str:
    return key.partition("/")[0]


def _read(table: Table, where: BooleanExpression, columns: Iterable[str] = (KEY,)) -> pa.Table:
    return table.scan(row_filter=where, selected_fields=tuple(columns)).to_arrow_batch_reader().read_all()
