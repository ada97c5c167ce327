"""Luminate Online: two formats and one row, paging that cannot lose or loop, errors by the code in the body."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from airflow_provider_interactions import contract
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Contact, Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    ConfigError,
    ContactFailed,
    ContactNotFound,
    Incomplete,
    RecordRejected,
    RequestRejected,
    Stalled,
    Throttled,
    Unavailable,
)
from airflow_provider_interactions.extract import commit, pipeline, run
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.http.client import connect
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.mapping import build_batch, map_batch
from airflow_provider_interactions.normalize import pipeline as normalize_pipeline
from airflow_provider_interactions.rejects import ANOTHER_CONTACT
from airflow_provider_interactions.sandbox import Fact, SandboxConfig, digest, serve
from airflow_provider_interactions.vendors.luminate_online import errors, mapping, responses
from airflow_provider_interactions.vendors.luminate_online.requests import choose_range
from airflow_provider_interactions.vendors.luminate_online.vendor import VENDOR
from airflow_provider_interactions.vendors.shared.columns import read_instants
from airflow_provider_interactions.window import Window
from tests.mapped import Asked, map_record

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/luminate_online.json").read_text())
NS = 'xmlns="http://convio.com/crm/v1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
PERSON = Contact("1001001", "cons_id")
EVERYONE = Contact("*", "everyone")
WEEK = Window.of("2016-02-01", "2016-02-08")
ASKED = Asked(PERSON)
INSIDE = "2016-02-01T09:43:35.283-06:00"


def credentials(host="https://secure2.convio.net/acme/site", login="robot", password="hush", **extra):
    return build_credentials(VENDOR, host, login, password, {"api_key": "key", **extra})


def as_json(method, rows):
    found = {} if not rows else {"interaction": rows[0] if len(rows) == 1 else rows}
    return json.dumps({f"{method}Response": found}).encode()


def as_xml(method, rows):
    body = "".join(row if isinstance(row, str) else element("interaction", row) for row in rows)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{method}Response {NS}>{body}</{method}Response>'.encode()


def element(name, value):
    """A value as the vendor's XML has it."""
    if value is None:
        return f'<{name} xsi:nil="true"/>'
    if isinstance(value, list):
        return "".join(element(name, one) for one in value)
    top = etree.Element("x")
    top.text = value if isinstance(value, str) else None
    inner = etree.tostring(top, encoding="unicode")[3:-4] if top.text else ""
    if isinstance(value, dict):
        inner = "".join(element(key, part) for key, part in value.items())
    return f"<{name}>{inner}</{name}>"


def row(number, **fields):
    """A record of a custom type; None leaves a field out."""
    known = {"interactionId": str(number), "interactionTypeId": "1000", "consId": "1001001", "creationDate": INSIDE}
    return {key: value for key, value in {**known, **fields}.items() if value is not None}


class Server:
    """Answers like the vendor, from a list of rows; keeps the forms it was sent."""

    def __init__(self, rows, write=as_json, **faults):
        self.rows, self.write, self.faults, self.forms = rows, write, faults, []

    async def __call__(self, request):
        assert (request.method, request.url, request.query) == ("POST", "/SRConsAPI", {})
        self.forms.append(request.form)
        method = request.form["method"]
        if method == "getInteraction":
            return self.detail(request.form)
        size = min(int(request.form["list_page_size"]), self.faults.get("cap", 10**9))
        start = 0 if self.faults.get("ignores_offset") else int(request.form["list_record_offset"])
        return Response(200, {}, self.write(method, self.rows[start : start + size]))

    def detail(self, form):
        error = self.faults.get("detail_error")
        if error:
            raise error
        found = next(one for one in self.rows if one["interactionId"] == form["interaction_id"])
        note = {"note": {"noteId": "7", "text": "more"}}
        return Response(200, {}, self.write("getInteraction", [{**found, **note, **self.faults.get("detail", {})}]))


def read(server, person=PERSON, window=WEEK, settings=None, **options):
    """All pages of all queries, as the engine guards them."""

    async def fetch(request, decode):
        return decode(await server(request))

    async def collect():
        chosen = build_options(VENDOR, options)
        queries = VENDOR.queries(person, settings or credentials().settings, chosen)
        return [
            page
            for query in queries
            async for page in pipeline.guard_pages(VENDOR.pages(fetch, query, window), VENDOR.name)
        ]

    return asyncio.run(collect())


def ids(pages):
    return [one["interactionId"] for page in pages for one in responses.read_records(page.records)]


def canonical(payload, asked=ASKED):
    """The row as plain values, attributes read, None left out."""
    found = map_record(VENDOR, payload, asked)
    named = {name: getattr(found, name) for name in found.__struct_fields__}
    return {
        key: value for key, value in {**named, "attributes": json.loads(found.attributes)}.items() if value is not None
    }


def both(fields):
    """The same record in both formats."""
    (from_xml,) = read(Server([fields], as_xml))[0].records
    (from_json,) = read(Server([fields], as_json))[0].records
    return from_xml, from_json


def first_page(body, **settings):
    """What the first answer gives, whatever a server says afterwards."""

    async def fetch(_, decode):
        return decode(Response(200, settings.get("headers", {}), body))

    async def one():
        [query, *_] = VENDOR.queries(PERSON, credentials().settings, build_options(VENDOR, {}))
        return await anext(VENDOR.pages(fetch, query, WEEK))

    return asyncio.run(one())


# Golden records


@pytest.mark.parametrize(("payload", "row"), [*zip(GOLDEN["payloads"], GOLDEN["rows"], strict=True)])
def test_golden_records(payload, row):
    expected = {key: value for key, value in row.items() if value is not None}
    assert (expected.pop("vendor"), expected["contact_id"], expected.pop("contact_id_kind")) == (
        VENDOR.name,
        GOLDEN["asked"]["contact_id"],
        GOLDEN["asked"]["contact_id_kind"],
    )
    for name in ("occurred_at", "updated_at"):
        if name in expected:
            expected[name] = datetime.fromisoformat(expected[name])
    assert canonical(payload.encode()) == expected


@pytest.mark.parametrize(("form", "payloads"), [("xml", GOLDEN["payloads"][:3]), ("json", GOLDEN["payloads"][3:])])
def test_golden_answers(form, payloads):
    body = GOLDEN["bodies"][form].encode()
    page = first_page(body)
    assert [record.decode() for record in page.records] == payloads
    assert page.occurred == [datetime(2016, 2, 1, 15, 43, 35, 283000, UTC)] * 3
    assert page.total is None
    assert VENDOR.classify(Response(200, {"content-type": f"application/{form}"}, body)) is None


