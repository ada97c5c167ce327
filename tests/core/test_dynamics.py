"""Dynamics 365 Marketing: records, paging, refusals and credentials, against the vendor's pages."""

import asyncio
import json
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions import contacts, contract
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Contact, Query, Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    ConfigError,
    ContactNotFound,
    Incomplete,
    RecordRejected,
    RequestRejected,
    ServiceRemoved,
    Stalled,
    Throttled,
    Unavailable,
)
from airflow_provider_interactions.extract.pipeline import guard_pages
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.dynamics_marketing.vendor import choose_days
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import KINDS
from airflow_provider_interactions.vendors.shared import encoding
from airflow_provider_interactions.vendors.shared.entra import read_token
from airflow_provider_interactions.vendors.shared.guids import spell_guid
from airflow_provider_interactions.window import Window
from tests.mapped import Asked, map_record

DYNAMICS = VENDORS["dynamics_marketing"]
CASES = Path(__file__).parents[1] / "cases"
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "dynamics_marketing.json").read_text())
WHO = Contact("0dbe0fa3-8e18-e811-a951-000d3a37caec")
ASKED = Asked(WHO, "EmailSent")
DAY = Window.of("2026-01-02", "2026-01-03")

#: The list of the action's page (edition of 2021-01-06), copied from it; respelled names and drafts are not on it.
PAGE = GOLDEN["types"]


def short(value):
    """A name for a parameter that may be long."""
    return repr(value)[:40]


def record(**fields):
    known = {"InteractionId": "A" * 32, "InteractionType": "EmailSent", "Timestamp": "2026-01-02T10:00:00Z"}
    return json.dumps({**known, **fields}).encode()


def map_one(payload, asked=ASKED):
    return map_record(DYNAMICS, payload, asked)


def asked_pages(*bodies, window=DAY, **options):
    """What the paging loop makes of these answers, and what it asked."""
    requests = []

    async def fetch(request, decode):
        requests.append(request)
        return decode(Response(200, {}, bodies[len(requests) - 1]))

    async def read():
        query = Query(WHO, build_credentials(DYNAMICS, "https://o.com").settings, made, "EmailSent")
        return [page async for page in DYNAMICS.pages(fetch, query, window)]

    made = build_options(DYNAMICS, options)
    return asyncio.run(read()), requests


def answer(data, cursor=None, **more):
    return json.dumps({"Data": data, "NextSkipToken": cursor, **more}).encode()


def test_the_golden_record():
    [page], _ = asked_pages(GOLDEN["body"].encode(), window=Window.of("2018-02-23", "2018-02-24"))
    assert [payload.decode() for payload in page.records] == GOLDEN["payloads"]
    asked = GOLDEN["asked"]
    who = Asked(Contact(asked["contact_id"], asked["contact_id_kind"]), asked["native_type"])
    for payload, occurred, wanted in zip(page.records, page.occurred, GOLDEN["rows"], strict=True):
        row = msgspec.structs.asdict(map_one(payload, who))
        assert occurred == row["occurred_at"] == datetime.fromisoformat(wanted["occurred_at"])
        assert json.loads(row["attributes"]) == wanted["attributes"]
        assert row["contact_id"] == asked["contact_id"]
        decided = row.keys() - {"occurred_at", "attributes", "contact_id"}
        assert {name: row[name] for name in decided} == {name: wanted[name] for name in decided}
        carried = {"account", "extracted_at", "window_start", "window_end", "person_id"}
        assert wanted.keys() == set(CANONICAL.names) - carried


def test_every_type_of_the_page_is_known_and_no_other():
    assert list(KINDS) == PAGE
    assert len(PAGE) == 40
    assert DYNAMICS.options().types == tuple(PAGE)


@pytest.mark.parametrize("native_type", PAGE)
def test_every_type_maps_to_words_of_the_table(native_type):
    row = map_one(record(InteractionType=native_type))
    assert row.channel in CHANNELS
    assert row.action in ACTIONS - {"other"}
    assert row.native_type == native_type


@pytest.mark.parametrize(
    ("native_type", "meaning"),
    [
        ("EmailClicked", ("email", "clicked")),
        ("EmailHardBounced", ("email", "bounced")),
        ("EventCheckIn", ("event", "checked_in")),
        ("FormSubmitted", ("form", "submitted")),
        ("SegmentUnsubscribed", ("segment", "unsubscribed")),
        ("WebsiteVisited", ("web", "visited")),
        ("ContactUpserted", ("other", "other")),
    ],
)
def test_what_a_type_means(native_type, meaning):
    row = map_one(record(InteractionType=native_type))
    assert (row.channel, row.action) == meaning


def test_the_records_own_type_counts_and_the_asked_one_where_it_has_none():
    assert map_one(record(InteractionType="EmailOpened")).native_type == "EmailOpened"
    assert map_one(record(InteractionType=None)).native_type == "EmailSent"
    with pytest.raises(RecordRejected, match="InteractionType is missing"):
        map_one(record(InteractionType=""), Asked(WHO))


