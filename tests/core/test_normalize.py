"""Raw to canonical: a row, a reject with its reason and bytes, or a repeat. Nothing else happens to a record."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.errors import (
    ConfigError,
    RecordRejected,
    TooManyRejects,
    Unreconciled,
    WindowSuperseded,
)
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize import pipeline as module
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.schema import CANONICAL, REJECTS
from tests.mapped import Asked, map_record

IDS = [f"{n:032X}" for n in range(1, 200)]


def test_counts_add_up(desk):
    manifest = desk.normalize(
        desk.record(),
        desk.record(),
        desk.record(InteractionId=IDS[0]),
        desk.record(Timestamp=None),
        b"no json",
    )
    counts = manifest.counts
    assert (counts.landed, counts.canonical, counts.rejected, counts.repeated) == (5, 2, 2, 1)


@pytest.mark.parametrize("size", [1, 2, 8_192])
def test_another_record_with_a_known_id_is_a_reject_and_no_repeat(desk, monkeypatch, size):
    monkeypatch.setattr(module, "BATCH_ROWS", size)
    one, other = desk.record(), desk.record(Timestamp="2026-01-01T23:00:00Z")
    manifest = normalize(desk.lake, desk.land(one, other, one), rejects_share=1.0)
    counts = manifest.counts
    assert (counts.landed, counts.canonical, counts.rejected, counts.repeated) == (3, 1, 1, 1)
    [row] = desk.rows(manifest.rejects)
    assert (row["payload"], "its id is the id of another record" in row["reason"]) == (other, True)


#: Which50's key holds neither a record's name nor its status.
EMAIL = {"Id": 7, "Interaction": "Email", "Name": "a", "Occurred": "2026-01-02T10:00:00Z", "Status": "Sent"}


@pytest.mark.parametrize("size", [1, 2, 8_192])
@pytest.mark.parametrize(
    ("changes", "is_repeat"),
    [
        ({}, True),
        ({"Status": "Open"}, True),
        ({"Status": "Open", "Opened": 3}, True),
        ({"Name": "b"}, False),
        ({"Name": "b", "Status": "Open"}, False),
        ({"CampaignName": "c"}, False),
        ({"Receiver": "another one"}, False),
    ],
)
def test_a_known_key_is_a_repeat_only_as_the_same_record_or_its_next_state(desk, monkeypatch, size, changes, is_repeat):
    monkeypatch.setattr(module, "BATCH_ROWS", size)
    records = [msgspec.json.encode({**EMAIL, **some}) for some in ({}, {"Id": 8}, changes)]
    manifest = normalize(desk.lake, desk.land(*records, vendor="which50"), rejects_share=1.0)
    counts = manifest.counts
    assert (counts.canonical, counts.repeated, counts.rejected) == (2, is_repeat, not is_repeat)
    assert [row["payload"] for row in desk.rows(manifest.rejects)] == ([] if is_repeat else records[2:])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"Id": st.integers(1, 2), "Name": st.sampled_from("ab")},
            optional={"Status": st.sampled_from(["Sent", "Open"]), "Extra": st.integers(0, 1)},
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 9),
)
def test_no_record_with_its_own_content_is_dropped_in_silence(memory_desk, some, size):
    """Whatever has a known key is a reject, unless it is the first record of the key in this or another state."""
    payloads = [msgspec.json.encode({**EMAIL, **one}) for one in some]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_ROWS", size)
        found = normalize(memory_desk.lake, memory_desk.land(*payloads, vendor="which50"), rejects_share=1.0)
    firsts = {}
    for one in some:
        firsts.setdefault(one["Id"], one)
    others = [payload for payload, one in zip(payloads, some, strict=True) if is_another(firsts[one["Id"]], one)]
    assert sorted(row["payload"] for row in memory_desk.rows(found.rejects)) == sorted(others)
    assert found.counts.canonical == len(firsts)


def test_a_record_that_is_written_otherwise_is_a_repeat(desk):
    spelled = b'{"Id":7,"Interaction":"Email","Occurred":"2026-01-02T10:00:00Z",%s}'
    more = (b'"City":"Krak\\u00f3w","X":[1,2.10]', '"X" : [1, 2.10], "City":"Krak\u00f3w"'.encode())
    counts = desk.normalize(*(spelled % some for some in more), vendor="which50").counts
    assert (counts.canonical, counts.repeated) == (1, 1)


def is_another(first, one):
    is_same_state = one.get("Status", "Sent") == first.get("Status", "Sent")
    return one["Name"] != first["Name"] or (is_same_state and one.get("Extra") != first.get("Extra"))


def test_a_reject_keeps_its_reason_its_bytes_and_where_it_came_from(desk):
    payloads = (b'{"Timestamp": "soon", "InteractionId": "1"}', desk.record(InteractionId=None), b"\xff\x00")
    manifest = normalize(desk.lake, desk.land(*payloads), rejects_share=1.0)
    rows = desk.rows(manifest.rejects)
    assert [row["payload"] for row in rows] == list(payloads)
    assert [row["reason"] for row in rows] == [
        "Timestamp is not a valid ISO 8601 time",
        "InteractionId is missing",
        "the record is not a JSON object",
    ]
    assert {(row["vendor"], row["account"], row["contact_id"]) for row in rows} == {
        ("dynamics_marketing", "acme", "c1")
    }
    assert manifest.files == ()


def test_the_tables_have_the_agreed_columns(desk):
    import pyarrow.parquet as pq

    manifest = desk.normalize(desk.record(), b"{}")
    for files, schema in ((manifest.files, CANONICAL), (manifest.rejects, REJECTS)):
        with desk.lake.fs.open(desk.lake.full(files[0].path), "rb") as stream:
            assert pq.ParquetFile(stream).schema_arrow.equals(schema, check_metadata=True)
    assert all(field.metadata[b"meaning"] for field in (*CANONICAL, *REJECTS))


def test_rows_lie_under_their_utc_day(desk):
    days = ("2026-01-02T00:00:00Z", "2026-01-02T23:59:59.999999Z", "2026-01-03T00:30:00+02:00", "2026-01-09T00:00:00Z")
    manifest = desk.normalize(
        *(desk.record(InteractionId=key, Timestamp=at) for key, at in zip(IDS, days, strict=False))
    )
    assert {file.path.split("/")[3]: file.rows for file in manifest.files} == {
        "date=2026-01-02": 3,
        "date=2026-01-09": 1,
    }


def test_a_window_normalized_again_replaces_its_own_files_only(any_desk):
    raw = any_desk.land(any_desk.record(), any_desk.record(InteractionId=IDS[1]), b"{}")
    neighbour = any_desk.normalize(any_desk.record(), account="neighbour")
    first = normalize(any_desk.lake, raw, now=datetime(2026, 4, 1, tzinfo=UTC))
    second = normalize(any_desk.lake, raw, now=datetime(2026, 4, 2, tzinfo=UTC))
    assert any_desk.rows(second.files)
    assert not {*first.files} & {*second.files}
    assert not set(any_desk.files()) & {file.path for file in (*first.files, *first.rejects)}
    assert second.paths | neighbour.paths | raw.paths <= set(any_desk.files())
    assert second.counts == first.counts


def test_rows_read_in_several_batches_are_the_same_rows(desk, monkeypatch):
    raw = desk.land(*(desk.record(InteractionId=IDS[n % 5]) for n in range(11)))
    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    manifest = normalize(desk.lake, raw)
    assert (manifest.counts.canonical, manifest.counts.repeated) == (5, 6)
    assert len(desk.rows(manifest.files)) == 5


@given(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=20), held=st.integers(1, 1500), read=st.integers(1, 5))
def test_rows_are_held_by_their_bytes_and_none_is_lost(memory_desk, sizes, held, read):
    """What is written of many bytes at once is written of few; the file's own footer counts."""
    desk, days = memory_desk, ("2026-01-02", "2026-01-03")
    records = [
        desk.record(InteractionId=IDS[n], Timestamp=f"{days[n % 2]}T10:00:00Z", Long="x" * size)
        for n, size in enumerate(sizes)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "HELD_BYTES", held)
        patch.setattr(module, "BATCH_ROWS", read)
        manifest = normalize(desk.lake, desk.land(*records))
    assert manifest.counts.canonical == len(sizes)
    assert sorted(row["interaction_id"] for row in desk.rows(manifest.files)) == [
        str(UUID(one)) for one in IDS[: len(sizes)]
    ]


