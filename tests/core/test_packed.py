"""A page's records and instants: however they are kept, they read, narrow and land like plain lists."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.columnar.buffers import Instants, Slices, joined, moments, payloads, size, within
from airflow_provider_interactions.columnar.json_scan import objects
from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.schema import INSTANT
from airflow_provider_interactions.vendors.dynamics_marketing import responses
from airflow_provider_interactions.window import Window

DAY = Window.of("2026-01-02", "2026-01-03")
records = st.lists(st.binary(max_size=9), max_size=6)
near = st.one_of(
    st.none(),
    st.sampled_from([DAY.start, DAY.end, DAY.end - timedelta(microseconds=1)]),
    st.datetimes(datetime(2025, 12, 31), datetime(2026, 1, 4), timezones=st.just(UTC)),  # noqa: DTZ001 - in UTC
)


def instants(moments):
    return Instants(pa.array(moments, INSTANT))


@given(records)
def test_joined_records_read_like_a_list(plain):
    packed = joined(plain)
    assert packed == plain
    assert (list(packed), len(packed), packed[:-1], packed[::-2]) == (plain, len(plain), plain[:-1], plain[::-2])
    assert size(packed) == size(plain) == sum(map(len, plain))
    assert [packed[-n - 1] for n in range(len(plain))] == plain[::-1]
    with pytest.raises(IndexError):
        packed[len(plain)]


@given(st.lists(near, max_size=6))
def test_instants_read_like_a_list(plain):
    packed = instants(plain)
    assert packed == plain
    assert packed[1:] == plain[1:]
    assert all(at is None or at.tzinfo is UTC for at in packed)


def test_neither_is_equal_to_something_else():
    assert joined([b"a"]) != [b"b"]
    assert joined([b"a"]) != 1
    assert instants([DAY.start]) != [None]


@given(st.lists(st.tuples(st.binary(max_size=9), near), max_size=8))
def test_the_same_is_within_a_window_however_it_is_kept(rows):
    plain, times = [row[0] for row in rows], [row[1] for row in rows]
    inside = [(one, at) for one, at in rows if at is None or DAY.start <= at < DAY.end]
    for kept in (plain, joined(plain)):
        for known in (times, instants(times)):
            assert list(zip(*within(DAY, kept, known), strict=True)) == inside


@given(st.lists(st.tuples(records, st.booleans()), min_size=1, max_size=4), near)
def test_pages_of_all_kinds_land_together(pages, at):
    kept = [joined(page) if packed else page for page, packed in pages]
    assert payloads(kept).to_pylist() == [record for page, _ in pages for record in page]
    times = [instants([at]) if packed else [at] for _, packed in pages]
    assert moments(times) == pa.array([at] * len(pages), INSTANT)


@given(st.lists(st.lists(st.binary(max_size=9), max_size=4), min_size=1, max_size=8), st.integers(1, 20))
def test_pages_too_long_for_one_array_are_several(pages, most):
    found = payloads(pages, most)
    assert found.to_pylist() == [record for page in pages for record in page]
    for chunk in found.chunks:
        assert sum(map(len, chunk.to_pylist())) <= max(most, 4 * 9)


def test_slices_of_a_text_leave_out_what_is_between_them():
    packed = Slices(memoryview(b"[abc,d]"), np.array([1, 4, 5, 6]))
    assert payloads([packed, packed]).to_pylist() == [b"abc", b"d", b"abc", b"d"]


values = st.recursive(
    st.one_of(st.none(), st.integers(), st.sampled_from(["},{", "}", '"', "\\", "🚀", ",{", "\n", "} ,{"]), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
times = st.sampled_from(
    ["2026-01-02T10:00:00Z", "2026-01-02T10:00:00.5Z", "2026-01-02T10:00:00.1234567Z", "2026-01-02T23:00:00-05:00", "x"]
)
rows = st.lists(
    st.fixed_dictionaries({}, optional={"a": values, "Timestamp": st.one_of(times, values), "b": values}), max_size=4
)
layouts = st.sampled_from([(",", ":"), (", ", ":"), (" ,", ": "), (",\n", ":")])


@given(rows, layouts)
def test_objects_are_cut_where_a_parser_cuts_them_or_not_at_all(found, layout):
    text = json.dumps(found, separators=layout).encode()
    cut = objects(text, len(found))
    assert cut is None or cut == [bytes(raw) for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]
    plain = layout == (",", ":") and found and text.count(b"},{") == len(found) - 1 and b"} " not in text
    assert cut is not None or not plain


@given(rows, layouts, st.booleans(), st.booleans(), st.sampled_from([None, "", "c\\1"]), st.booleans())
def test_an_answer_is_the_same_read_at_once_and_read_by_a_parser(found, layout, inner, outer, cursor, first):
    text = json.dumps(found, separators=layout, ensure_ascii=inner)
    members = {"Data": text, "NextSkipToken": cursor}
    members = {"@odata.context": "c", **members} if first else {**members, "x": {"Datum": "y"}}
    body = json.dumps(members, separators=(",", ":"), ensure_ascii=outer).encode("utf-8", "backslashreplace")
    for large in (0, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(responses, "LARGE", large)
            alike(responses.read_page(Response(200, {}, body)), text, cursor)


def alike(page, text, cursor):
    """Whether a page holds what a parser finds in the text of its records."""
    parsed = [bytes(raw) for raw in msgspec.json.decode(text.encode(), type=list[msgspec.Raw])] if sane(text) else None
    assert parsed is None or list(page.records) == parsed
    assert list(page.occurred) == [responses._read_instant(record) for record in page.records]
    assert page.cursor == (cursor or "")


def sane(text):
    """Whether msgspec reads it; half a surrogate pair it does not."""
    try:
        msgspec.json.decode(text.encode())
    except (UnicodeError, msgspec.DecodeError):
        return False
    return True


@pytest.mark.parametrize(
    ("body", "at_once"),
    [
        (b'{"Data":"[{\\"a\\":1},{\\"a\\":\\"\xf0\x9f\x9a\x80\\"}]","NextSkipToken":"t"}', True),
        (b'{"NextSkipToken":"t","Data":"[{\\"a\\":1},{}]"}', True),
        (b'{"Data":"","NextSkipToken":"t"}', True),
        (b'{"Data":"[{\\"a\\":\\"\\\\n\\"}]","NextSkipToken":"t"}', False),  # an escape of an escape
        (b'{"Data":"[{\\"a\\":1}\\n]","NextSkipToken":"t"}', False),
        (b'{"\\u0061":1,"Data":"[{\\"a\\":1}]","NextSkipToken":"t"}', False),
        (b'{"x":["Datum"],"Data" :"[{}]","NextSkipToken":"t"}', False),
        (b'{"Data":null,"NextSkipToken":"t"}', False),
    ],
)
def test_what_is_read_at_once(body, at_once):
    found = responses._read_at_once(body)
    assert (found is not None) == at_once
    plain = responses._read(body)
    assert found is None or (bytes(found[0]), found[1]) == plain
    assert plain[1] == "t"


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":{"Data":"[1]"},"Data":"[{}]","NextSkipToken":"t"}',
        b'{"Data":"[{}]","x":{"Data":"[1]"},"NextSkipToken":"t"}',
        b'{"Data":"[]","NextSkipToken":"t","Data":"[{}]"}',
    ],
)
def test_data_that_is_there_twice_is_refused(body):
    for read in (responses._read_at_once, responses._read):
        with pytest.raises(BadResponse):
            read(body)
