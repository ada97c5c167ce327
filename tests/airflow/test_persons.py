"""A pipeline with a map of identities, and with a retention: what the tasks make of the arguments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.observability.summary import summarize_normalized
from airflow_provider_interactions.operators import interactions_pipeline

DAY = timedelta(days=1)
VENDOR = "luminate_online"


def read_persons(lake):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        return dict(database.execute("SELECT DISTINCT contact_id, person_id FROM interactions").fetchall())


@pytest.fixture
def run(execution_api, sandbox, tmp_path):
    """Run the tasks of a pipeline; the fake API and the error that ended it."""

    def run(**arguments):
        with DAG("d", schedule=None, params={"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}) as dag:
            interactions_pipeline(VENDOR, lake=str(tmp_path / "lake"), options={"group_id": 1001}, **arguments)
        api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})
        for name in dag.topological_sort():
            for index in range(1) if name.task_id in ("extract", "normalize_parts") else [-1]:
                done = api.run(dag.task_dict[name.task_id], map_index=index)
                if done.error is not None:
                    return api, done.error
        return api, None

    return run


@pytest.mark.parametrize("more", [{}, {"normalize_files": 1}])
def test_a_map_names_the_persons_and_a_changed_one_is_applied(run, tmp_path, more):
    assert run(**more)[1] is None
    people = list(read_persons(tmp_path / "lake"))
    assert set(read_persons(tmp_path / "lake").values()) == {None}
    path = tmp_path / "map.csv"
    for person in ("ann", "zoe"):
        path.write_text(f"person_id,vendor,account,kind,identifier\n{person},{VENDOR},,,{people[0]}\n")
        assert run(identities=str(path), **more)[1] is None
        assert read_persons(tmp_path / "lake") == {people[0]: person, **dict.fromkeys(people[1:])}


def test_a_map_that_is_absent_fails_at_once_and_says_so(run, tmp_path):
    _, error = run(identities=str(tmp_path / "none.csv"))
    assert type(error).__name__ == "AirflowFailException"
    assert "The map of identities does not exist" in str(error)


def test_the_next_run_removes_what_is_old_and_says_so(run, tmp_path, caplog):
    old = tmp_path / "lake/requests/vendor=all/account=all/20200101T000000000000Z-12345678.html"
    old.parent.mkdir(parents=True)
    old.touch()
    assert run(retention={"requests": None})[1] is None
    assert old.exists()
    assert "Retention removed" not in caplog.text
    assert run()[1] is None
    assert not old.exists()
    assert "Retention removed files: 1 from requests" in caplog.text
    assert read_persons(tmp_path / "lake")


def test_the_event_of_the_asset_counts_what_was_removed():
    day = datetime(2026, 1, 1, tzinfo=UTC)
    done = Manifest(vendor=VENDOR, account="acme", window_start=day, window_end=day + DAY, extracted_at=day)
    assert summarize_normalized("normalize", done, removed={"requests": 1}).extra["removed"] == {"requests": 1}
    assert "removed" not in summarize_normalized("normalize", done).extra


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"retention": {"raws": 3}}, "retention cannot be used"),
        ({"retention": {"raw": 0}}, "less than a day"),
        ({"retention": {"canonical": 30}, "target": "iceberg:"}, "consists of the canonical files"),
    ],
)
def test_a_retention_that_cannot_be_is_named(run, tmp_path, arguments, message):
    _, error = run(**arguments)
    assert type(error).__name__ == "AirflowFailException"
    assert message in str(error)
    assert not list(tmp_path.glob("lake/interactions/**/*.parquet"))
