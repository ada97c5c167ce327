"""Reading many records at once gives what reading each gives, or leaves the record to that."""

import json
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_interactions import contract
from airflow_provider_interactions.columnar.json_members import Members
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.capillary.records import write_context

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


def likely(**known):
    """Records that can be read at once, most of them."""
    others = st.dictionaries(st.sampled_from(["a", "Note", "CustomerJourneyIdx", "é", "x" * 30]), anything, max_size=3)
    return objects([LAYOUTS[0], LAYOUTS[3]], others, twice=False, **known)


instants = st.datetimes(*between[2:]).flatmap(
    lambda at: st.sampled_from([f"{at.isoformat()}Z", f"{at.isoformat()}-05:30"])
)
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
LIKELY = {
    "dynamics_marketing": likely(
        InteractionId=st.one_of(guids, short.filter(bool)),
        InteractionType=st.one_of(st.sampled_from(["EmailSent", "FormVisited"]), short),
        Timestamp=instants,
        ContactId=st.one_of(st.sampled_from([ASKED, ASKED.upper(), f"{{{ASKED}}}"]), texts),
        CustomerJourneyId=texts,
        MessageId=st.one_of(texts, anything),
    ),
    "which50": likely(
        Id=st.one_of(st.integers(), texts, anything),
        Interaction=st.one_of(st.sampled_from(["Email", "Web form", "SMS"]), short),
        Name=texts,
        Occurred=instants,
        Status=texts,
        CampaignId=st.one_of(st.integers(), texts),
    ),
    "capillary": likely(
        id=st.one_of(st.integers(), short.filter(bool)),
        subject=st.one_of(short, texts),
        status=st.one_of(st.sampled_from(["DELIVERED", "opened", "odd"]), short),
        sentDate=local,
        deliveredTime=st.one_of(st.none(), st.none(), local),
        campaign_id=st.one_of(st.sampled_from(["-1", -1]), short),
    ),
}
CONTEXTS = {
    "dynamics_marketing": [""],
    "which50": [""],
    "capillary": [
        *(write_context("EMAIL", "Europe/Berlin"), write_context("sms", "Asia/Kolkata"), write_context("like", "UTC")),
        *(write_context("", "UTC"), write_context("sms", "Nowhere"), "x"),
    ],
}
USUAL = {
    "dynamics_marketing": {
        "InteractionId": "172C1E59A3CD4D85B392316DD76651CE",
        "InteractionType": "EmailSent",
        "Timestamp": "2026-01-02T10:00:00Z",
        "ContactId": ASKED,
        "X": {"InteractionId": [1, '" \u00e9']},
    },
    "which50": {"Id": 1, "Interaction": "Email", "Occurred": "2026-01-02T10:00:00+01:00", "Name": "é", "Note": None},
    "capillary": {"id": "7", "sentDate": "02-01-2026 10:00:00", "campaignId": "-1", "delivered_time": None},
}
WRONG = [b"", b"{}", b"[]", b"{", b'{"InteractionId": 1}', b"{}\n{}", b"\xff", b'{"a":"}', b'{"a":1,}', b'{"a":"x""y"}']
vendors = pytest.mark.parametrize("name", list(RECORDS))


def raw(payloads, asked_type, around):
    same = {"contact_id": ASKED, "asked_type": asked_type, "context": around}
    columns = {key: pa.array([value] * len(payloads), pa.string()) for key, value in same.items()}
    columns["asked_type"] = columns["asked_type"].dictionary_encode()
    columns["context"] = columns["context"].dictionary_encode()
    return pa.record_batch({"payload": pa.array(payloads, pa.binary()), **columns})


def one_by_one(vendor, payload, asked_type, around):
    """The row, or None where it is rejected."""
    try:
        return vendor.interaction(payload, contract.Asked(contract.Contact(ASKED), asked_type, around))
    except RecordRejected:
        return None


def compare(name, payloads, asked_type, around):
    """Whether each record was read at once; where it was, the row is the same."""
    vendor = VENDORS[name]
    sure, found = vendor.columns(raw(payloads, asked_type, around))
    rows = pa.table(dict(found)).filter(sure)
    rows.validate(full=True)
    singles = [
        one_by_one(vendor, payload, asked_type, around) for payload in pa.array(payloads).filter(sure).to_pylist()
    ]
    assert rows.to_pylist() == [{key: getattr(single, key) for key in found} for single in singles]
    return sure.to_pylist()


