"""The data files of one batch: parts of raw rows, records without a readable time, and the outcomes of its contacts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.encrypt import encrypt_outcomes
from airflow_provider_interactions.extract.outcomes import Outcome, to_batch
from airflow_provider_interactions.extract.raw_table import digest_payloads
from airflow_provider_interactions.lake.manifest import File, list_referenced
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import UNDATED, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.schema import OUTCOMES, RAW, REJECTS


@dataclass(frozen=True, slots=True)
class RawFiles:
    """Writes the files of one batch to ``folder``, and adds them to its ``state``."""

    lake: Lake
    folder: str
    state: Checkpoint
    batch: int

    def write_part(self, rows: pa.Table) -> None:
        """Write raw rows to the next part."""
        found = digest_payloads(rows.column("payload"))
        self.state.parts.append(self._write(f"part-{len(self.state.parts):05d}", found, rows, RAW))
        self.state.digests.append(found)

    def write_rejects(self, rows: pa.Table) -> None:
        """Write records without a readable time next to the parts: they, too, are as the vendor sent them."""
        found = digest_payloads(rows.column("payload"))
        self.state.undated.append(self._write(f"{UNDATED}-{len(self.state.undated):05d}", found, rows, REJECTS))

    def write_outcomes(self, vendor: str, outcomes: Sequence[Outcome]) -> File:
        """Write how it went with each contact."""
        done = encrypt_outcomes(self.lake, vendor, outcomes)
        found = hashlib.sha256(msgspec.json.encode(done)).hexdigest()
        return self._write("outcomes", found, to_batch(done), OUTCOMES)

    def drop_after(self, parts: int, undated: int) -> None:
        """Remove all but the first ``parts`` and the first ``undated`` files."""
        files = (*self.state.parts[parts:], *self.state.undated[undated:])
        del self.state.parts[parts:], self.state.digests[parts:], self.state.undated[undated:]
        self.lake.remove(file.path for file in files)

    def remove_unpublished(self, files: Iterable[File]) -> None:
        """Remove files that no manifest refers to.

        A long window that is split once more writes the same files, which may be committed already.
        """
        paths = [file.path for file in files]
        if paths:
            published = list_referenced(self.lake, self.folder)
            self.lake.remove(path for path in paths if path not in published)

    def _write(self, kind: str, content: str, rows: pa.Table | pa.RecordBatch, schema: pa.Schema) -> File:
        writer = Writer(self.lake, self._path(kind, content), schema)
        writer.write(rows)
        return writer.close()

    def _path(self, kind: str, content: str) -> str:
        # Two tries of one run share their instant. A retry must not overwrite a file that the first manifest names.
        return f"{self.folder}/{self.batch:05d}-{kind}-{timestamp(self.state.extracted_at)}-{content[:16]}.parquet"
