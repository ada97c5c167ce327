"""Reading many Dynamics records at once gives what reading each gives, or leaves the batch to that."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contract, normalize
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.vendors.dynamics_marketing.columns import columns
from airflow_provider_interactions.vendors.dynamics_marketing.vendor import interaction

ASKED = "0dbe0fa3-8e18-e811-a951-000d3a37caec"

hexes = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)
guids = hexes.flatmap(
    lambda h: st.sampled_from(
        [h, h.upper(), f"{{{h}}}", f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}", h.lower()]
    )
)
texts = st.one_of(guids, st.text(max_size=40), st.none())
times = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes().map(lambda at: at.isoformat() + "+02:00"),
    st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00.1234567Z", "x"]),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=4,
)
records = st.builds(
    lambda known, more, layout: json.dumps({**more, **{k: v for k, v in known.items() if v != "absent"}}, **layout),
    st.fixed_dictionaries(
        {
            "InteractionId": st.one_of(guids, texts),
            "InteractionType": st.one_of(st.sampled_from(["EmailSent", "Odd", ""]), texts),
            "Timestamp": times,
            "ContactId": st.one_of(st.sampled_from([ASKED, ASKED.upper(), f"{{{ASKED}}}", "absent"]), texts),
            "CustomerJourneyId": st.one_of(texts, st.just("absent")),
            "MessageId": st.one_of(texts, st.just("absent"), anything),
        }
    ),
    st.dictionaries(st.text(max_size=8), anything, max_size=3),
    st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}]),
).map(lambda text: text.encode("utf-8", "surrogatepass"))


def raw(payloads):
    size = len(payloads)
    return pa.record_batch(
        {"payload": pa.array(payloads, pa.binary()), "contact_id": pa.array([ASKED] * size, pa.string())}
    )


def one_by_one(payloads):
    rows = [interaction(payload, contract.Asked(contract.Contact(ASKED), "EmailSent")) for payload in payloads]
    return [{name: getattr(row, name) for name in NAMES} for row in rows]


NAMES = (
    "interaction_id",
    "occurred_at",
    "native_type",
    "channel",
    "action",
    "campaign_id",
    "message_id",
    "attributes",
)


@settings(max_examples=200)
@given(st.lists(st.one_of(records, st.binary(max_size=5)), min_size=1, max_size=6))
def test_both_ways_say_the_same(payloads):
    found = columns(raw(payloads))
    if found is None:
        return
    assert set(found) == set(NAMES)
    rows = pa.table(dict(found)).to_pylist()
    assert rows == one_by_one(payloads)


def test_well_formed_records_are_read_at_once():
    good = {"InteractionId": "172C1E59A3CD4D85B392316DD76651CE", "InteractionType": "EmailSent"}
    payloads = [
        json.dumps({**good, "Timestamp": f"2026-01-02T10:00:0{n}Z", "ContactId": ASKED, "X": {"a": [n]}}).encode()
        for n in range(5)
    ]
    assert pa.table(dict(columns(raw(payloads)))).to_pylist() == one_by_one(payloads)


@pytest.mark.parametrize("bad", [b"", b"{}", b"[]", b"{", b'{"InteractionId": 1}', b"{}\n{}", b"\xff"])
def test_one_odd_record_leaves_the_batch_to_the_reader_of_single_ones(bad):
    good = b'{"InteractionId":"a","InteractionType":"EmailSent","Timestamp":"2026-01-02T10:00:00Z"}'
    assert columns(raw([good])) is not None
    assert columns(raw([good, bad])) is None
    with pytest.raises(RecordRejected):
        one_by_one([bad])


def test_repeats_across_batches_are_found_either_way(desk, monkeypatch):
    monkeypatch.setattr(normalize, "BATCH_ROWS", 3)
    ids = ["a", "b", "c", "d", "a", "e", "f", "g", "g", "h"]
    counts = desk.normalized(*(desk.record(InteractionId=one) for one in ids)).counts
    assert (counts.canonical, counts.repeated) == (8, 2)
