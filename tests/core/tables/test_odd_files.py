"""Files that no page promises: each is read whole, or is an error that names it."""

import csv
import io
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tables_rig import DAY, FIRST, build_rows, build_vendor, day, row

from airflow_provider_interactions.contract.bulk import SUPERSEDED, TableAddress
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.tables import columns, folder
from airflow_provider_interactions.tables.csv_quotes import QuoteChecker
from airflow_provider_interactions.vendors.dynamics_journeys.managed_lake import list_tables
from airflow_provider_interactions.window import ALWAYS

AT = FIRST.isoformat().replace("+00:00", "Z")
NAMES = "IdempotencyId,Subject,Timestamp\n"


def write(rig, data, name="part.csv"):
    """Write a file of the table Opened."""
    path = rig.disk.root / "Opened" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def write_parquet(rig, rows, **options):
    (rig.disk.root / "Opened").mkdir(exist_ok=True)
    pq.write_table(rows, rig.disk.root / "Opened/part.parquet", **options)


def payloads(rig):
    return [json.loads(one["payload"]) for one in rig.records(rig.run(day(0)))]


@pytest.mark.parametrize(
    "rows",
    [
        f'a,"x,{AT}\nb,y,{AT}\n',  # to the end of the file
        f'a,"x,{AT}\nb,"y",{AT}\n',  # to the next quote
        f'a,"5\\" tv",{AT}\n',  # another way to write a quote
        f'a,"x" y,{AT}\n',
    ],
)
def test_a_quote_that_swallows_rows_is_an_error(rig, rows):
    write(rig, NAMES + rows)
    with pytest.raises(BadResponse, match=r"part\.csv\) has a (quote that is not closed|file that is damaged)"):
        rig.run(day(0))


texts = st.text(st.sampled_from('",\r\n x"é'), max_size=6)


@given(st.lists(st.lists(texts, min_size=2, max_size=2), max_size=6), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_a_file_is_whole_unless_it_ends_in_a_quote(rows, end, data):
    written = io.StringIO()
    csv.writer(
        written, lineterminator=end, quoting=data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    ).writerows(rows)
    whole = written.getvalue().encode()
    assert read_in_pieces(whole, data.draw(st.integers(1, 9)))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    outside = cut.count(b'"') % 2 == 0  # here each quote opens, closes or is doubled
    assert read_in_pieces(cut, data.draw(st.integers(1, 9))) == outside


def read_in_pieces(data, size):
    stream = QuoteChecker(io.BytesIO(data))
    while stream.read(size):
        pass
    return stream.is_whole()


@pytest.mark.parametrize("other", ["Subject", "SUBJECT"])
def test_two_columns_of_one_name_are_an_error(rig, other):
    write(rig, f"IdempotencyId,Timestamp,Subject,{other}\na,{AT},x,y\n")
    with pytest.raises(BadResponse, match=f"several columns of the name ({other}, )?Subject"):
        rig.run(day(0))


def test_a_byte_that_is_not_utf8_does_not_hide_a_table(rig):
    rows = f"a,caf\xe9,{AT}\nb\xe9,ok,{AT}\nb\xe8,\x01\xe9,{AT}\n"
    write(rig, (NAMES + rows).encode("latin-1"))
    found = [bytes(one["payload"]) for one in rig.records(rig.run(day(0)))]
    assert len(found) == 3
    assert b"caf\xe9" in found[0]
    assert b"\\u0001\xe9" in found[2]


def test_instants_of_int96_keep_their_years(rig):
    far = pa.array(["9999-12-31T23:59:59", "0001-01-01T00:00:00"]).cast(pa.timestamp("us"))
    rows = build_rows(row("a", FIRST), row("b", FIRST)).append_column("Expiry", far)
    write_parquet(rig, rows, use_deprecated_int96_timestamps=True)
    assert [one["Expiry"] for one in payloads(rig)] == ["9999-12-31T23:59:59.000000Z", "0001-01-01T00:00:00.000000Z"]


def test_nanoseconds_are_cut_for_the_window_and_kept_in_the_record(rig):
    start = int(FIRST.timestamp()) * 10**9
    at = pa.array([start - 1, start + 1, start + 86_400 * 10**9 - 1, start + 86_400 * 10**9], pa.timestamp("ns"))
    rows = build_rows(*(row(key, None) for key in "abcd"))
    write_parquet(rig, rows.set_column(rows.schema.get_field_index("Timestamp"), "Timestamp", at), row_group_size=1)
    assert [one["Timestamp"][-20:] for one in payloads(rig)] == ["T00:00:00.000000001Z", "T23:59:59.999999999Z"]


UNITS = {"s": 10**6, "ms": 10**3, "us": 1, "ns": None}
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**45), 2**45))


