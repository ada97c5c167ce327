"""Plan before you run: a pure function of numbers and of the vendor's facts. It sends nothing and reads nothing.

    plan = plan_run(find_vendor("which50"), 100_000, Window.of("2026-01-01", "2026-02-01"))
    print(describe_plan(plan))

Requests are those for interactions. The listing of contacts and access tokens come on top: about one request for 5,000
contacts, and one for each task.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil, exp
from typing import Any

from airflow_provider_interactions.connection import choose_pace
from airflow_provider_interactions.contract import Contact, Options, Pace, PageRule, Settings, Vendor
from airflow_provider_interactions.page_cap import TRUSTING_FROM
from airflow_provider_interactions.plan.requests import (
    MOST_TASKS,
    RESPONSE_SECONDS,
    choose_batch_size,
    count_confirmations,
    estimate_rate,
)
from airflow_provider_interactions.window import Window

DAY = timedelta(days=1)

#: Tasks of a run that do not extract: list, normalize, load.
OTHER_TASKS = 3

#: Seconds that Airflow spends on each task, with ``min_heartbeat_interval`` 1 (measured, docs/deploy.md).
AIRFLOW_SECONDS = 1.35

#: Megabytes of one task: the largest of the measured peaks of all vendors, rounded up (docs/speed.md).
TASK_MEGABYTES = 450

#: Megabytes of the task that lists contacts, without them (measured).
LISTING_MEGABYTES = 100

#: Bytes of memory for each contact, while all are listed, and for those of one task. Measured with a million contacts
#: of a list, and from 1,000 to 16,000 contacts of a task (Which50, histories of three rows), and rounded up.
LISTED_BYTES, ASKED_BYTES = 200, 6_000

#: The most rows of a raw file.
FILE_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known from past runs. The defaults are assumptions, not measurements: give your own.

    ``rows`` are interactions of a contact in a day. ``history_days`` is how far back histories go, for vendors that
    send them whole. ``raw_bytes`` and ``canonical_bytes`` are bytes of a row in the lake, ``outcome_bytes`` those of
    a contact's outcome in a window. ``requests_per_second`` is the pace of past runs, None for the documented one.
    ``requests`` are the requests that past runs sent for each one that a plan without their options counts.
    """

    rows: float = 0.3
    history_days: float = 365.0
    raw_bytes: float = 120.0
    canonical_bytes: float = 80.0
    outcome_bytes: float = 10.0
    requests_per_second: float | None = None
    requests: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What one way to read some windows takes, in all of its ``runs``.

    ``rows``, ``files`` and ``bytes`` are what the lake holds afterwards. ``megabytes`` is the memory of the largest
    task. One extract task runs at a time.
    """

    runs: int
    tasks: int
    requests: int
    duration: timedelta
    megabytes: int
    rows: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it takes to read ``contacts`` in ``windows`` windows of ``width``.

    ``queries`` is the number of queries for one contact. ``daily`` makes a run for each window, ``wide`` one run for
    all of them. ``one_window`` is how long the scheduled run of one window takes. ``pace`` says where
    ``requests_per_second`` comes from. ``advice`` says what can be done if such a run ends too late.
    """

    vendor: str
    contacts: int
    queries: int
    windows: int
    width: timedelta
    requests_per_second: float
    pace: str
    daily: Way
    wide: Way
    one_window: timedelta
    advice: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the run of a window ends before the next window is due."""
        return self.one_window <= self.width

    @property
    def cheapest(self) -> Way:
        """The way with the fewest requests, then the fewest tasks."""
        return min(self.wide, self.daily, key=lambda way: (way.requests, way.tasks))


def plan_run(
    vendor: Vendor[Any, Any],
    contacts: int,
    window: Window,
    *,
    width: timedelta = DAY,
    kind: str | None = None,
    settings: Settings | None = None,
    options: Options | None = None,
    figures: Figures | None = None,
    batch_size: int | None = None,
    most_tasks: int = MOST_TASKS,
) -> Plan:
    """Plan how to read a window of ``contacts`` contacts, in windows of ``width``.

    ``settings`` and ``options`` are the vendor's own (default: none given). ``kind`` is the kind of the identifiers.
    With the vendor's bulk kind, and of a vendor with tables, ``contacts`` is still the number of people that the rows
    are about, and each run asks for each table once. ``batch_size`` is the contacts of a task. By default it is
    computed as the pipeline does, for ``most_tasks`` tasks at most.
    """
    given, chosen = settings or vendor.settings(), options or vendor.options()
    known, kind = figures or Figures(), kind or vendor.contact_kinds[0]
    asked = 1 if vendor.bulk or kind == vendor.about.bulk_kind else contacts
    queries = sum(1 for _ in vendor.queries(Contact("", kind), given, chosen))
    documented = estimate_rate(choose_pace(vendor, given))
    rate = known.requests_per_second or documented
    size = batch_size or choose_batch_size(asked, asked * queries, documented, most_tasks)
    load = _Load(
        rows=contacts * known.rows,
        asked=asked,
        queries=asked * queries,
        batches=max(1, ceil(asked / size)),
        rate=rate,
        rule=vendor.page_rule(given, chosen),
        history_days=0.0 if vendor.filters_by_date else known.history_days,
        figures=known,
    )
    windows, days = window.count(width), (window.end - window.start) / DAY
    one = _plan_way(load, 1, 1, min(days, width / DAY))
    plan = Plan(
        vendor=vendor.name,
        contacts=contacts,
        queries=queries,
        windows=windows,
        width=width,
        requests_per_second=rate,
        pace=_describe_pace(choose_pace(vendor, given), known),
        daily=_plan_way(load, windows, windows, days),
        wide=_plan_way(load, 1, windows, days),
        one_window=one.duration,
    )
    return plan if plan.fits else replace(plan, advice=tuple(_advise(plan, vendor.about.instead)))


@dataclass(frozen=True, slots=True)
class _Load:
    """What all ways share: ``rows`` a day, contacts and queries that are ``asked`` in one fetch, in ``batches`` tasks.

    ``history_days`` is 0 if the vendor filters by date.
    """

    rows: float
    asked: int
    queries: int
    batches: int
    rate: float
    rule: PageRule
    history_days: float
    figures: Figures


def _plan_way(load: _Load, runs: int, windows: int, days: float) -> Way:
    """So many runs that together write ``windows`` windows, ``days`` days in all."""
    known, rows, history = load.figures, load.rows * days, load.rows * load.history_days
    # Of a vendor that sends whole histories, all windows are cut from one fetch.
    counted = _count_fetch(load, load.history_days) if history else runs * _count_fetch(load, days / runs)
    requests = ceil(counted * known.requests)
    tasks = runs * (load.batches + OTHER_TASKS)
    outcomes = load.asked * (windows + (history > 0)) * known.outcome_bytes
    return Way(
        runs=runs,
        tasks=tasks,
        requests=requests,
        duration=timedelta(seconds=requests / load.rate + tasks * AIRFLOW_SECONDS),
        megabytes=_estimate_memory(load),
        rows=round(rows),
        files=runs + windows * _count_files(load, rows / windows, days / windows) + _count_history(load, history),
        bytes=round(rows * (known.raw_bytes + known.canonical_bytes) + history * known.raw_bytes + outcomes),
    )


def _count_fetch(load: _Load, days: float) -> int:
    """The requests of one fetch of all contacts. Pages are counted as if all queries had the same number of rows."""
    rows = load.rows * (days + load.rule.margin / DAY) / max(1, load.queries)
    pages = load.queries * load.rule.count_pages(ceil(rows))
    if load.rule.marks_end:
        return pages
    with_rows = ceil(load.queries * (1 - exp(-rows)) / load.batches)
    trusts = load.asked / load.batches >= TRUSTING_FROM
    return pages + load.batches * (count_confirmations(with_rows) if trusts else with_rows)


def _estimate_memory(load: _Load) -> int:
    largest = load.asked / load.batches * ASKED_BYTES / 1e6 + TASK_MEGABYTES
    return ceil(max(largest, load.asked * LISTED_BYTES / 1e6 + LISTING_MEGABYTES))


def _count_files(load: _Load, rows: float, days: float) -> int:
    """Of one window: raw files and outcomes of each batch, a canonical file a day, and two manifests."""
    return load.batches * (1 + ceil(rows / load.batches / FILE_ROWS)) + ceil(days) + 2


def _count_history(load: _Load, rows: float) -> int:
    """Files, outcomes and a manifest of each batch."""
    return load.batches * (2 + ceil(rows / load.batches / FILE_ROWS)) if rows else 0


def _describe_pace(pace: Pace, figures: Figures) -> str:
    if figures.requests_per_second:
        return "of the last extractions, by the ledger"
    if pace.requests is None:
        return f"no limit is published: {pace.concurrency} in flight, {RESPONSE_SECONDS:g} s a response"
    return pace.source


def _advise(plan: Plan, instead: str | None) -> list[str]:
    """What can be done about a window that takes longer than its width."""
    share, days = plan.width / plan.one_window, ceil(plan.one_window / DAY)
    found = [f"In this time, {int(plan.contacts * share):,} of the contacts can be read with all their queries."]
    if types := int(plan.queries * share):
        found.append(f"Ask for at most {types} of the {plan.queries} types.")
    found.append(
        f"Or read longer windows, of {days} days or more: a run over many days takes about as long as one over a day."
    )
    return found if instead is None else [*found, f"Or use another way: {instead}"]
