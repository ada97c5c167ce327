"""Contacts from lists and files: each once, in order, cut into batches, read back by batch alone."""

from dataclasses import replace
from datetime import UTC, datetime

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions import contact_files, contacts
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.key_ring import add_key_ring
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.pseudonyms import is_pseudonym
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.identity_map import scan_file
from airflow_provider_interactions.vendors import VENDORS

NOW = datetime(2026, 2, 1, tzinfo=UTC)
LUMINATE = VENDORS["luminate_online"]


@pytest.fixture
def lake(tmp_path):
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def place(tools):
    return WindowPaths(tools.name, "acme", tools.day)


def people(number):
    return [Contact(f"{n:06d}", "cons_id") for n in range(number)]


def test_batches_give_back_what_was_kept_in_order_and_each_once(lake, place, monkeypatch):
    monkeypatch.setattr(contacts, "GROUP", 7)
    wanted = people(50)
    pages = [wanted[start : start + 7] + wanted[:3] for start in range(0, 50, 7)]
    path, number = contacts.write_list(lake, place, pages, NOW)
    assert number == 50
    for size in (1, 6, 7, 8, 49, 50, 51):
        batches = contacts.cut_batches(path, number, size)
        assert [b.batch for b in batches] == list(range(batches[0].batches)) == list(range(-(-50 // size)))
        assert [c for batch in batches for c in contacts.read_batch(lake, batch)] == wanted


def test_a_list_beside_encrypted_records_names_nobody(lake, place, tmp_path, monkeypatch):
    """Nor does it bring back who was erased, also if the list is restored from a copy."""
    monkeypatch.setattr(contacts, "GROUP", 20)
    keys = tmp_path / "keys"
    lake = add_key_ring(lake, Lake.at(str(keys)), lambda: [HashKey(b"m" * 32)])
    wanted = people(50)
    path, number = contacts.write_list(lake, place, [wanted[n : n + 1] for n in range(50)], NOW)
    stored = pq.read_table(lake.full(path))["contact_id"].to_pylist()
    assert len({one for one in stored if is_pseudonym(one)}) == 50
    assert pq.ParquetFile(lake.full(path)).num_row_groups == 3
    batches = contacts.cut_batches(path, number, 7)
    other = add_key_ring(lake, Lake.at(str(keys)), lambda: [HashKey(b"m" * 32)])
    assert [c for batch in batches for c in contacts.read_batch(other, batch)] == wanted
    assert other.ring.destroy_keys(place.vendor, [("cons_id", one.id) for one in wanted[3:9]]) == 6
    assert [c for batch in batches for c in contacts.read_batch(other, batch)] == wanted[:3] + wanted[9:]
    with pytest.raises(ConfigError, match="need their key store"):
        contacts.read_batch(replace(lake, ring=None), batches[0])


def test_a_list_from_before_is_read(lake, place, tmp_path):
    path, number = contacts.write_list(lake, place, [people(5)], NOW)
    later = add_key_ring(lake, Lake.at(str(tmp_path / "keys")), lambda: [HashKey(b"m" * 32)])
    assert contacts.read_batch(later, contacts.cut_batches(path, number, 9)[0]) == people(5)


def test_nobody_is_one_empty_batch(lake, place):
    path, number = contacts.write_list(lake, place, [], NOW)
    (batch,) = contacts.cut_batches(path, number, 100)
    assert (batch.count, batch.batches) == (0, 1)
    assert contacts.read_batch(lake, batch) == []


def test_a_source_that_fails_half_way_leaves_no_list(lake, place):
    def pages():
        yield people(3)
        raise ConfigError("the source broke")

    with pytest.raises(ConfigError, match="the source broke"):
        contacts.write_list(lake, place, pages(), NOW)
    assert lake.fs.find(lake.root) == []


def test_a_list_that_is_gone_says_what_to_run_again(lake):
    with pytest.raises(ConfigError, match="Run the step that lists contacts again"):
        contacts.read_batch(lake, contacts.Batch("contacts/none.parquet", 0, 1, 0, 1))


@pytest.mark.parametrize("number", [1, 10_001])
def test_a_wrong_identifier_is_told_by_its_place_and_never_shown(tools, number):
    good = "0dbe0fa3-8e18-e811-a951-000d3a37caec"
    ids = [good] * (number - 1) + ["jane@example.org"]
    with pytest.raises(ConfigError, match=rf"^Contact {number} of the list") as caught:
        list(contacts.check_identifiers(tools.vendor, ids))
    assert "jane" not in str(caught.value)


TEXTS = st.lists(st.text("0123456789abc-+@.é", min_size=1, max_size=12), min_size=1, max_size=30)


@given(ids=TEXTS, ending=st.sampled_from(["parquet", "csv", "txt"]))
def test_every_kind_of_file_gives_its_identifiers_as_text(tmp_path_factory, ids, ending):
    path = str(tmp_path_factory.mktemp("ids") / f"ids.{ending}")
    table = pa.table({"other": ["x"] * len(ids), "id": ids})
    if ending == "parquet":
        pq.write_table(table, path)
    elif ending == "csv":
        pa.csv.write_csv(table, path)
    else:
        with open(path, "w", encoding="utf-8", newline="") as stream:  # noqa: PTH123 - a path for fsspec
            stream.write("\r\n".join(ids) + "\n\n")
    assert list(contact_files.read_file(fsspec.filesystem("file"), path, "id")) == ids


def test_the_first_column_is_the_default_and_numbers_stay_as_written(tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("cons_id,name\n0012,a\n9007199254740993,b\n,c\n")
    assert list(contact_files.read_file(fsspec.filesystem("file"), str(path))) == ["0012", "9007199254740993"]


def test_a_map_of_identities_loses_no_row_to_a_quote_and_no_word_to_null(tmp_path):
    names = "person_id,vendor,account,kind,identifier,note\n"

    def read(rows):
        (tmp_path / "map.csv").write_text(names + rows)
        batches = scan_file(fsspec.filesystem("file"), str(tmp_path / "map.csv"))(pc.field("vendor") == "which50")
        return [(row["person_id"], row["identifier"]) for batch in batches for row in batch.to_pylist()]

    assert read('NA,which50,,,null,"two\nlines"\nnan,which50,,,NULL,\n') == [("NA", "null"), ("nan", "NULL")]
    with pytest.raises(ConfigError, match="a quote that is not closed"):
        read('1,which50,,,a,"x\n2,which50,,,b,y\n')


def test_a_break_in_another_column_hides_no_contact(tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("id,note\n" + "".join(f'{n},"two\n{n},lines, ""{n}"""\n' for n in range(70_000)))
    assert list(contact_files.read_file(fsspec.filesystem("file"), str(path))) == [str(n) for n in range(70_000)]


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("none.csv", None, None, "does not exist"),
        ("ids.csv", b"a,b\n1,2\n", "c", "Check format and column"),
        ("ids.parquet", b"no parquet", None, "cannot be read as parquet"),
        ("ids.csv", b"id,id\n1,2\n", None, "several columns of the name"),
        ("ids.csv", b"x,id,id\n0,1,2\n", "id", "several columns of the name"),
        ("ids.csv", b'id,name\n1,"A\n2,B\n3,C\n', "id", "a quote that is not closed"),
        ("ids.csv", b'id;name\n1;"A\n2;"B"\n3;C\n', "id", "a quote that is not closed|cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, column, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        list(contact_files.read_file(fsspec.filesystem("file"), str(tmp_path / name), column))


@pytest.mark.parametrize("columns", [0, 2])
def test_a_parquet_file_must_have_one_column_to_read(tmp_path, columns):
    pq.write_table(pa.Table.from_arrays([pa.array(["1"])] * columns, names=["id"] * columns), tmp_path / "ids.parquet")
    with pytest.raises(ConfigError, match="several columns of the name" if columns else "Check format and column"):
        list(contact_files.read_file(fsspec.filesystem("file"), str(tmp_path / "ids.parquet")))


def test_a_vendor_without_a_list_says_what_to_give():
    with pytest.raises(ConfigError, match="offers no list of its contacts"):
        list(contacts.list_from_vendor(VENDORS["capillary"], None, None))
