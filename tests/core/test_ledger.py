"""The ledger: one row for every try of a step, and what the connections of a step sent."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread

import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions.coverage.ledger import Step, name_run, read_ledger, read_new_steps, write_step
from airflow_provider_interactions.errors import RequestRejected, Throttled
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.usage import add_usage, measure_usage
from airflow_provider_interactions.schema import LEDGER

#: Requests that may be on their way when one of them fails.
IN_FLIGHT = 16
AT = datetime(2026, 1, 2, 12, tzinfo=UTC)


def step(at=AT, **facts):
    return Step(**{"step": "extract", "state": "success", "started_at": at, "ended_at": at, "seconds": 1.5, **facts})


def test_a_row_is_what_was_written(any_desk):
    facts = {"vendor": "which50", "account": "a<b>", "window_start": AT, "window_end": AT, "rows": 3, "attempt": 2}
    path = write_step(any_desk.lake, step(**facts, not_found=1, run_id="scheduled__x"))
    assert path.startswith("ledger/date=2026-01-02/20260102T120000000000Z-")
    table = read_ledger(any_desk.lake)
    assert table.schema.equals(LEDGER)
    [row] = table.to_pylist()
    assert facts.items() <= row.items()
    assert (row["not_found"], row["ok"], row["requests"]) == (1, None, 0)


def test_every_column_has_a_field():
    assert set(LEDGER.names) == {"file", *Step.__struct_fields__}


def test_tries_that_end_at_the_same_instant_are_all_kept(any_desk):
    threads = [Thread(target=write_step, args=(any_desk.lake, step(attempt=n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_ledger(any_desk.lake).column("attempt").to_pylist()) == list(range(8))


def test_days_are_chosen_by_their_folder(desk):
    for day in range(4):
        write_step(desk.lake, step(AT + timedelta(days=day), attempt=day))
    found = read_ledger(desk.lake, date(2026, 1, 3), date(2026, 1, 4))
    assert found.column("attempt").to_pylist() == [1, 2]
    assert read_ledger(desk.lake, date(2027, 1, 1)).num_rows == 0


@pytest.mark.parametrize(
    "run_id",
    [
        "scheduled__2026-01-02T00:00:00+00:00",
        "manual__2026-01-02T00:00:00.123456+00:00_aB3dE9xY",
        "backfill__2026-01-02T00:00:00+00:00",
        "asset_triggered__2026-01-02T00:00:00+00:00__2026-01-01__egJDs5WZ",
    ],
)
def test_ids_that_airflow_makes_are_kept(run_id):
    assert name_run(run_id) == run_id


@pytest.mark.parametrize(
    "run_id",
    ["jane@example.org", "manual__jane", "manual__2026-01-02__jane@example.org", "manual__2026-01-02_jane", "r"],
)
def test_ids_that_people_choose_are_not(run_id):
    found = name_run(run_id)
    assert found == name_run(run_id)
    assert found.startswith("sha256:")
    assert run_id not in found


def test_usage_is_counted_also_of_a_failed_extraction(rig):
    with measure_usage() as whole:
        manifest = extract(rig.job())
    assert (whole.requests, whole.throttled) == (manifest.counts.requests, 0)
    assert whole.received > 0
    rig.faults(kind="throttle", retry_after=3600, times=1)
    with measure_usage() as usage, pytest.raises(Throttled):
        extract(rig.job(limits=replace(rig.limits, patience=0.1)))
    assert usage.requests >= usage.throttled >= 1
    assert 0 <= usage.throttled_seconds < 5, "what is left of the pause has not passed"


def test_tries_that_go_on_from_a_checkpoint_count_each_request_once(rig):
    rig.faults(kind="status", status=400, after=8, times=1)
    with measure_usage() as first, pytest.raises(RequestRejected):
        extract(rig.job(resume="a run"))
    with measure_usage() as second:
        manifest = extract(rig.job(resume="a run"))
    assert first.requests > 0
    sent = first.requests + second.requests
    assert 0 <= sent - rig.stats["requests"] < IN_FLIGHT, "some were on their way when one failed"
    assert sent >= manifest.counts.requests, "the manifest knows of those before the last checkpoint"


def test_many_refusals_at_once_are_one_pause(rig):
    rig.faults(kind="throttle", retry_after=1, times=3)
    with measure_usage() as usage:
        extract(rig.job())
    assert usage.throttled >= 1
    assert 1 <= usage.throttled_seconds < 1 + usage.throttled


def test_a_step_inside_a_step_counts_for_itself():
    with measure_usage() as outer:
        add_usage(1, 0, 0, 0, 0.0)
        with measure_usage() as inner:
            asyncio.run(_add(2))
        asyncio.run(_add(4))
    assert (outer.requests, inner.requests) == (5, 2)
    add_usage(1, 0, 0, 0, 0.0)
    assert outer.requests == 5


async def _add(requests):
    add_usage(requests, 0, 0, 0, 0.0)


def test_files_from_before_a_column_was_added_are_read(desk):
    path = write_step(desk.lake, step(alerts=3, attempt=1))
    with desk.lake.fs.open(desk.lake.full(path), "rb") as stream:
        older = pq.read_table(stream).drop_columns(["alerts"])
    with desk.lake.fs.open(desk.lake.full(path), "wb") as stream:
        pq.write_table(older, stream)
    write_step(desk.lake, step(AT + timedelta(hours=1), alerts=4, attempt=2))
    table = read_ledger(desk.lake)
    assert table.column("alerts").to_pylist() == [None, 4]
    assert table.column("attempt").to_pylist() == [1, 2]
    assert table.schema.equals(LEDGER)
    assert read_new_steps(desk.lake, None, frozenset()).column("alerts").to_pylist() == [None, 4]
