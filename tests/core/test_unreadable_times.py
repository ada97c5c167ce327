"""Records with an unreadable time: a fetch rejects them once, however many windows are cut from it."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.errors import TooManyRejects
from airflow_provider_interactions.extract import commit, raw_writer, split_window, tracker
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reconcile import reconcile
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

NAME = "which50"
MONTH = Window.of("2026-01-01", "2026-01-31")
DAYS = list(MONTH.split(timedelta(days=1)))


@pytest.fixture
def job(running, tmp_path, tools):
    """A month of one contact, whose vendor sends whole histories."""
    running.reset()
    vendor, known = VENDORS[NAME], running.connections[NAME]
    login, password = known.get("login", ""), known.get("password", "")
    yield Job(
        vendor=vendor,
        credentials=build_credentials(vendor, known["host"], login, password, {**known["extra"], "account": "a"}),
        lake=Lake.at(str(tmp_path)),
        window=MONTH,
        contacts=[vendor.contact("1", vendor.contact_kinds[0])],
        options=build_options(vendor, {}),
        limits=tools.quick,
    )
    running.reset()


def play(sandbox, good, bad):
    """A history of records in turn on every day of the month, and some without a readable time."""
    times = [f"2026-01-{n % 30 + 1:02d}T10:00:{n // 30 % 60:02d}Z" for n in range(good)] + ["soon"] * bad
    records = [{"Id": n, "Interaction": "Email", "Name": "a", "Occurred": at} for n, at in enumerate(times, start=1)]
    body = json.dumps(records)
    sandbox.faults([{"kind": "status", "status": 200, "path": "communications", "body": body}])


def rejects(job):
    """Every file of records without a readable time. They are beside the raw files, as the vendor sent them."""
    assert not job.lake.list_files("rejects")
    return [path for layer in ("raw", "history") for path in job.lake.list_files(layer) if "-undated-" in path]


def rows(job, paths):
    import pyarrow.parquet as pq

    return [row for path in paths for row in pq.read_table(job.lake.full(path)).to_pylist()]


def ran(job, window):
    """A window's normalized manifest."""
    return normalize(job.lake, commit.commit_window(job.lake, [extract(replace(job, window=window))]))


def test_no_window_fails_of_what_is_in_none_of_them(running, job, caplog):
    """18 of 618: each day of twenty records failed."""
    play(running, 600, 18)
    with caplog.at_level(logging.WARNING):
        done = [ran(job, day) for day in DAYS]
    assert sum(one.counts.canonical for one in done) == 600
    assert sum(one.counts.rejected for one in done) == 0
    assert all(one.counts.received == 600 for one in done)
    [path] = rejects(job)
    found = rows(job, [path])
    assert {row["reason"] for row in found} == {"Occurred is not a valid ISO 8601 time"}
    assert len(found) == 18
    assert len([text for text in caplog.messages if "18 of 618 records" in text]) == 1


def test_a_history_says_how_many_they_are(running, job):
    play(running, 600, 18)
    extract(replace(job, window=DAYS[0]))
    [name] = [name for name in job.lake.list_names(job.place.histories) if name.endswith(".json")]
    kept = job.lake.read(f"{job.place.histories}/{name}", Manifest)
    reconcile(kept)
    assert (kept.counts.received, kept.counts.undated, kept.counts.fetched) == (618, 18, 600)
    assert [file.path for file in kept.undated] == rejects(job)


def test_a_window_that_is_run_again_neither_loses_nor_doubles_them(running, job):
    play(running, 600, 18)
    first = ran(job, DAYS[0])
    assert ran(job, DAYS[0]).counts.canonical == first.counts.canonical
    assert len(rows(job, rejects(job))) == 18
    # The history goes; what it has rejected stays.
    extract(replace(job, window=DAYS[0], extracted_at=datetime.now(UTC) + timedelta(days=3)))
    assert len(rows(job, rejects(job))) == 2 * 18


@pytest.mark.parametrize(("good", "bad"), [(200, 11), (0, 10), (0, 1)])
def test_too_many_for_what_was_received_fail_the_fetch(running, job, good, bad):
    play(running, good, bad)
    with pytest.raises(
        TooManyRejects, match=rf"{bad} of {good + bad} records.*Occurred is not a valid ISO 8601 time \({bad}\)"
    ):
        ran(job, DAYS[0])
    assert not [name for name in job.lake.list_names(job.place.histories) if name.endswith(".json")]
    assert len(rows(job, rejects(job))) == bad
    assert ran(replace(job, rejects_share=1.0), DAYS[0]).counts.rejected == 0