@given(st.uuids(), st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", " ", "\n"]))
def test_a_guid_is_the_same_in_all_its_spellings(value, dashes, braces, upper, blank):
    text = str(value) if dashes else value.hex
    text = f"{{{text}}}" if braces else text
    assert spell_guid(blank + (text.upper() if upper else text)) == str(value)


@given(st.text(max_size=40))
def test_what_reads_as_a_guid_is_one(text):
    found = spell_guid(text)
    assert found is None or str(uuid.UUID(found)) == found


def test_ids_are_spelled_one_way_and_other_text_is_left():
    row = map_one(
        record(
            InteractionId="{172C1E59-A3CD-4D85-B392-316DD76651CE}",
            CustomerJourneyId="4C3846A196 18",
            MessageId="5A2F3E769518E811A951000D3A38CAEC",
        )
    )
    assert row.interaction_id == "172c1e59-a3cd-4d85-b392-316dd76651ce"
    assert row.campaign_id == "4C3846A196 18"
    assert row.message_id == "5a2f3e76-9518-e811-a951-000d3a38caec"


spelled_ids = st.tuples(st.booleans(), st.booleans(), st.booleans())
contact_names = st.sampled_from(["ContactId", "contactId", "contactid", "CONTACTID"])


def spell(guid, dashes, braces, upper):
    text = str(guid) if dashes else guid.hex
    text = text.upper() if upper else text
    return f"{{{text}}}" if braces else text


@given(contact_names, spelled_ids)
def test_the_contact_that_was_asked_for_is_not_repeated(name, spelling):
    row = map_one(record(**{name: spell(uuid.UUID(WHO.id), *spelling)}))
    assert (row.contact_id, json.loads(row.attributes)) == (WHO.id, {})


@given(
    contact_names,
    st.one_of(
        st.tuples(st.uuids().filter(lambda guid: guid.int and str(guid) != WHO.id), spelled_ids).map(
            lambda found: spell(found[0], *found[1])
        ),
        st.sampled_from(["anna@example.org", "\ud83d", 7, True, [WHO.id], {"id": WHO.id}]),
    ),
    st.sampled_from([{}, {"Timestamp": "yesterday"}, {"InteractionId": None}, {"InteractionId": []}]),
)
def test_a_record_about_another_contact_is_rejected_whatever_else_is_wrong(name, other, more):
    with pytest.raises(RecordRejected, match="names another contact"):
        map_one(record(**{name: other}, **more))


@pytest.mark.parametrize("nobody", [None, "", "00000000-0000-0000-0000-000000000000", "{" + "0" * 32 + "}", 0])
def test_a_record_that_names_nobody_is_about_the_contact_asked_for(nobody):
    assert map_one(record(ContactId=nobody)).contact_id == WHO.id


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        (None, "Timestamp is missing"),
        ("", "Timestamp is missing"),
        ("yesterday", "Timestamp is not a valid ISO 8601 time"),
        ("02/23/2018 13:10:48", "Timestamp is not a valid ISO 8601 time"),
        ("2026-02-30T00:00:00Z", "Timestamp is not a valid ISO 8601 time"),
        ("0001-01-01T00:00:00+14:00", "Timestamp is not a valid ISO 8601 time"),
        (1767348000, "Timestamp is not a valid ISO 8601 time"),
        ({}, "Timestamp is not a valid ISO 8601 time"),
    ],
)
def test_a_record_without_a_readable_time_is_landed_and_rejected(stamp, reason):
    payload = record(Timestamp=stamp)
    [page], _ = asked_pages(answer(f"[{payload.decode()}, {record().decode()}]"))
    assert page.records[0] == payload
    assert page.occurred == [None, datetime(2026, 1, 2, 10, tzinfo=UTC)]
    with pytest.raises(RecordRejected, match=f"^{reason}$"):
        map_one(payload)


def test_a_record_without_a_timestamp_at_all():
    with pytest.raises(RecordRejected, match=r"^Timestamp is missing$"):
        map_one(b'{"InteractionId": "1"}')


@pytest.mark.parametrize(
    ("stamp", "instant"),
    [
        ("2026-01-02T10:00:00Z", datetime(2026, 1, 2, 10, tzinfo=UTC)),
        ("2026-01-02T10:00:00", datetime(2026, 1, 2, 10, tzinfo=UTC)),
        ("2026-01-02T10:00:00.0000010Z", datetime(2026, 1, 2, 10, 0, 0, 1, tzinfo=UTC)),
        ("2026-01-02T10:00:00+05:30", datetime(2026, 1, 2, 4, 30, tzinfo=UTC)),
    ],
)
def test_times_in_all_their_spellings(stamp, instant):
    assert map_one(record(Timestamp=stamp)).occurred_at == instant


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (record(InteractionId=None), "InteractionId is missing"),
        (record(InteractionId=""), "InteractionId is missing"),
        (b"[]", "the record is not a JSON object"),
        (b"", "the record is not a JSON object"),
        (b'{"a": ' * 5000, "the record is not a JSON object"),
        (b'{"InteractionId":"1","Timestamp":"2026-01-02T10:00:00Z","x":"\xff"}', "a field is not valid UTF-8"),
    ],
    ids=short,
)
def test_what_cannot_be_read_is_rejected_by_name(payload, reason):
    with pytest.raises(RecordRejected, match=f"^{reason}$"):
        map_one(payload)


def test_unknown_fields_are_kept_byte_for_byte():
    payload = (
        b'{"Big":9007199254740993,"Huge":123456789012345678901234567890,"Exact":1.10,"Exp":1e400,"InteractionId":"1",'
        b'"Emoji":"\xf0\x9f\x9a\x80","Escaped":"\\ud83d\\ude80","Timestamp":"2026-01-02T10:00:00Z",'
        b'"Nested":{"a": [1, 2.50]},"":null}'
    )
    assert map_one(payload).attributes == (
        '{"Big":9007199254740993,"Huge":123456789012345678901234567890,"Exact":1.10,"Exp":1e400,'
        '"Emoji":"🚀","Escaped":"\\ud83d\\ude80","Nested":{"a": [1, 2.50]},"":null}'
    )


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)
taken = {"InteractionId", "InteractionType", "Timestamp", "ContactId", "CustomerJourneyId", "MessageId"}


