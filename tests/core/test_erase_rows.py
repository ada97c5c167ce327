"""Parts of an erasure: leaving rows out, the digest of what is left, and the search for identifiers in many bytes."""

import hashlib
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.extract.raw_table import PayloadDigest, digest_payloads
from airflow_provider_interactions.extract.rewriter import FEW_ROWS, drop_rows, encode_anew
from airflow_provider_interactions.person.search import FEW, PIECE, build_patterns, count_matches

WORD = pa.dictionary(pa.int32(), pa.string())
ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=6), st.booleans()), max_size=40)


def table(rows, cuts):
    """Rows in several chunks, each with a dictionary of its own."""
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    pieces = [rows[start:end] for start, end in pairwise(edges)]
    words = [pa.array([row[0] for row in piece], pa.string()).dictionary_encode() for piece in pieces]
    payloads = [pa.array([row[1] for row in piece], pa.binary()) for piece in pieces]
    return pa.table([pa.chunked_array(words, WORD), pa.chunked_array(payloads, pa.binary())], ["word", "payload"])


@given(ROWS, st.lists(st.integers(0, 40), max_size=3))
def test_rows_that_are_left_out_leave_nothing(rows, cuts):
    given_rows = table(rows, cuts)
    mask = pa.array([row[2] for row in rows], pa.bool_())
    left = [row for row in rows if not row[2]]
    found = encode_anew(drop_rows(given_rows, mask))
    assert found.column("word").to_pylist() == [row[0] for row in left]
    assert found.column("payload").to_pylist() == [row[1] for row in left]
    words = {word for chunk in found.column("word").chunks for word in chunk.dictionary.to_pylist()}
    assert words == {row[0] for row in left}
    lengths = b"".join(len(row[1]).to_bytes(4, "little") for row in left)
    assert (
        digest_payloads(found.column("payload"))
        == hashlib.sha256(b"".join(row[1] for row in left) + lengths).hexdigest()
    )


def test_many_rows_are_left_out_as_few_are():
    rows = pa.table({"n": range(4 * FEW_ROWS)})
    mask = pc.equal(pc.bit_wise_and(rows.column("n"), 1), 1)
    assert drop_rows(rows, mask).column("n").to_pylist() == list(range(0, 4 * FEW_ROWS, 2))


@given(st.lists(st.lists(st.binary(max_size=5), max_size=5), max_size=5))
def test_the_digest_of_a_file_does_not_depend_on_its_row_groups(groups):
    digest = PayloadDigest()
    for group in groups:
        digest.add(pa.chunked_array([pa.array([b"x", *group], pa.binary())[1:]]))
    whole = pa.chunked_array([pa.array([one for group in groups for one in group], pa.binary())])
    assert digest.finish() == digest_payloads(whole)


@pytest.mark.parametrize("at", [0, 5, PIECE - 20, PIECE - 1, PIECE, 2 * PIECE - 36])
@pytest.mark.parametrize("others", [0, FEW])
def test_an_identifier_is_found_wherever_it_is_in_a_long_text(at, others):
    name = "5A2F-ada@Example.org"
    patterns = build_patterns([name, *(f"nobody{n}" for n in range(others))])
    assert bool(patterns.words) == (others < FEW)
    for spelled in (name, name.lower(), name.upper()):
        text = f"{' ' * at}{spelled}".ljust(2 * PIECE + 100)
        assert count_matches(pa.table({"text": [text]}), patterns) == 1


def test_bytes_that_only_look_like_an_identifier_are_not_found():
    """Setting one bit makes @ and ` the same, and digits and control characters."""
    patterns = build_patterns(["ada@example.org", "1234567"])
    assert count_matches(pa.table({"text": ["ada`example.org", "\x11\x12\x13\x14\x15\x16\x17"]}), patterns) == 0


@given(st.uuids(), st.booleans(), st.sampled_from(["{%s}", "%s", '"%s"', 'ContactId":"%s"']), st.integers(0, FEW))
def test_a_guid_is_found_in_each_of_its_spellings(guid, dashes, around, others):
    text = around % (str(guid) if dashes else guid.hex.upper())
    patterns = build_patterns([str(guid), *(f"nobody{n}" for n in range(others))])
    assert count_matches(pa.table({"text": [text, guid.hex + "0", "x"]}), patterns) == 1
