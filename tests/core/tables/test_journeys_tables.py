"""Customer Insights - Journeys from its tables to canonical rows: the newest version stays, whatever the order."""

import sys
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_rig import DAY, FIRST, build_rows, day, make_rig, row

from airflow_provider_interactions import vendors
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.extract.tables import land_tables
from airflow_provider_interactions.lake.memory import open_memory_lake
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.person.files import read_person
from airflow_provider_interactions.person.from_lake import land_from_lake
from airflow_provider_interactions.vendors.dynamics_journeys.columns import (
    COUNT,
    KEYS,
    PEOPLE,
    TIME,
    VERSION,
    mark_cancellations,
    spell_ids,
)
from airflow_provider_interactions.vendors.dynamics_journeys.mapping import map_records
from airflow_provider_interactions.vendors.dynamics_journeys.times import read_timestamps
from airflow_provider_interactions.window import Window

#: Table, key and version: few of each, so that they meet. Contacts of the versions of a key may differ.
versions = st.tuples(
    st.sampled_from(["EmailSent", "SmsSent"]),
    st.sampled_from("ab"),
    st.one_of(st.none(), st.integers(0, 3)),
    st.sampled_from("xy"),
)


def register(monkeypatch):
    """A maker of rigs whose vendor has the columns and the mapping of Journeys, and is in the registry."""
    module = ModuleType(f"{vendors.__name__}.acme")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(vendors, "NAMES", (*vendors.NAMES, "acme"))

    def make(folder):
        rig = make_rig(Path(folder))
        columns = {"time": TIME, "keys": KEYS, "version": VERSION, "people": PEOPLE}
        columns |= {"count": COUNT, "mark_keys": mark_cancellations}
        bulk = replace(rig.vendor.bulk, **columns, read_times=read_timestamps, spell_ids=spell_ids)
        rig.vendor = module.VENDOR = replace(rig.vendor, bulk=bulk, map_records=map_records)
        return rig

    return make


@pytest.fixture
def journeys(monkeypatch):
    """Makes rigs for a test."""
    return register(monkeypatch)


@pytest.fixture(scope="module")
def journeys_of_module():
    """Makes rigs for a property, whose examples share it."""
    with pytest.MonkeyPatch.context() as patch:
        yield register(patch)


def write(rig, rows, cuts):
    """Write rows into the files of their tables, a new file after each cut."""
    bounds = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    for number, (start, end) in enumerate(pairwise(bounds)):
        for table in {name for name, *_ in rows[start:end]}:
            some = [
                row(key, FIRST, version, person, UsageType=str(place))
                for place, (name, key, version, person) in enumerate(rows)
                if name == table and start <= place < end
            ]
            rig.disk.add(table, build_rows(*some), "parquet", f"part{number}")


def list_rows(rig, manifest):
    return [one for batch in read_rows(rig.lake, manifest.files) for one in batch.to_pylist()]


@settings(max_examples=25)
@given(st.lists(versions, min_size=1, max_size=9), st.sets(st.integers(1, 8)), st.integers(1, 9))
def test_the_newest_version_of_each_key_stays_whatever_the_order(journeys_of_module, rows, cuts, size):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        rig = journeys_of_module(folder)
        write(rig, rows, cuts)
        patch.setattr(pipeline, "BATCH_ROWS", size)
        manifest = normalize(rig.lake, rig.run(day(0)))
        found = list_rows(rig, manifest)
    newest = {}
    for table, key, version, _ in rows:
        newest[f"{table}:{key}"] = max(newest.get(f"{table}:{key}", -1), -1 if version is None else version)
    known = {one["interaction_id"]: -1 if one["revision"] is None else one["revision"] for one in found}
    assert known == newest
    assert not [one for one in found if "Version" in one["attributes"]]
    counts = manifest.counts
    assert (counts.landed, counts.canonical, counts.rejected) == (len(rows), len(newest), 0)
    assert (counts.repeated, len(found)) == (len(rows) - len(newest), len(newest))


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.string()])
@pytest.mark.parametrize("other", ["a", "b"])  # whether it has an id of its own is not published
def test_both_rows_of_a_cancelled_delivery_stay(journeys, tmp_path, other, kind):
    rig = journeys(tmp_path)
    known = (("a", 1, 1), (other, 2, -1), ("c", 1, 1), (other, 3, -1))
    spell, form = (str, "csv") if kind == pa.string() else (int, "delta")
    rows = [row(key, FIRST, version, DeliveredCount=spell(count), MessageId="m") for key, version, count in known]
    rig.disk.add("EmailDelivered", build_rows(*rows, DeliveredCount=kind), form)
    manifest = normalize(rig.lake, rig.run(day(0)))
    found = list_rows(rig, manifest)
    assert sorted(one["count"] for one in found) == [-1, 1, 1]
    assert {one["revision"] for one in found if one["count"] < 0} == {3}
    assert manifest.counts.repeated == 1
    assert {one["action"] for one in found} == {"delivered"}