@given(st.dictionaries(st.text().filter(lambda name: name not in taken), values), st.booleans(), st.booleans())
def test_no_field_is_lost_on_the_way_through_data(fields, inner, outer):
    text = json.dumps([{**json.loads(record()), **fields}], ensure_ascii=inner)
    body = json.dumps({"Data": text, "NextSkipToken": None}, ensure_ascii=outer).encode()
    [page], _ = asked_pages(body)
    assert json.loads(map_one(page.records[0]).attributes) == fields


surrogates = st.text(st.sampled_from('\ud800\udbff\udc00\udfffa\\u"d8 🚀'), min_size=1, max_size=6)


def replace_surrogates(text):
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(surrogates, st.booleans(), st.booleans())
def test_half_a_surrogate_pair_costs_no_record_and_no_byte(text, inner, outer):
    first, second = json.loads(record(Odd=text)), json.loads(record(InteractionId="B" * 32))
    data = json.dumps([first, second], ensure_ascii=inner)
    body = json.dumps({"Data": data, "NextSkipToken": None}, ensure_ascii=outer).encode("utf-8", "backslashreplace")
    [page], _ = asked_pages(body)
    rows = [map_one(payload) for payload in page.records]
    assert json.loads(page.records[0])["Odd"].encode("utf-16", "surrogatepass") == text.encode(
        "utf-16", "surrogatepass"
    )
    assert replace_surrogates(json.loads(rows[0].attributes)["Odd"]) == replace_surrogates(text)
    assert [row.occurred_at for row in rows] == page.occurred
    assert len(rows) == 2


@pytest.mark.parametrize("data", [None, "", "[]", " [ ] "])
def test_data_that_holds_nothing(data):
    [page], _ = asked_pages(answer(data))
    assert (page.records, page.cursor) == ([], "")


# Answers of another shape, and odd bytes in them


ONE = f"[{record().decode()}]"


@pytest.mark.parametrize(
    "body",
    [
        (CASES / "F04-dynamics-200-empty-object.json").read_bytes(),
        {"NextSkipToken": None},
        {"Data": ONE},
        {"data": ONE, "NextSkipToken": None},
        {"Data": ONE, "nextSkipToken": "a"},
        {"Data": ONE, "SkipToken": "a"},
        {"Data": ONE, "NextSkipToken": None, "nextSkipToken": "a"},
        {"Data": ONE, "NextSkipToken": None, "@odata.nextLink": "https://o.com/x"},
        {"Data": ONE, "NextSkipToken": None, "@Microsoft.Dynamics.CRM.morerecords": True},
        {"Data": ONE, "NextSkipToken": None, "NextSkiptToken": "a"},
        {"Data": ONE, "NextSkipToken": None, "error": {"code": "", "message": "hush"}},
        {"Data": ONE, "NextSkipToken": None, "Error": "hush"},
        {"NextSkipToken": None, "error": {"code": "0x1", "message": "hush"}},
        {"value": {"Data": ONE, "NextSkipToken": None}},
        {"value": {"Data": ONE}, "NextSkipToken": None},
        {"d": {"Data": ONE}, "Data": None, "NextSkipToken": None},
        {"Data": "null", "NextSkipToken": None},
        {"Data": {"value": ONE}, "NextSkipToken": None},
        b'{"Data":"[]","Data":"[]","NextSkipToken":null}',
        b'{"Data":"[]","D\\u0061ta":"[]","NextSkipToken":null}',
        b'{"Data":"[]","NextSkipToken":"a","NextSkipToken":null}',
        {"Data": ONE, "NextSkipToken": None, "errors": ["hush"]},
        {"Data": ONE, "NextSkipToken": None, "IsTruncated": True},
        {"Data": ONE, "NextSkipToken": None, "Count": "many"},
        {"Data": ONE, "NextSkipToken": None, "Count": [1]},
        {"Data": f"[{ONE}]", "NextSkipToken": None},
        {"Data": f"[{record().decode()}, [ {record().decode()}]]", "NextSkipToken": None},
    ],
    ids=short,
)
def test_an_answer_of_another_shape_is_never_an_empty_page(body):
    body = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    with pytest.raises(BadResponse) as told:
        asked_pages(body)
    assert "hush" not in str(told.value)


NAMES = st.sampled_from(["data", "DATA", "Datas", "Result", "value", "nextSkipToken", "NextToken", "@odata.nextLink"])
SHAPES = st.one_of(
    st.tuples(st.just("drop"), st.sampled_from(["Data", "NextSkipToken"])),
    st.tuples(st.just("rename"), st.sampled_from(["Data", "NextSkipToken"]), NAMES),
    st.tuples(st.just("wrap"), NAMES),
    st.tuples(st.just("nest"), st.sampled_from(["Data", "NextSkipToken"]), NAMES),
    st.tuples(st.just("retype"), st.sampled_from(["Data", "NextSkipToken"]), st.sampled_from([1, True, [], {}, [ONE]])),
)


def reshape(good, how, *names):
    if how == "drop":
        return {key: value for key, value in good.items() if key != names[0]}
    if how == "rename":
        return {names[1] if key == names[0] else key: value for key, value in good.items()}
    if how == "wrap":
        return {names[0]: good}
    return {**good, names[0]: {names[1]: good[names[0]]} if how == "nest" else names[1]}


@given(SHAPES, st.sampled_from([None, "a"]))
def test_no_change_of_shape_makes_records_disappear(shape, cursor):
    body = json.dumps(reshape({"Data": ONE, "NextSkipToken": cursor}, *shape), separators=(",", ":")).encode()
    with pytest.raises(BadResponse):
        asked_pages(body, answer("[]"))


