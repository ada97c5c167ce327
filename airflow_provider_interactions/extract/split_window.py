"""A long window as the short ones it consists of: what was asked for at once is kept as if each had been asked for.

A vendor answers about a month with few calls more than about a day, so filling the past in one run is cheaper than by a
run for each day. What lies in the lake afterwards is the same: the manifest, the rows and the outcomes of each day.
Calls, records outside of the long window, and records whose time cannot be read, are counted with its first piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.erase_rows import leave_out_suppressed
from airflow_provider_interactions.extract.outcomes import Outcome, count_outcomes, read_outcomes
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.unfinished import clear_checkpoints
from airflow_provider_interactions.lake.manifest import OUTCOMES, Counts, Manifest, join_batches, join_identities
from airflow_provider_interactions.lake.names import join_names
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.pseudonyms import reveal_column
from airflow_provider_interactions.lake.reader import filter_window, read_window
from airflow_provider_interactions.lake.reconcile import reconcile
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import read_suppression
from airflow_provider_interactions.window import Window

#: Windows written in one reading of the long one; each holds at most a part of a file in memory.
AT_ONCE = 8


def split_run(lake: Lake, batches: Sequence[Manifest], width: timedelta) -> Iterator[Manifest]:
    """Publish the batches of a long window as windows of ``width``; yields the raw manifest of each, in order of time.

    The long window's own files stay until ``drop_source``, so it can be done again. Raises as ``commit_window`` does,
    and Unreconciled in the end unless every record is in a piece.
    """
    landed_batches, batches = batches, _leave_out_suppressed(lake, batches)
    long = join_batches(batches)
    reconcile(long)
    windows, landed = list(long.window.split(width)), 0
    for n in range(0, len(windows), AT_ONCE):
        some = windows[n : n + AT_ONCE]
        cut = [_write_pieces(lake, batch, some) for batch in batches]
        for pieces in zip(*cut, strict=True):
            piece = commit_window(lake, pieces)
            landed += piece.counts.landed + piece.counts.erased
            yield piece
    known = join_batches(landed_batches).paths
    lake.remove(sorted(long.paths - known))
    landed -= long.counts.erased  # the first piece has them
    if landed != long.counts.landed:
        msg = (
            f"The pieces of window {long.window} hold {landed} records, of {long.counts.landed} that landed. It "
            "stays as it is. Please report this as a defect."
        )
        raise Unreconciled(msg)


def find_pieces(lake: Lake, batches: Sequence[Manifest], width: timedelta) -> list[Manifest] | None:
    """The raw manifests of a long window's pieces as they are published; None unless all are, and none is older.

    What is left of a long window after ``drop_source``, where its pieces are normalized again.
    """
    long = join_batches(batches)
    places = [WindowPaths(long.vendor, long.account, window) for window in long.window.split(width)]
    found = [piece for place in places if (piece := lake.read(place.raw_manifest, Manifest)) is not None]
    same = len(found) == len(places) and all(piece.extracted_at >= long.extracted_at for piece in found)
    return found if same else None


def drop_source(lake: Lake, batches: Iterable[Manifest]) -> None:
    """Remove what was landed for a long window, once all of its pieces are published."""
    for batch in batches:
        clear_checkpoints(lake, batch)
        lake.remove(sorted(batch.paths))


def merge_for_xcom(batches: Sequence[Manifest], pieces: Sequence[Manifest], width: timedelta) -> Manifest:
    """All pieces, normalized, as one manifest. It is not in the lake; it is for the tasks that follow.

    It names no outcomes, which are in the manifests of the pieces. A contact counts once in all. By ``width`` the
    pieces are found again (``read_current``).
    """
    return _join_pieces(join_batches(batches), pieces, width)


def read_current(lake: Lake, long: Manifest, width: timedelta) -> list[Manifest]:
    """The pieces of what ``merge_for_xcom`` made, as published now; raises Unreconciled when one is missing."""
    pieces = []
    for window in long.window.split(width):
        piece = lake.read(WindowPaths(long.vendor, long.account, window).manifest, Manifest)
        if piece is None:
            msg = f"Window {window}, a piece of {long.window}, is no longer in the lake. Run it again."
            raise Unreconciled(msg)
        pieces.append(piece)
    return pieces


def join_again(long: Manifest, pieces: Sequence[Manifest]) -> Manifest:
    """What ``merge_for_xcom`` made, of the pieces as they are now."""
    return _join_pieces(long, pieces, long.width)


def _join_pieces(long: Manifest, pieces: Sequence[Manifest], width: timedelta | None) -> Manifest:
    made = sum((piece.counts for piece in pieces), Counts())
    contacts = {name: getattr(long.counts, name) for name in ("contacts", *OUTCOMES)}
    return msgspec.structs.replace(
        long,
        files=tuple(file for piece in pieces for file in piece.files),
        outcomes=(),
        rejects=tuple(file for piece in pieces for file in piece.rejects),
        undated=tuple(file for piece in pieces for file in piece.undated),
        counts=msgspec.structs.replace(made, **contacts),
        windows=len(pieces),
        width=width,
        digest="",
        types=join_names(piece.types for piece in pieces),
        fields=join_names(piece.fields for piece in pieces),
        schema_version=max((piece.schema_version for piece in pieces), default=long.schema_version),
        policy=pieces[0].policy if pieces else long.policy,
        identities=join_identities(piece.identities for piece in pieces),
        ambiguous=sum(piece.ambiguous for piece in pieces),
    )


@dataclass(slots=True)
class _Piece:
    """One short window of a batch, being written."""

    writer: RawWriter
    window: Window
    first: bool
    rows: Counter[Contact] = field(default_factory=Counter)

    def copy_rows(self, rows: pa.RecordBatch) -> None:
        """Copy the rows that are in the window. The first window also gets the rows that are in none."""
        mine = filter_window(rows, self.window, undated=self.first)
        if mine.num_rows:
            self.writer.copy(mine)
            ids = reveal_column(self.writer.lake, mine.column("contact_id")).to_pylist()
            kinds = mine.column("contact_id_kind").to_pylist()
            self.rows.update(map(Contact, ids, kinds))

    def finish(self, batch: Manifest, outcomes: Sequence[Outcome]) -> Manifest:
        """Note how it went with each contact, and count."""
        mine = [one.within(self.rows[one.contact], one.requests if self.first else 0) for one in outcomes]
        for outcome in mine:
            self.writer.add_outcome(outcome)
        fetched = self.rows.total()
        counts = count_outcomes(mine) + Counts(received=fetched, fetched=fetched)
        return self.writer.finish(counts + _count_calls(batch.counts) if self.first else counts)


def _count_calls(counts: Counts) -> Counts:
    """What was counted once for the long window, whatever its pieces are."""
    return Counts(
        received=counts.outside + counts.undated,
        outside=counts.outside,
        undated=counts.undated,
        requests=counts.requests,
        retries=counts.retries,
        throttled=counts.throttled,
        erased=counts.erased,
        suppressed=counts.suppressed,
    )


def _leave_out_suppressed(lake: Lake, batches: Sequence[Manifest]) -> Sequence[Manifest]:
    """The batches without people who were erased since they were extracted."""
    suppression = read_suppression(lake, batches[0].vendor) if batches else None
    if not suppression:
        return batches
    return [leave_out_suppressed(lake, batch, suppression, datetime.now(UTC)) for batch in batches]


def _write_pieces(lake: Lake, batch: Manifest, windows: Sequence[Window]) -> list[Manifest]:
    """The batch's share of some neighbouring windows, in one reading of its files."""
    with ExitStack() as stack:
        pieces = []
        for window in windows:
            place, state = WindowPaths(batch.vendor, batch.account, window), Checkpoint(extracted_at=batch.extracted_at)
            writer = stack.enter_context(RawWriter(lake, place, state, batch.batch, batch.batches, asked=batch.asked))
            pieces.append(_Piece(writer, window, window.start == batch.window_start))
        for rows in read_window(lake, batch, batch.files):
            for piece in pieces:
                piece.copy_rows(rows)
        for rows in read_window(lake, batch, batch.undated):
            for piece in pieces:
                if piece.first:
                    piece.writer.copy_rejects(rows)
        outcomes = list(read_outcomes(lake, batch))
        return [piece.finish(batch, outcomes) for piece in pieces]
