"""A run for a long window leaves the same files in the lake as a run for each of its days."""

import errno
import json
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.extract import commit, raw_writer, split_window
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

DAY = timedelta(days=1)
TIME = Window.of("2026-01-01", "2026-01-11")  # more days than are written in one reading
DAYS = list(TIME.split(DAY))
BATCHES = 2
TYPES = ["EmailSent", "EmailClicked", "FormSubmitted"]
#: Of tables a few more, each of which is read alike: ten days of all of them take a minute.
OPTIONS = {"dynamics_marketing": {"types": TYPES}, "dynamics_journeys": {"types": [*TYPES, "EmailOpened", "SmsSent"]}}


@pytest.fixture(scope="module")
def running():
    with serve(SandboxConfig(contacts=5, days=12, options=OPTIONS)) as sandbox:
        yield sandbox


@pytest.fixture(params=VENDORS)
def jobs(request, running, tmp_path, tools):
    """Makes extractions of a window in batches, into a lake of the given name."""
    running.reset()
    vendor, known = VENDORS[request.param], running.connections[request.param]
    login, password = known.get("login", ""), known.get("password", "")
    credentials = build_credentials(vendor, known["host"], login, password, {**known["extra"], "account": "a"})
    people = [vendor.contact(text, vendor.contact_kinds[0]) for text in running.contacts(vendor.name)]
    options = build_options(vendor, OPTIONS.get(vendor.name, {}))

    def build_jobs(window, lake, **changed):
        changed = {"limits": tools.quick, **changed}
        opened = Lake.at(str(tmp_path / lake))
        cut = [people[:3], people[3:]]
        return [
            Job(vendor, credentials, opened, window, part, options, batch=n, batches=BATCHES, **changed)
            for n, part in enumerate(cut)
        ]

    return build_jobs


def count_calls(running, vendor):
    """Calls that reached the vendor."""
    paths = running.stats()[vendor.name]["by_path"]
    return sum(n for path, n in paths.items() if "token" not in path)


def daily(jobs, **changed):
    """Every day by itself; ``history_age`` of zero asks anew each time, as runs side by side do."""
    done = []
    for day in DAYS:
        batches = jobs(day, "daily", **changed)
        done.append(
            normalize(batches[0].lake, commit.commit_window(batches[0].lake, [extract(job) for job in batches]))
        )
    return batches[0].lake, done


def wide(jobs, batches=None):
    """All days at once."""
    made = jobs(TIME, "wide", width=DAY)
    lake = made[0].lake
    batches = batches or [extract(job) for job in made]
    done = [normalize(lake, raw) for raw in split_window.split_run(lake, batches, DAY)]
    split_window.drop_source(lake, batches)
    return lake, batches, done


def rows(lake, files, *without):
    """What files hold, in an order of its own and JSON as what it says: a page of Dynamics has its own of either."""
    tables = [pq.read_table(lake.full(file.path)) for file in files]
    return sorted((meant(row) for table in tables for row in table.drop_columns(list(without)).to_pylist()), key=str)


def meant(row):
    for name in row.keys() & {"attributes", "payload"}:
        with suppress(ValueError):
            row[name] = json.loads(row[name])
    return row


def names(lake, layers=("raw", "interactions", "manifests", "rejects")):
    """Every path without what names the run or the rows' order in it."""
    found = (path.relative_to(lake.root).as_posix() for path in Path(lake.root).rglob("*") if path.is_file())
    return sorted(
        re.sub(r"\d{8}T\d{12}Z(-[0-9a-f]{16})?", "RUN", path) for path in found if path.startswith(tuple(layers))
    )


def test_ten_days_at_once_are_ten_days(jobs, running):
    each, days = daily(jobs, history_age=timedelta(0))
    vendor = jobs(TIME, "daily")[0].vendor
    calls = count_calls(running, vendor)
    running.reset()
    lake, batches, pieces = wide(jobs)
    assert names(lake) == names(each)
    when = ("extracted_at",)
    for day, piece in zip(days, pieces, strict=True):
        assert (piece.window, piece.batches, piece.windows) == (day.window, day.batches, 1)
        assert rows(lake, piece.files, *when) == rows(each, day.files, *when)
        told = [rows(at, manifest.outcomes, "requests") for at, manifest in ((lake, piece), (each, day))]
        assert told[0] == told[1]
        raw = [at.read(manifest.place.raw_manifest, Manifest) for at, manifest in ((lake, piece), (each, day))]
        assert rows(lake, raw[0].files, *when) == rows(each, raw[1].files, *when)
        assert lake.read(piece.place.manifest, Manifest) == piece
    assert sum(piece.counts.canonical for piece in pieces) > 0
    assert count_calls(running, vendor) * 3 < calls, "it is there to ask for less"
    assert sum(piece.counts.requests for piece in pieces) == sum(batch.counts.requests for batch in batches)


