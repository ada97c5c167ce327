"""Turn the landed records of a few people into the rows of their answer, and write its two files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.extract.outcomes import read_outcomes
from airflow_provider_interactions.lake.faults import translate_faults
from airflow_provider_interactions.lake.manifest import File, Manifest
from airflow_provider_interactions.lake.new_file import NewFile
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.repeats import Deduplicator
from airflow_provider_interactions.normalize.rows import build_rejects, slice_batch, to_rows
from airflow_provider_interactions.rejects import ANOTHER_CONTACT
from airflow_provider_interactions.schema import ANSWER

Row = dict[str, Any]

#: Bytes of records that are written at once.
GROUP_BYTES = 64 * 1024 * 1024

#: Rows that are written, or unpacked, at once.
GROUP_ROWS = 5_000

#: Sorts records without a readable time to the end.
LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class PackedRows:
    """Rows of an answer, held as Arrow data, because Python's own objects take several times the memory."""

    batches: list[pa.RecordBatch] = field(default_factory=list)

    def extend(self, rows: Sequence[Row]) -> None:
        """Append rows."""
        if rows:
            self.batches.append(pa.RecordBatch.from_pylist(rows, ANSWER))

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self.batches)

    def __iter__(self) -> Iterator[Row]:
        for batch in self.batches:
            for start in range(0, batch.num_rows, GROUP_ROWS):
                yield from batch.slice(start, GROUP_ROWS).to_pylist()

    def keep(self, wanted: Callable[[Row], bool]) -> PackedRows:
        """The rows that somebody wants."""
        masks = (pa.array(map(wanted, batch.to_pylist()), pa.bool_()) for batch in self.batches)
        return PackedRows([batch.filter(mask) for batch, mask in zip(self.batches, masks, strict=True)])

    def sort(self, *others: PackedRows) -> PackedRows:
        """These rows and others in order of time, those without a readable time last."""
        batches = [batch for rows in (self, *others) for batch in rows.batches]
        table = pa.Table.from_batches(batches, ANSWER).unify_dictionaries()
        return PackedRows(table.take(pc.sort_indices(table.column("occurred_at"))).to_batches())


@dataclass(slots=True)
class PersonRecords:
    """What a vendor sent about one person: the outcome, the number of records, and their rows."""

    outcome: str
    reason: str | None
    records: int = 0
    repeated: int = 0
    left_out: int = 0
    interactions: PackedRows = field(default_factory=PackedRows)
    rejects: PackedRows = field(default_factory=PackedRows)

    @property
    def rows(self) -> PackedRows:
        """All rows, in order of time."""
        return self.interactions.sort(self.rejects)


def read_person(lake: Lake, vendor: Vendor, manifest: Manifest, types: frozenset[str]) -> Iterator[PersonRecords]:
    """Read the landed records, person by person, in the order of the request. Empty ``types`` means all types."""
    groups = groupby(_read_batches(lake, manifest.files), _read_contact)
    who, batches = next(groups, (None, iter(())))
    for outcome in read_outcomes(lake, manifest):
        person = PersonRecords(outcome.outcome, outcome.reason)
        if who == outcome.contact:
            _sort_records(person, vendor, batches, types)
            who, batches = next(groups, (None, iter(())))
        yield person


def fold_type(native_type: str) -> str:
    """A vendor's type without case and blanks, for comparison."""
    return "".join(native_type.split()).casefold()


def _read_contact(batch: pa.RecordBatch) -> Contact:
    """The person of a batch."""
    return Contact(*(batch.column(name)[0].as_py() for name in ("contact_id", "contact_id_kind")))


def _read_batches(lake: Lake, files: Iterable[File]) -> Iterator[pa.RecordBatch]:
    """Read raw rows in batches of one person each."""
    for batch in read_rows(lake, files):
        columns = (batch.column(name).cast(pa.string()) for name in ("contact_id", "contact_id_kind"))
        ends = sorted({end for column in columns for end in pc.run_end_encode(column).run_ends.to_pylist()})
        for start, end in pairwise([0, *ends]):
            yield from slice_batch(batch.slice(start, end - start))


