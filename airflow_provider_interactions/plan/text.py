"""A plan in words, for logs, terminals and approvals."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_interactions.plan.run import Plan, Way


def describe_plan(plan: Plan) -> str:
    """The plan as a few lines of text."""
    lines = [
        f"{plan.vendor}: {plan.contacts:,} contacts, {plan.queries:,} queries each",
        f"windows: {plan.windows:,} of {spell_time(plan.width)}",
        f"pace: {plan.requests_per_second:,.1f} requests/s ({plan.pace})",
        _describe_way("a run for each window", plan.daily),
    ]
    if plan.windows > 1:
        lines.append(_describe_way("one run over all windows", plan.wide))
        lines.append(f"cheapest: {'one run' if plan.cheapest is plan.wide else 'a run for each window'}")
    due = "before the next window is due" if plan.fits else "AFTER the next window is due"
    lines.append(f"a scheduled run takes {spell_time(plan.one_window)} and ends {due}")
    return "\n".join([*lines, *plan.advice])


def _describe_way(name: str, way: Way) -> str:
    return (
        f"{name}: {way.requests:,} requests, {spell_time(way.duration)}, {way.tasks:,} tasks, at most "
        f"{way.megabytes:,} MB of memory a task, about {way.rows:,} rows and {way.bytes / 1e6:,.0f} MB in "
        f"{way.files:,} files"
    )


def spell_time(duration: timedelta) -> str:
    """A duration for people, in one unit: seconds, minutes, hours or days."""
    seconds = duration.total_seconds()
    for unit, length, least in (("days", 86_400, 172_800), ("hours", 3_600, 5_400), ("minutes", 60, 90)):
        if seconds >= least:
            return f"{seconds / length:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:,.0f} seconds"