def test_a_try_that_goes_on_knows_of_them(running, job, monkeypatch):
    """A journal keeps them as it keeps the rest."""
    play(running, 60, 3)
    contacts = [job.vendor.contact(f"{n}", job.vendor.contact_kinds[0]) for n in range(1, 7)]
    job = replace(job, contacts=contacts, resume="run")
    outcome, calls = raw_writer.RawWriter.add_outcome, []

    def dies(landing, *known):
        calls.append(known)
        if len(calls) == 4:
            raise OSError
        outcome(landing, *known)

    monkeypatch.setattr("airflow_provider_interactions.extract.timers.EVERY", 0)
    monkeypatch.setattr("airflow_provider_interactions.extract.timers.SHARE", 0)
    monkeypatch.setattr(raw_writer.RawWriter, "add_outcome", dies)
    with pytest.raises(OSError):  # noqa: PT011
        extract(job)
    monkeypatch.setattr(raw_writer.RawWriter, "add_outcome", outcome)
    extract(job)
    [name] = [name for name in job.lake.list_names(job.place.histories) if name.endswith(".json")]
    kept = job.lake.read(f"{job.place.histories}/{name}", Manifest)
    reconcile(kept)
    assert (kept.counts.received, kept.counts.undated, kept.counts.fetched) == (63 * 6, 3 * 6, 60 * 6)
    assert {row["contact_id"] for row in rows(job, [file.path for file in kept.undated])} == {c.id for c in contacts}


def test_of_a_wide_run_they_go_with_its_first_window(rig):
    """Dynamics filters by date: they belong to the window that was fetched."""
    times = ["2026-01-02T10:00:00Z"] * 20 + ["soon"] * 3
    records = [
        {"InteractionId": f"{n:032x}", "InteractionType": "EmailSent", "Timestamp": at} for n, at in enumerate(times, 1)
    ]
    rig.faults(kind="status", status=200, body=json.dumps({"Data": json.dumps(records), "NextSkipToken": None}))
    job = rig.job(contacts=rig.contacts(1), options=build_options(rig.job().vendor, {"types": ("EmailSent",)}))
    long = extract(job)
    assert (long.counts.undated, long.counts.landed) == (3, 20)
    for _ in range(2):  # once more: the same files
        pieces = list(split_window.split_run(job.lake, [long], timedelta(days=1)))
        assert [piece.counts.undated for piece in pieces] == [3, 0, 0, 0, 0, 0, 0]
    split_window.drop_source(job.lake, [long])
    done = [normalize(job.lake, piece) for piece in pieces]
    assert sum(one.counts.rejected for one in done) == 0
    [file] = done[0].undated
    assert {row["window_end"] for row in rows(job, [file.path])} == {DAYS[0].end}
    whole = split_window.merge_for_xcom([long], done, timedelta(days=1))
    assert (whole.counts.undated, [file.rows for file in whole.undated]) == (3, [3])


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1753-01-01T00:00:00", "9999-12-31T23:59:59Z"])
def test_a_time_that_no_window_has_is_rejected_and_not_left_outside(job, running, at):
    """Defaults of systems, as the first instant of .NET: each run would leave them to the window of another."""
    vendor = VENDORS["dynamics_marketing"]
    known = running.connections[vendor.name]
    credentials = build_credentials(vendor, known["host"], known["login"], known["password"], known["extra"])
    asked = build_options(vendor, {"types": ["EmailSent"]})
    mine = replace(job, vendor=vendor, credentials=credentials, contacts=[vendor.contact("1" * 32)], options=asked)
    times = ["2026-01-02T10:00:00Z"] * 30 + ["2027-01-02T10:00:00Z", at]
    records = [{"InteractionId": f"{n:032x}", "Timestamp": one} for n, one in enumerate(times, 1)]
    body = json.dumps({"Data": json.dumps(records), "NextSkipToken": None})
    running.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": body}])
    counts = extract(mine).counts
    assert (counts.landed, counts.outside, counts.undated) == (30, 1, 1)
    [path] = rejects(mine)
    assert [one["reason"] for one in rows(mine, [path])] == [tracker.NO_WINDOW]