async def answer(body):
    return Response(200, {}, body)


# The two formats


NOTHING = [
    *(b'{"getUserInteractionsResponse":%s}' % one for one in (b"{}", b'""', b"null", b" { } ", b"[]")),
    *(b'{"getUserInteractionsResponse":{"interaction":%s}}' % one for one in (b"{}", b'""', b"null", b"[]", b" { } ")),
    f"<getUserInteractionsResponse {NS}/>".encode(),
    f"<getUserInteractionsResponse {NS}>\n</getUserInteractionsResponse>".encode(),
    f"<getUserInteractionsResponse {NS}><interaction/></getUserInteractionsResponse>".encode(),
    f'<getUserInteractionsResponse {NS}><interaction xsi:nil="true"/></getUserInteractionsResponse>'.encode(),
]


@pytest.mark.parametrize("body", NOTHING)
def test_every_form_of_nothing_is_an_empty_page(body):
    (page,) = read(lambda _: answer(body))
    assert (page.records, page.occurred, page.cursor) == ([], [], "")


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("write", [as_xml, as_json])
def test_one_element_is_no_list(count, write):
    assert ids(read(Server([row(n) for n in range(count)], write))) == [str(n) for n in range(count)]


def test_json_may_start_with_a_byte_order_mark_and_hold_unknown_fields():
    body = b'\xef\xbb\xbf {"getUserInteractionsResponse": {"x": {"y": 1}, "interaction": [{"interactionId": "1"}]}}'
    (page,) = read(lambda _: answer(body))
    assert page.records == [b'{"interactionId": "1"}']
    assert page.occurred == [None]


def test_an_empty_record_among_others_is_not_dropped_in_silence():
    assert len(read(Server([row(1), {}], as_json))[0].records) == 2
    assert len(read(Server([row(1), {}], as_xml))[0].records) == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"count": " 7 "}, {"count": 7}),
        ({"count": "7.0", "interactionTypeId": "1.0E3"}, {"count": 7, "native_type": "1000"}),
        ({"count": "-1"}, {"count": -1}),
        ({"count": ""}, {}),
        ({"subject": "  \n "}, {}),
        ({"subject": "\u00a0Grüße \U0001f600 "}, {"subject": "Grüße \U0001f600"}),
        ({"interactionId": "9007199254740993123"}, {"interaction_id": "9007199254740993123"}),
        ({"interactionTypeId": "0"}, {"native_type": "0"}),
        ({"creationDate": "2016-02-01-05:00"}, {"occurred_at": datetime(2016, 2, 1, 5, tzinfo=UTC)}),
    ],
)
def test_quirks_of_single_fields(fields, expected):
    base = {
        "interaction_id": "5",
        "contact_id": "1001001",
        "occurred_at": datetime(2016, 2, 1, 15, 43, 35, 283000, UTC),
        "channel": "other",
        "action": "other",
        "native_type": "1000",
        "attributes": {"consId": "1001001"},
    }
    for payload in both(row(5, **fields)):
        assert canonical(payload) == {**base, **expected}


def test_json_values_that_are_no_text_are_read_all_the_same():
    payload = json.dumps(
        row(1, interactionId=2**60, interactionTypeId=0, count=3, flag=True, none={}, amount=0)
    ).encode()
    found = canonical(payload.replace(b'"amount": 0', b'"amount": 0.10'))
    assert (found["interaction_id"], found["native_type"], found["count"]) == (str(2**60), "0", 3)
    assert found["attributes"] == {"consId": "1001001", "flag": "true", "none": None, "amount": "0.10"}


@pytest.mark.parametrize("nothing", [None, {}, "", []])
def test_no_note(nothing):
    payload = json.dumps({**row(1), "note": nothing}).encode()
    found = canonical(payload)
    assert (found["channel"], found["action"], "updated_at" in found) == ("other", "other", False)
    assert "note" not in found["attributes"]


def test_several_notes_are_a_list_and_the_latest_edit_counts():
    notes = [
        {"noteId": "1", "modifiedDate": "2016-07-01T00:00:00-05:00"},
        {"noteId": "2", "modifiedDate": "2016-07-01T05:30:00Z", "text": " a "},
        {"noteId": "3"},
    ]
    for payload in both(row(1, note=notes)):
        found = canonical(payload)
        assert found["updated_at"] == datetime(2016, 7, 1, 5, 30, tzinfo=UTC)
        assert found["attributes"]["note"] == [notes[0], {**notes[1], "text": "a"}, notes[2]]
        assert (found["channel"], found["action"]) == ("crm", "noted")


def test_nothing_is_dropped():
    fields = row(1, custom={"deep": {"deeper": ["1", None, " 2 "]}}, twice=["a", "a"], empty="", nil=[None, None])
    for payload in both(fields):
        assert canonical(payload)["attributes"] == {
            "consId": "1001001",
            "custom": {"deep": {"deeper": ["1", None, "2"]}},
            "twice": ["a", "a"],
            "empty": None,
            "nil": [None, None],
        }


def test_elements_with_attributes_are_objects_with_content():
    from_xml = read(
        Server([element("interaction", row(1, subject="s")).replace("<subject>", '<subject k="v">')], as_xml)
    )[0].records[0]
    from_json = json.dumps(row(1, subject={"k": "v", "content": "s"})).encode()
    for payload in (from_xml, from_json):
        with pytest.raises(RecordRejected, match="subject is not text"):
            canonical(payload)
    custom = element("interaction", row(1, custom="x")).replace("<custom>", '<custom n="1">')
    (payload,) = read(Server([custom], as_xml))[0].records
    assert canonical(payload)["attributes"]["custom"] == {"n": "1", "content": "x"}


def test_half_a_surrogate_pair_does_not_cost_the_page():
    rows = [row(1, subject="a\\\\ud83d b"), row(2, subject="HALF")]
    body = as_json("getUserInteractions", rows).replace(b"HALF", rb"x\ud83d \\ud83d \ud83d\ude00 \ude00")
    page = first_page(body)
    subjects = [map_record(VENDOR, record, ASKED).subject for record in page.records]
    assert subjects == ["a\\\\ud83d b", "x\ufffd \\ud83d \U0001f600 \ufffd"]
    bad = json.dumps(row(1, subject="HALF")).encode()
    assert canonical(bad.replace(b"HALF", b"\xed\xa0\xbd!"))["subject"] == "\ufffd!"