@pytest.mark.parametrize("name", list(RECORDS))
@settings(max_examples=150)
@given(data=st.data())
def test_both_ways_say_the_same(name, data):
    payloads = data.draw(
        st.lists(
            st.one_of(RECORDS[name], LIKELY[name], st.sampled_from(WRONG), st.binary(max_size=30)),
            min_size=1,
            max_size=8,
        )
    )
    around = data.draw(st.sampled_from(CONTEXTS[name]))
    compare(name, payloads, data.draw(st.sampled_from(["EmailSent", ""])), around)


def usual(name, number=5):
    return [written({**USUAL[name], "Number": n, "Text": f"no {n}"}.items(), LAYOUTS[0]) for n in range(number)]


@vendors
def test_well_formed_records_are_read_at_once(name):
    assert compare(name, usual(name), "EmailSent", CONTEXTS[name][0]) == [True] * 5


@vendors
@pytest.mark.parametrize("bad", WRONG)
def test_one_odd_record_leaves_the_others_as_they_are(name, bad):
    good = usual(name)
    assert compare(name, [*good[:2], bad, *good[2:]], "EmailSent", CONTEXTS[name][0]) == [
        True,
        True,
        False,
        True,
        True,
        True,
    ]
    assert one_by_one(VENDORS[name], bad, "EmailSent", CONTEXTS[name][0]) is None


@settings(max_examples=150)
@given(st.lists(objects(Id=anything, Name=anything), min_size=1, max_size=6))
def test_members_are_cut_out_byte_for_byte(payloads):
    members = Members(pa.array(payloads, pa.binary()), ("Id", "Name"))
    names, rest = members.text("Name").to_pylist(), members.rest({"Id": None}).cast(pa.binary()).to_pylist()
    for payload, name, text, sure in zip(payloads, names, rest, members.sure, strict=True):
        known = json.loads(payload)
        if not sure:
            assert text == payload
            continue
        value = known.get("Name")
        assert name == (value or None if isinstance(value, str) else name)
        if not isinstance(value, str):
            assert value is None or json.loads(name) == value
        known.pop("Id", None)
        assert list(json.loads(text).items()) == list(known.items())


@pytest.mark.parametrize(
    "text",
    [
        '{"a" :1}', '{ "a":1}', '{"a":1 }', '{"a": 1}', '{"a":1, "b":2}', '{"a":1 ,"b":2}', ' {"a":1}', '{"a":1} ',
        '{"a":1,"a":2}', '{"\\u0061":1}', '{"b":"\\\\"}', '{"b":"\t"}', '{"b":"\x01"}', '{"b":[1}',
        '{"b":{"c":1}', '{"b":nul}', '{"b":"c"d}', '{"b":01}', '{"b":"\\x"}', '{"b"}', '{"b":}', "{:1}", "{}",
    ],
)  # fmt: skip
def test_what_is_not_sure(text):
    usual = b'{"Id":"x","b":"y","c":null,"d":{"Id":[1,"]"]}}'
    members = Members(pa.array([usual, text.encode(), usual], pa.binary()), ("Id",))
    assert members.sure.tolist() == [True, False, True]
    assert members.text("Id").to_pylist() == ["x", None, "x"]
    assert members.rest({"Id": None}).to_pylist()[::2] == ['{"b":"y","c":null,"d":{"Id":[1,"]"]}}'] * 2


def test_members_in_every_place_go_with_one_comma():
    texts = [
        '{"Id":1,"b":2}',
        '{"b":2,"Id":1}',
        '{"Id":1}',
        '{"b":2,"Id":1,"c":3}',
        '{"Id":1,"Name":2}',
        '{"Name":2,"Id":1,"etc":"x y z"}',
    ]
    members = Members(pa.array([text.encode() for text in texts], pa.binary()), ("Id", "Name"))
    assert members.sure.all()
    rest = members.rest(dict.fromkeys(("Id", "Name"))).to_pylist()
    assert rest == ['{"b":2}', '{"b":2}', "{}", '{"b":2,"c":3}', "{}", '{"etc":"x y z"}']


def test_repeats_across_batches_are_found_either_way(desk, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH_ROWS", 3)
    ids = ["a", "b", "c", "d", "a", "e", "f", "g", "g", "h"]
    counts = desk.normalized(*(desk.record(InteractionId=one) for one in ids)).counts
    assert (counts.canonical, counts.repeated) == (8, 2)


@pytest.mark.parametrize("payload", [b'[[{"aaaaaaaaaaaaaaa":{"b":1}}]]', b'[{"a":[{"b":{"c":1}}]}]'])
def test_members_of_inner_objects_alone_are_nobodys(payload):
    members = Members(pa.array([payload], pa.binary()), ("a", "b"))
    assert members.sure.tolist() == [False]
    assert members.text("a").to_pylist() == [None]
