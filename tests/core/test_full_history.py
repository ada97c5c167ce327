"""Vendors that cannot filter by date: one history of a contact serves all windows that ended before its fetch."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.errors import AuthRejected, ContactError
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

MONTH = Window.of("2026-01-01", "2026-01-31")
DAYS = list(MONTH.split(timedelta(days=1)))
BLIND = [vendor for vendor in VENDORS.values() if not vendor.filters_by_date]


@pytest.fixture(scope="module")
def running():
    with serve(SandboxConfig(contacts=5, days=30)) as sandbox:
        yield sandbox


@pytest.fixture(params=BLIND, ids=lambda vendor: vendor.name)
def job(request, running, tmp_path, tools):
    """An extraction of the month; windows, contacts and age are changed by the tests."""
    running.reset()
    vendor, known = request.param, running.connections[request.param.name]
    login, password = known.get("login", ""), known.get("password", "")
    return Job(
        vendor=vendor,
        credentials=build_credentials(vendor, known["host"], login, password, {**known["extra"], "account": "a"}),
        lake=Lake.at(str(tmp_path)),
        window=MONTH,
        contacts=[vendor.contact(text, vendor.contact_kinds[0]) for text in running.contacts(vendor.name)],
        options=build_options(vendor, {}),
        limits=tools.quick,
    )


def count_calls(running, job):
    """Calls about contacts that reached the vendor."""
    paths = running.stats()[job.vendor.name]["by_path"]
    return sum(n for path, n in paths.items() if "token" not in path)


def payloads(job, *manifests):
    rows = []
    for file in (file for manifest in manifests for file in manifest.files):
        rows += pq.read_table(job.lake.full(file.path), columns=["payload", "occurred_at"]).to_pylist()
    return sorted((row["payload"], row["occurred_at"]) for row in rows)


def test_thirty_windows_ask_once_for_each_contact_and_find_the_same_rows(running, job):
    cut = [extract(replace(job, window=day)) for day in DAYS]
    assert count_calls(running, job) == len(job.contacts)
    anew = replace(job, history_age=timedelta(0))
    fresh = [extract(replace(anew, window=day, extracted_at=datetime.now(UTC))) for day in DAYS]
    assert count_calls(running, job) == len(job.contacts) * (1 + len(DAYS))
    assert payloads(job, *cut) == payloads(job, *fresh)
    assert sum(manifest.counts.landed for manifest in cut) > 0


def test_each_window_accounts_for_every_contact(job):
    first, second = (extract(replace(job, window=day)) for day in DAYS[:2])
    assert first.counts.requests == len(job.contacts)
    assert second.counts.requests == 0
    for counts in (first.counts, second.counts):
        assert counts.contacts == len(job.contacts)
        assert counts.received == counts.outside + counts.fetched
    assert first.counts.received == second.counts.received
    gone = ("not_found", "deleted", "failed")
    assert [getattr(first.counts, name) for name in gone] == [getattr(second.counts, name) for name in gone]


def test_a_history_that_ends_before_the_window_does_is_not_enough(running, job):
    future = Window(DAYS[-1].end, datetime.now(UTC) + timedelta(days=1))
    extract(replace(job, window=DAYS[0]))
    extract(replace(job, window=future))
    assert count_calls(running, job) == 2 * len(job.contacts)


def test_an_old_history_is_asked_for_again_and_removed_at_last(running, job):
    extract(replace(job, window=DAYS[0]))
    later = datetime.now(UTC) + timedelta(days=1, hours=1)
    extract(replace(job, window=DAYS[0], extracted_at=later))
    assert count_calls(running, job) == 2 * len(job.contacts)
    kept = len(job.lake.list_names(job.place.histories))
    extract(replace(job, window=DAYS[0], extracted_at=later + timedelta(days=3)))
    assert len(job.lake.list_names(job.place.histories)) < kept * 1.5


def test_only_contacts_without_a_history_are_asked_for(running, job):
    extract(replace(job, window=DAYS[0], contacts=job.contacts[:3]))
    extract(replace(job, window=DAYS[1], contacts=job.contacts[1:]))
    assert count_calls(running, job) == len(job.contacts)


def test_other_options_have_other_histories(running, job):
    extract(replace(job, window=DAYS[0]))
    extract(replace(job, window=DAYS[0], options=build_options(job.vendor, {"page_size": 7})))
    assert count_calls(running, job) == 2 * len(job.contacts)


def test_rows_cut_from_a_history_say_when_they_were_fetched_and_for_which_window(job):
    first = extract(replace(job, window=DAYS[0]))
    second = extract(replace(job, window=MONTH))
    tables = [pq.read_table(job.lake.full(file.path)) for file in second.files]
    assert {moment.as_py() for table in tables for moment in table["extracted_at"]} == {first.extracted_at}
    assert {moment.as_py() for table in tables for moment in table["window_end"]} == {MONTH.end}


def test_a_refusal_leaves_no_history_behind(running, job):
    running.faults([{"kind": "reject_tokens", "vendor": job.vendor.name}, {"kind": "status", "status": 401}])
    with pytest.raises(AuthRejected, match=r"2026-01-01T00:00:00Z"):
        extract(replace(job, window=DAYS[0]))
    assert job.lake.list_names(job.place.histories) == []
    running.reset()
    assert commit.commit_window(job.lake, [extract(replace(job, window=DAYS[0]))]).counts.contacts == len(job.contacts)


def test_whoever_was_not_there_is_asked_for_again_where_that_is_to_fail(job):
    nobody = replace(job, contacts=[job.vendor.contact("999999", job.vendor.contact_kinds[0])], on_missing="allow")
    noted = extract(nobody).counts
    assert noted.not_found + noted.failed == 1
    assert extract(nobody).counts.requests == 0, "the lake knows"
    with pytest.raises(ContactError):
        extract(replace(nobody, on_missing="fail"))