names = st.text("abcXYZ_", min_size=1, max_size=5).map(lambda name: f"f{name}")
plain = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=12)
values = st.recursive(
    st.none() | plain,
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3) | st.lists(inner, min_size=2, max_size=3),
    max_leaves=6,
).filter(lambda value: not _list_in_list(value))
moments = st.datetimes(timezones=st.just(ZoneInfo("America/Chicago"))).filter(lambda moment: 1 < moment.year < 9999)
notes = st.dictionaries(names, plain, min_size=1, max_size=3)


def _list_in_list(value):
    if isinstance(value, dict):
        return any(map(_list_in_list, value.values()))
    return isinstance(value, list) and any(isinstance(one, list) or _list_in_list(one) for one in value)


@given(
    number=st.integers(1, 2**70),
    kind=st.integers(0, 2000),
    moment=moments,
    count=st.integers(-(2**31), 2**31 - 1),
    subject=st.none() | plain,
    note=st.none() | notes | st.lists(notes, min_size=2, max_size=3),
    others=st.dictionaries(names, values, max_size=4),
)
def test_both_formats_give_the_same_row(number, kind, moment, count, subject, note, others):
    written = moment.isoformat(timespec="milliseconds")
    fields = {
        **others,
        "subject": subject,
        "count": str(count),
        "creationDate": written,
        "interactionTypeId": str(kind),
    }
    fields |= {"interactionId": str(number)} | ({} if note is None else {"note": note})
    from_xml, from_json = (canonical(payload) for payload in both(fields))
    assert from_xml == from_json
    assert from_json["interaction_id"] == str(number)
    assert from_json["occurred_at"] == datetime.fromisoformat(written)
    assert from_json["count"] == count
    assert set(from_json["attributes"]) - {"note"} == set(others)


# Times


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2016-02-01T09:43:35.283-06:00", datetime(2016, 2, 1, 15, 43, 35, 283000, UTC)),
        ("2016-07-01T09:43:35-05:00", datetime(2016, 7, 1, 14, 43, 35, tzinfo=UTC)),
        # The hour that comes twice: only the offset tells which.
        ("2016-11-06T01:30:00-05:00", datetime(2016, 11, 6, 6, 30, tzinfo=UTC)),
        ("2016-11-06T01:30:00-06:00", datetime(2016, 11, 6, 7, 30, tzinfo=UTC)),
        ("2016-02-01T15:43:35Z", datetime(2016, 2, 1, 15, 43, 35, tzinfo=UTC)),
        ("2016-02-01T15:43:35.1234567+00:00", datetime(2016, 2, 1, 15, 43, 35, 123456, UTC)),
        ("2016-02-01-05:00", datetime(2016, 2, 1, 5, tzinfo=UTC)),
        ("2016-02-01+05:30", datetime(2016, 1, 31, 18, 30, tzinfo=UTC)),
        ("2016-02-01Z", datetime(2016, 2, 1, tzinfo=UTC)),
    ],
)
def test_times(text, instant):
    assert mapping.read_time(text) == instant
    assert read_instants(pa.array([text]), mapping.read_time)[0].as_py() == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2016-02-01",
        "2016-02-01T09:43:35",
        "02/01/2016",
        "20160-02-01T00:00:00Z",
        "2016-02-30T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "1454341415",
    ],
)
def test_what_is_no_instant_is_landed_and_then_rejected(text):
    [page] = read(Server([row(1, creationDate=text)]))
    assert page.occurred == [None]
    reason = "creationDate is not a valid ISO 8601 time with a zone" if text else "creationDate is missing"
    with pytest.raises(RecordRejected, match=reason):
        map_record(VENDOR, page.records[0], ASKED)


# Records that cannot be read


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "neither a readable XML element nor a JSON object"),
        (b"[]", "neither a readable XML element nor a JSON object"),
        (b"{", "neither a readable XML element nor a JSON object"),
        (b"<interaction>", "neither a readable XML element nor a JSON object"),
        (b"<interaction/>", "neither a readable XML element nor a JSON object"),
        (b"\xff\xfe\x00", "neither a readable XML element nor a JSON object"),
        (b'{"a":' * 100_000, "neither a readable XML element nor a JSON object"),
        (b'{"a":' * 600 + b"1" + b"}" * 600, "neither a readable XML element nor a JSON object"),
        (b"<i>" + b"<a>" * 50 + b"</a>" * 50 + b"</i>", "neither a readable XML element nor a JSON object"),
        (b'{"interactionId":"1","subject":"a","subject":"b"}', "names a member twice"),
        (b'{"interactionId":"1", "note": {"text":"a", "te\\u0078t" :"b"}}', "names a member twice"),
        (json.dumps(row(1, interaction=row(2))).encode(), "the record holds another record"),
        (json.dumps(row(1, interactionId=None)).encode(), "interactionId is missing"),
        (json.dumps(row(1, interactionId=["1", "2"])).encode(), "interactionId is not text"),
        (json.dumps(row(1, creationDate=None)).encode(), "creationDate is missing"),
        (json.dumps(row(1, interactionTypeId=None)).encode(), "interactionTypeId is missing"),
        (json.dumps(row(1, count="many")).encode(), "count is not a 32-bit number"),
        (json.dumps(row(1, count="2147483648")).encode(), "count is not a 32-bit number"),
        (json.dumps(row(1, count="1.5")).encode(), "count is not a 32-bit number"),
        (json.dumps(row(1, note="text")).encode(), "note is not an object"),
        (
            json.dumps(row(1, note={"modifiedDate": "x"})).encode(),
            "note.modifiedDate is not a valid ISO 8601 time with a zone",
        ),
    ],
)
def test_rejections_name_the_field_and_no_value(payload, reason):
    with pytest.raises(RecordRejected) as rejected:
        map_record(VENDOR, payload, ASKED)
    assert reason in rejected.value.reason
    assert not {"many", "1001001", "2147483648"} & set(rejected.value.reason.split())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_row_or_a_rejection(payload):
    with pytest.raises(RecordRejected):
        map_record(VENDOR, payload, ASKED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"a":{},"b":{}}',
        b'{"errorResponse":{}}',
        b'{"interaction":[]}',
        b'{"getUserInteractionsResponse":[1]}',
        b'{"getUserInteractionsResponse":{"interaction":[{"a":1',
        b"<a/>",
        b"<getUserInteractionsResponse><interaction>",
        b"<!DOCTYPE a><getUserInteractionsResponse/>",
        b"[" * 100000,
        b'{"getUserInteractionsResponse":' * 5000,
        b"\xff\xfe<\x00a\x00",
        # Another method's answer, records on another level, an error beside or inside, a key that comes twice.
        b"<getInteractionResponse><interaction><interactionId>1</interactionId></interaction></getInteractionResponse>",
        b'{"listInteractionsResponse":{}}',
        b'{"getUserInteractionsResponse":{"interactions":{"interaction":[{"interactionId":"1"}]}}}',
        b'{"getUserInteractionsResponse":{"getUserInteractionsResponse":{"interaction":[{"interactionId":"1"}]}}}',
        b'{"getUserInteractionsResponse":{"Interaction":[{"interactionId":"1"}]}}',
        b'{"getUserInteractionsResponse":{"interaction":[{"interactionId":"1"}],"more":{"interaction":[{}]}}}',
        b'{"getUserInteractionsResponse":{"interaction":[{"interactionId":"1"}],"interaction":[]}}',
        b'{"getUserInteractionsResponse":{"error":{"message":"m"}}}',
        b'{"getUserInteractionsResponse":{"interaction":[{"interactionId":"1"}],"error":"late"}}',
        b"<getUserInteractionsResponse><page><interaction/></page></getUserInteractionsResponse>",
        b"<getuserinteractionsresponse/>",
        # Texts that may report a failure, names that come twice, lists of nothing, lists in lists.
        b"<getUserInteractionsResponse>sorry</getUserInteractionsResponse>",
        b"<getUserInteractionsResponse><interaction><a/></interaction>sorry</getUserInteractionsResponse>",
        b"<getUserInteractionsResponse><status>failed</status></getUserInteractionsResponse>",
        b'{"getUserInteractionsResponse":{"errorMessage":"m"}}',
        b'{"getUserInteractionsResponse":{"content":"m"}}',
        b'{"getUserInteractionsResponse":{"interaction":{"a":"1"},"interact\\u0069on":{"a":"2"}}}',
        b'{"getUserInteractionsResponse":{"x":"2","x":"1","interaction":{"a":"1"}}}',
        *(b'{"getUserInteractionsResponse":{"interaction":[%s]}}' % one for one in (b"{}", b"null", b"[]", b"[{}]")),
    ],
)
def test_a_body_of_another_shape_is_refused(body):
    with pytest.raises(BadResponse, match="the page"):
        read(lambda _: answer(body))


