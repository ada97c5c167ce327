"""The engine's guards and its plain generator."""

import asyncio
import errno
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

import pytest

from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.contract import Contact, Page
from airflow_provider_interactions.errors import AuthRejected, ConfigError, Incomplete, ServiceRemoved, Stalled
from airflow_provider_interactions.extract import open_contacts, raw_table
from airflow_provider_interactions.extract.pipeline import LEAST_SPARE, RETRYING_PER_REQUEST, fetch_pages, guard_pages
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.window import Window

NAME = "dynamics_marketing"


def guard_all(*pages):
    async def stream():
        for page in pages:
            yield page

    async def read():
        return [page async for page in guard_pages(stream(), "acme")]

    return asyncio.run(read())


def page(count, cursor="", total=None):
    return Page([b"{}"] * count, [None] * count, cursor=cursor, total=total)


def test_pages_in_order_pass():
    pages = [page(2, "a", 5), page(2, "b"), page(1)]
    assert guard_all(*pages) == pages


@pytest.mark.parametrize("cursors", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_a_cursor_that_comes_twice_would_never_end(cursors):
    with pytest.raises(Stalled, match="acme: the vendor sent the same page cursor twice"):
        guard_all(*(page(1, cursor) for cursor in cursors))


def test_fewer_records_than_declared_are_not_taken_in_silence():
    with pytest.raises(Incomplete, match="acme: 3 records came where the vendor declared 4"):
        guard_all(page(2, "a", 4), page(1))
    assert len(guard_all(page(2, "a", 3), page(2))) == 2


def test_the_plain_generator_gives_the_pages_one_after_the_other(rig, tools):
    job = rig.job()
    found = [(query.contact, len(answer.records)) for query, answer in fetch_pages(job)]
    assert [who for who, _ in found[:: len(tools.types)]] == list(job.contacts)
    assert sum(count for _, count in found) >= extract(job).counts.landed
    assert next(fetch_pages(replace(job, contacts=[])), None) is None


def test_the_plain_generator_can_be_left(rig):
    pages = fetch_pages(rig.job())
    next(pages)
    pages.close()
    assert not rig.folder.exists()


@pytest.mark.parametrize("read", [extract, lambda job: list(fetch_pages(job))])
def test_errors_tell_the_vendor_and_the_window(rig, tools, read):
    for fault, kind in (({"kind": "removed"}, ServiceRemoved), ({"kind": "status", "status": 403}, AuthRejected)):
        rig.faults(**fault)
        with pytest.raises(kind) as told:
            read(rig.job(window=tools.day))
        assert str(told.value).startswith("dynamics_marketing: ")
        assert "window [2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z)" in str(told.value)
        assert not told.value.retry


def test_the_removed_service_is_told_whatever_the_variant(rig):
    for rule in ({"code": "0x80060888"}, {"code": "0x8006088a"}, {"variant": "no_code"}):
        rig.faults(kind="removed", **rule)
        with pytest.raises(ServiceRemoved, match=r"May 2026.*Fabric"):
            extract(rig.job())


def test_an_unknown_tenant_is_told_once(rig):
    with pytest.raises(AuthRejected, match="the tenant is unknown") as told:
        extract(rig.job(credentials=rig.credentials(tenant_id="nobody.example")))
    assert told.value.code == "invalid_request"
    assert rig.stats["requests"] == 1


def test_progress_is_told_for_each_contact(rig):
    told = []
    manifest = extract(rig.job(progress=told.append))
    assert [done for done in dict.fromkeys(progress.done for progress in told) if done] == [1, 2, 3, 4, 5, 6]
    assert {progress.paused_until for progress in told} == {None}
    assert told[-1].rows == manifest.counts.landed
    assert told[-1].requests == manifest.counts.requests


def test_progress_is_told_while_the_vendor_wants_to_be_left_alone(rig):
    rig.sandbox.faults([{"kind": "throttle", "path": "LoadInteractions", "retry_after": 3, "times": 1}])
    told, began = [], datetime.now(UTC)
    extract(rig.job(progress=told.append))
    waited = [progress for progress in told if progress.paused_until]
    assert len(waited) >= 2
    assert all(timedelta(seconds=2) < progress.paused_until - began < timedelta(seconds=6) for progress in waited)
    assert told[-1].paused_until is None


def test_the_order_of_what_lands_is_that_of_the_contacts(rig, desk):
    """Within a part; the outcomes always."""
    rig.sandbox.faults([{"kind": "delay", "seconds": 0.05, "rate": 0.3}])
    manifest = extract(rig.job(lake=desk.lake))
    came = list(dict.fromkeys(row["contact_id"] for row in desk.rows(manifest.files)))
    assert came == [contact.id for contact in rig.contacts() if contact.id in came]
    assert [row["contact_id"] for row in desk.rows(manifest.outcomes)] == [contact.id for contact in rig.contacts()]


@pytest.fixture(scope="module")
def town():
    """More contacts than are ever open at once."""
    with serve(SandboxConfig(contacts=60, per_contact=20, options={NAME: {"types": ["EmailSent"]}})) as sandbox:
        yield sandbox


@pytest.fixture
def town_job(town, rig):
    """An extraction of all of them by two requests at a time, in small pages."""
    town.reset()
    yield replace(rig, sandbox=town, options={"types": ["EmailSent"], "page_size": 5}).job(concurrency=2)
    town.reset()


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "reset"}])
def test_a_contact_that_is_retried_for_long_holds_up_nobody(town, town_job, desk, fault):
    """It fails until all others have ended, so were one of them to wait for it, the run would never end well."""
    stuck = [contact.id for contact in town_job.contacts[:6]]  # more than are in flight
    town.faults([{**fault, "contact": one} for one in stuck])

    def mend(progress):
        if progress.done == len(town_job.contacts) - len(stuck):
            town.faults([])

    manifest = extract(replace(town_job, progress=mend, limits=replace(town_job.limits, tries=500)))
    assert manifest.counts.ok == len(town_job.contacts)
    expected = town.oracle(NAME, town_job.window.start, town_job.window.end, type="EmailSent")
    assert manifest.counts.landed == expected.interactions
    assert [row["contact_id"] for row in desk_rows(desk, town_job, manifest.outcomes)] == [
        contact.id for contact in town_job.contacts
    ]


