"""Plans against the sandbox: what a plan says is what the sandbox counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contacts as lists
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.plan.past import compare_requests, learn_figures
from airflow_provider_interactions.plan.requests import count_requests
from airflow_provider_interactions.plan.run import Figures, plan_run
from airflow_provider_interactions.plan.text import describe_plan
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

FULL_SPEED = Limits(rate=RateTuning(first_rate=UNLIMITED))
TYPES = ("EmailSent", "EmailClicked", "FormVisited", "EmailOpened", "WebsiteVisited")
FAST = {"requests_per_minute": 1_000_000.0}
DAYS = 6
WEEK = Window.of("2026-01-01", "2026-01-07")

#: The time before and after a window that is asked for as well.
BEYOND = {
    "dynamics_marketing": (timedelta(days=1), timedelta(days=2)),
    "luminate_online": (timedelta(seconds=1), timedelta(microseconds=1)),
}


@pytest.fixture(scope="module")
def world():
    """A world of 130 contacts, each with a history of its own."""
    with serve(SandboxConfig(contacts=130, days=DAYS)) as sandbox:
        yield sandbox


def build_job(sandbox, name, folder, number, window, **options):
    known, vendor = sandbox.connections[name], VENDORS[name]
    fields = (known["host"], known.get("login", ""), known["password"])
    return Job(
        vendor=vendor,
        credentials=build_credentials(vendor, *fields, extra={**known["extra"], "account": "acme", **FAST}),
        lake=Lake.at(str(folder)),
        window=window,
        contacts=lists.check_contacts(vendor, sandbox.contacts(name)[:number]),
        options=build_options(vendor, options),
        limits=FULL_SPEED,
        on_missing="allow",
    )


def count_asked(sandbox, name, job):
    """The requests for interactions that the sandbox counts while a job runs."""
    sandbox.reset()
    extract(job)
    by_path = sandbox.stats()[name]["by_path"]
    return sum(number for path, number in by_path.items() if "token" not in path)


def plan_job(job, **figures):
    return plan_run(
        job.vendor,
        len(job.contacts),
        job.window,
        settings=job.credentials.settings,
        options=job.options,
        figures=Figures(**figures),
    )


windows = st.tuples(st.integers(0, DAYS - 1), st.integers(1, DAYS)).map(
    lambda pair: Window.of(f"2026-01-0{pair[0] + 1}", f"2026-01-{min(DAYS, pair[0] + pair[1]) + 1:02}")
)


@settings(max_examples=6)
@given(data=st.data(), number=st.integers(1, 12), window=windows)
@pytest.mark.parametrize("name", ["dynamics_marketing", "which50", "capillary"])
def test_requests_of_a_vendor_without_pages_are_exact(name, world, tmp_path_factory, data, number, window):
    options = {}
    if name == "dynamics_marketing":
        options = {"types": data.draw(st.lists(st.sampled_from(TYPES), min_size=1, unique=True))}
    job = build_job(world, name, tmp_path_factory.mktemp("lake"), number, window, **options)
    plan = plan_job(job)
    assert plan.wide.requests == count_asked(world, name, job)
    assert plan.queries * number == plan.wide.requests


def count_rows(world, name, job):
    """The rows of each query, as the oracle knows them: those of the time that is asked for, which is longer."""
    before, after = BEYOND.get(name, (timedelta(0), timedelta(0)))
    start, end = job.window.start - before, job.window.end + after
    types = getattr(job.options, "types", ()) or (None,)
    return [
        world.oracle(name, start, end, contact=one.id, **({} if kind is None else {"type": kind})).interactions
        for one in job.contacts
        for kind in types
    ]


@settings(max_examples=8)
@given(number=st.integers(1, 6), window=windows, page_size=st.integers(2, 12))
@pytest.mark.parametrize("name", ["dynamics_marketing", "luminate_online"])
def test_requests_of_pages_are_exact(name, world, tmp_path_factory, number, window, page_size):
    options = {"types": TYPES[:2]} if name == "dynamics_marketing" else {}
    job = build_job(world, name, tmp_path_factory.mktemp("lake"), number, window, page_size=page_size, **options)
    rule = job.vendor.page_rule(job.credentials.settings, job.options)
    fewest, most = count_requests(rule, count_rows(world, name, job), number)
    assert fewest == most == count_asked(world, name, job)


def test_a_long_list_confirms_as_few_last_pages_as_planned(world, tmp_path):
    job = build_job(world, "luminate_online", tmp_path, 130, WEEK, page_size=200)
    fewest, most = count_requests(job.vendor.page_rule(job.credentials.settings, job.options), [1] * 130, 130)
    assert 130 == fewest < count_asked(world, "luminate_online", job) <= most < 150
    assert most == plan_job(job, rows=100 / DAYS).wide.requests


def test_a_short_list_confirms_every_last_page(world, tmp_path):
    job = build_job(world, "capillary", tmp_path, 9, WEEK, page_size=200)
    settings = msgspec.structs.replace(job.credentials.settings, api="v1.1")
    job = replace(job, credentials=replace(job.credentials, settings=settings))
    rule = job.vendor.page_rule(settings, job.options)
    empty = sum(not number for number in count_rows(world, "capillary", job))
    assert count_asked(world, "capillary", job) == 2 * 9 - empty
    assert count_requests(rule, [1] * (9 - empty) + [0] * empty, 9) == (18 - empty, 18 - empty)


def test_40_types_of_100000_contacts_cannot_be_read_daily():
    vendor = VENDORS["dynamics_marketing"]
    plan = plan_run(vendor, 100_000, Window.of("2026-01-01", "2026-01-02"))
    assert (plan.queries, plan.wide.requests, plan.fits) == (40, 4_000_000, False)
    assert timedelta(hours=55) < plan.one_window < timedelta(hours=57)
    text = describe_plan(plan)
    assert "AFTER the next window is due" in text
    assert "at most 17 of the 40 types" in text
    assert "of 3 days or more" in text
    assert vendor.about.instead in text
    fewer = plan_run(vendor, 100_000, Window.of("2026-01-01", "2026-01-02"), options=vendor.options(types=TYPES))
    weekly = plan_run(vendor, 100_000, Window.of("2026-01-01", "2026-01-08"), width=timedelta(days=7))
    assert fewer.fits
    assert not fewer.advice
    assert weekly.fits


def test_one_run_over_a_month_is_cheaper_where_the_vendor_filters_by_date():
    month = Window.of("2026-01-01", "2026-02-01")
    filtered, whole = (plan_run(VENDORS[name], 1_000, month) for name in ("dynamics_marketing", "which50"))
    assert (filtered.daily.requests, filtered.wide.requests) == (31 * 40_000, 40_000)
    assert (whole.daily.requests, whole.wide.requests) == (1_000, 1_000)
    assert filtered.cheapest is filtered.wide
    assert whole.cheapest is whole.wide
    assert whole.wide.tasks < whole.daily.tasks


def test_everyone_at_once_costs_pages_not_contacts():
    vendor = VENDORS["luminate_online"]
    options = vendor.options(types=(1001,), page_size=201)
    plan = plan_run(vendor, 10_000, Window.of("2026-01-01", "2026-01-02"), kind="everyone", options=options)
    assert plan.wide.rows == 3_000
    assert plan.wide.requests == 1 + 14 + 1  # 201 rows, then 200 with each page; one more confirms the end


def test_figures_of_past_runs_replace_the_assumptions():
    window = Window.of("2026-01-01", "2026-01-03")
    manifest = Manifest(
        vendor="which50",
        account="acme",
        window_start=window.start,
        window_end=window.end,
        extracted_at=window.end,
        files=(File("a", 400, 40_000),),
        outcomes=(File("b", 100, 900),),
        counts=Counts(canonical=400, contacts=100),
    )
    known = learn_figures([manifest], requests_per_second=50.0)
    assert (known.rows, known.canonical_bytes, known.outcome_bytes) == (2.0, 100.0, 9.0)
    plan = plan_run(VENDORS["which50"], 100, window, figures=known)
    assert plan.wide.rows == 400
    assert "50.0 requests/s (of the last extractions, by the ledger)" in describe_plan(plan)
    assert learn_figures([]) == Figures()


@pytest.mark.parametrize("name", VENDORS)
@given(contacts=st.integers(1, 10_000), share=st.floats(0.01, 100))
def test_requests_of_past_windows_are_those_of_the_next_one(name, contacts, share):
    window = Window.of("2026-01-01", "2026-01-02")
    planned = plan_run(VENDORS[name], contacts, window, figures=Figures(rows=0.0)).wide.requests
    counts = Counts(contacts=contacts, requests=max(1, round(planned * share)))
    past = Manifest(
        vendor=name,
        account="acme",
        window_start=window.start,
        window_end=window.end,
        extracted_at=window.end,
        counts=counts,
    )
    cut = msgspec.structs.replace(past, counts=Counts(contacts=contacts))
    figures = learn_figures([past, cut])
    figures = replace(figures, requests=compare_requests(VENDORS[name], [past, cut], figures))
    found = plan_run(VENDORS[name], contacts, window, figures=figures).wide.requests
    assert counts.requests <= found <= counts.requests + 1


@given(contacts=st.integers(0, 10**7), days=st.integers(1, 400), width=st.integers(1, 40))
@pytest.mark.parametrize("name", VENDORS)
def test_more_contacts_never_take_less(name, contacts, days, width):
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days))
    one, more = (plan_run(VENDORS[name], n, window, width=timedelta(days=width)) for n in (contacts, contacts + 1000))
    for few, many in ((one.daily, more.daily), (one.wide, more.wide)):
        assert few.requests <= many.requests
        assert few.rows <= many.rows
    assert one.wide.requests <= one.daily.requests
    assert one.fits == (not one.advice)
    assert describe_plan(one)


@pytest.mark.parametrize(
    ("name", "number", "batches", "types"),
    [("which50", 120, 3, ()), ("dynamics_marketing", 40, 2, TYPES[:3]), ("luminate_online", 60, 1, ())],
)
def test_requests_and_files_of_a_day_are_those_in_the_lake(name, number, batches, types, world, tmp_path):
    """The pages about sizing are computed by the same function."""
    job = build_job(
        world, name, tmp_path, number, Window.of("2026-01-02", "2026-01-03"), **({"types": types} if types else {})
    )
    world.reset()
    lists.write_list(job.lake, job.place, [job.contacts], job.extracted_at)
    size = number // batches
    parts = [
        extract(replace(job, contacts=job.contacts[n * size : (n + 1) * size], batch=n, batches=batches))
        for n in range(batches)
    ]
    manifest = normalize(job.lake, commit_window(job.lake, parts))
    plan = plan_run(
        job.vendor,
        number,
        job.window,
        settings=job.credentials.settings,
        options=job.options,
        figures=learn_figures([manifest]),
        batch_size=size,
    )
    by_path = world.stats()[name]["by_path"]
    asked = sum(count for path, count in by_path.items() if "token" not in path)
    # Who has rows is not known before, and of Luminate Online these cost another request.
    assert plan.wide.requests == pytest.approx(asked, rel=0.3 if name == "luminate_online" else 0.0)
    assert plan.wide.files == sum(path.is_file() for path in tmp_path.rglob("*"))
    assert plan.wide.rows == manifest.counts.canonical
    assert plan.wide.tasks == batches + 3


@pytest.mark.parametrize("kind", [None, "contact", "everyone"])
def test_a_run_of_a_vendor_with_tables_asks_for_each_table_once_for_any_number_of_contacts(kind):
    vendor = VENDORS["dynamics_journeys"]
    few, many = (plan_run(vendor, contacts, WEEK, kind=kind) for contacts in (10, 1_000_000))
    assert few.wide.requests == many.wide.requests == len(vendor.options().types)
    assert few.daily.requests == few.windows * few.wide.requests