COUNTS = st.sampled_from(
    ["Count", "count", "TotalCount", "@odata.count", "Total", "@Microsoft.Dynamics.CRM.totalrecordcount"]
)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(-1, 9), COUNTS, st.booleans())
def test_fewer_records_than_a_count_says_are_an_error(sizes, declared, name, last_only):
    """Whether the count is on each page, or on the last one."""
    bodies = []
    for place, size in enumerate(sizes):
        data = json.dumps([json.loads(record(InteractionId=f"{place}{n}")) for n in range(size)])
        last = place == len(sizes) - 1
        bodies.append(
            answer(data, None if last else f"c{place}", **({} if last_only and not last else {name: declared}))
        )

    async def read_guarded():
        async def ask():
            for page in asked:
                yield page

        return [page async for page in guard_pages(ask(), "dynamics_marketing")]

    asked, _ = asked_pages(*bodies)
    if sum(sizes) < declared:
        with pytest.raises(Incomplete, match=f"{sum(sizes)} records came where the vendor declared {declared}"):
            asyncio.run(read_guarded())
    else:
        assert sum(len(page.records) for page in asyncio.run(read_guarded())) == sum(sizes)


def test_the_drafts_spelling_of_the_cursor_is_followed():
    pages, _ = asked_pages(b'{"Data":"[]","NextSkiptToken":"a"}', answer(ONE))
    assert [len(page.records) for page in pages] == [0, 1]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("0x80040265", RequestRejected), ("0x80072322", Throttled), ("0x80040217", ContactNotFound)],
)
def test_an_error_in_a_good_answer_is_the_error_it_names(code, kind):
    body = json.dumps({"error": {"code": code, "message": "hush"}}).encode()
    error = DYNAMICS.classify(Response(200, {}, body))
    assert (type(error), error.status, error.code) == (kind, 200, code)
    assert DYNAMICS.classify(Response(200, {}, answer(json.dumps([{"error": {"code": code}}])))) is None


def odd(text, number=2):
    """An answer with three records, the bytes of ``text`` in one of them, as the vendor escapes them."""
    known = json.loads(record())
    rows = [{**known, "InteractionId": str(n) * 32, "Subject": "@" if n == number else "Zürich"} for n in (1, 2, 3)]
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    body = json.dumps({"Data": data, "NextSkipToken": None}, ensure_ascii=False, separators=(",", ":"))
    return body.encode().replace(b"@", text)


def read(body, headers=None):
    [page] = asyncio.run(_read_page(body, headers or {}))
    return page, [(_subject(payload)) for payload in page.records]


async def _read_page(body, headers):
    async def fetch(_, decode):
        return decode(Response(200, headers, body))

    query = Query(WHO, build_credentials(DYNAMICS, "https://o.com").settings, DYNAMICS.options(), "EmailSent")
    return [page async for page in DYNAMICS.pages(fetch, query, DAY)]


def _subject(payload):
    try:
        return json.loads(map_one(payload).attributes).get("Subject")
    except RecordRejected as rejected:
        return rejected


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"Caf\xe9", "Café"),
        (b"Don\x92t", "Don\u2019t"),
        (b"a\tb", "a\tb"),
        (b"a\x00b", "a\0b"),
        (b"\xed\xa0\xbd\xed\xba\x80", "🚀"),
        (b"\xed\xa0\xbd", "\ufffd"),
        (b"\\ud83d", "\ufffd"),
        (b"a\x81b", None),
        (b"\xff", None),
        ("Zürich ".encode() + b"Caf\xe9", None),
        (b"a\\qb", None),
    ],
)
def test_an_odd_byte_costs_no_other_record(text, wanted):
    page, found = read(odd(text))
    assert (found[0], found[2]) == ("Zürich", "Zürich")
    if wanted is None:
        assert isinstance(found[1], RecordRejected)
        assert text in page.records[1]
    else:
        assert found[1] == wanted
        assert page.occurred == [datetime(2026, 1, 2, 10, tzinfo=UTC)] * 3


def test_the_case_of_one_bad_byte():
    page, found = read((CASES / "F05-dynamics-bad-byte-small.json").read_bytes())
    assert len(page.records) == 3
    assert found[1] == "Café"


@given(st.binary(min_size=1, max_size=8).filter(lambda text: not set(text) & set(b'"\\@')))
def test_whatever_bytes_a_record_holds_its_neighbours_land(text):
    page, found = read(odd(text))
    assert (found[0], found[2]) == ("Zürich", "Zürich")
    assert isinstance(found[1], RecordRejected) or found[1]
    assert text in page.records[1] or text.startswith(encoding.BYTE_ORDER_MARK)


@given(st.text(st.characters(codec="cp1252", exclude_characters='"\\', min_codepoint=32), min_size=1, max_size=8))
def test_the_charset_of_the_header_is_honoured(text):
    data = json.dumps([json.loads(record(Subject=f"ÿ{text}"))], ensure_ascii=False)
    body = json.dumps({"Data": data, "NextSkipToken": None}, ensure_ascii=False).encode("cp1252")
    for told in ("windows-1252", "iso-8859-1", '"ISO-8859-1"'):
        _, [found] = read(body, {"content-type": f"application/json; charset={told}"})
        assert found == f"ÿ{text}"


def test_a_byte_order_mark_is_no_part_of_an_answer():
    assert read(encoding.BYTE_ORDER_MARK + answer(ONE))[0].records == [record()]
    utf16 = answer(ONE).decode().encode("utf-16")
    assert read(utf16, {"content-type": "application/json; charset=utf-16"})[0].records == [record()]


@pytest.mark.parametrize(
    "body",
    [
        answer("{}"),
        answer("[{]"),
        answer("[1"),
        answer("interactions"),
        answer([]),
        answer("[]", 7),
        answer("[" * 100_000),
        answer("[NaN]"),
        answer("\ufeff[]"),
        answer(ONE).decode().encode("utf-16"),
        b"[]",
        b"",
        b"\xff\xfe{",
        b'{"Data": ' + b"[" * 100_000,
    ],
    ids=short,
)
def test_an_answer_of_another_shape_is_a_bad_response_without_its_content(body):
    with pytest.raises(BadResponse, match=r"does not have the documented shape$") as told:
        asked_pages(body)
    assert "interactions" not in str(told.value)


