"""The operators' execute() against the sandbox, over a real socket."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import duckdb
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_interactions import load
from airflow_provider_interactions.extract.progress import make_reporter
from airflow_provider_interactions.operators import (
    ExtractInteractionsOperator,
    ListContactsOperator,
    LoadInteractionsOperator,
    NormalizeInteractionsOperator,
)
from airflow_provider_interactions.sandbox import Fact, digest
from airflow_provider_interactions.window import Window

VENDOR = "dynamics_marketing"
pytestmark = pytest.mark.usefixtures("connection")
DAY = {"params": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}}
WEEK = {
    "data_interval_start": Window.day(date(2026, 1, 1)).start,
    "data_interval_end": Window.day(date(2026, 1, 8)).start,
}

#: Types enough to have something to say, few enough to be quick.
FEW = {"types": ["EmailSent", "EmailOpened", "EmailClicked", "EmailDelivered", "FormVisited", "WebsiteVisited"]}


def run_list(lake, context, **arguments):
    return ListContactsOperator(task_id="list", vendor=VENDOR, lake=lake, **arguments).execute(context)


def run_extract(lake, context, **arguments):
    return ExtractInteractionsOperator(task_id="extract", vendor=VENDOR, lake=lake, **arguments).execute(context)


def run_normalize(lake, manifests, **arguments):
    return NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=manifests, **arguments).execute({})


def run_load(lake, manifest, **arguments):
    return LoadInteractionsOperator(task_id="load", lake=lake, manifest=manifest, **arguments).execute({})


def whole(lake, context, options=None, **arguments):
    """The four tasks of a run, one after the other; returns what load says."""
    batches = run_list(lake, context, options=options, **arguments)
    manifests = [run_extract(lake, {"params": {}}, options=options, batch=batch) for batch in batches]
    return run_load(lake, run_normalize(lake, manifests))


COLUMNS = "native_type, status, subject, campaign_id, campaign_name, message_id, count"


def existing(sandbox, start, end, options=FEW, **filters):
    """How many interactions of these types exist."""
    return sum(sandbox.oracle(VENDOR, start, end, type=kind, **filters).interactions for kind in options["types"])


def warehouse(path):
    """The table as facts, to be compared with what the sandbox says exists."""
    with duckdb.connect(path) as database:
        sql = (
            f"SELECT vendor, contact_id, interaction_id, epoch_us(occurred_at), attributes, {COLUMNS} FROM interactions"
        )
        rows = database.execute(sql).fetchall()
    for vendor, contact, interaction, at, attributes, *rest in rows:
        yield Fact(
            vendor=vendor,
            contact_id=contact,
            interaction_id=interaction,
            occurred_at=at,
            attributes=json.loads(attributes),
            **dict(zip(COLUMNS.split(", "), rest, strict=True)),
        )


def test_a_run_of_several_batches_ends_with_exactly_what_exists(sandbox, lake):
    done = whole(lake, WEEK, batch_size=3)
    expected = sandbox.oracle(VENDOR, "2026-01-01", "2026-01-08")
    assert done["counts"]["canonical"] == done["loaded"]["inserted"] == expected.interactions > 0
    assert (done["window_start"], done["window_end"]) == ("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z")
    assert digest(warehouse(f"{lake}/interactions.duckdb")) == expected.digest


def test_running_again_with_other_batches_leaves_the_same_rows_and_no_stale_file(lake):
    whole(lake, WEEK, FEW, batch_size=2)
    first = digest(warehouse(f"{lake}/interactions.duckdb"))
    again = whole(lake, WEEK, FEW, batch_size=3)
    assert (again["loaded"]["inserted"], again["counts"]["contacts"]) == (0, 5)
    assert digest(warehouse(f"{lake}/interactions.duckdb")) == first
    (manifest,) = Path(lake, "raw").rglob("manifest.json")
    published = json.loads(manifest.read_text())
    named = {file["path"] for file in [*published["files"], *published["outcomes"]]}
    assert {str(path.relative_to(lake)) for path in Path(lake, "raw").rglob("*.parquet")} == named


def test_batches_carry_the_window_and_no_contact(lake, people):
    batches = run_list(lake, DAY, batch_size=2)
    assert [(b["batch"], b["batches"], b["first"], b["count"]) for b in batches] == [
        (0, 3, 0, 2),
        (1, 3, 2, 2),
        (2, 3, 4, 1),
    ]
    assert {b["window_start"] for b in batches} == {"2026-01-02T00:00:00Z"}
    assert not [person for person in people if person in json.dumps(batches)]


def test_window_of_the_list_holds_for_the_extraction_whatever_its_own_context_says(lake):
    (batch,) = run_list(lake, DAY)
    manifest = run_extract(lake, WEEK, options=FEW, batch=batch)
    assert (manifest["window_start"], manifest["window_end"]) == ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")


def test_contacts_may_be_given_instead(sandbox, lake, people):
    chosen = people[:2]
    (batch,) = run_list(lake, WEEK, contacts=[*chosen, chosen[0].upper()])
    by_batch = run_extract(lake, WEEK, batch=batch, options=FEW)
    directly = run_extract(lake, WEEK, contacts=chosen, options=FEW)
    expected = sum(existing(sandbox, "2026-01-01", "2026-01-08", contact=person) for person in chosen)
    assert by_batch["counts"]["landed"] == directly["counts"]["landed"] == expected
    assert by_batch["digest"] == directly["digest"]


def test_one_manifest_need_not_be_in_a_list(sandbox, lake, people):
    manifest = run_normalize(lake, run_extract(lake, DAY, contacts=people, options=FEW))
    assert manifest["counts"]["canonical"] == existing(sandbox, "2026-01-02", "2026-01-03")


def test_no_contacts_is_a_run_of_nothing_where_that_is_wanted(lake):
    done = whole(lake, DAY, contacts=[], on_empty="record")
    assert (done["counts"]["contacts"], done["loaded"]["rows"]) == (0, 0)


def test_no_contacts_by_mistake_replace_nothing(lake, people):
    from airflow.sdk.exceptions import AirflowFailException

    done = whole(lake, DAY, contacts=people[:2])
    with pytest.raises(AirflowFailException, match=r"list of contacts is empty.*on_empty='record'"):
        whole(lake, DAY, contacts=[])
    assert [path for path in Path(lake).glob("interactions/**/*.parquet") if path.stat().st_size] != []
    assert done["counts"]["contacts"] == 2


def test_unknown_contact_is_recorded_or_fails_the_task(lake, people):
    from airflow.sdk.exceptions import AirflowFailException

    asked = [people[0], "00000000-0000-0000-0000-000000000001"]
    assert run_extract(lake, DAY, contacts=asked, options=FEW)["counts"]["not_found"] == 1
    with pytest.raises(AirflowFailException, match="there is no such contact"):
        run_extract(lake, DAY, contacts=asked, options=FEW, on_missing="fail")


def test_options_reach_the_vendor(sandbox, lake, people):
    manifest = run_extract(lake, WEEK, contacts=people, options={"types": ["EmailSent", "EmailOpened"], "page_size": 2})
    expected = [sandbox.oracle(VENDOR, "2026-01-01", "2026-01-08", type=t) for t in ("EmailSent", "EmailOpened")]
    assert manifest["counts"]["landed"] == sum(found.interactions for found in expected)
    assert manifest["counts"]["requests"] >= 2 * len(people)


def test_lake_may_be_a_url_and_has_a_configured_default(lake, people, monkeypatch):
    by_url = run_extract(f"file://{lake}", WEEK, contacts=people, options=FEW)
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", lake)
    by_default = run_normalize(None, by_url)
    assert all(Path(lake, file["path"]).stat().st_size == file["bytes"] for file in by_default["files"])


def test_lake_on_any_file_system_airflow_knows(sandbox, people, tmp_path):
    lake, database = "memory://bucket/interactions", f"{tmp_path}/elsewhere/w.duckdb"
    manifest = run_normalize(lake, run_extract(lake, WEEK, contacts=people, options=FEW))
    done = run_load(lake, manifest, database=database, table="main.events")
    assert done["table"] == "main.events"
    with duckdb.connect(database) as opened:
        count = opened.execute("SELECT count(*) FROM events").fetchone()[0]
    assert count == existing(sandbox, "2026-01-01", "2026-01-08")


def test_vendor_may_come_from_the_connection(connection, lake, people):
    task = ExtractInteractionsOperator(task_id="t", conn_id=connection, lake=lake, contacts=people[:1], options=FEW)
    assert task.execute(DAY)["vendor"] == VENDOR


def test_nothing_is_looked_up_before_execute():
    task = ListContactsOperator(task_id="t", vendor=VENDOR)
    assert (task.conn_id, task.lake) == ("dynamics_marketing_default", None)
    with pytest.raises(ValueError, match="give vendor, conn_id, or both"):
        ListContactsOperator(task_id="t")


def test_what_an_upstream_task_or_a_template_gives_is_a_template_field():
    assert {"batch", "contacts", "start", "end", "lake"} <= set(ExtractInteractionsOperator.template_fields)
    assert {"contacts", "start", "end", "options"} <= set(ListContactsOperator.template_fields)
    assert "manifests" in NormalizeInteractionsOperator.template_fields
    assert {"manifest", "database"} <= set(LoadInteractionsOperator.template_fields)


def test_progress_is_logged_without_anything_personal(sandbox, lake, people, monkeypatch, capfd):
    monkeypatch.setattr(
        "airflow_provider_interactions.extract.progress.make_reporter", partial(make_reporter, every=0.0)
    )
    whole(lake, DAY, FEW)
    said = "".join(capfd.readouterr())
    assert "dynamics_marketing, window [2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z): 5 contacts in 1 batches" in said
    assert "batch 1 of 1: 3 of 5 contacts (60%), " in said
    assert "batch 1 of 1: landed" in said
    assert not [person for person in people if person in said.lower()]
    assert sandbox.connections[VENDOR]["password"] not in said


def test_a_pause_is_told_while_it_lasts(sandbox, lake, people, monkeypatch, capfd):
    monkeypatch.setattr(
        "airflow_provider_interactions.extract.progress.make_reporter", partial(make_reporter, every=1.0)
    )
    sandbox.faults([{"kind": "throttle", "path": "LoadInteractions", "retry_after": 4, "times": 1}])
    run_extract(lake, DAY, contacts=people, options=FEW)
    said = "".join(capfd.readouterr())
    # Requests that were in flight with the refused one may end other contacts, but not all.
    counted = r"[0-4] of 5 contacts \(\d+%\), \d+ records, .*"
    waiting = r" waiting until \d\d:\d\d:\d\dZ, as the vendor asked to slow down"
    assert len(re.findall(counted + waiting, said)) >= 2
    assert "s left" not in said.split("waiting until")[0]
    assert not [person for person in people if person in said.lower()]


def test_stale_manifests_do_not_remove_a_newer_extraction(lake, people, caplog):
    old = run_extract(lake, WEEK, contacts=people, options=FEW)
    first = run_normalize(lake, old)
    new = run_normalize(lake, run_extract(lake, WEEK, contacts=people, options=FEW))
    again = run_normalize(lake, old)
    assert "another run extracted it at" in caplog.text
    assert again["extracted_at"] == new["extracted_at"] > first["extracted_at"]
    assert all(Path(lake, file["path"]).exists() for file in again["files"])
    assert len(list(Path(lake).glob("interactions/*/*/*/*.parquet"))) == len(again["files"])
    for manifest in (first, new, again):  # whichever of the runs loads, it loads what is there
        assert run_load(lake, manifest)["loaded"]["rows"] == again["counts"]["canonical"]


def test_a_window_whose_files_somebody_removed_is_told(lake, people):
    landed = run_extract(lake, WEEK, contacts=people, options=FEW)
    run_normalize(lake, landed)
    Path(lake, landed["files"][0]["path"]).unlink()
    with pytest.raises(AirflowFailException, match="Run the extraction again"):
        run_normalize(lake, landed)


class TestBatchSize:
    """Few tasks, each worth its cost."""

    def size(self, contacts, types=("EmailSent",), requests=6000, seconds=300.0, **settings):
        from dataclasses import replace

        from airflow_provider_interactions import vendors
        from airflow_provider_interactions.contract import Contact, Pace
        from airflow_provider_interactions.runtime.batching import choose_batch_size

        vendor = vendors.find_vendor(VENDOR)
        paced = replace(vendor, pace=Pace(concurrency=52, requests=requests, seconds=seconds))
        return choose_batch_size(
            paced, vendor.settings(**settings), vendor.options(types=types), contacts, [Contact("x")][:contacts]
        )

    def test_little_work_is_one_task(self):
        assert self.size(1000) == 1000  # 50 s at 20 requests a second
        assert self.size(0) == 1

    def test_tasks_of_about_five_minutes(self):
        assert self.size(60_000) == 6_000  # ten tasks of 300 s
        assert self.size(60_000, types=("EmailSent", "EmailOpened")) == 3_000

    def test_what_the_connection_allows_counts_more_than_the_documentation(self):
        assert self.size(60_000, requests_per_minute=600) == 3_000  # ten a second: twenty tasks

    def test_never_more_than_a_few_hundred_tasks(self):
        assert self.size(10_000_000) == 50_000

    def test_concurrency_counts_where_no_rate_is_published(self):
        assert self.size(780_000, requests=None, seconds=None) == 78_000  # 260 a second

    @pytest.mark.parametrize(
        ("size", "message"), [(0, "must be at least 1"), (7, "cuts 8000 contacts into 1143 tasks")]
    )
    def test_a_size_that_cannot_be_mapped_is_refused(self, size, message):
        from airflow_provider_interactions.errors import ConfigError
        from airflow_provider_interactions.runtime.batching import check_size

        with pytest.raises(ConfigError, match=message):
            check_size(size, 8000)


class TestProgress:
    def test_line(self):
        from airflow_provider_interactions.extract.job import Progress
        from airflow_provider_interactions.extract.progress import format_line

        said = format_line(Progress(contacts=200, done=50, rows=1234, requests=2000, throttled=3), 10)
        assert said == (
            "50 of 200 contacts (25%), 1,234 records, 2,000 requests (200/s), throttled 3 times, about 30 s left"
        )

    def test_a_try_that_goes_on_counts_its_own_speed(self):
        from airflow_provider_interactions.extract.job import Progress
        from airflow_provider_interactions.extract.progress import format_line

        found, now = Progress(200, 100, 0, 1000, 0), Progress(200, 150, 0, 1500, 0)
        assert format_line(now, 10, found).endswith("1,500 requests (50/s), throttled 0 times, about 10 s left")
        assert format_line(found, 10, found).endswith("(0/s), throttled 0 times")

    def test_waiting(self):
        from airflow_provider_interactions.extract.job import Progress
        from airflow_provider_interactions.extract.progress import format_line

        until = datetime(2026, 1, 1, 12, 3, 19, 1, tzinfo=UTC)
        said = format_line(Progress(200, 50, 0, 0, 0, paused_until=until), 10)
        assert said.endswith("throttled 0 times, waiting until 12:03:20Z, as the vendor asked to slow down")

    def test_speaks_every_few_seconds_only(self):
        from airflow_provider_interactions.extract.job import Progress
        from airflow_provider_interactions.extract.progress import make_reporter

        times, said = iter([0.0, 1.0, 6.0, 7.0, 11.5]), []
        report = make_reporter(said.append, "who", every=5.0, clock=lambda: next(times))
        for done in range(4):
            report(Progress(4, done, 0, 0, 0))
        assert [text.split(" of ")[0] for text in said] == ["who: 1", "who: 3"]


def test_a_window_that_is_replaced_while_it_is_loaded_is_loaded_as_it_is_now(lake, people, monkeypatch):
    def run():
        batches = run_list(lake, WEEK, contacts=people, options=FEW)
        return run_normalize(lake, [run_extract(lake, {"params": {}}, options=FEW, batch=batch) for batch in batches])

    former, real, looks = run(), load.find_current, []

    def look(opened, manifest):
        looks.append(manifest)
        return manifest if len(looks) == 1 else real(opened, manifest)  # replaced right after the first look

    newer = run()
    monkeypatch.setattr(load, "find_current", look)
    assert run_load(lake, former)["loaded"]["rows"] == newer["counts"]["canonical"] > 0
    assert len(looks) > 1


def test_a_load_writes_all_targets(lake, people, tmp_path):
    batches = run_list(lake, WEEK, contacts=people, options=FEW)
    window = run_normalize(lake, [run_extract(lake, {"params": {}}, options=FEW, batch=batch) for batch in batches])
    paths, rows = [str(tmp_path / f"{name}.duckdb") for name in "ab"], window["counts"]["canonical"]
    done = run_load(lake, window, target=paths)
    assert [one["loaded"]["inserted"] for one in done["targets"]] == [rows, rows]
    assert [one["address"] for one in done["targets"]] == [f"duckdb://{path}" for path in paths]
    assert rows > 0
    for path in paths:
        with duckdb.connect(path, read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM interactions").fetchone() == (rows,)