def test_a_key_that_two_types_share_is_two_interactions(journeys, tmp_path):
    rig = journeys(tmp_path)
    for table in ("EmailSent", "EmailOpened"):
        rig.disk.add(table, build_rows(row("a", FIRST)))
    manifest = normalize(rig.lake, rig.run(day(0)))
    assert {one["interaction_id"] for one in list_rows(rig, manifest)} == {"EmailSent:a", "EmailOpened:a"}
    assert manifest.counts.rejected == 0


@pytest.mark.parametrize("none", [None, "", "00000000-0000-0000-0000-000000000000", "{0}"])
def test_rows_without_a_key_of_their_own_are_not_versions_of_each_other(journeys, tmp_path, none):
    rig = journeys(tmp_path)
    rows = [row(none, FIRST, n, InternalMarketingInteractionId=key) for n, key in enumerate(("a", "b", "b", "c"))]
    rig.disk.add("EmailSent", build_rows(*rows))
    manifest = normalize(rig.lake, rig.run(day(0)))
    found = {one["interaction_id"]: one["revision"] for one in list_rows(rig, manifest)}
    assert found == {"EmailSent:a": 0, "EmailSent:b": 2, "EmailSent:c": 3}
    assert (manifest.counts.repeated, manifest.counts.rejected) == (1, 0)


def test_a_row_that_has_its_key_in_the_older_column_only_is_a_version_of_the_same(journeys, tmp_path):
    rig = journeys(tmp_path)
    rows = [row(None, FIRST, 1, InternalMarketingInteractionId="a"), row("a", FIRST, 2), row("b", FIRST)]
    rig.disk.add("EmailSent", build_rows(*rows))
    found = list_rows(rig, normalize(rig.lake, rig.run(day(0))))
    versions = {one["interaction_id"]: one["revision"] for one in found}
    assert versions == {"EmailSent:a": 2, "EmailSent:b": 1}


@pytest.mark.parametrize("versions", [(1, 2), (2, 1), (None, 0)])
def test_an_answer_from_the_lake_has_the_newest_version_of_a_row_that_moved(journeys, tmp_path, versions):
    """The row is in two windows. Each landed its own, and the vendor itself would answer with the newest."""
    rig, person = journeys(tmp_path), Contact("p1", "contact")
    rows = [row("a", FIRST + n * DAY, version, UsageType=str(version)) for n, version in enumerate(versions)]
    rig.disk.add("EmailSent", build_rows(*rows, row("b", FIRST)))
    for n in range(2):
        rig.run(day(n))
    whole = Window(day(0).start, day(1).end)
    for land in (lambda job: land_from_lake(rig.lake, job).manifest, lambda job: land_tables(job, "raw")):
        with open_memory_lake() as memory:
            manifest = land(replace(rig.job(whole, [person], keeps="undated"), lake=memory))
            [found] = read_person(memory, rig.vendor, manifest, frozenset())
        shown = {one["interaction_id"]: one["revision"] for one in found.interactions}
        assert shown == {"EmailSent:a": max(one for one in versions if one is not None), "EmailSent:b": 1}
        assert (found.records, found.repeated, len(found.rejects)) == (3, 1, 0)


def test_rows_of_people_in_any_mixture_are_all_there(journeys, tmp_path):
    """Rows of a contact are not adjacent in a table."""
    rig = journeys(tmp_path)
    rows = [row(f"k{n}", FIRST, person=f"p{n % 3}") for n in range(30)]
    rig.disk.add("EmailSent", build_rows(*rows), "csv")
    manifest = normalize(rig.lake, rig.run(day(0)))
    assert (manifest.counts.canonical, manifest.counts.repeated) == (30, 0)
