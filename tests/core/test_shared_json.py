"""Counts and whole numbers in all spellings that vendors use."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.mapping import build_batch
from airflow_provider_interactions.vendors.shared import json as shared_json
from airflow_provider_interactions.vendors.shared.json import read_count, spell_integer
from airflow_provider_interactions.vendors.shared.records import Records


@pytest.mark.parametrize("text", ["1.685581782856E12", "1685581782856.0", "1685581782856", "168558178285600e-2"])
def test_spell_integer_gives_a_whole_number_one_spelling(text: str) -> None:
    assert spell_integer(text) == "1685581782856"


@pytest.mark.parametrize("text", ["007", "1.5", "1e-1", "1e999", "", "abc", "+1", "1.6855817828561E12", "0x1"])
def test_spell_integer_leaves_what_is_not_whole(text: str) -> None:
    assert spell_integer(text) == text


@given(st.integers(-(10**27), 10**27), st.integers(-20, 8))  # Decimal keeps 28 digits
def test_every_spelling_of_a_whole_number_is_one(number: int, exponent: int) -> None:
    dressed = f"{Decimal(number).scaleb(-exponent):f}e{exponent}"
    assert spell_integer(dressed) == str(number)
    assert spell_integer(f"{number}.000") == str(number)


@pytest.mark.parametrize("value", [1200, 1200.0, "1200", " 1200 ", "1,200", "1 200", "1200.0", "1'200", "1\u202f200"])
def test_counts_are_read_in_any_dress(value: object) -> None:
    assert read_count(value, "count") == 1200


@pytest.mark.parametrize(
    "value",
    [True, None, -1, 1.5, float("nan"), float("inf"), "", "many", "1.000", "1,2", "12,00", "-3", "1,200 000", "٣", []],
)
def test_a_count_that_cannot_be_read_is_said(value: object) -> None:
    with pytest.raises(BadResponse, match="count is not a readable number"):
        read_count(value, "count")


@given(st.integers(0, 10**12), st.sampled_from(["{}", "{:,}", " {:,} ", "{}.0", "{:_}", "{:,}.00"]))
def test_a_dressed_count_keeps_its_value(number: int, dress: str) -> None:
    assert read_count(dress.format(number), "count") == number


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=2)
VALUES = st.one_of(st.none(), st.integers(0, 9), NAMES, st.lists(NAMES, max_size=2), st.dictionaries(NAMES, NAMES))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5), st.sampled_from(["", " ", "\n\t"]))
def test_a_member_that_comes_twice_is_refused_and_nothing_else(pairs: list[tuple[str, object]], blank: str) -> None:
    members = f"{blank},{blank}".join(f"{json.dumps(k)}{blank}:{blank}{json.dumps(v)}" for k, v in pairs)
    body = f"{blank}{{{blank}{members}{blank}}}{blank}".encode()
    records = Records(build_batch([b'{"a":1}', body, b"{}"], Contact("x"), "", ""))
    if len({name for name, _ in pairs}) == len(pairs):
        assert list(shared_json.read_members(body, "it")) == [name for name, _ in pairs]
        assert (records.reasons, list(records.fields[1])) == ({}, [name for name, _ in pairs])
    else:
        with pytest.raises(BadResponse, match="twice"):
            shared_json.read_members(body, "it")
        assert records.reasons == {1: "the record names a field twice"}


@pytest.mark.parametrize("odd", [b"caf\xe9", b"\\ud83d", b"\x00"])
def test_a_record_with_an_odd_byte_is_repaired_and_one_that_names_a_field_twice_is_not(odd: bytes) -> None:
    one, other = (b'{"Subject":"%s","%s":"y"}' % (odd, name) for name in (b"Name", b"S\\u0075bject"))
    assert Records(build_batch([one, other], Contact("x"), "", "")).reasons == {1: "the record names a field twice"}
