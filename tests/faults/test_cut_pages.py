"""A server that cuts pages, at a size that is fixed, changes or falls: nothing is lost, and plain data costs little.

Through the real client and the sandbox. tests/core/test_page_cap.py says what is believed, and on which evidence.
"""

import logging
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.errors import Unavailable
from airflow_provider_interactions.extract import commit, run
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.reader import read_published
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.page_cap import TRUSTING_FROM
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import ALWAYS, Window

WINDOW = Window.of("2026-01-01", "2026-01-04")
BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
LIMITS = Limits(timeout=10.0, tries=5, first_wait=0.005, last_wait=0.01, rate=RateTuning(first_rate=UNLIMITED))
#: By vendor: the options of the sandbox for a largest page, for the pages before it holds, and what it serves.
NAMES = {
    "luminate_online": ("max_page_size", "max_page_size_after", {"response_format": "json"}),
    "capillary": ("limit_max", "limit_max_after", {"api": "v1.1", "types": ("email", "line")}),
}
CAPS = st.sampled_from([7, 13, 25, 37, 100, 333])


@contextmanager
def vendor_with(name, cap=None, after=0, **config):
    """A sandbox whose pages have at most ``cap`` rows, from the page after ``after`` others."""
    cap_option, after_option, more = NAMES[name]
    options = {name: {**more, cap_option: cap, after_option: after}}
    with serve(SandboxConfig(start="2026-01-01", days=3, options=options, **config)) as sandbox:
        yield sandbox


def make_job(sandbox, name, folder, page_size=1000, **changed):
    vendor, known = VENDORS[name], sandbox.connections[name]
    extra = {**known["extra"], "account": "acme", "requests_per_minute": 1e9}
    return Job(
        vendor=vendor,
        credentials=build_credentials(vendor, known["host"], known["login"], known["password"], extra),
        lake=Lake.at(str(folder)),
        window=WINDOW,
        contacts=[vendor.contact(text) for text in sandbox.contacts(name)],
        options=build_options(vendor, {"page_size": page_size}),
        limits=LIMITS,
        on_missing="allow",
        extracted_at=BEGAN,
        **changed,
    )


def land(job):
    """The manifest's counts, and how many different records of how many contacts have landed."""
    raw = commit.commit_window(job.lake, [run.extract(job)])
    rows = read_published(job.lake, job.place.raw_manifest)[1]
    records, contacts = (len(set(rows.column(name).to_pylist())) for name in ("payload", "contact_id"))
    assert records == rows.num_rows
    return raw.counts, (records, contacts)


def ask_oracle(sandbox, name):
    found = sandbox.oracle(name, WINDOW.start, WINDOW.end)
    return found[0], found[2]


# What plain data costs


@pytest.mark.parametrize(
    ("vendor", "config", "page_size"),
    [
        ("luminate_online", {"per_contact": 12, "shapes": 1}, 30),
        ("capillary", {"per_contact": 40, "shapes": 7}, 100),
        ("luminate_online", {"per_contact": None}, 500),
    ],
    ids=["of one size", "of few sizes", "of many sizes"],
)
def test_plain_data_costs_one_request_a_contact_and_one_in_fifty(tmp_path, vendor, config, page_size):
    with vendor_with(vendor, contacts=600, **config) as sandbox:
        counts, found = land(make_job(sandbox, vendor, tmp_path, page_size))
        assert found == ask_oracle(sandbox, vendor)
    assert 600 < counts.requests <= 1.02 * 600


# Nothing is lost


@pytest.mark.parametrize("vendor", NAMES)
@settings(max_examples=8, deadline=None)
@given(
    cap=st.integers(1, 40) | st.lists(st.none() | st.integers(2, 40), min_size=2, max_size=9),
    rows=st.integers(1, 60),
    contacts=st.integers(1, 30),
    after=st.integers(0, 60),
)
def test_a_small_run_believes_nothing_and_loses_nothing(tmp_path_factory, vendor, cap, rows, contacts, after):
    with vendor_with(vendor, cap, after, contacts=contacts, per_contact=rows, shapes=1) as sandbox:
        found = land(make_job(sandbox, vendor, tmp_path_factory.mktemp("lake"), 50))[1]
        assert found == ask_oracle(sandbox, vendor)


@pytest.mark.parametrize("vendor", NAMES)
@settings(max_examples=5, deadline=None)
@given(
    cap=CAPS | st.lists(CAPS, min_size=2, max_size=4),
    rows=st.integers(8, 45),
    contacts=st.integers(TRUSTING_FROM, 130),
    after=st.integers(0, 140),
)
def test_a_large_run_loses_nothing_to_a_cap_that_is_fixed_changes_or_falls(
    tmp_path_factory, vendor, cap, rows, contacts, after
):
    with vendor_with(vendor, cap, after, contacts=contacts, per_contact=rows, shapes=1) as sandbox:
        found = land(make_job(sandbox, vendor, tmp_path_factory.mktemp("lake"), 400))[1]
        assert found == ask_oracle(sandbox, vendor)


