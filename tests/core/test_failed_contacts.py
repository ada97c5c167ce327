"""A contact that the vendor never answers is noted, in a bounded share; a vendor that is away still fails the task."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.errors import BadResponse, TooManyRejects, Unavailable
from airflow_provider_interactions.extract import timers
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.pipeline import fetch_pages
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.extract.unanswered import are_too_many_unanswered
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

#: Those that are asked for each contact.
ASKED = [name for name, vendor in VENDORS.items() if not vendor.bulk]

WEEK = Window.of("2026-01-01", "2026-01-08")
OPTIONS = {"dynamics_marketing": {"types": ["EmailSent", "EmailClicked"]}}


@pytest.fixture(scope="module")
def crowd():
    with serve(SandboxConfig(contacts=24, per_contact=6, options=OPTIONS)) as sandbox:
        yield sandbox


@pytest.fixture
def often(monkeypatch):
    """Save after every answer."""
    monkeypatch.setattr(timers, "EVERY", 0.0)
    monkeypatch.setattr(timers, "SHARE", 0.0)


@pytest.fixture
def job_of(crowd, tmp_path, tools):
    """Makes a vendor's job of some of the sandbox's contacts."""
    crowd.reset()

    def make(name="dynamics_marketing", number=None, **changed):
        vendor, known = VENDORS[name], crowd.connections[name]
        login, password = known.get("login", ""), known.get("password", "")
        extra = {**known["extra"], "account": "acme", "requests_per_minute": 1e9}
        fields = {
            "vendor": vendor,
            "credentials": build_credentials(vendor, known["host"], login, password, extra),
            "lake": Lake.at(str(tmp_path)),
            "window": WEEK,
            "contacts": [vendor.contact(text, vendor.contact_kinds[0]) for text in crowd.contacts(name)[:number]],
            "options": build_options(vendor, OPTIONS.get(name, {})),
            "limits": tools.quick,
        }
        return Job(**{**fields, **changed})

    yield make
    crowd.reset()


def silence(crowd, job, *places, **rule):
    """The contacts at these places, from 1, are always answered by a server fault."""
    rules = [{"kind": "status", "status": 500, "contact": job.contacts[place - 1].id, **rule} for place in places]
    crowd.faults(rules)


@pytest.fixture
def rows(desk):
    return lambda job, files: replace(desk, lake=job.lake).rows(files)


@pytest.mark.parametrize("place", [1, 11, 24])
@pytest.mark.parametrize("name", ASKED)
def test_one_contact_without_an_answer_blocks_nobody(crowd, job_of, rows, caplog, name, place):
    job = job_of(name)
    others = [contact for n, contact in enumerate(job.contacts, start=1) if n != place]
    whole = extract(replace(job, contacts=others, lake=Lake.at(f"{job.lake.root}/others")))
    silence(crowd, job, place)
    with caplog.at_level(logging.WARNING):
        manifest = extract(job)
    assert manifest.counts.failed == 1
    assert manifest.counts.landed == whole.counts.landed > 0
    found = {row["contact_id"]: row for row in rows(job, manifest.outcomes)}
    row = found[job.contacts[place - 1].id]
    assert (row["outcome"], row["rows"]) == ("failed", 0)
    assert "(HTTP 500) at every try for this contact" in row["reason"]
    assert f"1 of {len(job.contacts)} contacts of {name}" in caplog.text
    assert manifest.outcomes[0].path in caplog.text
    assert job.contacts[place - 1].id not in caplog.text


def test_the_error_names_the_place_and_not_the_identifier(crowd, job_of):
    job = job_of()
    silence(crowd, job, 17)
    for read in (lambda: extract(replace(job, on_missing="fail")), lambda: list(fetch_pages(job))):
        with pytest.raises(Unavailable, match=r"\(contact 17 of the list, window .*HTTP 500") as told:
            read()
        assert job.contacts[16].id not in str(told.value)
    with pytest.raises(Unavailable, match="contact 1017 of the list"):
        extract(replace(job, on_missing="fail", first=1000))


def test_a_body_that_cannot_be_read_is_an_error_that_names_the_place(crowd, job_of):
    job = job_of()
    crowd.faults([{"kind": "status", "status": 200, "body": "[]", "contact": job.contacts[4].id}])
    with pytest.raises(BadResponse, match="contact 5 of the list"):
        extract(job)


@pytest.mark.parametrize("name", ASKED)
def test_a_vendor_that_is_away_for_all_is_unavailable(crowd, job_of, name):
    """Also when it goes away in the middle: those in flight are not noted as failed."""
    for after in (0, 20):
        crowd.faults([{"kind": "status", "status": 503, "after": after}])
        job = job_of(name, lake=Lake.at(f"memory://away/{name}/{after}"))
        with pytest.raises(Unavailable) as told:
            extract(job)
        assert told.value.retry


def test_more_than_a_bounded_share_is_the_vendors_fault(crowd, job_of, tmp_path):
    job = job_of()
    silence(crowd, job, 2, 9, 10)
    assert extract(job).counts.failed == 3
    silence(crowd, job, 2, 9, 10, 23)
    with pytest.raises(Unavailable, match="contact 23 of the list"):
        extract(replace(job, lake=Lake.at(f"{tmp_path}/more")))
    assert not [path for path in (tmp_path / "more").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("contacts", "most"), [(1, 0), (2, 1), (4, 2), (5, 2), (6, 3), (60, 3), (79, 3), (80, 4), (1200, 60)]
)
def test_how_many_may_go_unanswered(contacts, most):
    assert not are_too_many_unanswered(most, contacts)
    assert are_too_many_unanswered(most + 1, contacts)


def test_nobody_else_who_was_answered_tells_nothing(crowd, job_of):
    job = job_of(number=1)
    silence(crowd, job, 1)
    with pytest.raises(Unavailable, match="contact 1 of the list"):
        extract(job)


def test_pages_that_came_before_stay_and_count(crowd, job_of, rows):
    """One of the contact's queries is answered, the other is not: what came is kept, and the contact has failed."""
    job = job_of()
    crowd.faults([{"kind": "status", "status": 500, "contact": job.contacts[3].id, "after": 1}])
    manifest = extract(replace(job, concurrency=1))
    found = {row["contact_id"]: row for row in rows(job, manifest.outcomes)}
    row = found[job.contacts[3].id]
    assert row["outcome"] == "failed"
    assert row["rows"] == sum(one["contact_id"] == row["contact_id"] for one in rows(job, manifest.files)) > 0


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("name", ASKED)
def test_the_last_one_that_is_left_for_a_resumed_try(crowd, job_of, name):
    """Nobody else is to be asked any more: who was answered by the try before is asked again."""
    job = job_of(name, resume="run", concurrency=1)
    silence(crowd, job, len(job.contacts))

    def away(progress):
        if progress.done == len(job.contacts) - 1:
            crowd.faults([{"kind": "status", "status": 503}])

    with pytest.raises(Unavailable):
        extract(replace(job, progress=away))
    silence(crowd, job, len(job.contacts))
    sent = sum(crowd.stats()[name]["by_path"].values())
    manifest = extract(job)
    assert manifest.counts.failed == 1
    assert sum(crowd.stats()[name]["by_path"].values()) - sent < sent / 2


