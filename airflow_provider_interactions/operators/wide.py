"""Runs over many windows at once: whose params ``start`` and ``end`` choose a window longer than that of other runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.operators.window import given
from airflow_provider_interactions.window import Window

#: Windows that one run writes at most: about three years of days.
MOST = 1_000


def piece(context: Mapping[str, Any], window: Window, width: timedelta) -> timedelta | None:
    """How long the windows are that such a run writes instead of one; None for any other run.

    Raises ConfigError when there would be more of them than one run should write.
    """
    params = context.get("params") or {}
    if given(params.get("start")) is None or window.end - window.start <= width:
        return None
    pieces = -((window.start - window.end) // width)
    if pieces > MOST:
        msg = (
            f"This run would write {pieces:,} windows of {width}, and one run writes {MOST:,} at most. Give the "
            "pipeline a greater width, or fill the time in several runs."
        )
        raise ConfigError(msg)
    return width
