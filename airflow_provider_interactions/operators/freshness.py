"""How old what is in the lake may be, for vendors that send whole histories because they cannot filter by date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.operators.window import given

NONE = timedelta(0)

#: How a template writes a truth.
TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def history_age(context: Mapping[str, Any], age: object = None, refresh: object = None) -> timedelta | None:
    """Arguments, else the run's params ``history_age`` and ``refresh``; None when none of them says anything.

    An age is a timedelta or seconds; ``refresh`` makes it zero. Raises ConfigError for what is neither.
    """
    params = context.get("params") or {}
    if _truth(given(refresh, params.get("refresh"))):
        return NONE
    found = given(age, params.get("history_age"))
    return None if found is None else _age(found)


def _truth(value: object) -> bool:
    known = TRUTHS.get(str(value).lower()) if value is not None else False
    if known is None:
        msg = f"refresh is {value!r}. Give true or false."
        raise ConfigError(msg)
    return known


def _age(value: object) -> timedelta:
    try:
        found = value if isinstance(value, timedelta) else timedelta(seconds=float(str(value)))
    except (ValueError, OverflowError):
        found = -timedelta.resolution
    if found < NONE:
        msg = f"history_age is {value!r}. Give a timedelta, or seconds; zero asks anew."
        raise ConfigError(msg)
    return found
