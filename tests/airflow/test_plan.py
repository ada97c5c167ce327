"""A run that only plans, and one that waits for a person because its plan is too large."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from airflow.sdk import DAG
from packaging.version import Version

from airflow_provider_interactions.operators import interactions_pipeline

NAME = "luminate_online"
WAITS = "awaiting_input" if Version(version("apache-airflow")) >= Version("3.3.0a0") else "deferred"


@pytest.fixture
def build(execution_api, sandbox, lake):
    """Makes a pipeline, and the API of a run of it."""

    def build(conf=None, **arguments):
        with DAG("d", schedule=None, params=conf or {}) as dag:
            interactions_pipeline(NAME, lake=lake, options={"group_id": 1001}, **arguments)
        return dag.task_dict, execution_api(connections={f"{NAME}_default": sandbox.connections[NAME]}, conf=conf)

    return build


def test_a_run_with_plan_logs_the_plan_and_stores_nothing(build, sandbox, lake, capfd):
    tasks, api = build(conf={"plan": True})
    assert api.run(tasks["list_contacts"]).state == "skipped"
    log = capfd.readouterr().out
    assert "5 contacts" in log
    assert "a scheduled run takes" in log
    assert [path.name for path in Path(lake).iterdir()] == ["ledger"]  # that the step ran, and nothing else
    methods = sandbox.stats()[NAME]
    assert methods["requests"] == 1, "the list of contacts alone"


def test_a_plan_must_be_a_boolean(build):
    tasks, api = build(conf={"plan": "perhaps"})
    result = api.run(tasks["list_contacts"])
    assert "plan is 'perhaps'. Give true or false." in str(result.error)


def test_a_plan_within_the_limit_passes(build):
    tasks, api = build(max_requests=1_000)
    for name, index in (("list_contacts", -1), ("approve", -1), ("extract", 0)):
        result = api.run(tasks[name], map_index=index)
        assert result.error is None
        assert result.state == "success"


def test_a_plan_above_the_limit_waits_for_a_person(build):
    tasks, api = build(max_requests=3)
    assert tasks["approve"].upstream_task_ids == {"list_contacts"}
    assert tasks["extract"].upstream_task_ids == {"list_contacts", "approve"}
    api.run(tasks["list_contacts"])
    assert api.run(tasks["approve"]).state == WAITS
    (question,) = api.questions
    assert question["options"] == ["Approve", "Reject"]
    assert "more than 3 requests" in question["subject"]
    assert "The run would send" in question["body"]
    assert "a scheduled run takes" in question["body"]


def test_without_a_limit_nobody_is_asked(build):
    tasks, _ = build()
    assert "approve" not in tasks
