"""A pipeline with a policy for personal data: from the argument or the connection, with a key from a connection."""

from __future__ import annotations

import duckdb
import pytest
from airflow.sdk import DAG

from airflow_provider_interactions.operators import interactions_pipeline

VENDOR = "luminate_online"
KEY = {"conn_type": "generic", "login": "2026-11", "password": "0123456789abcdef" * 4, "extra": {}}
HASHED = {"fields": {"contact_id": "hmac", "attributes.consId": "hmac"}, "key": "pseudonyms"}


def read_values(lake, column):
    with duckdb.connect(f"{lake}/interactions.duckdb") as database:
        return {value for (value,) in database.execute(f"SELECT {column} FROM interactions").fetchall()}


@pytest.fixture
def run(execution_api, sandbox, tmp_path):
    """Run the tasks of a pipeline; the fake API and the last task's result."""

    def run(extra=None, keys=KEY, **arguments):
        with DAG("d", schedule=None, params={"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}) as dag:
            interactions_pipeline(VENDOR, lake=str(tmp_path), options={"group_id": 1001}, **arguments)
        known = sandbox.connections[VENDOR]
        connection = {**known, "extra": {**known["extra"], **(extra or {})}}
        api = execution_api(connections={f"{VENDOR}_default": connection, **({"pseudonyms": keys} if keys else {})})
        for name in dag.topological_sort():
            for index in range(1) if name.task_id in ("extract", "normalize_parts") else [-1]:
                done = api.run(dag.task_dict[name.task_id], map_index=index)
                if done.error is not None:
                    return api, done.error
        return api, None

    return run


def test_a_policy_needs_no_vendor_call_and_hashes_with_the_connections_key(run, sandbox, tmp_path):
    people = set(sandbox.contacts(VENDOR))
    assert run()[1] is None
    assert read_values(tmp_path, "contact_id") <= people
    for arguments in ({"policy": HASHED}, {"extra": {"policy": HASHED}}, {"policy": HASHED, "normalize_files": 1}):
        assert run(**arguments)[1] is None
        found = read_values(tmp_path, "contact_id")
        assert found == read_values(tmp_path, "attributes ->> 'consId'")
        assert all(value.startswith("hmac:2026-11:") for value in found)
        assert run(policy={}, extra={"policy": HASHED})[1] is None  # the argument counts, and keeps all
        assert read_values(tmp_path, "contact_id") <= people


def test_the_key_is_not_in_logs_and_results(run, capfd, caplog):
    api, error = run(policy=HASHED)
    assert error is None
    text = f"{api.xcom}{caplog.text}{''.join(capfd.readouterr())}"
    assert len(text) > 1_000
    assert KEY["password"] not in text


@pytest.mark.parametrize(
    ("keys", "policy", "message"),
    [
        (None, HASHED, "pseudonyms"),
        ({**KEY, "login": ""}, HASHED, "The login of connection pseudonyms must be the id of a key"),
        ({**KEY, "password": "short"}, HASHED, "The password of connection pseudonyms must be a key of at least 32"),
        (KEY, {"fields": {"subjct": "mask"}}, "'subjct'"),
        (KEY, "hide", "'hide'"),
    ],
)
def test_what_is_wrong_fails_the_task_and_is_named(run, tmp_path, keys, policy, message):
    _, error = run(keys=keys, policy=policy)
    assert type(error).__name__ == "AirflowFailException"
    assert message in str(error)
    assert not list(tmp_path.glob("interactions/**/*.parquet"))