def test_elements_of_data_that_are_no_records_are_landed():
    [page], _ = asked_pages(answer('[1, "x", null, [], {"Timestamp": "2026-01-02T10:00:00Z"}]'))
    assert page.records == [b"1", b'"x"', b"null", b"[]", b'{"Timestamp": "2026-01-02T10:00:00Z"}']
    assert page.occurred[:4] == [None] * 4


def test_pages_follow_the_cursor_until_there_is_none():
    pages, requests = asked_pages(answer("[]", "a"), answer(None, "b"), answer("[]", ""), page_size=9)
    bodies = [json.loads(request.body) for request in requests]
    assert [body.get("SkipToken") for body in bodies] == [None, "a", "b"]
    assert [page.cursor for page in pages] == ["a", "b", ""]
    assert {body["Top"] for body in bodies} == {9}
    assert len({json.dumps({**body, "SkipToken": ""}) for body in bodies}) == 1


def test_the_request_is_the_pages_one():
    _, [request] = asked_pages(answer("[]"))
    assert (request.method, request.url) == ("POST", "/api/data/v9.0/msdyncrm_LoadInteractionsPublic")
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.headers["OData-MaxVersion"] == request.headers["OData-Version"] == "4.0"
    assert json.loads(request.body) == {
        "InteractionType": "EmailSent",
        "ContactId": WHO.id,
        "DateFrom": "01-01-2026",
        "DateTo": "01-04-2026",
    }


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(microseconds=1), timedelta(days=40)),
    st.integers(-14 * 60, 14 * 60),
)
def test_the_days_asked_for_hold_the_window_in_any_zone_inclusive_or_not(start, span, minutes):
    window = Window(start, min(start + span, datetime(9999, 12, 31, tzinfo=UTC)))
    first, last = choose_days(window)
    zone = timedelta(minutes=minutes)
    local_first = (window.start.replace(tzinfo=None) + zone).date()
    local_last = (window.end.replace(tzinfo=None) - timedelta(microseconds=1) + zone).date()
    assert first <= local_first
    assert local_last < last or last == date.max


def test_a_window_without_an_end_can_be_asked_for():
    assert choose_days(Window.of("0001-01-01", "9999-12-31")) == (date.min, date.max)


def test_one_question_for_each_type_and_no_type_twice():
    chosen = build_options(DYNAMICS, {"types": ["EmailSent", "FormVisited", "EmailSent"]})
    assert [query.native_type for query in DYNAMICS.queries(WHO, None, chosen)] == ["EmailSent", "FormVisited"]
    assert len(list(DYNAMICS.queries(WHO, None, DYNAMICS.options()))) == 40


def refusal(status, code="", message="An error.", **more):
    return Response(status, {}, json.dumps({"error": {"code": code, "message": message, **more}}).encode())


INNER = {"innererror": {"message": "m", "type": "t", "stacktrace": "s", "internalexception": {"message": "m"}}}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "0x80048d19", RequestRejected),
        (400, "0x80060888", RequestRejected),
        (400, "0x80040265", RequestRejected),
        (400, "", RequestRejected),
        (401, "", AuthRejected),
        (401, "0x80072560", AuthRejected),
        (403, "0x80040220", AuthRejected),
        (403, "0x80048306", AuthRejected),
        (403, "0x80072560", AuthRejected),
        (403, "0x80040225", AuthRejected),
        (403, "0x8004d24b", AuthRejected),
        (403, "", AuthRejected),
        (404, "0x80040217", ContactNotFound),
        (404, "0x80060891", ContactNotFound),
        (404, "", RequestRejected),
        (405, "", RequestRejected),
        (408, "", Unavailable),
        (412, "", RequestRejected),
        (413, "", RequestRejected),
        (429, "0x80072322", Throttled),
        (429, "0x80072321", Throttled),
        (429, "0x80072326", Throttled),
        (429, "0x8005F103", Throttled),
        (429, "0x80060308", Throttled),
        (429, "0x80040217", Throttled),
        (429, "", Throttled),
        (400, "0x80072326", Throttled),
        (500, "", Unavailable),
        (500, "0x80040217", Unavailable),
        (500, "0x80072560", Unavailable),
        (502, "", Unavailable),
        (503, "", Unavailable),
        (504, "", Unavailable),
    ],
)
@pytest.mark.parametrize(
    "more", [{}, INNER, {"@Microsoft.PowerApps.CDS.TraceText": "trace"}], ids=["plain", "inner", "x"]
)
def test_what_a_refusal_means(status, code, kind, more):
    error = DYNAMICS.classify(refusal(status, code, **more))
    assert type(error) is kind
    assert (error.status, error.code) == (status, code.lower())
    assert error.message
    assert not re.search("An error|trace|stack", str(error))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"{}", b'{"error": null}', b'{"error": {}}', b'{"error": "text"}',
     b'{"Message": "m"}', b'{"error": {"message": "no code"}}', b'{"error": {"code": null, "message": null}}',
     b"<html>Bad Gateway</html>", b"\xff\xfe", b"[" * 100_000],
    ids=short,
)  # fmt: skip
def test_without_a_code_the_status_decides(body):
    kinds = {400: RequestRejected, 401: AuthRejected, 429: Throttled, 404: RequestRejected, 502: Unavailable}
    assert {status: type(DYNAMICS.classify(Response(status, {}, body))) for status in kinds} == kinds


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Resource not found for the segment 'contacts'.", RequestRejected),
        ("Resource not found for the segment 'WhoAmI'", RequestRejected),
        ('Resource not found for the segment "contacts"', RequestRejected),
        ("Resource not found for the segment 'msdyncrm_LoadInteractionsPublic'.", ServiceRemoved),
        ("Resource not found for the segment", ServiceRemoved),
    ],
)
def test_a_missing_table_is_not_the_removed_action(message, kind):
    assert type(DYNAMICS.classify(refusal(404, "0x8006088a", message))) is kind


