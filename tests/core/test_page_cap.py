"""Short pages: which are believed to be the last ones, on which evidence, and what happens when one was not.

The properties run through the real client against the sandbox, whose largest page is fixed, changes or falls.
"""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract import commit, run
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.last_pages import TRUSTING_FROM
from airflow_provider_interactions.http.rate_limit import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.reader import read_published
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

WINDOW = Window.of("2026-01-01", "2026-01-04")
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
        extracted_at=datetime(2026, 6, 1, tzinfo=UTC),
        **changed,
    )


def land(job):
    """The manifest's counts, and how many interactions of how many contacts are in the table."""
    raw = commit.commit_window(job.lake, [run.extract(job)])
    pipeline.normalize(job.lake, raw)
    rows = read_published(job.lake, job.place.manifest)[1]
    return raw.counts, (rows.num_rows, len(set(rows.column("contact_id").to_pylist())))


def known(sandbox, name):
    found = sandbox.oracle(name, WINDOW.start, WINDOW.end)
    return found[0], found[2]


# What plain data costs


@pytest.mark.parametrize("vendor", NAMES)
@pytest.mark.parametrize(
    ("config", "page_size"),
    [({"per_contact": 12, "shapes": 1}, 30), ({"per_contact": 40, "shapes": 7}, 100), ({"per_contact": None}, 500)],
    ids=["of one size", "of few sizes", "of many sizes"],
)
def test_plain_data_costs_one_request_a_contact_and_one_in_fifty(tmp_path, vendor, config, page_size):
    with vendor_with(vendor, contacts=600, **config) as sandbox:
        counts, found = land(make_job(sandbox, vendor, tmp_path, page_size))
        assert found == known(sandbox, vendor)
    assert 600 < counts.requests <= 1.02 * 600


# Nothing is lost


@pytest.mark.parametrize("vendor", NAMES)
@settings(max_examples=12, deadline=None)
@given(
    cap=st.one_of(CAPS, st.lists(st.none() | CAPS, min_size=2, max_size=4)),
    rows=st.integers(1, 120),
    contacts=st.integers(1, TRUSTING_FROM - 1),
    after=st.integers(0, 150),
)
def test_a_small_run_believes_nothing_and_loses_nothing(tmp_path_factory, vendor, cap, rows, contacts, after):
    with vendor_with(vendor, cap, after, contacts=contacts, per_contact=rows, shapes=1) as sandbox:
        found = land(make_job(sandbox, vendor, tmp_path_factory.mktemp("lake"), 50))[1]
        assert found == known(sandbox, vendor)
