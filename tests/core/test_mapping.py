"""A mapping reads many records at once, and gives what each of them would give alone."""

import json
import re
from contextlib import suppress
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.mapping import build_batch, map_batch
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.capillary.fields import write_context
from airflow_provider_interactions.vendors.capillary.times import read_instant as read_capillary
from airflow_provider_interactions.vendors.dynamics_marketing.mapping import read_time as read_dynamics
from airflow_provider_interactions.vendors.shared import xml
from airflow_provider_interactions.vendors.shared.columns import read_instants, read_local_instants
from airflow_provider_interactions.vendors.shared.guids import spell_guid, spell_guids
from airflow_provider_interactions.vendors.shared.json import to_utc

ASKED = "0dbe0fa3-8e18-e811-a951-000d3a37caec"

hexes = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)
guids = hexes.flatmap(
    lambda h: st.sampled_from(
        [h, h.upper(), f"{{{h}}}", f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}", h.lower(), f" {{{h}}} "]
    )
)
short = st.text(max_size=40)
texts = st.one_of(guids, short, st.none(), st.sampled_from(["", " ", "\\", '"', ":", '","', "{", "null", "é", "🚀"]))
anything = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), texts),
        st.sampled_from([10**30, 1e300, -0.0]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.one_of(st.text(max_size=5), st.sampled_from(["Id", "InteractionId"])), inner, max_size=2),
    ),
    max_leaves=4,
)
stamps = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes().map(lambda at: at.isoformat() + "+02:00"),
    st.sampled_from(
        [
            *("2026-01-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00.1234567Z", "x"),
            *("2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "2026-01-01T00:00Z"),
            *("2026-01-01 00:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00+02:00"),
        ]
    ),
    texts,
)
between = [datetime.fromisoformat(text) for text in ("1960-01-01", "2045-01-01", "0003-01-01", "9990-01-01")]
local = st.one_of(
    st.datetimes(*between[:2]).map("{:%d-%m-%Y %H:%M:%S}".format),
    st.datetimes(*between[:2]).map("{:%Y-%m-%d %H:%M:%S}".format),
    st.sampled_from(
        [
            *("29-03-2026 02:30:00", "25-10-2026 02:30:00", "31-02-2026 00:00:00", "1-1-2026 0:00:00"),
            *("2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "01-01-2026 24:00:00", "01/01/2026 00:00:00"),
        ]
    ),
    texts,
)
more = st.dictionaries(
    st.one_of(st.text(max_size=8), st.sampled_from(["a", "CustomerJourneyIdx"])), anything, max_size=3
)
LAYOUTS = [*[{"separators": (",", ":")}] * 3, {"separators": (",", ":"), "ensure_ascii": False}, {}, {"indent": 1}]


def written(pairs, layout):
    """A JSON object, also with a key twice."""
    space, colon = layout.get("separators", (", ", ": "))
    members = [f"{json.dumps(key, **layout)}{colon}{json.dumps(value, **layout)}" for key, value in pairs]
    return ("{" + space.join(members) + "}").encode("utf-8", "surrogatepass")


def objects(layouts=LAYOUTS, more=more, *, twice=True, **known):
    """Records with these members, or without some, in any order, now and then one of them twice."""
    fields = st.fixed_dictionaries({}, optional=known) if twice else st.fixed_dictionaries(known)
    ordered = st.tuples(fields, more).flatmap(lambda both: st.permutations([*both[0].items(), *both[1].items()]))
    pairs = st.one_of(ordered, ordered, ordered.map(lambda pairs: [*pairs, *pairs[:1]])) if twice else ordered
    return st.builds(written, pairs, st.sampled_from(layouts))


RECORDS = {
    "dynamics_marketing": objects(
        InteractionId=st.one_of(guids, texts),
        InteractionType=st.one_of(st.sampled_from(["EmailSent", "Odd", ""]), texts),
        Timestamp=stamps,
        ContactId=st.one_of(st.sampled_from([ASKED, ASKED.upper(), f"{{{ASKED}}}"]), texts),
        CustomerJourneyId=texts,
        MessageId=st.one_of(texts, anything),
    ),
}
numbers = st.sampled_from([0, -1, 7.0, 1e21, -1.0, "7.0", " 7", "0", "007"])
RECORDS["which50"] = objects(
    more=st.one_of(more, st.fixed_dictionaries({}, optional={"id": numbers, "occurred": stamps, "NAME": texts})),
    Id=st.one_of(st.integers(), texts, numbers),
    Interaction=st.one_of(st.sampled_from(["Email", "Web form", "SMS"]), texts, anything),
    Name=texts,
    Occurred=stamps,
    Status=texts,
    CampaignId=st.one_of(st.integers(), texts, numbers),
    CampaignName=texts,
)
RECORDS["capillary"] = objects(
    id=st.one_of(st.integers(), short, texts),
    subject=st.one_of(short, st.sampled_from(["null", "{}", " ", [], {}])),
    status=st.one_of(st.sampled_from(["DELIVERED", "opened", "odd"]), texts),
    sentDate=local,
    sent_time=local,
    deliveredTime=st.one_of(st.none(), local),
    delivered_time=local,
    campaignId=st.one_of(st.sampled_from(["-1", -1]), texts),
    campaign_id=texts,
)
notes = st.fixed_dictionaries({}, optional={"modifiedDate": stamps, "text": texts})
RECORDS["luminate_online"] = objects(
    interactionId=st.one_of(numbers, texts),
    interactionTypeId=st.one_of(numbers, texts),
    consId=st.one_of(numbers, texts, anything),
    creationDate=stamps,
    subject=texts,
    count=st.one_of(numbers, texts, st.sampled_from(["+1", "2147483648", "-2147483648", "1" * 30])),
    note=st.one_of(notes, st.lists(notes, max_size=3), anything),
)
RECORDS["dynamics_journeys"] = objects(
    IdempotencyId=st.one_of(guids, texts),
    InternalMarketingInteractionId=texts,
    InteractionType=st.one_of(st.sampled_from(["EmailSent", "emailsent", "Odd", ""]), texts),
    Timestamp=st.one_of(stamps, st.sampled_from(["3/1/2026 12:00:00 PM", "13/1/2026 12:00:00 PM"])),
    ProfileId=st.one_of(st.sampled_from([ASKED, ASKED.upper(), f"{{{ASKED}}}"]), texts),
    CustomerJourneyId=texts,
    MessageId=st.one_of(texts, anything),
    DeliveredCount=st.one_of(numbers, texts),
)
CONTEXTS = {
    "capillary": [
        *(write_context("EMAIL", "Europe/Berlin"), write_context("sms", "Asia/Kolkata"), write_context("like", "UTC")),
        *(write_context("", "UTC"), write_context("sms", "Nowhere"), "x"),
    ],
}
WRONG = [b"", b"{}", b"[]", b"{", b'{"InteractionId": 1}', b"{}\n{}", b"\xff", b'{"a":"}', b'{"a":1,}', b'{"a":"x""y"}']
vendors = pytest.mark.parametrize("name", list(VENDORS))
XML = [
    b"<a/>",
    b"<a><b>1</b></a>",
    b"<a",
    b"<a></a><b/>",
    b"<_/>",
    b"</r>",
    b"<a>\xff</a>",
    b"<!DOCTYPE a><a/>",
    b"<a>x</a> y",
]


def raw(payloads, asked_type="", around="", kind="contact_id"):
    return build_batch(payloads, Contact(ASKED, kind), asked_type, around)


@vendors
@settings(max_examples=150)
@given(data=st.data())
def test_a_batch_gives_what_its_records_give_one_by_one(name, data):
    one = st.one_of(RECORDS[name], RECORDS[name], st.sampled_from([*WRONG, *XML]))
    payloads = data.draw(st.lists(one, min_size=1, max_size=6))
    asked_type = data.draw(st.sampled_from(["", "EmailSent"]))
    around = data.draw(st.sampled_from(CONTEXTS.get(name, [""])))
    vendor = VENDORS[name]
    rows, places, rejected, *_ = map_batch(raw(payloads, asked_type, around), vendor)
    found = dict(zip(places.to_pylist(), rows.to_pylist(), strict=True))
    for place, payload in enumerate(payloads):
        alone = map_batch(raw([payload], asked_type, around), vendor)
        assert rejected.get(place) == alone.rejected.get(0)
        assert [found[place]] if place in found else alone.rows.to_pylist() == []


@given(st.lists(st.one_of(guids, texts), max_size=4))
def test_guids_are_spelled_alike_alone_and_together(values):
    some = [value for value in values if value is not None]
    assert spell_guids(pa.array(some, pa.string())).to_pylist() == [spell_guid(value) or value for value in some]


@given(st.lists(st.one_of(stamps, local).filter(lambda text: text is not None), max_size=4))
def test_times_are_read_as_one_by_one(values):
    found = read_instants(pa.array(values, pa.string()), read_dynamics)
    assert found.to_pylist() == [read_instants(pa.array([value]), read_dynamics)[0].as_py() for value in values]
    for value, at in zip(values, found.to_pylist(), strict=True):
        with suppress(ValueError, OverflowError):
            cut = re.sub(r"(:\d\d\.\d{6})\d+", r"\1", value)
            assert at == to_utc(read_dynamics(cut))


@given(
    st.lists(local.filter(lambda text: text is not None), max_size=4),
    st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "UTC"]),
)
def test_local_times_are_read_as_one_by_one(values, zone):
    read = partial(read_capillary, local=ZoneInfo(zone))

    def alone(value):
        try:
            return read(value)
        except ValueError:
            return None

    found = read_local_instants(pa.array(values, pa.string()), zone, read).to_pylist()
    assert found == [alone(value) for value in values]


@given(st.lists(st.sampled_from([*XML, *WRONG]), max_size=6))
def test_xml_is_parsed_together_as_alone(payloads):
    def alone(payload):
        try:
            return xml.to_plain(xml.parse(payload, "the record"))
        except BadResponse:
            return "unreadable"

    found = ["unreadable" if element is None else xml.to_plain(element) for element in xml.parse_many(payloads)]
    assert found == [alone(payload) for payload in payloads]