@pytest.mark.parametrize("code", ["0x8006088a", "0x80060888", "", None])
@pytest.mark.parametrize("variant", [{}, INNER])
def test_the_removed_action_is_told_with_its_history_and_the_way_out(code, variant):
    text = "Resource not found for the segment 'msdyncrm_LoadInteractionsPublic'."
    error = DYNAMICS.classify(refusal(404, code, text, **variant))
    assert type(error) is ServiceRemoved
    for part in ("msdyncrm_LoadInteractionsPublic", "May 2026", "Fabric", "Customer Insights Journeys"):
        assert part in str(error)


def test_a_200_is_read_unless_it_is_a_web_page():
    assert DYNAMICS.classify(Response(200, {"content-type": "application/json"}, b"{}")) is None
    assert DYNAMICS.classify(Response(204, {}, b"")) is None
    for page in (Response(200, {"content-type": "text/html"}, b"x"), Response(200, {}, b" \n<!DOCTYPE html><html>")):
        assert type(DYNAMICS.classify(page)) is Unavailable


@pytest.mark.parametrize(
    ("status", "name", "kind", "told"),
    [
        (401, "invalid_client", AuthRejected, "client id or secret was refused, or the secret expired"),
        (400, "unauthorized_client", AuthRejected, "tenant does not know this app"),
        (400, "invalid_request", AuthRejected, "rejected the request as invalid"),
        (400, "invalid_scope", AuthRejected, "organisation's URL followed by /.default"),
        (400, "invalid_resource", AuthRejected, "does not know this organisation. Check host and scope"),
        (400, "something_new", AuthRejected, "the token host refused the app"),
        (400, "temporarily_unavailable", Unavailable, "not available"),
        (400, "server_error", Unavailable, "not available"),
        (503, "", Unavailable, "not available"),
        (500, "invalid_client", Unavailable, "not available"),
        (429, "", Throttled, "asks to slow down"),
        (200, "invalid_client", AuthRejected, "client id or secret was refused, or the secret expired"),
        (200, "server_error", Unavailable, "not available"),
        (302, "", RequestRejected, "redirects elsewhere"),
    ],
)
def test_what_the_token_hosts_refusal_means(status, name, kind, told):
    body = {"error": name, "error_description": "AADSTS7000215: hush", "error_codes": [7000215], "trace_id": "hush"}
    for shape in (json.dumps(body).encode(), *([] if name else [b"", b"<html>", b"[]"])):
        with pytest.raises(kind, match=told) as error:
            read_token(Response(status, {}, shape))
        assert error.value.status == status
        assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (90002, "tenant is unknown"),
        (900382, "another cloud"),
        (90011, "ids are ambiguous"),
        (7000218, "rejected the request as invalid"),
        ("90011", "rejected the request as invalid"),
    ],
)
def test_a_number_of_entras_sharpens_what_is_told_and_nothing_else(number, told):
    body = json.dumps({"error": "invalid_request", "error_codes": [number]}).encode()
    with pytest.raises(AuthRejected, match=told) as error:
        read_token(Response(400, {}, body))
    assert ("unknown" in str(error.value)) == (number == 90002)


def test_a_granted_token():
    token = read_token(Response(200, {}, b'{"token_type":"Bearer","expires_in":3599,"access_token":"t","x":1}'))
    assert (token.value, token.expires_in) == ("t", 3599.0)
    for body in (b"", b"{}", b'{"access_token":7}', b'{"access_token":null,"expires_in":1}', b"<html>"):
        with pytest.raises(BadResponse, match="the token host's response"):
            read_token(Response(200, {}, body))


def credentials(host="https://org.crm4.dynamics.com", login="app", password="hush+&%", **extra):
    return build_credentials(DYNAMICS, host, login, password, {"tenant_id": "contoso.com", **extra})


def test_the_token_request():
    auth = DYNAMICS.auth(credentials(tenant_id="contoso/../x"))
    assert auth.ask.url == "https://login.microsoftonline.com/contoso%2F..%2Fx/oauth2/v2.0/token"
    assert auth.ask.form == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "hush+&%",
        "scope": "https://org.crm4.dynamics.com/.default",
    }
    assert auth.secrets == ("hush+&%",)
    signed = auth.apply(contract.Request("GET", "/x", headers={"A": "b"}), "token")
    assert signed.headers == {"A": "b", "Authorization": "Bearer token"}


