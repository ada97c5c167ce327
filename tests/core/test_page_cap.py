"""Short pages: which are believed to be the last ones, on which evidence. faults/test_cut_pages.py asks a server."""

import asyncio
import random
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.errors import ContactNotFound, Unavailable
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.last_pages import PagesCut, confirm_last_pages
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.page_cap import Evidence, PageCap
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

WINDOW = Window.of("2026-01-01", "2026-01-04")
BEGAN, SECOND = datetime(2026, 6, 1, tzinfo=UTC), timedelta(seconds=1)


@pytest.fixture
def job(tmp_path):
    """A job that nobody runs."""
    vendor = VENDORS["luminate_online"]
    credentials = build_credentials(vendor, "https://luminate.example/site", "robot", "hush", {"api_key": "key"})
    options = build_options(vendor, {})
    return Job(vendor, credentials, Lake.at(str(tmp_path)), WINDOW, [vendor.contact("1")], options, extracted_at=BEGAN)


async def nothing(_):
    return []


def trusting(**changed):
    return PageCap(trusting=True, **changed)


def believe(cap, rows, rest=nothing):
    cap.note_page(rows)
    return cap.believes(rows, rest)


def confirm(cap, rows):
    """A short page that was the last one; whether it was believed."""
    believed = believe(cap, rows)
    if not believed:
        cap.note_end(rows, is_proven=True)
    return believed


def test_without_trust_nothing_is_believed():
    cap = PageCap()
    assert not any(confirm(cap, 5) for _ in range(1000))


def test_the_first_short_pages_and_those_as_large_as_the_largest_are_confirmed():
    cap = trusting()
    assert [confirm(cap, 5) for _ in range(6)] == [False] * 4 + [True] * 2
    assert [confirm(cap, 9) for _ in range(6)] == [False] * 4 + [True] * 2


def test_a_page_of_the_size_that_was_cut_is_never_believed():
    cap = trusting()
    believe(cap, 40)
    cap.note_cut(40)
    assert not any(believe(cap, 40) for _ in range(500))
    assert sum(confirm(cap, n % 39 + 1) for n in range(500)) > 480


@pytest.mark.parametrize(("first", "second"), [(40, 30), (30, 40)])
def test_two_sizes_of_cut_pages_end_all_trust(first, second):
    cap = trusting()
    believe(cap, first)
    cap.note_cut(first)
    believe(cap, second)
    cap.note_cut(second)
    assert not cap.evidence.steady
    assert not any(believe(cap, 3) for _ in range(500))


def test_a_larger_page_than_one_that_was_cut_ends_all_trust():
    cap = trusting()
    believe(cap, 40)
    cap.note_cut(40)
    cap.note_page(41)
    assert not believe(cap, 3)


@pytest.mark.parametrize(
    ("evidence", "refuted"),
    [
        (Evidence(largest=40), False),
        (Evidence(largest=40, believed=40), False),
        (Evidence(largest=40, cut=40, believed=39), False),
        (Evidence(largest=40, cut=40, believed=40), True),
        (Evidence(largest=40, cut=30, believed=0, steady=False), False),
        (Evidence(largest=40, cut=30, believed=1, steady=False), True),
    ],
)
def test_what_refutes_the_belief(evidence, refuted):
    assert evidence.is_refuted is refuted
    again = evidence.start_over()
    assert (again.cut, again.steady, again.believed) == (evidence.cut, evidence.steady, 0)


@given(st.lists(st.tuples(st.sampled_from(["page", "cut", "end", "proof"]), st.integers(1, 4)), max_size=60))
def test_a_run_starts_over_twice_at_most_whatever_its_server_does(events):
    evidence, times = Evidence(), 0
    while times < 4:
        cap = trusting(evidence=evidence)
        for kind, rows in events * 4:
            if kind == "page" or not believe(cap, rows):
                cap.note_page(rows)
                if kind == "cut":
                    cap.note_cut(rows)
                elif kind != "page":
                    cap.note_end(rows, is_proven=kind == "proof")
        if not cap.evidence.is_refuted:
            break
        evidence, times = cap.evidence.start_over(), times + 1
    assert times <= 2


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from([1, 12, 500]), st.integers(600, 2000))
def test_a_sample_of_plain_pages_is_confirmed_however_large_they_are(seed, largest, pages):
    cap, drawn = trusting(), random.Random(seed)
    for _ in range(pages):
        confirm(cap, drawn.randint(1, largest))
    assert pages // 160 <= cap.confirmed
    assert cap.confirmed + len(cap.list_doubts()) <= pages / 50


def test_the_sample_is_of_the_size_that_comes_too_often():
    """One page in ten is cut at 250, below pages of any other size: the confirmations find that one."""
    cap, drawn, asked = trusting(), random.Random(1), []
    for n in range(1000):
        rows = 250 if n % 10 == 0 else drawn.randint(1, 999)
        if not confirm(cap, rows):
            asked.append(rows)
    assert 250 in [*asked, *(doubt.rows for doubt in cap.list_doubts())]


def test_what_follows_the_last_larger_page_is_confirmed_at_the_end():
    cap, drawn = trusting(), random.Random(1)
    for _ in range(1000):
        confirm(cap, drawn.randint(1, 999))
    for _ in range(3):
        believe(cap, 300)
    assert 300 in [doubt.rows for doubt in cap.list_doubts()]


def check_rest(job, rest):
    cap = trusting()
    while not believe(cap, 5, rest):
        cap.note_end(5, is_proven=True)
    asyncio.run(confirm_last_pages(cap, None, job))


@pytest.mark.parametrize(
    ("at", "is_cut"), [(None, True), (BEGAN - SECOND, True), (BEGAN, False), (BEGAN + SECOND, False)]
)
def test_a_row_that_happened_after_the_run_began_is_no_proof_of_a_cut(job, at, is_cut):
    async def rest(_):
        return [at]

    with pytest.raises(PagesCut) if is_cut else nullcontext():
        check_rest(job, rest)


def test_a_contact_that_is_gone_at_the_end_of_the_run_is_no_proof_of_a_cut(job):
    async def rest(_):
        raise ContactNotFound("there is no such contact")

    check_rest(job, rest)


def test_an_error_at_the_end_of_the_run_names_the_window(job):
    async def rest(_):
        raise Unavailable("the vendor had a server fault")

    with pytest.raises(Unavailable) as found:
        check_rest(job, rest)
    assert found.value.window == str(job.window)
