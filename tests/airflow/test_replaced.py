"""Two pipelines that fill the same windows of one account."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_interactions.operators import (
    NormalizeInteractionsOperator,
    PublishInteractionsOperator,
    interactions_pipeline,
)

VENDOR = "dynamics_marketing"
DAY = ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")


@pytest.fixture
def pipelines(execution_api, sandbox, lake, tmp_path):
    """Makes a pipeline whose contacts come from a file of its own, and says how to run one of its tasks."""
    api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]}, window=DAY)
    people = sandbox.contacts(VENDOR)

    def build_dag(name, types, some):
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join(people[some]))
        with DAG(name, schedule=None):
            source = {"contacts_file": str(path), "options": {"types": types}}
            return interactions_pipeline(VENDOR, lake=lake, load=False, **source)

    return build_dag, api


def run_extraction(api, pipeline):
    assert api.run(pipeline.list_contacts).error is None
    assert api.run(pipeline.extract, map_index=0).error is None
    return [api.xcom["extract", "return_value", 0]]


def test_what_another_pipeline_replaced_is_not_taken_for_ones_own(pipelines, caplog, lake):
    build_dag, api = pipelines
    one, other = build_dag("one", ["EmailSent"], slice(0, 2)), build_dag("other", ["EmailOpened"], slice(2, 4))
    assert one.load is None
    first = run_extraction(api, one)
    assert api.run(one.normalize).error is None
    second = run_extraction(api, other)
    assert first[0]["asked"] != second[0]["asked"] != ""
    with caplog.at_level(logging.WARNING):
        assert api.run(other.normalize).error is None
    assert "give its connection an account of its own" in caplog.text
    for operator in (NormalizeInteractionsOperator, PublishInteractionsOperator):
        with pytest.raises(AirflowFailException, match="what this run has extracted is gone"):
            operator(task_id="again", lake=lake, manifests=first).execute({})


def test_the_same_pipeline_goes_on_with_what_its_newer_run_has_published(pipelines, lake):
    build_dag, api = pipelines
    one, twin = build_dag("one", ["EmailSent"], slice(0, 2)), build_dag("one", ["EmailSent"], slice(0, 3))
    first = run_extraction(api, one)
    run_extraction(api, twin)
    assert api.run(twin.normalize).error is None
    whole = PublishInteractionsOperator(task_id="publish", lake=lake, manifests=first).execute({})
    assert whole["counts"]["contacts"] == 3
    manifests = [json.loads(path.read_text()) for path in Path(lake).glob("manifests/*/*/*.json")]
    assert [manifest["asked"] for manifest in manifests] == [first[0]["asked"]]
