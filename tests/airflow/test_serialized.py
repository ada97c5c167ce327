"""DAGs in Airflow's database outlive an upgrade: what version 0.1.0 of this package left there still loads.

``serialized/`` holds ``dags/which50.py`` of version 0.1.0 as Airflow 3.2.0 and 3.3.2 serialized it. These files are
never renewed; a release whose operators change adds its own.
"""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from pathlib import Path

import airflow
import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from packaging.version import Version

from airflow_provider_interactions.observability.links import ManifestLink
from airflow_provider_interactions.operators import ExtractInteractionsOperator, interactions_pipeline

FORMER = sorted(Path(__file__).with_name("serialized").glob("airflow-*.json"))
#: Airflow reads what it, or an older one, has written.
READABLE = [path for path in FORMER if Version(path.stem.removeprefix("airflow-")) <= Version(airflow.__version__)]

TASKS = ["list_contacts", "extract", "normalize", "load"]


def load_dag(path):
    return DagSerialization.deserialize_dag(json.loads(path.read_text()))


def operator(task):
    return getattr(import_module(task._task_module), task.task_type)


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_what_a_former_version_left_in_the_database_loads(path):
    dag = load_dag(path)
    tasks = [dag.task_dict[name] for name in TASKS]
    assert [task.is_mapped for task in tasks] == [False, True, False, False]
    assert [task.retries for task in tasks] == [3, 3, 3, 3]
    assert [list(task.operator_extra_link_dict) for task in tasks] == [[ManifestLink.name]] * 4
    assert [sorted(task.downstream_task_ids) for task in tasks] == [["extract"], ["normalize"], ["load"], []]


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_its_operators_are_still_there_and_know_their_fields(path):
    for task in load_dag(path).task_dict.values():
        cls = operator(task)
        assert set(task.template_fields) <= set(cls.template_fields), task.task_id
        if task.is_mapped:
            known = {name for base in cls.__mro__ for name in inspect.signature(base.__init__).parameters}
            assert set(task.partial_kwargs) - {"has_retry_policy"} <= known


def test_there_is_one_of_each_line_of_airflow_that_is_supported():
    assert [path.stem for path in FORMER] == ["airflow-3.2", "airflow-3.3"]
    assert READABLE


def test_a_mapped_operator_comes_back_as_it_went():
    with DAG("d", schedule=None) as dag:
        interactions_pipeline("which50", options={"list": "{{ params.x }}"})
    text = json.dumps(DagSerialization.serialize_dag(dag))
    again = DagSerialization.deserialize_dag(json.loads(text))
    mapped = again.task_dict["extract"]
    assert operator(mapped) is ExtractInteractionsOperator
    assert mapped.is_mapped
    assert mapped.partial_kwargs["options"] == {"list": "{{ params.x }}"}
    assert list(mapped.template_fields) == list(ExtractInteractionsOperator.template_fields)
    assert mapped.retries == again.task_dict["load"].retries == dag.task_dict["extract"].retries
    assert json.dumps(DagSerialization.serialize_dag(dag)) == text, "an unchanged DAG makes no new version"