def _sort_records(
    person: PersonRecords, vendor: Vendor, batches: Iterable[pa.RecordBatch], types: frozenset[str]
) -> None:
    seen = Deduplicator()
    for batch in batches:
        rows, places, rejected, _ = to_rows(batch, vendor, seen)
        person.records += batch.num_rows
        person.repeated += batch.num_rows - rows.num_rows - len(rejected)
        pairs = zip(rows.to_pylist(), batch.take(places).to_pylist(), strict=True)
        _keep_types(person, [_show_row(raw) | _select_columns(row) | {"rejected": None} for row, raw in pairs], types)
        rejects = build_rejects(batch, rejected).to_pylist()
        person.rejects.extend([_show_reject(raw) for raw in rejects])


def _keep_types(person: PersonRecords, rows: Sequence[Row], types: frozenset[str]) -> None:
    kept = [row for row in rows if not types or fold_type(row["native_type"]) in types]
    person.left_out += len(rows) - len(kept)
    person.interactions.extend(kept)


def _show_row(raw: Row) -> Row:
    """A raw row as a row of the answer, without what only the mapping knows."""
    known = {name: value for name, value in raw.items() if name in ANSWER.names}
    return dict.fromkeys(ANSWER.names) | known | {"native_type": raw["asked_type"] or None, "record": raw["payload"]}


def _show_reject(raw: Row) -> Row:
    """A rejected row as a row of the answer; of a record about somebody else nothing but that it came."""
    hidden = {"occurred_at": None, "context": "", "record": b""} if raw["reason"] == ANOTHER_CONTACT else {}
    return _show_row(raw) | {"rejected": raw["reason"]} | hidden


def _select_columns(row: Row) -> Row:
    return {name: value for name, value in row.items() if name in ANSWER.names}


@dataclass(slots=True)
class AnswerFiles:
    """The table and the lines of an answer. As a context manager, it removes all of its files unless ``keep`` ran."""

    lake: Lake
    base: str
    table: Writer = field(init=False)
    lines: LinesWriter = field(init=False)
    complete: bool = False

    def __enter__(self) -> Self:
        self.lines = LinesWriter(self.lake, f"{self.base}.jsonl")
        try:
            self.table = Writer(self.lake, f"{self.base}.parquet", ANSWER)
        except BaseException:
            self.lines.discard()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self.complete:
            self.table.discard()
            self.lines.discard()
            self.lake.remove(f"{self.base}.{ending}" for ending in ("parquet", "jsonl", "html", "json"))

    def write(self, rows: Iterable[Row]) -> None:
        """Write the rows of one person."""
        for group in _group_rows(rows):
            self.table.write(pa.RecordBatch.from_pylist(group, ANSWER))
            self.lines.write(group)

    def close(self) -> tuple[File, File]:
        """Finish both files and give them their names."""
        return self.table.close(), self.lines.close()

    def keep(self) -> None:
        """Do not remove the files at the end."""
        self.complete = True


def _group_rows(rows: Iterable[Row], most: int = GROUP_BYTES) -> Iterator[list[Row]]:
    """Split rows into groups of ``GROUP_ROWS``, or of about ``most`` bytes of records, so that memory holds few."""
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row["record"])
        if size >= most or len(group) == GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group


class LinesWriter:
    """A file of JSON objects, one on each line. It appears under its name only when it is complete."""

    def __init__(self, lake: Lake, path: str) -> None:
        self.rows = 0
        self._file = NewFile(lake, path)

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows. Raises the errors of ``faults.describe_fault`` if the file system refuses them."""
        with translate_faults():
            for row in rows:
                self._file.stream.write(encode_line(row) + b"\n")
                self.rows += 1

    def close(self) -> File:
        """Finish the file and give it its name."""
        with translate_faults():
            self._file.close()
        return File(self._file.path, self.rows, self._file.size)

    def discard(self) -> None:
        """Remove the unfinished file."""
        self._file.discard()


#: The readable file omits these columns if the record is readable: the other columns hold the same data.
_VERBATIM = ("context", "record")


def encode_line(row: Row) -> bytes:
    """A row as one line of JSON: without empty values, with attributes as an object, unreadable records as text."""
    members = {name: value for name, value in row.items() if value not in (None, "")}
    if row["rejected"] is None:
        members = {name: value for name, value in members.items() if name not in _VERBATIM}
        # The vendor's own JSON may have line breaks. They can only be between its values.
        members["attributes"] = msgspec.Raw(row["attributes"].replace("\r", " ").replace("\n", " "))
    elif row["record"]:
        members["record"] = row["record"].decode("utf-8", "replace")
    return msgspec.json.encode({name: members[name] for name in ANSWER.names if name in members})