@pytest.mark.parametrize(("vendor", "cap"), [("luminate_online", 7), ("capillary", 25), ("luminate_online", 37)])
def test_a_fixed_cap_is_learned_so_that_shorter_pages_are_believed(tmp_path, vendor, cap):
    """Contacts of 0 to about 60 rows: one request for each page that the server gives, and few more."""
    with vendor_with(vendor, cap, contacts=200) as sandbox:
        counts, found = land(make_job(sandbox, vendor, tmp_path, 400))
        assert found == ask_oracle(sandbox, vendor)
        by_contact = [
            sandbox.oracle(vendor, WINDOW.start, WINDOW.end, contact=one)[0] for one in sandbox.contacts(vendor)
        ]
    pages = sum(1 + max(0, rows - 1) // (cap - 1) for rows in by_contact)
    assert counts.requests <= pages + 60


@pytest.mark.parametrize("vendor", NAMES)
def test_a_cap_that_falls_makes_the_run_start_over(tmp_path, vendor, caplog):
    with vendor_with(vendor, 13, 100, contacts=150, per_contact=20, shapes=1) as sandbox:
        with caplog.at_level(logging.WARNING):
            counts, found = land(make_job(sandbox, vendor, tmp_path, 50, resume="run"))
        assert found == ask_oracle(sandbox, vendor)
        assert counts.requests == sandbox.stats()[vendor]["requests"] > 300
    [warning] = [record.getMessage() for record in caplog.records if "starts over" in record.getMessage()]
    assert warning.startswith(f"{vendor}, window {WINDOW if vendor == 'luminate_online' else ALWAYS}: ")
    landed = {path.name for path in tmp_path.rglob("*part-*.parquet")}
    assert len(landed) == 1, "a file of the first attempt is still there"


def test_what_was_believed_before_a_kill_is_asked_for_again(tmp_path):
    """One try ends before the cap falls. The next one sees it, so it does not go on but starts over."""
    with vendor_with("luminate_online", 13, 120, contacts=150, per_contact=20, shapes=1) as sandbox:
        job = make_job(sandbox, "luminate_online", tmp_path, 50, resume="run", concurrency=2)
        sandbox.faults([{"vendor": "luminate_online", "kind": "status", "status": 500, "after": 110}])
        with pytest.raises(Unavailable):
            run.extract(job)
        sandbox.faults([])
        before = sandbox.stats()["luminate_online"]["requests"]
        counts, found = land(job)
        assert found == ask_oracle(sandbox, "luminate_online")
        assert before + 300 < sandbox.stats()["luminate_online"]["requests"]
        assert counts.requests > 300


def test_a_try_goes_on_with_the_cap_that_the_one_before_has_learned(tmp_path):
    with vendor_with("luminate_online", 13, contacts=200, per_contact=20, shapes=1) as sandbox:
        job = make_job(sandbox, "luminate_online", tmp_path, 50, resume="run", concurrency=2)
        sandbox.faults([{"vendor": "luminate_online", "kind": "status", "status": 500, "after": 300}])
        with pytest.raises(Unavailable):
            run.extract(job)
        sandbox.faults([])
        before = sandbox.stats()["luminate_online"]["requests"]
        assert land(job)[1] == ask_oracle(sandbox, "luminate_online")
        assert sandbox.stats()["luminate_online"]["requests"] - before < 200


def test_a_channel_that_counts_more_than_came_is_read_on(tmp_path):
    """Of v1.1, where the number beside a channel is that of the whole channel: then nothing has to be believed."""
    options = {"api": "v1.1", "types": ("email",), "count": "channel", "limit_max": [None, None, 9]}
    config = SandboxConfig(
        start="2026-01-01", days=3, contacts=120, per_contact=30, shapes=1, options={"capillary": options}
    )
    with serve(config) as sandbox:
        counts, found = land(make_job(sandbox, "capillary", tmp_path, 100))
        assert found == ask_oracle(sandbox, "capillary")
        assert counts.requests < 240


@pytest.mark.parametrize("vendor", NAMES)
def test_rows_that_leave_meanwhile_hide_no_other_where_short_pages_are_believed(tmp_path, vendor):
    more = NAMES[vendor][2]
    options = {vendor: {**more, NAMES[vendor][0]: 13, "rows_leave": 2}}
    config = SandboxConfig(start="2026-01-01", days=3, contacts=120, per_contact=30, shapes=1, options=options)
    with serve(config) as sandbox:
        found = land(make_job(sandbox, vendor, tmp_path, 100))[1]
        expected = ask_oracle(sandbox, vendor)
    assert expected[0] - 2 * 120 <= found[0] <= expected[0]
    assert found[1] == 120