@example("ms", [-(2**63)], None)
@given(st.sampled_from(sorted(UNITS)), st.lists(numbers, max_size=5), st.sampled_from([None, "UTC"]))
def test_an_instant_of_any_number_is_itself_or_none(unit, found, zone):
    rows = pa.record_batch({"Timestamp": pa.array(found, pa.timestamp(unit, zone))})
    exact = [number // 1_000 if unit == "ns" else number * UNITS[unit] for number in found]
    ends = [int(end.timestamp()) * 10**6 for end in (ALWAYS.start, ALWAYS.end)]
    known = [number if ends[0] <= number < ends[1] else None for number in exact]
    assert columns.read_instants(rows, build_vendor(Path()).bulk).cast(pa.int64()).to_pylist() == known


@pytest.mark.parametrize("unit", ["ms", "us"])
@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("years", [8_100, -2_100, 10**8])
def test_a_row_in_a_year_that_no_calendar_has_is_rejected(rig, unit, statistics, years):
    """The largest number of milliseconds becomes an instant of 1969 in microseconds, if nobody looks."""
    odd = min(years * 365 * 86_400 * 10**3, (2**63 - 1) // 10**3) * (1 if unit == "ms" else 10**3)
    odd = 2**63 - 1 if years == 10**8 else odd
    rows = build_rows(*(row(f"k{n}", FIRST) for n in range(30)), row("odd", None))
    place = rows.schema.get_field_index("Timestamp")
    at = rows.column(place).cast(pa.timestamp(unit, "UTC")).cast(pa.int64()).to_pylist()[:-1]
    rows = rows.set_column(place, "Timestamp", pa.array([*at, odd], pa.timestamp(unit, "UTC")))
    write_parquet(rig, rows, write_statistics=statistics)
    counts = rig.run(day(0)).counts
    assert (counts.received, counts.fetched, counts.undated) == (31, 30, 1)


@pytest.mark.parametrize("kind", [pa.uuid(), pa.binary(16)])
def test_guids_in_binary_form_are_keys_and_people(rig, kind):
    guid = uuid.uuid4()
    rows = build_rows(row("", FIRST), row("", FIRST, 2)).drop_columns(["IdempotencyId", "ProfileId"])
    for name in ("IdempotencyId", "ProfileId"):
        rows = rows.append_column(name, pa.array([guid.bytes] * 2, kind))
    write_parquet(rig, rows)
    found = rig.records(rig.run(day(0)))
    assert sorted(one["context"] for one in found) == ["", SUPERSEDED]
    assert {uuid.UUID(one["contact_id"]) for one in found} == {guid}
    assert {uuid.UUID(json.loads(one["payload"])["IdempotencyId"]) for one in found} == {guid}


@pytest.mark.parametrize(
    "versions",
    [
        pa.array([9, 10], pa.decimal128(12, 2)),
        pa.array([9.0, 10.0]),
        pa.array(["9.0", "10.0"]),
        pa.array([" 9", "10.00 "]),
        pa.array([9, 10], pa.uint64()),
        pa.array(["9", "10"]).dictionary_encode(),
        pa.array([2**64 - 1, 1], pa.uint64()),
    ],
)
def test_a_version_counts_in_any_spelling_of_its_number(rig, versions):
    rows = build_rows(row("k", FIRST), row("k", FIRST))
    place = rows.schema.get_field_index("Version")
    write_parquet(rig, rows.set_column(place, "Version", versions.take(pa.array([1, 0]))))
    assert [one["context"] for one in rig.records(rig.run(day(0)))] == ["", SUPERSEDED]


def test_rows_without_an_instant_are_not_left_out_where_nobody_counted_them(rig, monkeypatch):
    write_parquet(rig, build_rows(*(row(f"k{n}", FIRST + 5 * DAY) for n in range(30)), row("broken", None)))
    read = folder.pq.ParquetFile

    class Uncounted:
        """A file whose statistics do not say how many values are null."""

        has_min_max, null_count = True, None
        min_raw = max_raw = int(datetime(2026, 3, 6, tzinfo=UTC).timestamp()) * 10**6

    class File:
        def __init__(self, *args, **more):
            self._file = read(*args, **more)
            self.metadata = self

        def __getattr__(self, name):
            return getattr(self._file, name)

        def row_group(self, _):
            return self

        def column(self, _):
            return self

        statistics = Uncounted()

    monkeypatch.setattr(folder.pq, "ParquetFile", File)
    assert rig.run(day(0)).counts.undated == 1


class Folders:
    """The managed lake with one folder, and its list of tables."""

    def __init__(self, listed):
        self.listed = listed if isinstance(listed, bytes) else json.dumps(listed).encode()

    def read(self, path):  # noqa: ARG002
        return self.listed

    def list_folders(self, path):  # noqa: ARG002
        return ["EmailSent"]


SENT = {"entityName": "EmailSent", "dataPartitions": [{"location": "EmailSent"}]}


def test_a_byte_order_mark_does_not_hide_the_list_of_tables():
    listed = b"\xef\xbb\xbf" + json.dumps({"entities": [SENT]}).encode()
    assert list(list_tables(Folders(listed))) == [TableAddress("EmailSent", "EmailSent")]


@pytest.mark.parametrize(
    "nothing",
    [{"dataPartitions": []}, {}, {"dataPartitions": [], "dataPartitionPatterns": [], "incrementalPartitions": None}],
)
def test_an_entity_without_partitions_has_no_table(nothing):
    listed = {"entities": [SENT, {"entityName": "SmsSent", **nothing}], "subManifests": []}
    assert list(list_tables(Folders(listed))) == [TableAddress("EmailSent", "EmailSent")]


@pytest.mark.parametrize(
    "listed",
    [
        {},
        [],
        b"",
        b"<html>Sign in</html>",
        {"entities": None},
        {"Entities": [SENT]},
        {"entities": [[SENT]]},
        {"entities": [None]},
        {"entities": [{**SENT, "dataPartitions": None}]},
        {"entities": [{**SENT, "dataPartitions": [{}]}]},
        {"entities": [{**SENT, "dataPartitions": [{"location": "Elsewhere"}]}]},
        {"entities": [{**SENT, "dataPartitions": [{"location": "EmailSent/../Other"}]}]},
        {"entities": [{"entityName": "EmailSent", "DataPartitions": SENT["dataPartitions"]}]},
        {"entities": [{"entityName": "EmailSent", "dataPartitionPatterns": [{"rootLocation": "EmailSent"}]}]},
        {"entities": [{**SENT, "incrementalPartitions": [{"location": "EmailSent/new"}]}]},
        {"entities": [SENT], "subManifests": [{"definition": "more.manifest.cdm.json"}]},
        b'{"entities":[%s],"entities":[]}' % json.dumps(SENT).encode(),
        b'{"entities":[{"entityName":"EmailSent","dataPartitions":[{"location":"EmailSent"}],"dataPartitions":[]}]}',
    ],
    ids=str,
)
def test_a_list_of_tables_in_another_shape_never_hides_one(listed):
    with pytest.raises(BadResponse):
        list(list_tables(Folders(listed)))


@pytest.mark.parametrize("name", ["part.parquet", "part.snappy.PARQUET", "2026/03/part.parquet"])
def test_a_parquet_file_without_a_byte_is_an_error_and_not_a_file_without_rows(rig, name):
    rig.disk.add("Opened", build_rows(row("a", FIRST)), "parquet", "whole")
    file = rig.disk.root / "Opened" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    with pytest.raises(BadResponse, match=rf"file {name.rpartition('/')[2]}\) has a file that is damaged"):
        rig.run(day(0))


def test_marks_of_folders_and_of_spark_are_no_files_of_a_table(rig):
    (rig.disk.root / "Opened").mkdir()
    for name in ("2026", "_SUCCESS", "._part.parquet.crc"):
        (rig.disk.root / "Opened" / name).touch()
    with pytest.raises(BadResponse, match="neither a Delta log nor files"):
        rig.run(day(0))
    write(rig, "", "none.csv")  # as a file that somebody will append to
    assert rig.run(day(0)).counts.received == 0
    rig.disk.add("Opened", build_rows(row("a", FIRST)), "parquet", "whole")
    assert rig.run(day(0)).counts.fetched == 1


def test_a_delta_table_deeper_in_a_folder_is_not_read_as_loose_files(rig):
    rig.disk.add("Opened/deltalake", build_rows(row("a", FIRST)))
    with pytest.raises(BadResponse, match="has a Delta table in a folder of its own"):
        rig.run(day(0))
