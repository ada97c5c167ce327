"""Addresses are compared in one way, whoever compares them: columns, single identifiers, or a table's addresses."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.addresses import add_spellings, fold_addresses, fold_contact, fold_identifier
from airflow_provider_interactions.contract import Contact

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    "aAiIİ\u0131kK\u212asSßẞ\u03a3\u03c3\u03c2@.", max_size=6
)
KINDS = st.sampled_from(["email", "mobile"])


@given(st.lists(TEXT))
def test_a_column_and_its_texts_are_folded_alike_and_keep_their_lengths(texts):
    folded = fold_addresses(pa.array(texts, pa.string())).to_pylist()
    assert folded == [fold_identifier("email", one) for one in texts]
    assert list(map(len, folded)) == list(map(len, texts))
    assert folded == [fold_identifier("email", one) for one in folded]
    assert [fold_identifier("mobile", one) for one in texts] == texts


@given(st.lists(st.builds(Contact, TEXT, KINDS)), st.lists(st.lists(TEXT)))
def test_spellings_are_those_of_the_addresses_and_nothing_else(contacts, columns):
    found = add_spellings(contacts, lambda: [pa.array(one, pa.string()) for one in columns])
    folded = {fold_contact(one) for one in contacts}
    theirs = {Contact(one, "email") for column in columns for one in column}
    assert len(found) == len(set(found))
    assert set(found) == {*contacts, *(one for one in theirs if fold_contact(one) in folded)}


def test_a_table_is_not_read_for_people_without_an_address():
    assert add_spellings([Contact("A", "mobile")] * 2, lambda: 1 / 0) == [Contact("A", "mobile")]