@pytest.mark.usefixtures("often")
def test_above_the_share_the_next_try_asks_those_again(crowd, job_of):
    job = job_of(resume="run")
    silence(crowd, job, 1, 2, 3, 4)
    with pytest.raises(Unavailable):
        extract(job)
    crowd.reset()
    assert extract(job).counts.failed == 0


@pytest.mark.parametrize("name", [name for name, vendor in VENDORS.items() if not vendor.filters_by_date])
def test_a_new_contact_alone_is_judged_by_those_whose_histories_are_known(crowd, job_of, rows, name):
    """And what was noted is not asked for again by each window that is cut from the same history."""
    job = job_of(name)
    extract(replace(job, contacts=job.contacts[1:]))
    silence(crowd, job, 1)
    job = replace(job, extracted_at=datetime.now(UTC))
    manifest = extract(job)
    assert manifest.counts.failed == 1
    found = {row["contact_id"]: row["outcome"] for row in rows(job, manifest.outcomes)}
    assert found[job.contacts[0].id] == "failed"
    sent = crowd.stats()[name]["requests"]
    assert extract(replace(job, window=Window.of("2026-01-02", "2026-01-03"))).counts.failed == 1
    assert crowd.stats()[name]["requests"] == sent
    crowd.reset()
    assert extract(replace(job, history_age=timedelta(0))).counts.failed == 0


@pytest.mark.parametrize("name", [name for name, vendor in VENDORS.items() if not vendor.filters_by_date])
def test_places_are_those_of_the_whole_list(crowd, job_of, name):
    job = job_of(name)
    extract(replace(job, contacts=job.contacts[:10]))
    silence(crowd, job, 12)
    with pytest.raises(Unavailable, match=r"contact 12 of the list"):
        extract(replace(job, on_missing="fail"))


@pytest.mark.usefixtures("often")
def test_records_that_cannot_be_read_are_asked_for_again_by_the_next_try(crowd, job_of):
    """What made an extraction fail may be mended at the vendor's: nothing of it is gone on with."""
    job = job_of(resume="run")
    crowd.faults([{"kind": "replace", "find": r"20\d\d-\d\d-\d\dT", "put": "some day "}])
    with pytest.raises(TooManyRejects):
        extract(job)
    crowd.reset()
    manifest = extract(job)
    assert manifest.counts.undated == 0
    assert manifest.counts.landed > 0
