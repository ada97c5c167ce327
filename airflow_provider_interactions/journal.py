"""What an extraction has landed so far, kept in the lake, so that a try after it continues instead of starting over.

::

    unfinished/vendor=…/account=…/window=…/<fingerprint>/state.json      what is done, replaced last, in one step
                                                        /rows-….arrow    rows that are in no Parquet file yet
                                                        /done-….json     how it went with each contact

The fingerprint is of everything that decides the rows: vendor, account, window, contacts, options, the package's
version, and the run that asks (``Job.resume``). So another run, or the same run after it was cleared, starts afresh.
Whatever is missing or unreadable here means a fresh start too: a journal only ever saves work. It goes when the window
is published, and when it is older than ``AGE``.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

from airflow_provider_interactions.lake import Lake, Place
from airflow_provider_interactions.manifest import File

#: A journal older than this is not continued any more, and removed by the next extraction of its account.
AGE = timedelta(days=1)

#: Seconds between two savings, or this share of the time since the start where that is more: what a crash may cost.
EVERY, SHARE = 0.1, 0.02


class Outcome(msgspec.Struct, frozen=True):
    """How it went with one contact."""

    contact_id: str
    contact_id_kind: str
    outcome: str
    rows: int
    requests: int
    reason: str | None


class Tally(msgspec.Struct):
    """What is counted while an extraction goes on; ``rows``, ``requests``, ``missing`` are of the contact at hand."""

    received: int = 0
    fetched: int = 0
    rows: int = 0
    requests: int = 0
    missing: tuple[str, str] | None = None
    sent: tuple[int, int, int] = (0, 0, 0)


class Saved(msgspec.Struct, frozen=True):
    """A file of the journal with rows ``[first, first + rows)`` of the whole landing."""

    name: str
    first: int
    rows: int

    @property
    def end(self) -> int:
        """The first row after it."""
        return self.first + self.rows


class State(msgspec.Struct, kw_only=True):
    """An unfinished extraction. ``questions`` of its queries are answered, in order; ``parts`` are whole files.

    ``digests`` are the parts' own; ``rows`` hold what comes after the parts; ``outcomes`` are names of files.
    """

    extracted_at: datetime
    questions: int = 0
    parts: list[File] = msgspec.field(default_factory=list)
    digests: list[str] = msgspec.field(default_factory=list)
    rows: list[Saved] = msgspec.field(default_factory=list)
    outcomes: list[str] = msgspec.field(default_factory=list)
    tally: Tally = msgspec.field(default_factory=Tally)

    @property
    def written(self) -> int:
        """Rows in parts."""
        return sum(part.rows for part in self.parts)

    @property
    def end(self) -> int:
        """Rows in parts or saved."""
        return max([self.written, *(saved.end for saved in self.rows)])


@dataclass(slots=True)
class Journal:
    """One unfinished extraction's folder."""

    lake: Lake
    folder: str
    token: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    saved: int = 0

    @classmethod
    def of(cls, lake: Lake, place: Place, facts: Any) -> Journal:
        """The journal of an extraction; ``facts`` are plain values that decide its rows."""
        fingerprint = hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]
        return cls(lake, f"{place.folder('unfinished')}/{fingerprint}")

    def load(self, now: datetime) -> tuple[State, list[pa.Table], list[Outcome]] | None:
        """What was saved last: the state, the rows after its parts, all outcomes. None when there is nothing to use."""
        with contextlib.suppress(OSError, msgspec.MsgspecError, pa.ArrowException):
            state = self.lake.read(f"{self.folder}/state.json", State)
            if state is not None and now - state.extracted_at < AGE and self._has(state.parts):
                return state, [self._rows(saved, state.written) for saved in state.rows], self._outcomes(state.outcomes)
        return None

    def save(self, state: State, rows: pa.Table | None, outcomes: Sequence[Outcome]) -> None:
        """Add ``rows`` after those saved or in parts, and outcomes; replace the state; drop what has become a part."""
        self.saved += 1
        gone = [saved.name for saved in state.rows if saved.end <= state.written]
        state.rows = [saved for saved in state.rows if saved.end > state.written]
        if rows is not None:
            state.rows.append(Saved(self._name("rows", "arrow"), state.end, rows.num_rows))
            self._write(state.rows[-1].name, rows)
        if outcomes:
            state.outcomes.append(self._name("done", "json"))
            self.lake.publish(f"{self.folder}/{state.outcomes[-1]}", list(outcomes))
        self.lake.publish(f"{self.folder}/state.json", state)
        self.lake.remove(f"{self.folder}/{name}" for name in gone)

    def _name(self, kind: str, ending: str) -> str:
        return f"{kind}-{self.token}-{self.saved:06d}.{ending}"

    def _has(self, parts: Sequence[File]) -> bool:
        return all(self.lake.fs.size(self.lake.full(part.path)) == part.bytes for part in parts)

    def _write(self, name: str, rows: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
            writer.write_table(rows)
        path = f"{self.folder}/{name}"
        self.lake.prepare(path)
        self.lake.fs.pipe_file(self.lake.full(path), sink.getvalue().to_pybytes())

    def _rows(self, saved: Saved, written: int) -> pa.Table:
        """A file's rows, without those that have become parts."""
        file = self.lake.fs.cat_file(self.lake.full(f"{self.folder}/{saved.name}"))
        return pa.ipc.open_file(file).read_all().slice(max(0, written - saved.first))

    def _outcomes(self, names: Sequence[str]) -> list[Outcome]:
        files = (self.lake.fs.cat_file(self.lake.full(f"{self.folder}/{name}")) for name in names)
        return [outcome for file in files for outcome in msgspec.json.decode(file, type=list[Outcome])]


def clear(lake: Lake, place: Place) -> None:
    """Remove what unfinished extractions of a window left: it has been published."""
    with contextlib.suppress(FileNotFoundError):
        lake.fs.rm(lake.full(place.folder("unfinished")), recursive=True)


def expire(lake: Lake, place: Place, now: datetime) -> None:
    """Remove what unfinished extractions of the account left long ago, their data files too."""
    root = lake.full(place.unfinished)
    for found in lake.fs.find(root) if lake.fs.exists(root) else ():
        if not found.endswith("/state.json"):
            continue
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            state = msgspec.json.decode(lake.fs.cat_file(found), type=State)
            if now - state.extracted_at >= AGE:
                lake.remove(part.path for part in state.parts)
                lake.fs.rm(found.rpartition("/")[0], recursive=True)
