"""Answer a request from the lake, for a bulk vendor whose windows there cover the time of the request.

Such a vendor has no index by person, so whole tables would be read. The lake may answer if raw windows cover all of the
time, if they were extracted for everyone with all types of the request, if none waits to be read again, and if their
records are not encrypted. Otherwise the vendor is asked.

A vendor may move an interaction to another time, and then two windows hold it. The answer has its newest version, as an
answer of the vendor has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.contract.bulk import SUPERSEDED
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.outcomes import Outcome, count_outcomes, judge_rows
from airflow_provider_interactions.extract.raw_table import NUMBERED
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.reopened import list_reopened
from airflow_provider_interactions.extract.table_facts import load_types
from airflow_provider_interactions.lake.encrypted_record import is_encrypted
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths, read_window
from airflow_provider_interactions.lake.reader import filter_window
from airflow_provider_interactions.lake.reader import read_window as read_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.mapping import map_batch
from airflow_provider_interactions.schema import NEWEST, RAW, WORD
from airflow_provider_interactions.window import Window, zulu


class Landed(NamedTuple):
    """The rows of a request. ``source`` is a sentence if they do not come from the vendor directly."""

    manifest: Manifest
    source: str = ""


def land_from_lake(lake: Lake, job: Job) -> Landed | None:
    """Copy the rows of the job's people from raw windows of ``lake``; None if the lake does not have all of them."""
    raws = find_cover(lake, job)
    if raws is None:
        return None
    tables = list[pa.Table]()
    for rows in _read_rows(lake, raws, job.window):
        if pc.any(is_encrypted(rows.column("payload"))).as_py():
            return None
        tables.append(_select_people(rows, job))
    times = [raw.extracted_at for raw in raws]
    return Landed(_write(job, tables), _describe(min(times), max(times)))


def find_cover(lake: Lake, job: Job) -> list[Manifest] | None:
    """The raw windows that cover the job's window, in order; None if they leave a gap or lack types."""
    account = AccountPaths(job.vendor.name, job.credentials.account)
    windows = list(_choose_windows(map(read_window, lake.list_names(account.folder("raw"))), job.window))
    if not windows or windows[-1].end < job.window.end or not list_reopened(lake, account).isdisjoint(windows):
        return None
    raws = []
    for window in windows:
        place = WindowPaths(account.vendor, account.account, window)
        raw = lake.read(place.raw_manifest, Manifest)
        types = load_types(lake, place, raw.extracted_at) if raw else None
        if raw is None or raw.swept or types is None or not types.issuperset(getattr(job.options, "types", ())):
            return None
        raws.append(raw)
    return raws


def _choose_windows(windows: Iterator[Window | None], wanted: Window) -> Iterator[Window]:
    """Neighbouring windows from the start of the wanted one to its end, a gap or an overlap."""
    at = wanted.start
    for window in sorted(filter(None, windows), key=lambda one: (one.start, one.end)):
        if window.end <= wanted.start or at >= wanted.end:
            continue
        first = at == wanted.start
        if not (window.start <= at if first else window.start == at):
            return
        yield window
        at = window.end


def _read_rows(lake: Lake, raws: Sequence[Manifest], window: Window) -> Iterator[pa.RecordBatch]:
    """The raw rows of a window. Rows without an instant come with every extraction: those of the last one count."""
    for raw in raws:
        for rows in read_rows(lake, raw, raw.files):
            yield filter_window(rows, window, undated=False)
    for rows in read_rows(lake, raws[-1], raws[-1].undated):
        yield rows.select(RAW.names)


def _select_people(rows: pa.RecordBatch, job: Job) -> pa.Table:
    """The rows of the job's people, numbered by their places."""
    people = pa.array([f"{one.kind}\0{one.id}" for one in job.contacts], pa.string())
    kinds = rows.column("contact_id_kind").cast(pa.string())
    joined = pc.binary_join_element_wise(kinds, rows.column("contact_id"), "\0")
    numbers = pc.index_in(joined, value_set=people).cast(pa.int64())
    mine = numbers.is_valid()
    table = pa.Table.from_batches([rows.filter(mine)])
    return table.append_column(NUMBERED.field("question"), numbers.filter(mine)).cast(NUMBERED)


def _write(job: Job, tables: Sequence[pa.Table]) -> Manifest:
    """The rows in the job's own lake, person by person."""
    numbers = Counter[int]()
    with RawWriter(job.lake, job.place, Checkpoint(extracted_at=job.extracted_at), folder="raw") as writer:
        if tables:
            rows = _mark_superseded(pa.concat_tables(tables), job.vendor).unify_dictionaries().sort_by("question")
            numbers.update(rows.column("question").to_pylist())
            writer.add_rows(rows)
        outcomes = [
            Outcome(one.id, one.kind, judge_rows(numbers[place]), numbers[place], 0, None)
            for place, one in enumerate(job.contacts)
        ]
        for place, outcome in enumerate(outcomes):
            writer.add_outcome(outcome, place)
        landed = numbers.total()
        return writer.finish(count_outcomes(outcomes) + Counts(received=landed, fetched=landed))


def _mark_superseded(rows: pa.Table, vendor: Vendor) -> pa.Table:
    """The rows, with the context ``SUPERSEDED`` where another row is a newer version of the interaction."""
    older = pa.array(_find_older(rows, vendor), pa.int64())
    mask = pc.is_in(pa.array(range(rows.num_rows), pa.int64()), older)
    contexts = pc.if_else(mask, SUPERSEDED, rows.column("context").cast(pa.string()))
    place = rows.schema.get_field_index("context")
    return rows.set_column(place, NUMBERED.field("context"), contexts.dictionary_encode().cast(WORD))


def _find_older(rows: pa.Table, vendor: Vendor) -> list[int]:
    """The places of the rows that have a newer version among the rows."""
    newest: dict[str, tuple[list[tuple[bool, Any]], int]] = {}
    places, start = list[int](), 0
    for batch in rows.to_batches():
        mapped = map_batch(batch, vendor)
        found = mapped.rows.select(["interaction_id", *NEWEST]).to_pylist()
        for place, row in zip(mapped.places.to_pylist(), found, strict=True):
            version = [(row[name] is not None, row[name]) for name in NEWEST]
            known = newest.get(row["interaction_id"])
            if known is None or version > known[0]:
                newest[row["interaction_id"]] = version, start + place
            places.append(start + place)
        start += batch.num_rows
    return sorted(set(places).difference(place for _, place in newest.values()))


def _describe(first: datetime, last: datetime) -> str:
    when = f"at {zulu(first)}" if first == last else f"between {zulu(first)} and {zulu(last)}"
    return f"The answer comes from the lake: its windows cover the period. They were read from the vendor {when}."
