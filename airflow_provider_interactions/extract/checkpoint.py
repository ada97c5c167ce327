"""What an extraction has landed so far, kept in the lake, so that a retry continues instead of starting over.

::

    unfinished/vendor=…/account=…/window=…/<fingerprint>/state.json      what is done, replaced last, in one step
                                                        /rows-….arrow    rows that are in no Parquet file yet
                                                        /done-….json     how it went with each question

Questions are numbered in the order of the contacts and end in any order. Each saving adds those that have ended since:
their answers, and their rows with the number of the question. Parts hold whole contacts, and the state says whose, as
ranges of questions: only those that are asked leave gaps.

The fingerprint is of everything that decides the rows: vendor, account, window, contacts, options, the package's
version, and the run that asks (``Job.resume``). So another run starts afresh. The same run goes on, also after it
failed for good and was cleared. Once it has come to its end, its later tries get what it landed; a run that was
cleared after that (``Job.generation``) starts afresh.

Whole histories serve all runs, so the fingerprint of theirs is not of a run (``Job.is_shared``). Whichever run comes
next goes on with what an interrupted one has fetched, if that is late and young enough for it. Runs that fetch the same
histories at the same time save to one folder: the last one to save leaves the checkpoint. Files that a run has taken
over may go when the other run fails, so histories are published only if all of their files are there.

Whatever is missing or damaged here means a fresh start too: a
checkpoint only saves work. It is removed when its window is committed, when that is impossible (too many records are
unreadable, too many contacts are unknown or get no response, counts do not add up), and when it is too old.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.extract.outcomes import Answer
from airflow_provider_interactions.extract.raw_table import pack_rows, unpack_rows
from airflow_provider_interactions.lake.faults import translate_faults
from airflow_provider_interactions.lake.manifest import File, count_rows
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.page_cap import Evidence

#: A checkpoint of this age is not continued any more. The next extraction of the account removes it.
AGE = timedelta(days=1)

#: The same for a finished extraction: its files may wait for the other batches of the window.
FINISHED_AGE = timedelta(days=30)

#: Seconds between two savings, or this share of the time since the start where that is more: what a crash may cost.
EVERY, SHARE = 0.04, 0.02


#: The form in which checkpoints are stored. One in another form is not continued.
FORM = 2

#: Rows of a table in one window, and a digest of their keys and versions.
Fact = tuple[int, str]

#: Numbers from the first one on, up to the second one, which is not among them.
Range = tuple[int, int]


class Tally(msgspec.Struct):
    """What is counted while an extraction goes on, of ended questions. ``reasons`` are of the ``undated`` records."""

    received: int = 0
    fetched: int = 0
    undated: int = 0
    sent: tuple[int, int, int] = (0, 0, 0)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)


class Saved(msgspec.Struct, frozen=True):
    """A file of the checkpoint with rows of these questions. ``digest`` is of its bytes."""

    name: str
    digest: str
    questions: list[Range]


class Checkpoint(msgspec.Struct, kw_only=True):
    """An unfinished extraction. ``parts`` are whole files, which hold what came for the questions ``written``.

    ``digests`` are the parts' own; ``rows`` hold what came for other questions; ``answers`` are names of files and the
    digests of their bytes; ``undated`` are files of records whose time cannot be read. ``finished`` says that all is
    in parts and ``others``, and only to be published; ``generation`` and ``run`` are those of the job that saved it
    (`Job`).
    ``pages`` is what the run knows of the server's pages. ``tables`` are the facts of a bulk vendor's tables that were
    read, see ``table_facts``.
    """

    extracted_at: datetime
    saved_at: datetime | None = None
    finished: bool = False
    generation: int = 0
    run: str = ""
    written: list[Range] = msgspec.field(default_factory=list)
    parts: list[File] = msgspec.field(default_factory=list)
    digests: list[str] = msgspec.field(default_factory=list)
    undated: list[File] = msgspec.field(default_factory=list)
    others: list[File] = msgspec.field(default_factory=list)
    rows: list[Saved] = msgspec.field(default_factory=list)
    answers: dict[str, str] = msgspec.field(default_factory=dict)
    tally: Tally = msgspec.field(default_factory=Tally)
    pages: Evidence = msgspec.field(default_factory=Evidence)
    tables: dict[str, dict[int, Fact]] = msgspec.field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """The data files it is about."""
        return [file.path for file in (*self.parts, *self.undated, *self.others)]

    def is_old(self, now: datetime, age: timedelta) -> bool:
        """Whether it is too old to be continued."""
        return now - (self.saved_at or self.extracted_at) >= max(age, FINISHED_AGE if self.finished else age)


@dataclass(slots=True)
class CheckpointStore:
    """One unfinished extraction's folder. ``token`` separates the files of tries that run at the same time."""

    lake: Lake
    folder: str
    token: str = field(default_factory=lambda: f"{timestamp(datetime.now(UTC))}-{uuid.uuid4().hex[:8]}")
    saved: int = 0

    @classmethod
    def of(cls, lake: Lake, place: WindowPaths, facts: Any) -> CheckpointStore:
        """The checkpoints of an extraction; ``facts`` are plain values that decide its rows."""
        fingerprint = hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]
        return cls(lake, f"{place.folder('unfinished')}/{fingerprint}")

    def load(self, now: datetime, age: timedelta = AGE) -> tuple[Checkpoint, list[pa.Table], list[Answer]] | None:
        """What was saved last: the state, the rows that are in no part, all answers. None if it cannot be used."""
        with contextlib.suppress(OSError, msgspec.MsgspecError, pa.ArrowException):
            state = self.lake.read(f"{self.folder}/state.json", Checkpoint)
            if state is not None and not state.is_old(now, age) and self._has([*state.parts, *state.undated]):
                rows = [select_outside(self._read_rows(saved), state.written) for saved in state.rows]
                known = count_rows(state.parts) + sum(table.num_rows for table in rows), count_rows(state.undated)
                if known == (state.tally.fetched, state.tally.undated):
                    return state, rows, self._read_answers(state.answers)
        return None

    def save(self, state: Checkpoint, rows: pa.Table | None, answers: Sequence[Answer]) -> bool:
        """Add answers and their ``rows``, unless those are in parts; replace the state; drop what has become a part.

        Returns whether that is done. It is not when another try of the same run has published and removed the folder.
        """
        try:
            self._save(state, rows, answers)
        except ConfigError as wrong:
            if not isinstance(wrong.__cause__, FileNotFoundError):
                raise
            return False
        return True

    def drop_if_over(self, run: str) -> None:
        """Remove it if it is finished or belongs to a run, which needs it no more. See ``Checkpoint`` for ``run``."""
        state = read_state(self.lake, self.folder)
        if state is not None and (state.finished or state.run == run):
            self.drop()

    def drop(self) -> None:
        """Remove it, and none of the files it is about."""
        remove_folder(self.lake, self.folder)

    def _save(self, state: Checkpoint, rows: pa.Table | None, answers: Sequence[Answer]) -> None:
        self.saved += 1
        state.saved_at = datetime.now(UTC)
        gone = [saved.name for saved in state.rows if covers(state.written, saved.questions)]
        state.rows = [saved for saved in state.rows if saved.name not in gone]
        if rows is not None:
            name = self._name("rows", "arrow")
            questions = merge_ranges((one, one + 1) for one in pc.unique(rows.column("question")).to_pylist())
            state.rows.append(Saved(name, self._write(name, pack_rows(rows)), questions))
        if answers:
            name = self._name("done", "json")
            state.answers[name] = self._write(name, msgspec.json.encode(list(answers)))
        self.lake.publish(f"{self.folder}/state.json", state)
        self.lake.remove(f"{self.folder}/{name}" for name in gone)

    def _name(self, kind: str, ending: str) -> str:
        return f"{kind}-{self.token}-{self.saved:06d}.{ending}"

    def _has(self, parts: Sequence[File]) -> bool:
        return all(self.lake.size(part.path) == part.bytes for part in parts)

    def _write(self, name: str, data: bytes) -> str:
        path = f"{self.folder}/{name}"
        self.lake.prepare(path)
        with translate_faults():
            self.lake.fs.pipe_file(self.lake.full(path), data)
        return hashlib.sha256(data).hexdigest()

    def _read(self, name: str, digest: str) -> bytes:
        data = self.lake.read_bytes(f"{self.folder}/{name}")
        if hashlib.sha256(data).hexdigest() != digest:
            msg = "a file of the checkpoint is damaged"
            raise OSError(msg)
        return data

    def _read_rows(self, saved: Saved) -> pa.Table:
        return unpack_rows(self._read(saved.name, saved.digest))

    def _read_answers(self, files: Mapping[str, str]) -> list[Answer]:
        read = (msgspec.json.decode(self._read(*file), type=list[Answer]) for file in files.items())
        return [answer for answers in read for answer in answers]


def merge_ranges(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers in as few ranges as possible, in order."""
    merged = list[Range]()
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def covers(ranges: Sequence[Range], others: Sequence[Range]) -> bool:
    """Whether the numbers of ``others`` are among those of ``ranges``, which are merged."""
    return all(any(start <= first and last <= end for start, end in ranges) for first, last in others)


def select_outside(rows: pa.Table, ranges: Sequence[Range]) -> pa.Table:
    """The rows whose questions are in none of the ranges."""
    for start, end in ranges:
        numbers = rows.column("question")
        rows = rows.filter(pc.or_(pc.less(numbers, start), pc.greater_equal(numbers, end)))
    return rows


def read_state(lake: Lake, folder: str) -> Checkpoint | None:
    """The state of a checkpoint; None if there is none, or if it cannot be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return lake.read(f"{folder}/state.json", Checkpoint)
    return None


def remove_folder(lake: Lake, folder: str) -> None:
    """Remove a checkpoint as far as that is possible now."""
    # Another try may still be writing there: what it leaves expires.
    with contextlib.suppress(ConfigError, LakeUnavailable):
        lake.remove_folder(folder)