def test_all_of_it_in_one_manifest(jobs):
    lake, batches, pieces = wide(jobs)
    found = split_window.merge_for_xcom(batches, pieces, DAY)
    assert (found.window, found.windows, found.counts.contacts) == (TIME, len(DAYS), 5)
    assert len(rows(lake, found.files)) == found.counts.canonical == sum(piece.counts.canonical for piece in pieces)
    assert found.counts.landed == found.counts.canonical + found.counts.rejected + found.counts.repeated
    assert not [path for path in names(lake) if TIME.slug in path], "nothing of the long window is left"


def test_a_try_that_died_half_way_is_done_again(jobs):
    made = jobs(TIME, "wide", width=DAY, resume="run")
    batches = [extract(job) for job in made]
    lake, begun = made[0].lake, split_window.split_run(made[0].lake, batches, DAY)
    first = [normalize(lake, next(begun)) for _ in range(3)]
    del begun
    _, _, again = wide(jobs, batches)
    assert [(piece.window, piece.counts) for piece in again[:3]] == [(piece.window, piece.counts) for piece in first]
    each, days = daily(jobs)
    assert names(lake) == names(each)
    assert [piece.counts.canonical for piece in again] == [day.counts.canonical for day in days]


def test_once_it_is_divided_the_long_window_is_gone_and_that_is_said(jobs):
    lake, batches, _ = wide(jobs)
    with pytest.raises(Unreconciled, match="Run the extraction again"):
        list(split_window.split_run(lake, batches, DAY))


def test_what_it_was_divided_into_can_be_normalized_again(jobs):
    lake, batches, pieces = wide(jobs)
    again = [normalize(lake, raw) for raw in split_window.find_pieces(lake, batches, DAY)]
    assert [(piece.window, piece.counts) for piece in again] == [(piece.window, piece.counts) for piece in pieces]
    merged = [split_window.merge_for_xcom(batches, some, DAY).counts for some in (again, pieces)]
    assert merged[0] == merged[1]


def test_pieces_that_are_not_all_there_or_older_are_not_taken_for_its_own(jobs):
    lake, batches, pieces = wide(jobs)
    newer = [msgspec.structs.replace(batch, extracted_at=batch.extracted_at + DAY) for batch in batches]
    assert split_window.find_pieces(lake, newer, DAY) is None
    lake.remove([pieces[-1].place.raw_manifest])
    assert split_window.find_pieces(lake, batches, DAY) is None


def test_a_record_that_is_in_no_piece_is_noticed(desk, monkeypatch):
    landed = desk.land(desk.record(), desk.record(), window=TIME)
    monkeypatch.setattr(split_window._Piece, "copy_rows", lambda piece, rows: piece.writer.copy(rows.slice(0, 0)))
    with pytest.raises(Unreconciled, match="hold 0 records, of 2 that landed"):
        list(split_window.split_run(desk.lake, [landed], DAY))


def test_records_whose_time_cannot_be_read_are_judged_once(desk):
    landed = desk.land(b"{", desk.record(Timestamp="never"), window=TIME)
    pieces = list(split_window.split_run(desk.lake, [landed], DAY))
    assert [piece.counts.landed for piece in pieces] == [2, *[0] * (len(DAYS) - 1)]
    done = [normalize(desk.lake, piece, rejects_share=1.0) for piece in pieces]
    assert sum(piece.counts.rejected for piece in done) == 2


def test_dividing_once_more_in_vain_takes_no_file_from_what_is_published(desk, monkeypatch):
    landed = desk.land(desk.record(), desk.record(InteractionId="B" * 32), window=TIME)
    pieces = list(split_window.split_run(desk.lake, [landed], DAY))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(split_window._Piece, "finish", full)
    monkeypatch.setattr(raw_writer.RawWriter, "copy", eager)
    with pytest.raises(OSError, match="No space"):
        list(split_window.split_run(desk.lake, [landed], DAY))
    assert sum(len(piece.files) for piece in pieces) > 0
    assert all(desk.lake.fs.exists(desk.lake.full(path)) for piece in pieces for path in piece.paths)


def eager(landing, rows, copy=raw_writer.RawWriter.copy):
    """As if a file were full with these rows."""
    copy(landing, rows)
    landing._write_pending()
