"""Delta tables, by the library deltalake: it knows deletion vectors, column mapping, statistics and checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.tables.faults import translate_faults
from airflow_provider_interactions.tables.store import Store
from airflow_provider_interactions.tables.table import DataFile, choose_names, find_name
from airflow_provider_interactions.window import ALWAYS, Window

#: Files are read one after the other: memory then holds parts of one, and the rows have an order.
ONE_AT_A_TIME = "SET datafusion.execution.target_partitions = 1"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class DeltaReader:
    """One Delta table, in the version that was current when it was opened."""

    def __init__(self, store: Store, path: str, time: str, subject: str) -> None:
        self._subject, self._path = subject, path
        with translate_faults(subject):
            self._table = _import_table()(store.address(path), storage_options=dict(store.options))
            schema = pa.schema(self._table.schema().to_arrow())
        self._names: list[str] = schema.names
        found = find_name(schema.names, time)
        #: The column of the instant, if the statistics can tell windows apart by it.
        self._time = schema.field(found) if found and pa.types.is_timestamp(schema.field(found).type) else None

    @property
    def names(self) -> Sequence[str]:
        """The names of its columns."""
        return self._names

    def list_files(self) -> Sequence[DataFile]:
        """The files of the version, with their first and last instants from the statistics."""
        with translate_faults(self._subject):
            vectors = pa.table(self._table.deletion_vectors()).to_pylist()
        deleted = {one["filepath"].rpartition("/")[2]: sum(one["selection_vector"]) for one in vectors}
        return [
            replace(file, tag=f"{file.tag}-{deleted.get(file.path.rpartition('/')[2], '')}")
            for file in self._read_files()
        ]

    def count_files(self, window: Window) -> int:
        """The files whose statistics do not exclude the window."""
        return sum(file.may_hold(window) for file in self._read_files())

    def _read_files(self) -> Iterator[DataFile]:
        """The files with their first and last instants; the tags say nothing of deleted rows."""
        with translate_faults(self._subject):
            actions = pa.table(self._table.get_add_actions(flatten=True))
        first, last = (f"{bound}.{_find_physical_name(self._time)}" for bound in ("min", "max"))
        names = [name for name in ("path", "size_bytes", first, last) if name in actions.schema.names]
        for row in actions.select(names).to_pylist():
            yield DataFile(row["path"], str(row["size_bytes"]), _to_utc(row.get(first)), _to_utc(row.get(last)))

    def select_files(self, paths: Collection[str]) -> DeltaReader:  # noqa: ARG002 - the library reads whole tables
        """The table itself."""
        return self

    def scan(self, window: Window, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """See ``Table``. Reads only files and row groups that may hold such rows."""
        names = choose_names(self._names, columns)
        chosen = "*" if names is None else ", ".join(map(_quote, names)) or "NULL AS nothing"
        with translate_faults(self._subject):
            query = f"SELECT {chosen} FROM source{self._select(window)}"  # noqa: S608 - names are quoted
            # The library's own iterator holds Python's lock while it waits for the storage; pyarrow's lets it go.
            for batch in pa.RecordBatchReader.from_stream(self._engine.execute(query)):
                yield _without_views(batch)

    @cached_property
    def _engine(self) -> Any:
        from deltalake import QueryBuilder

        engine = QueryBuilder().register("source", self._table)
        list(engine.execute(ONE_AT_A_TIME))
        return engine

    def _select(self, window: Window) -> str:
        if self._time is None:
            return ""
        name, zone = _quote(self._time.name), 'Some("UTC")' if self._time.type.tz else "None"
        first, last, earliest, latest = (
            f"arrow_cast({(moment - _EPOCH) // _MICROSECOND}, 'Timestamp(Microsecond, {zone})')"
            for moment in (window.start, window.end, ALWAYS.start, ALWAYS.end)
        )
        unplaced = f"{name} IS NULL OR {name} < {earliest} OR {name} >= {latest}"
        return f" WHERE ({name} >= {first} AND {name} < {last}) OR {unplaced}"


def _import_table() -> Any:
    try:
        from deltalake import DeltaTable
    except ImportError:
        msg = "Reading a vendor's tables needs more libraries. Install airflow-provider-interactions[journeys]."
        raise ConfigError(msg) from None
    return DeltaTable


def _find_physical_name(column: pa.Field | None) -> str:
    """The name of a column in statistics: with column mapping, it has one of its own there (Delta's protocol)."""
    if column is None:
        return ""
    mapped = (column.metadata or {}).get(b"delta.columnMapping.physicalName")
    return mapped.decode() if mapped else str(column.name)


def _without_views(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows with ordinary text: Arrow knows few functions for views of text."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    if plain.keys().isdisjoint(rows.schema.types):
        return rows
    return rows.cast(pa.schema([field.with_type(plain.get(field.type, field.type)) for field in rows.schema]))


def _quote(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _to_utc(moment: datetime | None) -> datetime | None:
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
