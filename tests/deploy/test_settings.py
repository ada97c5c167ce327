"""The settings of the page about deployments are those of the Compose file, and Airflow's own where it says so."""

import re
from importlib.metadata import version

import pytest
from airflow.configuration import AirflowConfigParser
from airflow.providers.celery.executors import default_celery
from packaging.requirements import Requirement

from docs import celery_settings

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")


@pytest.fixture(params=PARTS)
def environment(compose, request):
    return compose["services"][request.param]["environment"]


def test_options_are_set_as_the_page_says(environment):
    assert {one.variable: environment.get(one.variable) for one in celery_settings.SET} == {
        one.variable: one.value for one in celery_settings.SET
    }


def test_secrets_are_read_from_one_place(environment):
    for one in celery_settings.SECRETS:
        assert environment[f"{one.variable}_CMD"] == f"cat /opt/airflow/secrets/{one.name}"


def test_what_is_left_alone_has_the_default_that_the_page_names(environment):
    celery = default_celery.DEFAULT_CELERY_CONFIG
    known = {
        "task_acks_late": celery["task_acks_late"],
        "visibility_timeout": celery["broker_transport_options"]["visibility_timeout"],
        "task_queued_timeout": int(float(AirflowConfigParser().get_default_value("scheduler", "task_queued_timeout"))),
    }
    assert {one.name: one.value for one in celery_settings.DEFAULTS} == {name: str(one) for name, one in known.items()}
    assert not [one for one in celery_settings.DEFAULTS if one.variable in environment]


def test_packages_are_in_the_image_and_were_tested(compose):
    [install] = re.findall(r"pip install ((?:.*\\\n)*.*)", compose["services"]["worker"]["build"]["dockerfile_inline"])
    words = {word.strip('"') for word in install.split()}
    for requirement in map(Requirement, celery_settings.PACKAGES):
        assert str(requirement) in words
        assert requirement.specifier.contains(version(requirement.name))


def test_what_airflow_does_not_set_is_there(compose, file):
    assert {"--appendonly", "yes"} < set(compose["services"]["redis"]["command"])
    for part in PARTS:
        assert "logs:/opt/airflow/logs" in compose["services"][part]["volumes"]
    dags = (file.parent / "docs/compose/dags/sandbox.py").read_text()
    for name, (value, _) in celery_settings.ARGUMENTS.items():
        assert f'default_args={{"{name}": {value},' in dags


def test_an_option_stands_in_the_table_once():
    options = [one.title for one in (*celery_settings.SECRETS, *celery_settings.SET, *celery_settings.DEFAULTS)]
    assert len(options) == len(set(options)) == 14
