"""Parts of the page about sizing, all computed by the function that plans runs."""

from __future__ import annotations

from datetime import timedelta

from markup import format_table

from airflow_provider_interactions.plan.run import Figures, Plan, plan_run
from airflow_provider_interactions.plan.text import spell_time
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
DAY = Window.of("2026-01-01", "2026-01-02")
MONTH = Window.of("2026-01-01", "2026-02-01")

#: A hundred accounts that have a billion rows after three years.
ACCOUNTS, PEOPLE, YEARS = 100, 30_000, 3

#: Bytes of metadata of each Iceberg commit, and seconds to read a manifest from an S3 server (measured).
COMMIT_BYTES, READ_SECONDS = 88_000, 0.0055


def describe_day() -> str:
    """A scheduled day of each vendor, by the number of contacts."""
    plans = [plan_run(vendor, contacts, DAY) for vendor in VENDORS.values() for contacts in SIZES]
    heads = ("vendor", "contacts", "requests", "time", "tasks", "memory of a task", "rows", "files", "in the lake")
    return format_table(heads, map(_describe_plan, plans))


def _describe_plan(plan: Plan) -> tuple[str, ...]:
    day, time = plan.daily, spell_time(plan.one_window)
    return (
        VENDORS[plan.vendor].title,
        f"{plan.contacts:,}",
        f"{day.requests:,}",
        time if plan.fits else f"**{time}**",
        f"{day.tasks:,}",
        f"{day.megabytes:,} MB",
        f"{day.rows:,}",
        f"{day.files:,}",
        _spell_bytes(day.bytes),
    )


def _spell_bytes(number: float) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.1f} MB"


def describe_types() -> str:
    """How many types of Dynamics can be read for 100,000 contacts, daily and weekly."""
    vendor, rows = VENDORS["dynamics_marketing"], []
    for number in (1, 4, 8, 16, 40):
        options = vendor.options(types=vendor.about.types[:number])
        plan = plan_run(vendor, 100_000, DAY, options=options)
        weekly = plan_run(vendor, 100_000, Window.of("2026-01-01", "2026-01-08"), width=timedelta(7), options=options)
        verdicts = ("yes" if one.fits else "**no**" for one in (plan, weekly))
        rows.append((f"{number}", f"{plan.daily.requests:,}", spell_time(plan.one_window), *verdicts))
    return format_table(("types", "requests of a run", "time of a run", "daily", "weekly"), rows)


def describe_ways() -> str:
    """A month of the past, day by day and in one run, for 10,000 contacts."""
    rows = []
    for vendor in VENDORS.values():
        plan = plan_run(vendor, 10_000, MONTH)
        for name, way in (("a backfill of 31 runs", plan.daily), ("one run", plan.wide)):
            rows.append(
                (vendor.title, name, f"{way.requests:,}", spell_time(way.duration), f"{way.tasks:,}", f"{way.files:,}")
            )
    return format_table(("vendor", "way", "requests", "time", "tasks", "files"), rows)


def describe_billion() -> str:
    """A hundred accounts for three years."""
    days, rows = 365 * YEARS, []
    for vendor in VENDORS.values():
        options = vendor.options(types=vendor.about.types[:8]) if vendor.name == "dynamics_marketing" else None
        plan = plan_run(vendor, PEOPLE, DAY, options=options)
        day = plan.daily
        # Histories go when they are too old to be used, so they do not add up.
        kept = plan_run(vendor, PEOPLE, DAY, options=options, figures=Figures(history_days=0)).daily
        rows.append(
            (
                vendor.title,
                f"{spell_time(plan.one_window)}",
                f"{ACCOUNTS * day.requests:,}",
                f"{ACCOUNTS * day.tasks:,}",
                f"{ACCOUNTS * day.files:,}",
                f"{ACCOUNTS * days * day.rows:,}",
                f"{ACCOUNTS * days * kept.files:,}",
                f"{ACCOUNTS * days * 2:,}",
                f"{ACCOUNTS * days * READ_SECONDS / 60:,.0f} minutes",
                f"{ACCOUNTS * days:,}, {_spell_bytes(ACCOUNTS * days * COMMIT_BYTES)}",
            )
        )
    heads = (
        "if all were",
        "time of an account's day",
        "requests a day",
        "tasks a day",
        "files a day",
        "rows in all",
        "files in all",
        "manifests in all",
        "to read them one by one",
        "Iceberg commits, their metadata",
    )
    return format_table(heads, rows)


def describe_assumptions() -> str:
    """The figures that stand in for past runs."""
    known = Figures()
    rows = (
        ("interactions of a contact in a day", f"{known.rows:g}"),
        ("days that a history goes back (Which50, Capillary)", f"{known.history_days:g}"),
        ("bytes of a row, raw and canonical", f"{known.raw_bytes:g} and {known.canonical_bytes:g}"),
        ("bytes of a contact's outcome in a window", f"{known.outcome_bytes:g}"),
    )
    return format_table(("assumed", "value"), rows)