def test_open_contacts_stay_within_their_memory(town, town_job, desk, monkeypatch):
    """What is too much for it comes back from the disk: the same rows, each contact's together."""
    whole = desk_rows(desk, town_job, extract(town_job).files)
    largest = max(len(row["payload"]) for row in whole) * 5  # a page
    seen, files, write, count = [], [], open_contacts.SpillFile.write, open_contacts.OpenContacts._count

    def note_write(self, question, rows):
        files.append(self.file)
        write(self, question, rows)

    def note_count(self, contact, held):
        count(self, contact, held)
        seen.append((self.held, len(self.contacts)))

    monkeypatch.setattr(open_contacts, "MEMORY_BYTES", 4 * largest)
    monkeypatch.setattr(open_contacts.SpillFile, "write", note_write)
    monkeypatch.setattr(open_contacts.OpenContacts, "_count", note_count)
    monkeypatch.setattr(raw_table, "PART_ROWS", 30)
    town.faults([{"kind": "status", "status": 500, "rate": 0.1}])
    later, limits = town_job.extracted_at + timedelta(hours=1), replace(town_job.limits, tries=50)
    manifest = extract(replace(town_job, extracted_at=later, limits=limits))
    width = 2 + LEAST_SPARE + 2 * RETRYING_PER_REQUEST
    assert max(held for held, _ in seen) <= (4 + width) * largest < sum(len(row["payload"]) for row in whole) / 5
    assert max(number for _, number in seen) <= width
    assert len(files) > 10
    assert all(file.closed for file in files)
    rows = desk_rows(desk, town_job, manifest.files)
    key = itemgetter("contact_id")
    assert [payload_of(row) for row in sorted(rows, key=key)] == [payload_of(row) for row in sorted(whole, key=key)]
    assert len(list(groupby(rows, key))) == len(town_job.contacts)


def payload_of(row):
    return row["contact_id"], row["payload"]


def desk_rows(desk, job, files):
    return replace(desk, lake=job.lake).rows(files)


class FullDisk(io.BytesIO):
    """A file on a disk without room."""

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_takes_no_more_is_named(town_job, monkeypatch, tmp_path):
    monkeypatch.setattr(open_contacts, "MEMORY_BYTES", 1)
    monkeypatch.setattr(open_contacts.tempfile, "TemporaryFile", FullDisk)
    with pytest.raises(ConfigError, match=r"temporary files.*\(No space left on device\).*TMPDIR"):
        extract(town_job)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_window_that_is_no_window_is_refused_before_anything_is_sent(rig):
    with pytest.raises(ConfigError, match="is empty"):
        rig.job(window=Window.of("2026-01-02", "2026-01-02"))
    assert rig.stats["requests"] == 0


def test_an_undocumented_type_that_the_vendor_refuses(rig, tools, caplog):
    chosen = build_options(tools.vendor, {"types": ["EmailSent", "ContactUpserted"]})
    with pytest.raises(Exception, match="the action itself failed with this call"):
        extract(rig.job(options=chosen))
    assert "not among the documented interaction types" in caplog.text


def test_a_contact_asked_for_twice_is_still_one_contact(rig, tools):
    from airflow_provider_interactions import contacts

    ids = [contact.id for contact in rig.contacts(2)]
    spelled = [ids[0], ids[1].upper(), f"{{{ids[0]}}}", ids[1].replace("-", "")]
    assert contacts.check_contacts(tools.vendor, spelled) == [Contact(ids[0]), Contact(ids[1])]
    with pytest.raises(ConfigError, match="Contact 2 of the list cannot be used"):
        contacts.check_contacts(tools.vendor, [ids[0], "ann@example.org"])


def test_empty_pages_without_an_end(rig):
    rig.faults(kind="endless_pages")
    with pytest.raises(Stalled, match="200 empty pages in a row, and still sends a cursor"):
        extract(rig.job(contacts=rig.contacts(1), options=build_options(rig.job().vendor, {"types": ["EmailSent"]})))
    assert rig.stats["by_fault"] == {"endless_pages": 200}


def test_some_empty_pages_in_a_row_are_no_end():
    pages = [*(page(0, f"a{n}") for n in range(199)), page(1, "b"), *(page(0, f"c{n}") for n in range(199)), page(1)]
    assert len(guard_all(*pages)) == 400


def test_a_list_of_contacts_of_empty_pages_without_an_end(rig):
    rig.faults(path="/contacts", kind="endless_pages")
    with pytest.raises(Stalled, match="200 empty pages in a row and still links to more"):
        rig.list_contacts(build_options(rig.job().vendor, {}))
