"""A small table is read once, a large one twice: both land the same, or fail the same."""

import json
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_rig import FIRST, build_rows, day, make_rig, row

from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.extract import table_rows
from airflow_provider_interactions.extract.table_rows import SupersededRows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.tables import folder
from airflow_provider_interactions.tables.folder import FolderReader

FORMATS = ("delta", "parquet", "csv")

#: Bytes that may be held: all of a table's, and none.
ONCE, TWICE = 2**30, 0

#: Key, version, hours after the start of the first of two windows (None: no instant), and person: few of each.
rows_of_a_table = st.lists(
    st.tuples(
        st.sampled_from([None, "", "a", "b", "c"]),
        st.one_of(st.none(), st.integers(0, 2)),
        st.one_of(st.none(), st.integers(-3, 27)),
        st.sampled_from(["x", None]),
    ),
    min_size=1,
    max_size=12,
)


def land(rig, name, held):
    """The rows in their order, counts and facts of a run with a lake of its own; or its error."""
    lake = Lake.at(str(rig.disk.root.parent / name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_rows, "HELD_BYTES", held)
        try:
            manifest = replace(rig, lake=lake).run(day(0), extracted_at=FIRST)
        except InteractionsError as error:
            return type(error), str(error)
    rows = replace(rig, lake=lake).records(manifest)
    home = "tables/vendor=acme/account=acme.example"
    facts = [json.loads(lake.read_bytes(f"{home}/{path}")) for path in lake.list_names(home)]
    return rows, manifest.counts, facts


def write(rig, form, rows, cut):
    """Write a table as one file or two."""
    for number, some in enumerate(filter(None, (rows[:cut], rows[cut:]))):
        made = [
            row(key, None if at is None else FIRST + timedelta(hours=at), version, person, Text=str(place))
            for place, (key, version, at, person) in enumerate(some)
        ]
        rig.disk.add("Opened", build_rows(*made), form, f"part{number}")


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FORMATS), rows_of_a_table, st.integers(0, 12), st.integers(1, 4))
def test_the_rows_counts_marks_and_facts_are_the_same(form, rows, cut, size):
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "ROWS", size)  # several batches a file
        rig = make_rig(Path(place))
        write(rig, form, rows, cut)
        assert land(rig, "once", ONCE) == land(rig, "twice", TWICE)


@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_file_is_the_same_error(rig, form):
    write(rig, form, [(f"k{n}", 1, 1, "x") for n in range(50)], 25)
    file = max((rig.disk.root / "Opened").glob("part*"))
    file.write_bytes(file.read_bytes()[:-60] if form != "csv" else b'"')
    kind, text = land(rig, "once", ONCE)
    assert (kind, text) == land(rig, "twice", TWICE)
    assert "the table Opened" in text


@pytest.mark.parametrize("held", [ONCE, TWICE])
@pytest.mark.parametrize("later", [[("b", 2), ("a", 1), ("b", 1)], [("a", 1), ("b", 1), ("b", 2), ("c", 1)]])
def test_a_table_that_changes_lands_as_it_was_at_one_time(rig, monkeypatch, held, later):
    """Its file is replaced after the first whole scan: by the same rows in another order, or with one more."""
    states = [[("a", 1), ("b", 1), ("b", 2)], later]
    scan, ended = FolderReader.scan, []

    def put(state):
        rig.disk.add("Opened", build_rows(*(row(key, FIRST, version) for key, version in state)), "parquet")

    def scan_and_change(self, *args):
        yield from scan(self, *args)
        if not ended:
            ended.append(True)
            put(later)

    put(states[0])
    monkeypatch.setattr(FolderReader, "scan", scan_and_change)
    rows, counts, [facts] = land(rig, "lake", held)
    found = sorted(
        (record["IdempotencyId"], record["Version"], bool(one["context"]))
        for one, record in ((one, json.loads(one["payload"])) for one in rows)
    )
    states = [sorted((key, version, (key, version) == ("b", 1)) for key, version in state) for state in states]
    assert found in states
    assert facts["tables"]["Opened"][0] == counts.landed == len(rows)


def test_superseded_rows_are_taken_as_they_are_needed():
    taken = []

    def find():
        for place in range(1, 1000, 2):
            taken.append(place)
            yield place, "k"

    bulk = make_rig(Path(tempfile.mkdtemp())).vendor.bulk
    superseded = SupersededRows(find())
    batch = pa.RecordBatch.from_pydict({"IdempotencyId": ["k"] * 4})
    assert [superseded.take(batch, bulk) for _ in range(2)] == [[1, 3], [1, 3]]
    assert taken == [1, 3, 5, 7, 9]