CODE_1 = "Unable to process request."


@pytest.mark.parametrize(
    ("code", "error"), [("1", Unavailable), ("2", AuthRejected), ("16", ContactNotFound), ("9999", BadResponse)]
)
@pytest.mark.parametrize("form", ["xml", "json"])
def test_an_error_inside_the_answer_is_the_error_that_it_names(code, error, form):
    xml = f"<error><code>{code}</code><message>{CODE_1}</message></error>"
    body = f"<getUserInteractionsResponse>{xml}</getUserInteractionsResponse>"
    if form == "json":
        body = json.dumps({"getUserInteractionsResponse": {"error": {"code": code, "message": CODE_1}}})
    with pytest.raises(error):
        read(lambda _: answer(body.encode()))


ODD = {
    "an entity of HTML": (b"Save&nbsp;now", "Save\xa0now"),
    "Windows-1252": (b"Don\x92t miss", "Don\u2019t miss"),
    "CESU-8": (b"\xed\xa0\xbd\xed\xb8\x80 sale", "\U0001f600 sale"),
    "a bare ampersand": (b"Fish & Chips", "Fish & Chips"),
    "a tab": (b"a\tb", "a\tb"),
}


@pytest.mark.parametrize(("sent", "meant"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("write", [as_xml, as_json])
@pytest.mark.parametrize("count", [1, 3, 400])
def test_one_odd_character_costs_nothing(sent, meant, write, count):
    rows = [row(n, subject="odd" if n == count // 2 else "ok") for n in range(count)]
    body = write("getUserInteractions", rows).replace(b"odd", sent)
    found = [canonical(record)["subject"] for record in first_page(body).records]
    meant = meant if write is as_xml else sent.decode(errors="ignore") if b"&" in sent else meant
    assert found == [meant if n == count // 2 else "ok" for n in range(count)]


@pytest.mark.parametrize("odd", [b"\x81", b"&nobody;", b"<b>"])
def test_an_unreadable_record_is_rejected_with_its_bytes(odd):
    rows = [row(n, subject="odd" if n == 1 else "ok") for n in range(3)]
    page = first_page(as_xml("getUserInteractions", rows).replace(b"odd", odd))
    assert [canonical(record)["interaction_id"] for record in page.records[2:]] == ["2"]
    assert odd in page.records[1]
    with pytest.raises(RecordRejected):
        canonical(page.records[1])


@pytest.mark.parametrize("write", [as_xml, as_json])
def test_the_header_names_the_encoding_where_the_body_does_not(write):
    body = write("getUserInteractions", [row(1, subject="odd"), row(2)]).replace(b"odd", "café €".encode("cp1252"))
    body = body.replace(b'<?xml version="1.0" encoding="UTF-8"?>', b"")
    page = first_page(body, headers={"content-type": "text/xml; charset=ISO-8859-1"})
    assert canonical(page.records[0])["subject"] == "café €"


def test_an_id_that_stands_for_none_is_no_key():
    one, other = (canonical(json.dumps(row(0, subject=text)).encode())["interaction_id"] for text in ("a", "b"))
    assert one != other
    assert canonical(json.dumps(row(0, interactionId="7.0")).encode())["interaction_id"] == "7"


# Paging


@pytest.mark.parametrize("write", [as_xml, as_json])
@pytest.mark.parametrize(
    ("count", "size", "offsets"),
    [(0, 3, [0]), (1, 3, [0, 1]), (2, 3, [0, 1]), (3, 3, [0, 2]), (4, 3, [0, 2, 3]), (6, 3, [0, 2, 4, 5])],
)
def test_pages_overlap_by_a_row_until_nothing_new_comes(write, count, size, offsets):
    server = Server([row(n) for n in range(count)], write)
    assert ids(read(server, page_size=size)) == [str(n) for n in range(count)]
    assert [int(form["list_record_offset"]) for form in server.forms] == offsets
    assert {form["list_page_size"] for form in server.forms} == {str(size)}


def test_pages_of_one_row_are_pages_of_two():
    server = Server([row(n) for n in range(7)])
    assert ids(read(server, page_size=1)) == [str(n) for n in range(7)]
    assert {form["list_page_size"] for form in server.forms} == {"2"}


@given(st.integers(0, 130), st.integers(1, 200), st.integers(1, 60))
def test_a_server_that_cuts_pages_anywhere_loses_nothing(count, size, cap):
    server = Server([row(n) for n in range(count)], cap=cap)
    assert ids(read(server, page_size=size)) == [str(n) for n in range(count)]
    assert len(server.forms) <= 2 + count / max(1, min(cap, max(size, 2)) - 1)


class Restless(Server):
    """Rows leave and come between two answers; the cap changes."""

    def __init__(self, rows, events):
        super().__init__(rows)
        self.events, self.gone = list(events), set()

    async def __call__(self, request):
        if self.forms and self.events:
            leaving, caps = self.events.pop(0)
            self.gone.update(one["interactionId"] for one in self.rows[:leaving])
            del self.rows[:leaving]
            self.faults["cap"] = caps
        return await super().__call__(request)


@given(
    st.integers(0, 130),
    st.integers(2, 50),
    st.lists(st.tuples(st.integers(0, 40), st.integers(2, 60)), max_size=6),
)
def test_rows_that_are_deleted_meanwhile_hide_none(count, size, events):
    server = Restless([row(n) for n in range(count)], events)
    found = ids(read(server, page_size=size))
    assert set(found) | server.gone == {str(n) for n in range(count)}
    assert len(found) == len(set(found))


@given(st.integers(0, 130), st.integers(2, 9), st.sets(st.integers(1, 60), max_size=6))
def test_pages_that_begin_a_row_too_early_hide_none(count, size, early):
    """So often that a step back reaches a whole page that is known, behind which more follows."""

    class Early(Server):
        async def __call__(self, request):
            offset = int(request.form["list_record_offset"])
            if offset and len(self.forms) in early:
                form = {
                    **request.form,
                    "list_record_offset": str(offset - 1),
                    "list_page_size": str(int(request.form["list_page_size"]) + 1),
                }
                request = contract.Request("POST", request.url, form=form)
            return await super().__call__(request)

    assert ids(read(Early([row(n) for n in range(count)]), page_size=size)) == [str(n) for n in range(count)]


def test_rows_that_move_for_ever_are_an_error():
    class Fleeing(Server):
        async def __call__(self, request):
            self.rows = [row(len(self.forms) * 1000 + n) for n in range(60)]
            return await super().__call__(request)

    with pytest.raises(Incomplete, match="rows move between pages"):
        read(Fleeing([]), page_size=25)


@pytest.mark.parametrize("ordered", [1, -1])
def test_a_server_that_ignores_the_offset_is_an_error(ordered):
    server = Server([row(n) for n in range(9)], ignores_offset=True)

    def write(method, rows):
        order = ordered if len(server.forms) > 1 else 1
        return as_json(method, [dict(list(one.items())[::order]) for one in rows])

    server.write = write
    with pytest.raises(Stalled):
        read(server, page_size=3)
    assert len(server.forms) <= 5


@pytest.mark.parametrize("extra", [1, 3, 100])
def test_a_server_that_sends_more_than_asked_loses_nothing(extra):
    class Generous(Server):
        async def __call__(self, request):
            form = {**request.form, "list_page_size": str(int(request.form["list_page_size"]) + extra)}
            return await super().__call__(contract.Request("POST", request.url, form=form))

    assert list(dict.fromkeys(ids(read(Generous([row(n) for n in range(17)]), page_size=4)))) == list(
        map(str, range(17))
    )


def test_a_row_that_comes_before_others_meanwhile_changes_nothing():
    class Live(Server):
        async def __call__(self, request):
            if len(self.forms) == 1:
                self.rows.insert(0, row(99))
            return await super().__call__(request)

    assert ids(read(Live([row(n) for n in range(5)]), page_size=2)) == ["0", "1", "2", "3", "4"]


def test_so_is_one_whose_records_have_no_ids():
    with pytest.raises(Stalled):
        read(Server([row(n, interactionId=None) for n in range(9)], ignores_offset=True), page_size=3)


@pytest.mark.parametrize(("total", "calls"), [("5", 3), ("3", 3), ("5.0", 3), (" 5 ", 3), (None, 3)])
def test_a_total_is_taken_where_one_appears_but_never_needed(total, calls):
    def write(method, rows):
        body = json.loads(as_json(method, rows))
        body[f"{method}Response"]["totalNumberResults"] = total
        return json.dumps(body).encode()

    server = Server([row(n) for n in range(5)], write)
    pages = read(server, page_size=3)
    assert len(ids(pages)) == 5
    assert len(server.forms) == calls
    assert pages[-1].total == (None if total is None else int(float(total)))


@pytest.mark.parametrize("total", [0, 1, 2])
@pytest.mark.parametrize("cap", [3, 4])
def test_a_total_that_is_too_small_ends_no_listing(total, cap):
    said = f"<totalNumberResults>{total}</totalNumberResults>"
    server = Server([row(n) for n in range(9)], lambda method, rows: as_xml(method, [said, *rows]), cap=cap)
    assert len(ids(read(server, page_size=5))) == 9


@pytest.mark.parametrize("total", ["soon", "1,20", "5.5", "-1", "1e3", "5 rows", {"x": "5"}])
def test_a_total_that_cannot_be_read_does_not_switch_the_check_off(total):
    body = json.loads(as_json("getUserInteractions", [row(1)]))
    body["getUserInteractionsResponse"]["totalNumberResults"] = total
    with pytest.raises(BadResponse):
        read(lambda _: answer(json.dumps(body).encode()))


def test_fewer_records_than_a_declared_total_are_an_error():
    total = "<totalNumberResults>9</totalNumberResults>"
    server = Server([row(1), row(2)], lambda method, rows: as_xml(method, [total, *rows]))
    with pytest.raises(Incomplete, match="2 records came where the vendor declared 9"):
        read(server, page_size=5)


# What is asked


def test_the_form_of_a_question():
    server = Server([], as_xml)
    read(server)
    assert server.forms == [
        {
            "method": "getUserInteractions",
            "v": "1.0",
            "response_format": "xml",
            "cons_id": "1001001",
            "begin_date": "2016-01-31T23:59:59Z",
            "end_date": "2016-02-08T00:00:00Z",
            "list_ascending": "true",
            "list_page_size": "200",
            "list_record_offset": "0",
        }
    ]


@pytest.mark.parametrize(
    ("kind", "text", "parameter"),
    [("cons_id", "7", "cons_id"), ("member_id", "M-7", "member_id"), ("email", "a+b@x.org", "primary_email")],
)
def test_exactly_one_identifier_is_sent(kind, text, parameter):
    server = Server([])
    read(server, VENDOR.contact(f" {text} ", kind))
    sent = server.forms[0]
    assert [name for name in ("cons_id", "member_id", "primary_email") if name in sent] == [parameter]
    assert sent[parameter] == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "cons_id"),
        ("7a", "cons_id"),
        ("-7", "cons_id"),
        ("\u0667", "cons_id"),
        (" ", "member_id"),
        ("a\nb", "member_id"),
        ("someone", "email"),
        ("a@b@c", "email"),
        ("7", "contact_id"),
        ("7", "everyone"),
        ("*", "cons_id"),
    ],
)
def test_other_contacts_are_refused_without_repeating_them(text, kind):
    with pytest.raises(ConfigError, match="luminate_online: a contact must be given as cons_id") as refused:
        VENDOR.contact(text, kind)
    assert "someone" not in str(refused.value)


@pytest.mark.parametrize("text", ["1001001", " 0001001001\n", "00000000000000000000001001001"])
def test_a_cons_id_is_one_contact_however_it_is_padded(text):
    assert VENDOR.contact(text, "cons_id") == PERSON
    assert VENDOR.contact("000", "cons_id").id == "0"
    assert VENDOR.contact("0012", "member_id").id == "0012"


def test_types_are_one_query_each():
    server = Server([])
    read(server, types=[1000, "1000", "006"], subject="Hello")
    assert [form["interaction_type_id"] for form in server.forms] == ["1000", "6"]
    assert {form["interaction_subject"] for form in server.forms} == {"Hello"}


@pytest.mark.parametrize("types", [["email"], [-1], ["1.5"], [""]])
def test_types_are_numbers(types):
    with pytest.raises(ConfigError, match="types must hold interaction type ids"):
        build_options(VENDOR, {"types": types})


@pytest.mark.parametrize(
    ("start", "end", "asked"),
    [
        ("2026-01-01", "2026-01-02", ("2025-12-31T23:59:59Z", "2026-01-02T00:00:00Z")),
        ("2026-01-01T00:00:00.5Z", "2026-01-02T00:00:00.5Z", ("2025-12-31T23:59:59Z", "2026-01-02T00:00:01Z")),
        ("2026-07-01T00:00:00-05:00", "2026-07-02T00:00:00-05:00", ("2026-07-01T04:59:59Z", "2026-07-02T05:00:00Z")),
        ("0001-01-01", "9999-12-31T23:59:59.999999Z", ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")),
    ],
)
def test_the_range_asked_for_holds_the_window(start, end, asked):
    assert choose_range(Window.of(start, end)) == asked


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(microseconds=1), timedelta(days=900)))
def test_any_window_can_be_asked_for(start, span):
    try:
        window = Window(start, start + span)
    except OverflowError:
        return
    begin, end = choose_range(window)
    assert begin <= end
    assert datetime.fromisoformat(begin) <= window.start
    assert window.end - datetime.fromisoformat(end) < timedelta(seconds=1)


# Other constituents

#: What a note says of its constituent, and whether that can be the one of its record, 1001001.
NAMED = [
    *((one, True) for one in (None, "1001001", " 01001001\n", "1001001.0", "0", "-1", "", {})),
    *((one, False) for one in ("1001002", "10010010", "x", {"k": "v", "content": "1001001"}, ["1001001", "7"])),
]


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("write", [as_xml, as_json])
@pytest.mark.parametrize(("named", "same"), NAMED)
def test_a_record_with_a_note_of_another_constituent_is_rejected_whatever_else_is_wrong(named, same, write, several):
    note = {"noteId": "1", "consId": named}
    odd = {"note": [{"noteId": "2"}, note] if several else note}
    (page,) = read(Server([row(1, **odd, creationDate="never"), row(2, **odd)], write))
    for record, reason in zip(page.records, ["creationDate", ""], strict=True):
        found = map_batch(build_batch([record], PERSON, "", ""), VENDOR).rejected.get(0, "")
        assert (found != ANOTHER_CONTACT and reason in found) if same else found == ANOTHER_CONTACT


def test_a_record_of_another_constituent_lands_and_keeps_its_name():
    (page,) = read(Server([row(1, consId="1001002")]))
    found = canonical(page.records[0])
    assert (found["contact_id"], found["attributes"]["consId"]) == (PERSON.id, "1001002")


# Everyone at once, notes of standard types, members of a group


def test_the_bulk_route():
    server = Server([row(1, consId="7"), row(2, consId="8")])
    (page,) = read(server, EVERYONE, types=["1001"])
    sent = server.forms[0]
    assert (sent["method"], sent["interaction_type_id"]) == ("listInteractions", "1001")
    assert not {"cons_id", "member_id", "primary_email"} & set(sent)
    rows = [map_record(VENDOR, record, Asked(EVERYONE, "1001")) for record in page.records]
    assert [one.contact_id for one in rows] == ["7", "8"]
    with pytest.raises(RecordRejected, match="consId is missing"):
        map_record(VENDOR, json.dumps(row(1, consId=None)).encode(), Asked(EVERYONE))


def test_the_bulk_route_needs_types():
    with pytest.raises(ConfigError, match="the option types must name public custom interaction types"):
        read(Server([]), EVERYONE)


def test_a_missing_type_is_the_one_asked_for():
    payload = json.dumps(row(1, interactionTypeId=None)).encode()
    assert map_record(VENDOR, payload, Asked(PERSON, "1021")).native_type == "1021"


MIXED = [
    row(1, note={"noteId": "1"}),  # custom, note already there
    row(2),  # custom without a note
    row(3, interactionTypeId="6"),
    row(4, interactionTypeId="0", creationDate="2016-03-01T00:00:00Z"),  # outside the window
    row(5, interactionTypeId="6", note={"noteId": "2"}),
]


@pytest.mark.parametrize("write", [as_xml, as_json])
def test_details_cost_one_call_for_each_standard_row_of_the_window(write):
    server = Server(MIXED, write)
    (page,) = read(server, details=True)
    assert [form.get("interaction_id") for form in server.forms] == [None, "3", None]
    assert server.forms[1]["method"] == "getInteraction"
    assert server.forms[1]["cons_id"] == "1001001"
    rows = [canonical(record) for record in page.records]
    assert [one["interaction_id"] for one in rows] == ["1", "2", "3", "4", "5"]
    assert [one["action"] for one in rows] == ["noted", "other", "noted", "other", "noted"]
    assert rows[2]["attributes"]["note"] == [{"noteId": "7", "text": "more"}]


def test_a_site_without_getinteraction_answers_without_notes_and_says_so(caplog):
    server = Server(MIXED, detail_error=RequestRejected("no such method", code="6"))
    found = read(server, details=True)
    assert [json.loads(record) for page in found for record in page.records] == MIXED
    assert [form.get("interaction_id") for form in server.forms] == [None, "3", None]
    assert "come without their notes" in caplog.text


def test_other_refusals_of_details_are_errors():
    with pytest.raises(RequestRejected):
        read(Server(MIXED, detail_error=RequestRejected("wrong", code="9")), details=True)


@pytest.mark.parametrize(
    "fault",
    [
        {"detail_error": ContactFailed("gone")},
        *({"detail": one} for one in ({"interactionId": "99"}, {"consId": "99"}, {"creationDate": None})),
    ],
)
def test_a_row_without_details_stays_as_it_is(fault):
    (page,) = read(Server(MIXED, **fault), details=True)
    assert [json.loads(record) for record in page.records] == MIXED


def test_no_details_unless_asked_for():
    server = Server(MIXED)
    read(server)
    read(server, EVERYONE, details=True, types=[1000])
    assert {form["method"] for form in server.forms} == {"getUserInteractions", "listInteractions"}


def members(body, **options):
    async def collect():
        sent = []

        async def fetch(request, decode):
            sent.append(request.form)
            return decode(Response(200, {}, body))

        listing = VENDOR.contacts(fetch, credentials().settings, build_options(VENDOR, options))
        return [contact for page in [page async for page in listing] for contact in page], sent

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"getGroupMembersResponse":{"total_number":"2","member":[{"cons_id":"1"},{"cons_id":"2"}]}}', ["1", "2"]),
        (b'{"getGroupMembersResponse":{"total_number":"1","member":{"cons_id":" 1 "}}}', ["1"]),
        (b'{"getGroupMembersResponse":{"total_number":"0"}}', []),
        (b'{"getGroupMembersResponse":{"total_number":"1.0","member":{"cons_id":"1"}}}', ["1"]),
        (b"<getGroupMembersResponse><member><cons_id>1</cons_id></member></getGroupMembersResponse>", ["1"]),
    ],
)
def test_members_of_a_group(body, found):
    contacts, sent = members(body, group_id=1234)
    assert contacts == [Contact(text, "cons_id") for text in found]
    assert {key: sent[0][key] for key in ("method", "group_id", "fields", "max_number")} == {
        "method": "getGroupMembers",
        "group_id": "1234",
        "fields": "cons_id",
        "max_number": "1000",
    }