def test_a_writer_that_drops_rows_publishes_nothing(desk, monkeypatch):
    raw, join = desk.land(desk.record(), desk.record(InteractionId=IDS[0])), module.join_rows
    monkeypatch.setattr(module, "join_rows", lambda batches: join(batches).slice(1))
    with pytest.raises(Unreconciled, match=r"canonical = rows of the files \(2 ≠ 1\)"):
        normalize(desk.lake, raw)
    assert not [path for path in desk.files() if not path.startswith(("raw/", "pending/"))]


@pytest.mark.parametrize(
    ("good", "bad", "share", "passes"),
    [
        (50, 10, 0.05, True),
        (50, 11, 0.05, False),
        (50, 11, 0.5, True),
        (50, 60, 0.5, False),
        (1, 10, 0.05, True),
        (0, 10, 0.05, False),
        (0, 1, 0.05, False),
        (0, 10, 0.99, False),
        (0, 10, 1.0, True),
    ],
)
def test_many_rejects_fail_the_step_and_so_does_nothing_but_rejects(desk, caplog, good, bad, share, passes):
    raw = desk.land(*[desk.record(InteractionId=key) for key in IDS[:good]], *[b"{}"] * bad)
    told = rf"{bad} of {good + bad} records of dynamics_marketing in window .*: InteractionId is missing \({bad}\)\."
    if passes:
        assert normalize(desk.lake, raw, rejects_share=share).counts.rejected == bad
        assert re.search(told, caplog.text)
        return
    with pytest.raises(TooManyRejects, match=told):
        normalize(desk.lake, raw, rejects_share=share)
    kept = [path for path in desk.files() if not path.startswith(("raw/", "pending/"))]
    assert [path.split("/")[0] for path in kept] == ["rejects"]
    assert desk.lake.read(raw.place.manifest, Manifest) is None


