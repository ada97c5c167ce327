"""Plan the run of a task: from its vendor, contacts, window, and what the lake knows of past runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.runtime.context import read_switch

if TYPE_CHECKING:
    from airflow_provider_interactions.contract import Options
    from airflow_provider_interactions.hooks.base import InteractionsHook
    from airflow_provider_interactions.lake.storage import Lake
    from airflow_provider_interactions.plan.run import Figures, Plan
    from airflow_provider_interactions.window import Window

#: Windows in the lake, newest first, that show how much a contact does in a day.
PAST_WINDOWS = 7


def wants_plan(context: Mapping[str, Any]) -> bool:
    """Whether the run's param ``plan`` asks for a plan instead of a run. Raises ConfigError unless it is a boolean."""
    return read_switch("plan", (context.get("params") or {}).get("plan"))


def plan_task(
    hook: InteractionsHook,
    lake: Lake,
    options: Options,
    contacts: int,
    window: Window,
    width: timedelta | None = None,
    **chosen: Any,
) -> Plan:
    """The plan of a run; ``width`` is that of the windows it will be split into, ``chosen`` more for ``plan_run``."""
    from airflow_provider_interactions.plan.run import plan_run

    return plan_run(
        hook.vendor,
        contacts,
        window,
        width=width or window.end - window.start,
        settings=hook.credentials.settings,
        options=options,
        figures=read_past(lake, hook),
        **chosen,
    )


def read_past(lake: Lake, hook: InteractionsHook) -> Figures:
    """What the newest windows in the lake and the ledger say; assumptions if there is none."""
    from airflow_provider_interactions.coverage.pace import measure_pace
    from airflow_provider_interactions.lake.manifest import read_last_manifests
    from airflow_provider_interactions.plan.past import learn_figures

    vendor, account = hook.vendor.name, hook.credentials.account
    pace = measure_pace(lake, vendor, account, datetime.now(UTC).date())
    return learn_figures(read_last_manifests(lake, vendor, account, PAST_WINDOWS), pace)