def test_another_cloud_and_another_scope():
    auth = DYNAMICS.auth(credentials(authority="https://login.microsoftonline.us/", scope="https://o/.default"))
    assert auth.ask.url.startswith("https://login.microsoftonline.us/contoso.com/")
    assert auth.ask.form["scope"] == "https://o/.default"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tenant_id": None}, "tenant_id is empty"),
        ({"login": ""}, r"client id \(login\) is empty"),
        ({"password": ""}, r"client secret \(password\) is empty"),
        ({"authority": "http://login.example.org"}, "authority is plain http://"),
        ({"authority": "login.microsoftonline.com"}, "authority must be a full URL"),
        ({"credential": "certificate"}, "certificate_path is empty"),
        ({"credential": "certificate", "certificate_path": "/nowhere.pem"}, "The certificate cannot be read"),
        ({"credential": "certificate", "certificate_path": "/nowhere.pem", "login": ""}, "client id .* is empty"),
    ],
)
def test_credentials_that_cannot_be_used_are_named(fields, told):
    with pytest.raises(ConfigError, match=told) as error:
        DYNAMICS.auth(credentials(**fields))
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("credential", ["certificate", "managed_identity"])
def test_without_azure_identity_the_error_says_what_to_install(monkeypatch, credential):
    import sys

    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ConfigError, match=r"airflow-provider-interactions\[azure\]"):
        DYNAMICS.auth(credentials(credential=credential, certificate_path="/x"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate and its key, as one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "app.pem"
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return str(path)


def test_a_certificate_whose_token_host_cannot_be_reached(certificate):
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    auth = DYNAMICS.auth(
        credentials(
            authority=f"https://127.0.0.1:{port}", credential="certificate", certificate_path=certificate, password=""
        )
    )
    assert auth.ask is None
    assert auth.has_tokens
    with pytest.raises(Unavailable, match="azure-identity could not reach the token host"):
        auth.acquire()


def test_a_file_that_is_no_certificate(tmp_path):
    (tmp_path / "app.pem").write_text("hush")
    with pytest.raises(ConfigError, match=r"The certificate cannot be read \(ValueError\)") as told:
        DYNAMICS.auth(credentials(credential="certificate", certificate_path=str(tmp_path / "app.pem")))
    assert "hush" not in str(told.value)


def test_a_managed_identity_needs_nothing_but_a_host():
    auth = DYNAMICS.auth(credentials(credential="managed_identity", tenant_id=None, login="", password=""))
    assert (auth.ask, auth.has_tokens) == (None, True)


# Contact lists


ONE_ID, OTHER_ID = "0dbe0fa3-8e18-e811-a951-000000000001", "0dbe0fa3-8e18-e811-a951-000000000002"
LINK = "https://org.example/api/data/v9.0/contacts?$select=contactid&$skiptoken=%3Ccookie%20/%3E"


def list_pages(*bodies):
    """The contacts of these pages, and the addresses asked for."""
    asked = []

    async def fetch(request, decode):
        asked.append(request.url)
        body = bodies[min(len(asked), len(bodies)) - 1]
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = Response(200, {}, body)
        refused = DYNAMICS.classify(response)
        if refused is not None:
            raise refused
        return decode(response)

    async def read_all():
        settings = build_credentials(DYNAMICS, "https://org.example", "i", "s", {"tenant_id": "t"}).settings
        listing = DYNAMICS.contacts(fetch, settings, build_options(DYNAMICS, {}))
        return [who.id async for page in listing for who in page]

    return asyncio.run(read_all()), asked


def rows(*ids, **more):
    return {"value": [{"contactid": one} for one in ids], **more}


def test_a_list_of_contacts_that_links_to_itself_ends():
    with pytest.raises(Stalled, match="would never end"):
        list_pages(rows(**{"@odata.nextLink": LINK}))


@pytest.mark.parametrize(
    "body",
    [
        (CASES / "F07-contacts-morerecords-no-link.json").read_bytes(),
        rows(ONE_ID, **{"@Microsoft.Dynamics.CRM.morerecords": True}),
        rows(ONE_ID, **{"@Microsoft.Dynamics.CRM.morerecords": "true"}),
        rows(ONE_ID, **{"@Microsoft.Dynamics.CRM.fetchxmlpagingcookie": "<cookie/>"}),
        rows(ONE_ID, **{"@odata.nextlink": LINK}),
        rows(ONE_ID, **{"odata.nextLink": LINK}),
        rows(ONE_ID, nextLink=LINK),
        rows(ONE_ID, error={"code": "", "message": "hush"}),
        {"error": {"code": "0x1", "message": "hush"}},
        {},
        {"Value": []},
        {"value": None},
        {"value": {"value": []}},
        {"d": rows(ONE_ID)},
        {"value": [{"id": ONE_ID}]},
        rows(ONE_ID, **{"@odata.count": "many"}),
        rows(None),
        rows([ONE_ID]),
        {"value": [rows(ONE_ID)["value"]]},
        b'{"value":[{"contactid":"%s","contactid":"%s"}]}' % (ONE_ID.encode(), OTHER_ID.encode()),
        b'{"value":[{"contactid":"%s"}],"value":[]}' % ONE_ID.encode(),
    ],
    ids=short,
)
def test_a_list_of_contacts_never_ends_early_in_silence(body):
    with pytest.raises(BadResponse) as told:
        list_pages(body)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize("count", [2, "2", 2.0, "2 "])
def test_a_list_with_fewer_contacts_than_it_counts(count):
    with pytest.raises(Incomplete, match="ended after 1 rows, although it counts 2"):
        list_pages(rows(ONE_ID, **{"@odata.count": count}))


@pytest.mark.parametrize(
    "last",
    [
        {"@odata.nextLink": None},
        {"@odata.count": 2},
        {"@odata.count": -1},
        {"@odata.count": None, "@Microsoft.Dynamics.CRM.totalrecordcount": 5000},
        {"@Microsoft.Dynamics.CRM.morerecords": False, "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie": "<cookie/>"},
        {"error": None},
    ],
    ids=short,
)
def test_where_a_list_of_contacts_ends(last):
    first = rows(ONE_ID, **{"@odata.nextLink": LINK, "@odata.count": 2, "@Microsoft.Dynamics.CRM.morerecords": True})
    assert list_pages(first, rows(OTHER_ID, **last)) == (
        [ONE_ID, OTHER_ID],
        ["/api/data/v9.0/contacts", LINK],
    )


def test_an_error_in_a_list_is_the_error_it_names():
    with pytest.raises(Throttled):
        list_pages(rows(ONE_ID, error={"code": "0x80072322", "message": "hush"}))


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        (LINK, LINK),
        (LINK.replace("org.example", "ORG.Example:443"), LINK.replace("org.example", "ORG.Example:443")),
        ("/api/data/v9.0/contacts?$skiptoken=%3C", "/api/data/v9.0/contacts?$skiptoken=%3C"),
        ("/prefix/api/data/v9.0/contacts?a", "/api/data/v9.0/contacts?a"),
        ("contacts?$skiptoken=%3C", "/api/data/v9.0/contacts?$skiptoken=%3C"),
        ("?$skiptoken=../%3C", "/api/data/v9.0/contacts?$skiptoken=../%3C"),
        ("../v9.2/contacts?x=1", "/api/data/v9.2/contacts?x=1"),
        ("//elsewhere.example/api/data/v9.0/contacts", "//elsewhere.example/api/data/v9.0/contacts"),
    ],
)
def test_a_next_link_in_any_form_is_followed(link, followed):
    assert list_pages(rows(ONE_ID, **{"@odata.nextLink": link}), rows(OTHER_ID))[1][1] == followed


