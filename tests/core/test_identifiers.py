"""Identifiers: text and whole numbers become what they are, and everything else is refused by its place."""

import json
from decimal import Decimal

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions import contact_files, contacts
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.job import knows_too_few
from airflow_provider_interactions.identifiers import spell_identifier
from airflow_provider_interactions.vendors import VENDORS

LUMINATE, WHICH50, CAPILLARY = VENDORS["luminate_online"], VENDORS["which50"], VENDORS["capillary"]
FILES = fsspec.filesystem("file")


def read(path, vendor=None, column=None, kind=None):
    accepts = None if vendor is None else contact_files.make_accepter(vendor, kind)
    return list(contact_files.read_file(FILES, str(path), column, accepts))


@given(number=st.integers(0, 2**53), dress=st.sampled_from([int, float, Decimal, str, lambda n: Decimal(f"{n}.00")]))
def test_a_whole_number_is_the_same_identifier_in_every_type(number, dress):
    assert spell_identifier(dress(number)) == spell_identifier([dress(number)]) == str(number)


ODD = (
    st.floats().filter(lambda n: not n.is_integer() or abs(n) > 2**53)
    | st.decimals().filter(lambda n: not n.is_finite() or n % 1 != 0 if abs(n.adjusted()) < 20 else False)
    | st.binary()
    | st.booleans()
    | st.dictionaries(st.text(), st.text(), max_size=2)
    | st.lists(st.text(), min_size=2)
    | st.lists(st.lists(st.text(), max_size=2), min_size=1)
    | st.sampled_from(["1.6E+11", "1,6E+11", "M\ufffdller", '"Enc1"', "'Enc1", "\u2019123"])
)


@given(before=st.integers(0, 5), odd=ODD)
def test_what_is_no_identifier_is_refused_by_its_place(before, odd):
    with pytest.raises(ConfigError, match=rf"^Contact {before + 1} of the list") as caught:
        list(contacts.check_identifiers(WHICH50, [*["Enc1"] * before, odd]))
    assert "Enc1" not in str(caught.value)


def test_rows_of_a_query_count_as_their_values():
    rows = json.loads('[["Enc1"], ["Enc2"], [null]]')
    assert [contact.id for contact in contacts.check_contacts(WHICH50, rows)] == ["Enc1", "Enc2"]


@pytest.mark.parametrize("column", [pa.array([1.0, 2.0, None]), pa.array([Decimal("1.00"), Decimal("2.00"), None])])
def test_a_column_of_numbers_is_one_of_whole_numbers(tmp_path, column):
    pq.write_table(pa.table({"id": column}), tmp_path / "ids.parquet")
    found = contacts.check_contacts(LUMINATE, read(tmp_path / "ids.parquet", LUMINATE))
    assert [contact.id for contact in found] == ["1", "2"]


def test_a_column_of_bytes_is_refused(tmp_path):
    pq.write_table(pa.table({"id": pa.array([b"Enc1"])}), tmp_path / "ids.parquet")
    with pytest.raises(ConfigError, match=r"Contact 1 of the list.* of type bytes"):
        contacts.check_contacts(WHICH50, read(tmp_path / "ids.parquet"))


@pytest.mark.parametrize("ending", ["txt", "csv"])
def test_a_file_of_another_encoding_is_refused(tmp_path, ending):
    (tmp_path / f"ids.{ending}").write_bytes("name\nM\u00fcller\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"UTF-8|cannot be read as csv"):
        read(tmp_path / f"ids.{ending}")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_table_of_text_is_cut_at_its_own_delimiter(tmp_path, mark, ending):
    (tmp_path / f"ids.{ending}").write_text(f"cons_id{mark}name\n0012{mark}a\n13{mark}b\n")
    assert read(tmp_path / f"ids.{ending}", LUMINATE) == ["0012", "13"]


@pytest.mark.parametrize(
    ("vendor", "kind", "first"),
    [
        (LUMINATE, "cons_id", "1001"),
        (LUMINATE, "email", "ann@example.org"),
        (VENDORS["dynamics_marketing"], None, "0dbe0fa3-8e18-e811-a951-000d3a37caec"),
        (WHICH50, None, "aGVsbG8x"),
        (CAPILLARY, "mobile", "919900000001"),
    ],
)
def test_a_csv_without_a_header_is_refused_and_not_one_short(tmp_path, vendor, kind, first):
    (tmp_path / "ids.csv").write_text(f"{first}\n{first}\n")
    with pytest.raises(ConfigError, match=r"first line .* name of the column as column"):
        read(tmp_path / "ids.csv", vendor, kind=kind)
    assert read(tmp_path / "ids.csv", vendor, column=first, kind=kind) == [first]


@pytest.mark.parametrize("header", ["EncContactId", "Contact Id", "contact_id"])
def test_a_name_is_a_header_where_identifiers_are_free_text(tmp_path, header):
    (tmp_path / "ids.csv").write_text(f"{header}\nEnc1\n")
    assert read(tmp_path / "ids.csv", WHICH50) == ["Enc1"]


@pytest.mark.parametrize(
    ("unknown", "asked", "wrong"),
    [(0, 0, False), (1, 1, True), (18, 19, False), (19, 19, True), (10, 20, False), (11, 20, True), (40, 40, True)],
)
def test_a_list_of_which_too_few_are_known_is_wrong(unknown, asked, wrong):
    assert knows_too_few(unknown, asked) is wrong
