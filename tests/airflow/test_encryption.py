"""A pipeline whose raw records are encrypted: from the argument or the configuration, with a master key."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.operators import interactions_pipeline

VENDOR = "which50"
MASTER = {"conn_type": "generic", "password": "0123456789abcdef" * 4, "extra": {}}


@pytest.fixture
def run(execution_api, sandbox, tmp_path, monkeypatch):
    """Run the tasks of a pipeline; the error of the one that failed, or None."""

    def run(master=MASTER, **arguments):
        with DAG("d", schedule=None, params={"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}) as dag:
            interactions_pipeline(VENDOR, lake=str(tmp_path / "lake"), **arguments)
        api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR], "master": master})
        for task in dag.topological_sort():
            done = api.run(dag.task_dict[task.task_id], map_index=0 if task.task_id == "extract" else -1)
            if done.error is not None:
                return done.error
        return None

    monkeypatch.setenv("AIRFLOW__INTERACTIONS__ENCRYPTION_CONN_ID", "master")
    return run


def list_raw_contacts(folder):
    return {
        one for path in folder.rglob("raw/**/*part*.parquet") for one in pq.read_table(path)["contact_id"].to_pylist()
    }


def read_contacts(folder):
    with duckdb.connect(f"{folder}/interactions.duckdb") as database:
        return {one for (one,) in database.execute("SELECT contact_id FROM interactions").fetchall()}


@pytest.mark.parametrize("configured", [False, True])
def test_raw_is_encrypted_and_the_table_is_not(run, sandbox, tmp_path, monkeypatch, capfd, caplog, configured):
    keys = str(tmp_path / "keys")
    if configured:
        monkeypatch.setenv("AIRFLOW__INTERACTIONS__ENCRYPT_RAW", keys)
    assert run(**({} if configured else {"encrypt_raw": keys})) is None
    assert all(one.startswith("enc:") for one in list_raw_contacts(tmp_path / "lake"))
    people = read_contacts(tmp_path / "lake")
    assert people
    assert people <= set(sandbox.contacts(VENDOR))
    text = f"{caplog.text}{''.join(capfd.readouterr())}"
    assert MASTER["password"] not in text
    assert len(list(Path(keys).glob("*.json"))) > 1


@pytest.mark.parametrize(
    ("master", "message"),
    [({**MASTER, "password": "short"}, "Give at least 32"), ({**MASTER, "password": None}, "Give at least 32")],
)
def test_a_master_key_that_cannot_be_used_fails_at_once(run, tmp_path, master, message):
    error = run(master, encrypt_raw=str(tmp_path / "keys"))
    assert type(error).__name__ == "AirflowFailException"
    assert message in str(error)


def test_a_key_store_in_the_lake_fails_at_once(run, tmp_path):
    error = run(encrypt_raw=str(tmp_path / "lake" / "keys"))
    assert "is in the lake" in str(error)