def test_files_that_hold_more_or_less_than_the_manifest_says(desk):
    raw = desk.land(desk.record(), desk.record(InteractionId=IDS[0]))
    for more in (1, -1):
        counts = raw.counts + Counts(received=more, fetched=more, landed=more)
        with pytest.raises(Unreconciled, match="landed = rows of the files"):
            normalize(desk.lake, msgspec.structs.replace(raw, counts=counts))
        files = (msgspec.structs.replace(raw.files[0], rows=2 + more),)
        with pytest.raises(Unreconciled, match="landed = canonical"):
            normalize(desk.lake, msgspec.structs.replace(raw, counts=counts, files=files))
    assert not [path for path in desk.files() if not path.startswith(("raw/", "pending/"))]


def test_an_empty_window_is_normalized_to_nothing(desk):
    manifest = desk.normalize()
    assert (manifest.files, manifest.rejects, manifest.counts.canonical) == ((), (), 0)
    assert desk.lake.read(manifest.place.manifest, Manifest) == manifest


def test_a_mapping_to_an_unknown_word_is_a_reject_not_a_surprise(desk, monkeypatch):
    from airflow_provider_interactions.vendors.dynamics_marketing import vocabulary

    monkeypatch.setitem(vocabulary.KINDS, "EmailSent", ("carrier pigeon", "sent"))
    manifest = normalize(desk.lake, desk.land(desk.record()), rejects_share=1.0)
    [row] = desk.rows(manifest.rejects)
    assert row["reason"] == "the vendor module maps to an unknown channel (carrier pigeon)"


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)
names = st.one_of(
    st.text(), st.sampled_from(["InteractionId", "InteractionType", "Timestamp", "ContactId", "MessageId"])
)
good = st.fixed_dictionaries({"InteractionId": st.text(), "Timestamp": st.datetimes().map("{}Z".format)})
payloads = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(names, values, max_size=6).map(msgspec.json.encode),
    st.builds(lambda one, other: msgspec.json.encode({**one, **other}), st.dictionaries(names, values), good),
)


