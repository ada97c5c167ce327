"""Write data files again without the rows of some people.

A file that a published manifest refers to is never changed: its other rows go to a new file. A file that nothing refers
to, such as one of an extraction that is under way, is replaced under its own name.
"""

from __future__ import annotations

import posixpath
import re
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.extract.people import People, find_rows
from airflow_provider_interactions.extract.raw_table import PayloadDigest, renumber_words
from airflow_provider_interactions.lake.manifest import File
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import hold_folder
from airflow_provider_interactions.mapping import NEEDED
from airflow_provider_interactions.vendors import find_vendor

#: Up to about this number of removed rows, writing the rows between them is cheaper than copying all other rows.
FEW_ROWS = 256

#: What an earlier erasure has appended to a file's name.
_SUFFIX = re.compile(r"-\d{8}T\d{12}Z-[0-9a-f]{8}e(?=\.parquet$)")


@dataclass(slots=True)
class Rewriter:
    """Writes files again without the rows of some people of a vendor. ``now`` (aware) is in the names of new files.

    ``clean`` are files that are known to hold none of their rows. ``written`` are the new files. ``removed`` are the
    rows that were left out, by the path of the former file. ``digests`` are those of the payloads of the files written.
    """

    lake: Lake
    vendor: str
    people: People
    now: datetime
    clean: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    _replaced: dict[str, File | None] = field(default_factory=dict)

    def replace(self, file: File) -> File | None:
        """The file, or another one with its other rows; None if no row is left. Raises FileNotFoundError."""
        if file.path in self._replaced:
            return self._replaced[file.path]
        if file.path in self.clean:
            return file
        found = self._rewrite(file)
        if found == file:
            self.clean.add(file.path)
        else:
            self._replaced[file.path] = found
        return found

    def replace_in_place(self, path: str, *, locked: bool = False) -> int:
        """Replace a file that nothing refers to, under its own name; returns the removed rows, 0 without any change.

        ``locked`` says that the caller holds the folder. Raises FileNotFoundError.
        """
        lock = nullcontext() if locked else hold_folder(self.lake, path)
        with lock, self.lake.open(path) as stream:
            parquet = pq.ParquetFile(stream)
            masks = self._find(parquet)
            if masks:
                gone: int = parquet.metadata.num_rows - self._write(parquet, masks, path).rows
                self.removed[path] = self.removed.get(path, 0) + gone
                return gone
        self.clean.add(path)
        return 0

    def remove_orphans(self, referenced: frozenset[str]) -> None:
        """Remove new files that no manifest refers to, because another run has published its window meanwhile."""
        orphans = [path for path in self.written if path not in referenced]
        self.lake.remove(orphans)
        self._replaced = {old: new for old, new in self._replaced.items() if new is None or new.path not in orphans}

    def _rewrite(self, file: File) -> File | None:
        with self.lake.open(file.path) as stream:
            parquet = pq.ParquetFile(stream)
            masks = self._find(parquet)
            if not masks:
                rows = parquet.metadata.num_rows  # fewer if it was replaced under its own name
                if rows == file.rows:
                    return file
                return File(file.path, rows, self.lake.size(file.path)) if rows else None
            gone = sum(pc.sum(mask).as_py() for mask in masks.values())
            self.removed[file.path] = gone
            if gone == parquet.metadata.num_rows:
                return None
            found = self._write(parquet, masks, self._name(file.path))
            self.written.append(found.path)
            return found

    def _name(self, path: str) -> str:
        folder, name = posixpath.split(path)
        stem = _SUFFIX.sub("", name).removesuffix(".parquet")
        return f"{folder}/{stem}-{timestamp(self.now)}-{uuid.uuid4().hex[:8]}e.parquet"

    def _find(self, parquet: pq.ParquetFile) -> dict[int, pa.BooleanArray]:
        """The rows of these people, by row group. Reads only their columns, where statistics do not exclude them."""
        names, vendor = parquet.schema_arrow.names, find_vendor(self.vendor)
        if "contact_id" not in names or "contact_id_kind" not in names:
            return {}
        bulk = vendor.about.bulk_kind is not None and "payload" in names
        columns = list(NEEDED) if bulk else ["contact_id", "contact_id_kind"]
        masks = {}
        for group in range(parquet.num_row_groups):
            if bulk or self._may_be_in(parquet, group):
                mask = find_rows(parquet.read_row_group(group, columns=columns), self.people, vendor)
                if mask is not None:
                    masks[group] = mask
        return masks

    def _may_be_in(self, parquet: pq.ParquetFile, group: int) -> bool:
        columns = parquet.metadata.row_group(group)
        at = parquet.schema_arrow.names.index("contact_id")
        known = columns.column(at).statistics if columns.column(at).path_in_schema == "contact_id" else None
        return known is None or not known.has_min_max or self.people.may_lie_between(known.min, known.max)

    def _write(self, parquet: pq.ParquetFile, masks: Mapping[int, pa.BooleanArray], to: str) -> File:
        writer, digest = Writer(self.lake, to, parquet.schema_arrow), PayloadDigest()
        try:
            for group in range(parquet.num_row_groups):
                rows = parquet.read_row_group(group)
                if group in masks:
                    rows = encode_anew(drop_rows(rows, masks[group]))
                if rows.num_rows:
                    writer.write(rows)
                if "payload" in rows.schema.names:
                    digest.add(rows.column("payload"))
        except BaseException:
            writer.discard()
            raise
        self.clean.add(to)
        self.digests[to] = digest.finish()
        return writer.close()


def drop_rows(rows: pa.Table, mask: pa.BooleanArray) -> pa.Table:
    """The rows that are not in the mask. If the mask has few rows, the rows between them are not copied."""
    gone = pc.indices_nonzero(mask)
    if len(gone) > FEW_ROWS:
        return rows.filter(pc.invert(mask))
    starts, ends = [0, *(at + 1 for at in gone.to_pylist())], [*gone.to_pylist(), rows.num_rows]
    return pa.concat_tables(rows.slice(start, end - start) for start, end in zip(starts, ends, strict=True))


def encode_anew(rows: pa.Table) -> pa.Table:
    """The same rows with dictionaries of only their own words: a filter keeps the words of the rows that it drops."""
    rows = rows.unify_dictionaries()
    for at, column in enumerate(rows.schema):
        if pa.types.is_dictionary(column.type):
            rows = rows.set_column(at, column, pa.chunked_array(renumber_words(rows.column(at)), column.type))
    return rows
