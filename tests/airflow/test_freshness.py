"""How old a kept history may be: arguments before params, in the forms that people and templates write."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.operators import ExtractInteractionsOperator
from airflow_provider_interactions.runtime.context import read_history_age

HOUR = timedelta(hours=1)

SAID = {
    "nothing": ({}, None, None, None),
    "a timedelta": ({}, HOUR, None, HOUR),
    "seconds": ({}, 3600, None, HOUR),
    "seconds by a template": ({}, "3600.0", None, HOUR),
    "a template of nothing": ({}, "None", "", None),
    "a param": ({"history_age": 3600}, None, None, HOUR),
    "argument before param": ({"history_age": 7200}, HOUR, None, HOUR),
    "refresh": ({}, None, True, timedelta(0)),
    "refresh by a template": ({}, HOUR, "True", timedelta(0)),
    "no refresh by a template": ({}, HOUR, "False", HOUR),
    "refresh by a param": ({"refresh": True}, HOUR, None, timedelta(0)),
    "refresh: argument before param": ({"refresh": True}, HOUR, False, HOUR),
    "a param that is off": ({"refresh": False}, None, None, None),
}


@pytest.mark.parametrize("name", SAID)
def test_age(name):
    params, age, refresh, expected = SAID[name]
    assert read_history_age({"params": params}, age, refresh) == expected


@pytest.mark.parametrize(("age", "refresh"), [("soon", None), (-1, None), ("inf", None), ("nan", None), (1, "maybe")])
def test_what_is_neither(age, refresh):
    with pytest.raises(ConfigError, match=r"(history_age|refresh) is .*\. Give"):
        read_history_age({}, age, refresh)


def test_both_are_template_fields():
    assert {"history_age", "refresh"} <= set(ExtractInteractionsOperator.template_fields)


@pytest.mark.parametrize(("arguments", "again"), [({}, 0), ({"history_age": 0}, 5), ({"refresh": True}, 5)])
def test_operator_asks_again_only_if_told_to(sandbox, connect, lake, arguments, again):
    connect(sandbox.connections["which50"], "which50_default")
    people = sandbox.contacts("which50")

    def requests(day, **given):
        task = ExtractInteractionsOperator(task_id="t", vendor="which50", lake=lake, contacts=people, **given)
        window = {"params": {"start": f"2026-01-0{day}", "end": f"2026-01-0{day + 1}"}}
        return task.execute(window)["counts"]["requests"]

    assert requests(2) == 5
    assert requests(3, **arguments) == again
