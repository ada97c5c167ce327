"""The queries of docs/monitoring.md, on the ledger of pipelines that Airflow's task runner ran: files and table."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.coverage.ledger import Step, read_ledger, write_step
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.operators import interactions_pipeline
from airflow_provider_interactions.window import Window, zulu

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"<!-- ledger: (\w+) -->\n```sql\n(.*?)```", PAGE, re.DOTALL))
DAYS = [Window.of("2026-01-01", "2026-01-02"), Window.of("2026-01-02", "2026-01-03")]
OPTIONS = {"which50": None, "dynamics_marketing": {"types": ["EmailSent", "EmailOpened", "FormVisited"]}}
VENDORS = tuple(OPTIONS)

#: The vendor refuses one request of an extraction for good, so the first try of it fails.
REFUSAL = {
    "kind": "status",
    "status": 400,
    "vendor": "dynamics_marketing",
    "path": "LoadInteractions",
    "after": 6,
    "times": 1,
}

#: A step of another account, that ended long ago.
AT = datetime(2025, 1, 2, tzinfo=UTC)
UNUSUAL = Step(
    step="normalize",
    state="success",
    vendor="which50",
    account="other",
    alerts=1,
    rejects=4,
    rows=96,
    started_at=AT,
    ended_at=AT,
    seconds=1.0,
    window_start=AT,
    window_end=AT,
)


@pytest.fixture
def lake_of_runs(execution_api, sandbox, lake):
    """Two days of two vendors, and an extraction that failed at first; the rows of the lake's ledger.

    Also a row about a window with an alert.
    """
    write_step(Lake.at(lake), UNUSUAL)
    sandbox.faults([REFUSAL])
    for day in DAYS:
        for vendor in VENDORS:
            connections = {f"{vendor}_default": sandbox.connections[vendor]}
            api = execution_api(connections=connections, window=(zulu(day.start), zulu(day.end)))
            with DAG(vendor, schedule=None):
                tasks = interactions_pipeline(
                    vendor, lake=lake, contacts=sandbox.contacts(vendor), options=OPTIONS[vendor]
                )
            for task, index in ((tasks.list_contacts, -1), (tasks.extract, 0), (tasks.normalize, -1), (tasks.load, -1)):
                if api.run(task, map_index=index).state == "failed":
                    assert api.run(task, map_index=index).state == "success"
    return read_ledger(Lake.at(lake)).to_pylist()


@pytest.fixture(params=["files", "table"])
def ask(request, lake_of_runs, lake, monkeypatch):
    """Run a query by its mark; rows as dicts, or those of the view that it makes."""
    monkeypatch.chdir(Path(lake).parent)
    with duckdb.connect(f"{lake}/interactions.duckdb") as connection:
        table = "CREATE VIEW ledger AS SELECT * FROM interactions_ledger"
        assert table in PAGE
        connection.execute(QUERIES["files"] if request.param == "files" else table)

        def run(mark):
            sql = QUERIES[mark]
            made = re.match(r"CREATE OR REPLACE VIEW (\w+)", sql)
            if made:
                connection.execute(sql)
                sql = f"FROM {made[1]}"
            return connection.sql(sql).to_arrow_table().to_pylist()

        run.seen = lake_of_runs[:-1] if request.param == "table" else lake_of_runs
        yield run


def test_every_query_of_the_page_is_marked():
    assert list(QUERIES) == ["files", "freshness", "failures", "cost", "durations", "unusual"]
    assert len(re.findall(r"^```sql$", PAGE, re.MULTILINE)) == len(QUERIES)


def test_the_table_lacks_only_the_last_load(lake_of_runs, lake):
    with duckdb.connect(f"{lake}/interactions.duckdb") as connection:
        sql = "SELECT count(*), count(DISTINCT file) FROM interactions_ledger"
        [(rows, files)] = connection.execute(sql).fetchall()
    assert rows == files == len(lake_of_runs) - 1
    assert lake_of_runs[-1]["step"] == "load"


def test_every_query(ask):
    fresh = {(row["vendor"], row["step"]): row for row in ask("freshness") if row["account"] != "other"}
    assert set(fresh) == {(vendor, step) for vendor in VENDORS for step in ("normalize", "load")}
    assert {row["complete_until"] for key, row in fresh.items() if key[1] == "normalize"} == {DAYS[-1].end}
    assert all(row["hours_behind"] > 0 for row in fresh.values())

    [failure] = ask("failures")
    assert (failure["vendor"], failure["step"], failure["error"]) == (
        "dynamics_marketing",
        "extract",
        "RequestRejected",
    )
    assert (failure["tries"], failure["mended"], failure["window_start"]) == (1, True, DAYS[0].start)

    cost = ask("cost")
    assert sum(row["requests"] for row in cost) == sum(row["requests"] for row in ask.seen) > 0
    assert {row["vendor"] for row in cost} == set(VENDORS)

    durations = ask("durations")
    assert sum(row["tries"] for row in durations) == sum(row["state"] == "success" for row in ask.seen)
    assert all(0 <= row["median_seconds"] <= row["slow_seconds"] for row in durations)

    [unusual] = ask("unusual")
    assert (unusual["account"], unusual["alerts"], unusual["percent_rejected"]) == ("other", 1, 4.0)