@pytest.mark.parametrize("nothing", ["{}", "null", '""', '{"member":[]}'])
def test_a_group_is_empty_only_where_a_number_says_so(nothing):
    with pytest.raises(BadResponse):
        members(b'{"getGroupMembersResponse":%s}' % nothing.encode(), group_id=1234)


def test_a_group_that_the_vendor_cuts_is_an_error():
    body = {"total_number": "1001", "member": [{"cons_id": str(n)} for n in range(1000)]}
    with pytest.raises(Incomplete, match="lists 1000 of the group's 1001 members and pages no further"):
        members(json.dumps({"getGroupMembersResponse": body}).encode(), group_id="1")
    del body["total_number"]
    with pytest.raises(Incomplete, match="lists 1000 of the group's unknown number of members"):
        members(json.dumps({"getGroupMembersResponse": body}).encode(), group_id="1")


@pytest.mark.parametrize(
    "body",
    [
        b"<gResponse><member><cons_id>1</cons_id></member></gResponse>",
        b'{"getGroupMembersResponse":{"error":{"code":"1","message":"m"},"member":{"cons_id":"1"}}}',
        b'{"getGroupMembersResponse":{"members":{"member":[{"cons_id":"1"}]}}}',
        b'{"getGroupMembersResponse":{"total_number":"1,200","member":[{"cons_id":"1"},{"cons_id":"2"}]}}',
        b'{"getGroupMembersResponse":{"total_number":"many","member":{"cons_id":"1"}}}',
    ],
)
def test_a_list_of_members_does_not_end_early_in_silence(body):
    with pytest.raises((BadResponse, Unavailable, Incomplete)):
        members(body, group_id="1")


