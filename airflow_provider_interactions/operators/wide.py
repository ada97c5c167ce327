"""Runs over many windows at once: whose params ``start`` and ``end`` choose a window longer than that of other runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.operators.window import given
from airflow_provider_interactions.window import Window

#: Windows that one run writes at most: about three years of days.
MOST = 1_000


def pieces(context: Mapping[str, Any], window: Window, width: timedelta) -> int:
    """How many windows, each ``width`` long, a run writes instead of one; 1 for any other run.

    Raises ConfigError when there would be more of them than one run should write.
    """
    params = context.get("params") or {}
    if given(params.get("start")) is None:
        return 1
    number = -((window.start - window.end) // width)
    if number > MOST:
        msg = (
            f"This run would write {number:,} windows of {width}, and one run writes {MOST:,} at most. Give the "
            "pipeline a greater width, or fill the time in several runs."
        )
        raise ConfigError(msg)
    return number


def aligned(window: Window, width: timedelta) -> bool:
    """Whether a window consists of whole ones of this width, counted from midnight UTC."""
    midnight = datetime(1970, 1, 1, tzinfo=UTC)
    return not any((moment - midnight) % width for moment in (window.start, window.end))