@given(all_payloads=st.lists(payloads, max_size=8))
def test_whatever_lands_is_a_row_a_reject_or_a_repeat(memory_desk, all_payloads):
    desk = memory_desk
    manifest = normalize(desk.lake, desk.land(*all_payloads), rejects_share=1.0)
    counts = manifest.counts
    assert counts.landed == len(all_payloads) == counts.canonical + counts.rejected + counts.repeated
    assert len(desk.rows(manifest.files)) == counts.canonical
    assert all(row["payload"] in all_payloads for row in desk.rows(manifest.rejects))


@given(payloads)
def test_any_bytes_are_mapped_or_rejected(payload):
    from airflow_provider_interactions.contract import Contact
    from airflow_provider_interactions.vendors import VENDORS

    for vendor in VENDORS.values():
        try:
            row = map_record(vendor, payload, Asked(Contact("c"), "EmailSent", ""))
        except RecordRejected as rejected:
            assert rejected.reason  # noqa: PT017 - either outcome is right
        else:
            assert row.interaction_id
            assert row.occurred_at.tzinfo


def test_a_slow_run_does_not_undo_a_newer_one(desk, monkeypatch):
    raw, batches = desk.land(desk.record()), module._read_batches

    def overtaken(lake, manifest):
        yield from list(batches(lake, manifest))  # read, and not yet published
        monkeypatch.undo()
        newer = [desk.record(), desk.record(InteractionId="B" * 32)]
        assert desk.normalize(*newer, extracted_at=datetime(2026, 3, 1, tzinfo=UTC)).counts.canonical == 2

    monkeypatch.setattr(module, "_read_batches", overtaken)
    with pytest.raises(WindowSuperseded, match="another extraction of the same window"):
        normalize(desk.lake, raw)
    for path in (raw.place.manifest, raw.place.raw_manifest):
        manifest = desk.lake.read(path, Manifest)
        assert manifest.counts.landed == 2
        assert all(desk.lake.fs.exists(desk.lake.full(file)) for file in manifest.paths)


HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def make_desk(memory_desk, tmp_path_factory):
    """Makes empty desks: each example of a property needs one of its own."""
    return lambda: replace(memory_desk, lake=Lake.at(str(tmp_path_factory.mktemp("lake"))))


steps = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 2), st.booleans()), min_size=2, max_size=6)


@given(steps=steps, keep=st.sampled_from([0, 5, 24]))
def test_former_files_stay_until_their_successor_is_old_enough(make_desk, steps, keep):
    """A table that consists of the lake's files, and its readers, need them until the new ones are committed.

    A version is of a new extraction, whose commit removes orphan files, or of the same one. It may be empty.
    """
    desk, now, versions, raw = make_desk(), datetime.now(UTC), [], None

    def check():
        there = {path for path in desk.files() if path.startswith("interactions/")}
        assert versions[-1][1] <= there
        for (_, paths), (later, _) in pairwise(versions):
            assert now - later >= keep * HOUR or paths <= there
        return there

    for gap, number, again in steps:
        now += gap * HOUR
        if raw is None or not again:
            records = [desk.record(InteractionId=f"{n + 1:032X}") for n in range(number)]
            raw = commit.commit_window(desk.lake, [desk.land(*records, extracted_at=now)], now=now)
            if versions:
                check()
        manifest = normalize(desk.lake, raw, keep_former=keep * HOUR, now=now)
        versions.append((now, {file.path for file in manifest.files}))
        there = check()
        full = [one for one in versions if one[1] or one is versions[-1]]
        for (_, paths), (later, _) in pairwise(full):
            assert now - later < keep * HOUR or not paths & there


def test_former_files_are_kept_for_a_day_at_most(desk):
    with pytest.raises(ConfigError, match="1 day, 0:00:00 at most"):
        normalize(desk.lake, desk.land(desk.record()), keep_former=25 * HOUR)