# Keys and types


PLACEHOLDERS = [
    "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "0" * 32, " ", "\t", "0", 0,
    "-1", -1, 0.0, "{}", "--",
]  # fmt: skip


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_is_no_key(placeholder):
    with pytest.raises(RecordRejected, match=r"^InteractionId is only a placeholder$"):
        map_one(record(InteractionId=placeholder))


@given(st.uuids().filter(lambda value: value.int))
def test_any_other_guid_is_a_key(value):
    assert map_one(record(InteractionId=str(value))).interaction_id == str(value)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("EmailContainsBlacklistedLinks", "EmailContainsBlockListedLinks"),
        ("ContactCheckedIntoEvent", "EventCheckIn"),
        ("ContactRegisteredToEvent", "EventRegistration"),
    ],
)
def test_an_older_name_of_a_type_means_the_same(older, newer, caplog):
    found, wanted = (map_one(record(InteractionType=name)) for name in (older, newer))
    assert (found.channel, found.action) == (wanted.channel, wanted.action)
    assert found.native_type == older
    build_options(DYNAMICS, {"types": [older]})
    assert not caplog.records


# One account however a host is spelled


@given(
    st.sampled_from(["contoso.crm4.dynamics.com", "localhost", "[::1]", "example.org"]),
    st.sampled_from(["", ":443", ":8443"]),
    st.sampled_from(["", "/", "/Path", "/Path/"]),
    st.randoms(),
)
def test_an_account_has_one_spelling(host, port, path, random):
    spelled = "".join(random.choice([letter.upper(), letter]) for letter in host)
    given = build_credentials(DYNAMICS, f"HTTPS://{spelled}{port}{path}")
    plain = f"{host}{port.replace(':443', '')}{path.rstrip('/')}"
    assert given.account == contract.Credentials(f"https://{spelled}{port}{path}").account == plain
    assert given.host == f"https://{plain}"


# The same from a server


REPLACED = [
    {"find": '"Data"', "put": '"data"'},
    {"find": '"NextSkipToken"', "put": '"nextSkipToken"'},
    {"find": r'\{"@odata', "put": '{"error":{"code":"0x80040265"},"@odata'},
    {"find": r"(?s)\A(.*)\Z", "put": r'{"value":\1}'},
]


@pytest.mark.parametrize("rule", REPLACED, ids=short)
def test_a_server_that_answers_in_another_shape_fails_the_extraction(rig, rule):
    rig.faults(kind="replace", path="LoadInteractions", **rule)
    with pytest.raises((BadResponse, RequestRejected)):
        extract(rig.job())


def test_a_server_with_a_bad_byte_in_some_records_loses_none(rig):
    good = extract(rig.job()).counts.landed
    rig.faults(kind="replace", path="LoadInteractions", find=r"example\.org", put="caf\xe9")
    assert extract(rig.job()).counts.landed == good > 0


@pytest.mark.parametrize(
    "rule",
    [
        {"find": r'"expires_in": *(\d+)', "put": r'"expires_in":"\1"', "status": 201},
        {"find": r'"expires_in": *\d+,', "put": ""},
        {"find": r'"expires_in": *\d+', "put": '"expires_in":0'},
        {"find": r"\A", "put": "\xef\xbb\xbf"},
    ],
    ids=short,
)
def test_a_token_host_in_another_dress_costs_one_token(rig, rule):
    rig.faults(kind="replace", path="/oauth2/", **rule)
    assert extract(rig.job()).counts.landed > 0
    assert rig.sandbox.stats()["dynamics_marketing"]["tokens_issued"] == 1


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"find": '"@odata.nextLink"', "put": '"@Microsoft.Dynamics.CRM.morerecords":true,"x"'}, BadResponse),
        ({"find": '"@odata.context"', "put": '"@odata.count":4000,"@odata.context"'}, Incomplete),
        ({"find": "http://[^/]*/dynamics_marketing", "put": ""}, None),
        ({"find": "http://[^/]*/dynamics_marketing/api/data/v9.0/", "put": ""}, None),
    ],
    ids=short,
)
def test_a_server_whose_list_of_contacts_ends_early_or_links_otherwise(rig, rule, kind):
    def every():
        pages = contacts.list_from_vendor(
            DYNAMICS, rig.credentials(), build_options(DYNAMICS, {"page_size": 3}), rig.limits
        )
        return [who for page in pages for who in page]

    good = every()
    rig.faults(kind="replace", path="contacts", **rule)
    if kind is None:
        assert every() == good
    else:
        with pytest.raises(kind, match=r"^dynamics_marketing: "):
            every()