def test_a_listing_needs_a_group_and_members_need_ids():
    with pytest.raises(ConfigError, match="the option group_id is empty"):
        members(b"{}")
    with pytest.raises(BadResponse, match="comes without its cons_id"):
        members(b'{"getGroupMembersResponse":{"member":{"name":"x"}}}', group_id="1")


# Errors


def error_bodies(code):
    yield json.dumps({"errorResponse": {"code": str(code), "message": "m"}}).encode()
    yield json.dumps({"errorResponse": {"message": "m", "code": code}}, indent=1).encode()
    yield f'<?xml version="1.0"?><errorResponse {NS}><code>{code}</code><message>m</message></errorResponse>'.encode()


MEANING = {
    Unavailable: (1,),
    AuthRejected: (2, 3, 4, 5, 7, 33, 200, 201, 202, 204),
    RequestRejected: (
        6,
        9,
        *range(10, 15),
        17,
        *range(19, 27),
        *range(28, 32),
        34,
        35,
        36,
        50,
        405,
        901,
        910,
        77,
        99999,
    ),
    ContactFailed: (8, 15, 18, 27, 32),
    ContactNotFound: (16,),
}


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, codes in MEANING.items() for code in codes])
def test_the_code_in_the_body_decides(kind, code, status):
    for body in error_bodies(code):
        error = VENDOR.classify(Response(status, {"content-type": "text/html"}, body))
        assert type(error) is kind
        assert (error.status, error.code) == (status, str(code))


def test_the_table_is_complete():
    published = {*range(1, 10), *range(10, 37), 50, *range(901, 911)}
    assert {str(code) for code in published} <= set(errors.CODES)


def test_hints_for_the_two_hardest_codes():
    told = {code: str(VENDOR.classify(Response(403, {}, next(error_bodies(code))))) for code in (1, 4)}
    assert "secure2 or secure3" in told[1]
    assert "IP address" in told[4]
    assert "NAT" in told[4]


PAGE = b"<html><body>We are down for maintenance</body></html>"


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (200, {"content-type": "text/html; charset=utf-8"}, PAGE, Unavailable),
        (200, {}, b"\n<!DOCTYPE html>\n" + PAGE, Unavailable),
        (200, {}, b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x" "y">\n' + PAGE, Unavailable),
        (200, {}, b'<?xml version="1.0"?>\n' + PAGE, Unavailable),
        (200, {"content-type": "text/html"}, b"Sorry", Unavailable),
        (403, {}, PAGE, Unavailable),
        (503, {"content-type": "text/html"}, PAGE, Unavailable),
        (404, {"content-type": "text/html"}, PAGE, RequestRejected),
        (405, {"content-type": "text/html"}, PAGE, RequestRejected),
        (302, {"content-type": "text/html"}, PAGE, RequestRejected),
        (500, {}, b"", Unavailable),
        (502, {}, b"bad gateway", Unavailable),
        (429, {}, b"", Throttled),
        (429, {}, next(error_bodies(1)), Throttled),
        (403, {}, b"", AuthRejected),
        (401, {}, b"", AuthRejected),
        (405, {}, b"", RequestRejected),
        (404, {}, b"", RequestRejected),
        (500, {}, next(error_bodies(3)), AuthRejected),
        (503, {}, next(error_bodies(777)), Unavailable),
        (403, {}, b'{"errorResponse":', RequestRejected),
        (403, {}, b'{"errorResponse":"16"}', RequestRejected),
        (403, {}, b'{"errorResponse":{"code":"name@example.org"}}', RequestRejected),
        (403, {}, b"<errorResponse><code>16", RequestRejected),
    ],
)
def test_everything_else(status, headers, body, kind):
    error = VENDOR.classify(Response(status, headers, body))
    assert type(error) is kind
    assert "@" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b'{"getUserInteractionsResponse":{"interaction":{"subject":"<!DOCTYPE html> errorResponse"}}}',
        b"<getUserInteractionsResponse><a><![CDATA[<!DOCTYPE html><errorResponse>]]></a></getUserInteractionsResponse>",
        *NOTHING,
    ],
)
@pytest.mark.parametrize("kind", ["text/html", "text/xml", "application/json"])
def test_a_good_answer_is_none(body, kind):
    assert VENDOR.classify(Response(200, {"content-type": kind}, body)) is None


# Connection


def test_credentials_go_into_the_body_only():
    auth = VENDOR.auth(credentials())
    request = VENDOR.probe(credentials().settings)
    signed = auth.apply(request, "")
    assert signed.form == {**request.form, "api_key": "key", "login_name": "robot", "login_password": "hush"}
    assert (signed.url, signed.query, signed.headers, signed.body) == ("/SRConsAPI", {}, {}, None)
    assert set(auth.secrets) == {"key", "robot", "hush"}
    assert not auth.has_tokens
    assert not any(secret in repr((signed, auth, credentials())) for secret in ("robot", "hush"))


def test_the_probe_asks_for_one_record_of_nobody():
    form = VENDOR.probe(credentials(response_format="json").settings).form
    assert (form["method"], form["list_page_size"], form["response_format"]) == ("getUserInteractions", "1", "json")


@pytest.mark.parametrize("key", [*(f"ke{char}y" for char in "&:\\\"'?="), " k3y", "k3y\n"])
def test_a_key_that_the_vendor_refuses_is_refused_here(key):
    with pytest.raises(ConfigError, match="the extra's api_key holds a character that the vendor refuses") as refused:
        credentials(api_key=key)
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"api_key": None}, "extra's api_key"), ({"login": ""}, "login"), ({"password": ""}, "password")],
)
def test_a_missing_field_is_named(fields, told):
    with pytest.raises(ConfigError, match=f"the connection's {told}.* is empty"):
        VENDOR.auth(credentials(**fields))


def test_a_format_that_is_not_offered():
    with pytest.raises(ConfigError, match="response_format"):
        credentials(response_format="csv")


# Against the sandbox, which was written by someone else from the same pages


@pytest.fixture(scope="module")
def sandbox():
    with serve(SandboxConfig(contacts=12, seed=3)) as running:
        yield running


def build_login(sandbox, **extra):
    known = sandbox.connections[VENDOR.name]
    fields = {name: known[name] for name in ("host", "login", "password")}
    return build_credentials(VENDOR, **fields, extra={**known["extra"], **extra})


@pytest.mark.parametrize("start", ["2026-01-01T00:00:00Z", "2026-01-02T03:00:00.5Z"])
@pytest.mark.parametrize(("form", "size"), [("xml", 200), ("json", 200), ("json", 3)])
def test_the_table_is_what_the_oracle_knows(sandbox, tmp_path, start, form, size, tools):
    end = "2026-01-06T03:00:00.25Z"
    job = Job(
        vendor=VENDOR,
        credentials=build_login(sandbox, response_format=form),
        lake=Lake.at(str(tmp_path)),
        window=Window.of(start, end),
        contacts=[VENDOR.contact(text) for text in sandbox.contacts(VENDOR.name)],
        options=build_options(VENDOR, {"page_size": size}),
        limits=tools.quick,
    )
    manifest = normalize_pipeline.normalize(job.lake, commit.commit_window(job.lake, [run.extract(job)]))
    found = [fact for file in manifest.files for fact in facts(tmp_path / file.path)]
    expected = sandbox.oracle(VENDOR.name, start, end)
    assert (len(found), digest(found), manifest.counts.rejected) == (expected.interactions, expected.digest, 0)


def facts(path):
    for known in pq.ParquetFile(path).read().to_pylist():
        fields = {name: known[name] for name in Fact.__struct_fields__}
        at = (known["occurred_at"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        yield Fact(**{**fields, "occurred_at": at, "attributes": json.loads(known["attributes"])})


@pytest.mark.parametrize(
    ("extra", "verdict"), [({}, ContactNotFound), ({"api_key": "other"}, AuthRejected)], ids=["right", "wrong"]
)
def test_the_probe_tells_right_credentials_from_wrong_ones(sandbox, extra, verdict):
    made = build_login(sandbox, **extra)

    async def probe():
        async with connect(VENDOR, made) as client:
            await client.fetch(VENDOR.probe(made.settings), lambda response: response)

    with pytest.raises(verdict):
        asyncio.run(probe())
