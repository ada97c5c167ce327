"""Capillary: both shapes, every quirk of its pages, refusals by the body's codes, credentials, paging."""

import asyncio
import base64
import contextlib
import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Contact, Query, Request, Response
from airflow_provider_interactions.errors import (
    AuthRejected,
    BadResponse,
    ConfigError,
    ContactDeleted,
    ContactFailed,
    ContactNotFound,
    Incomplete,
    RecordRejected,
    RequestRejected,
    Stalled,
    Throttled,
    Unavailable,
)
from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.capillary import errors, times, vocabulary
from airflow_provider_interactions.vendors.capillary.auth import read_token
from airflow_provider_interactions.vendors.capillary.values import mend
from airflow_provider_interactions.vendors.shared.statuses import STATUSES
from airflow_provider_interactions.window import ALWAYS
from tests.mapped import Asked, map_record

CAPILLARY = VENDORS["capillary"]
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "capillary.json").read_text())
WHO = Contact("91660499160", "mobile")
MESSAGE = {"id": 1, "subject": "Hi", "status": "DELIVERED", "sentDate": "02-01-2026 10:00:00"}
OLD = {"id": "7", "subject": "Hi", "status": "SENT", "sent_time": "2026-01-02 10:00:00"}
SECRET = "pa55:wörd"


def credentials(login="till", password=SECRET, **extra):
    return build_credentials(CAPILLARY, "https://eu.api.example.com", login, password, extra)


def read(*bodies, settings=None, who=WHO, **options):
    """What the generator makes of these answers, and what it asked; after the last body, empty pages follow."""
    requests = []

    async def fetch(request, decode):
        requests.append(request)
        body = bodies[len(requests) - 1] if len(requests) <= len(bodies) else old()
        return decode(Response(200, {}, body if isinstance(body, bytes) else json.dumps(body).encode()))

    async def run():
        query = Query(who, credentials(**(settings or {})).settings, build_options(CAPILLARY, options))
        return [page async for page in CAPILLARY.pages(fetch, query, ALWAYS)]

    return asyncio.run(run()), requests


def new(*entries, **more):
    return {"name": "capillary", "interaction": list(entries), "warnings": [], **more}


def entry(name, *messages, **more):
    return {"name": name, "count": len(messages), "messageList": list(messages), **more}


def old(*entries, **more):
    customer = {"interactions": {"network": [{"name": "capillary", "interaction": list(entries)}]}, **more}
    return {"response": {"status": {"success": "true", "code": "200"}, "customer": customer}}


def old_entry(name, *messages, **more):
    return {"type": name, "count": str(len(messages)), "messages": {"message": list(messages)}, **more}


def channels(pages):
    return [(json.loads(page.context)["channel"], len(page.records)) for page in pages if page.records]


def ids(pages):
    return [str(json.loads(record)["id"]) for page in pages for record in page.records]


def map_one(record=MESSAGE, channel="email", zone="UTC", who=WHO, **fields):
    payload = record if isinstance(record, bytes) else json.dumps({**record, **fields}).encode()
    return map_record(CAPILLARY, payload, Asked(who, "", json.dumps({"channel": channel, "time_zone": zone})))


def classify(body, status=200, **headers):
    return CAPILLARY.classify(Response(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode()))


def build_refusal(code, item=None, flag="false"):
    status = {"success": flag, "code": code, "message": "m"}
    customer = {"customer": {"item_status": {"success": "false", "code": item}}} if item else {}
    return {"response": {"status": status, **customer}}


def test_the_golden_records():
    pages, _ = read(GOLDEN["body"].encode())
    [page] = pages
    asked = GOLDEN["asked"]
    assert [payload.decode() for payload in page.records] == GOLDEN["payloads"]
    assert json.loads(page.context) == asked["context"]
    who = Asked(Contact(asked["contact_id"], asked["contact_id_kind"]), asked["native_type"], page.context)
    for payload, occurred, wanted in zip(page.records, page.occurred, GOLDEN["rows"], strict=True):
        row = msgspec.structs.asdict(map_record(CAPILLARY, payload, who))
        assert occurred == row["occurred_at"] == datetime.fromisoformat(wanted["occurred_at"])
        delivered = wanted["delivered_at"] and datetime.fromisoformat(wanted["delivered_at"])
        assert row["delivered_at"] == delivered
        assert json.loads(row["attributes"]) == wanted["attributes"]
        decided = row.keys() - {"occurred_at", "delivered_at", "attributes", "contact_id"}
        assert {name: row[name] for name in decided} == {name: wanted[name] for name in decided}
        assert wanted.keys() == set(CANONICAL.names) - {
            "account",
            "extracted_at",
            "window_start",
            "window_end",
            "person_id",
        }


# What is asked


@pytest.mark.parametrize(("kind", "text"), [("mobile", "91660"), ("email", "a+b@example.org"), ("external_id", "x/1")])
def test_v2_names_the_identifier_and_v11_has_a_parameter_of_its_name(kind, text):
    _, [request] = read(new(), who=Contact(text, kind))
    assert (request.method, request.url) == ("GET", "/v2/customers/interaction")
    assert request.query == {"identifierName": kind, "identifierValue": text}
    _, [request] = read(old(), who=Contact(text, kind), settings={"api": "v1.1"})
    assert request.url == "/v1.1/customer/interaction"
    assert request.query == {"format": "json", kind: text, "limit": "50", "offset": "0"}
    assert request.headers["Accept"] == "application/json"


@pytest.mark.parametrize("api", ["v2", "v1.1"])
def test_filters_are_options(api):
    _, [request] = read(new(), settings={"api": api}, network="capillary", type="whatsapp")
    assert request.query["network"] == "capillary"
    assert request.query["type"] == "whatsapp"
    with pytest.raises(ConfigError, match="network"):
        build_options(CAPILLARY, {"network": "myspace"})


def test_one_contact_is_one_question():
    settings, options = credentials().settings, CAPILLARY.options()
    assert list(CAPILLARY.queries(WHO, settings, options)) == [Query(WHO, settings, options)]
    assert CAPILLARY.contacts is None
    assert not CAPILLARY.filters_by_date


@pytest.mark.parametrize(("text", "kind"), [("", "mobile"), ("  ", "email"), ("1", "cons_id"), ("a\nb", "external_id")])
def test_what_is_no_identifier_is_refused(text, kind):
    with pytest.raises(ConfigError, match="mobile number, an email or an external_id"):
        CAPILLARY.contact(text, kind)


def test_blanks_around_an_identifier_go():
    assert CAPILLARY.contact(" 91660 ", "mobile") == Contact("91660", "mobile")


# What is answered


@pytest.mark.parametrize("api", ["v2", "v1.1"])
@pytest.mark.parametrize("body", [new(entry("email", MESSAGE)), old(old_entry("email", MESSAGE))])
def test_the_shape_is_told_by_the_body_on_either_path(api, body):
    [page], _ = read(body, settings={"api": api})
    assert json.loads(page.records[0]) == MESSAGE
    assert page.occurred == [datetime(2026, 1, 2, 10, tzinfo=UTC)]
    assert json.loads(page.context) == {"channel": "email", "time_zone": "UTC"}


def test_every_channel_comes_and_phone_comes_last():
    body = new(entry("phone", MESSAGE), entry("email", MESSAGE), entry("sms", MESSAGE), {"name": "survey", "count": 0})
    pages, _ = read(body)
    assert channels(pages) == [("email", 1), ("sms", 1), ("phone", 1)]


def test_phone_comes_last_over_all_pages():
    one, two = OLD, {**OLD, "id": "8"}
    first, second = old(old_entry("phone", one, two)), old(old_entry("phone", two), old_entry("sms", one))
    pages, _ = read(first, second, old(old_entry("sms", one)), settings={"api": "v1.1"}, page_size=2)
    assert channels(pages) == [("sms", 1), ("phone", 2)]


@pytest.mark.parametrize(
    "channel",
    [
        {"name": "survey", "count": 0, "surveys": []},
        {"name": "missed_call", "count": 0, "usedStatus": False},
        {"name": "email", "count": 0, "messageList": []},
        {"name": "email", "count": 0, "messageList": None},
        {"type": "email", "count": "0", "messages": ""},
        {"type": "email", "count": "0", "messages": {}},
        {"type": "email", "count": "0", "messages": {"message": ""}},
        {"type": "email", "last_interaction_time": "null", "messages": {"message": []}},
        {"type": "tweet", "count": "10"},
        {"type": "checkin", "count": "1", "locs": {"loc": {"lat": "1", "long": "2"}}},
        {"type": "survey", "count": "1", "surveys": {"survey": {"name": "n", "sent_time": "null"}}},
    ],
)
def test_a_channel_without_records_is_no_record(channel):
    for body in (new(channel), old(channel)):
        [page], _ = read(body)
        assert not page.records


@pytest.mark.parametrize("nothing", [{}, "", "\n  ", []])
def test_every_known_form_of_nothing_is_an_empty_history(nothing):
    bodies = [
        {"interaction": []},
        {"response": {"status": {"success": "true"}, "customer": {"interactions": nothing}}},
        {"response": {"status": {"success": "true"}, "customer": {"interactions": {"network": nothing}}}},
        old_network({"name": "capillary"}),
        old_network({"name": "capillary", "interaction": nothing}),
    ]
    for body in bodies:
        assert classify(body) is None
        [page], _ = read(body)
        assert not page.records


def old_network(network):
    return {"response": {"status": {"success": "true"}, "customer": {"interactions": {"network": network}}}}


def success(**more):
    return {"response": {"status": {"success": "true"}, **more}}


@pytest.mark.parametrize(
    "body",
    [
        json.loads(case)
        for case in (
            '{"name": "cap", "interaction": [{"count": 8, "name": "email"}], "warnings": []}',
            '{"interaction": [{"count": 8, "name": "email", "messageList": null}]}',
            '{"interaction": [{"name": "email", "messageList": null}]}',
            '{"interaction": [{"name": "email"}]}',
            '{"interaction": [{"name": "survey", "count": 2, "surveys": [{"sentDate": "02-01-2026 10:00:00"}]}]}',
            '{"interaction": [], "error": {"code": 1}}',
            '{"interaction": [], "success": false}',
            '{"interaction": [], "Errors": ["x"]}',
            '{"interaction": [], "status": "failed"}',
            '{"interaction": [], "Interaction": [{"name": "sms", "messageList": [{"sentDate": "x"}]}]}',
            '{"interaction": [{"name": "email", "count": 0, "messagelist": [{"sentDate": "x"}]}]}',
            '{"interaction": [{"name": "email", "count": 0, "messageList": [], "items": {"item": {"time": "x"}}}]}',
            '{"interaction": [{"name": "survey", "surveyList": [[{"sent_time": "x"}]]}]}',
            '{"interaction": null}',
            '{"interaction": "null"}',
            '{"warnings": []}',
            '{"warnings": [{"status": false, "code": 8050}]}',
            '{"errors": []}',
            '{"errors": null, "warnings": []}',
            '{"name": "capillary", "Interaction": []}',
            '{"data": {"interaction": []}}',
        )
    ]
    + [
        success(),
        success(customer=None),
        success(customer=""),
        success(customer=[]),
        success(customer={"id": "1"}),
        success(customer=[{"interactions": ""}, {"interactions": ""}]),
        success(customer={"interactions": None}),
        success(customer={"interactions": {"Network": []}}),
        success(customer={"interactions": {"network": None}}),
        old_network({"name": "capillary", "interactions": []}),
        old_network({"name": "capillary", "interaction": None}),
        old({"type": "email", "count": "8"}),
        old({"type": "email", "count": "8", "messages": None}),
        {"response": {"status": {"success": "maybe"}, "customer": {"interactions": ""}}},
    ],
)
def test_an_answer_of_another_shape_is_never_an_empty_history(body):
    found = classify(body)
    assert found is None or type(found) is BadResponse
    with pytest.raises(BadResponse):
        raise found or read(body)


@pytest.mark.parametrize("flag", ["false", "FALSE", False, 0, 0.0, "0", "no", "No", "N", "n", " false "])
def test_every_known_no_is_a_failure(flag):
    assert type(classify(build_refusal("1012", flag=flag))) is ContactNotFound
    item = {"response": {"status": {"success": "true"}, "customer": {"item_status": {"success": flag, "code": 1012}}}}
    assert type(classify(item)) is ContactNotFound


@pytest.mark.parametrize("flag", ["true", "True", True, 1, 1.0, "1", "yes", "Y"])
def test_every_known_yes_is_a_success(flag):
    assert classify(build_refusal("500", flag=flag)) is None


def test_a_code_of_failure_without_a_flag_is_a_failure():
    assert type(classify({"response": {"status": {"code": "1012"}}})) is ContactNotFound


def test_one_is_an_object_and_several_are_an_array():
    alone = {"type": "sms", "count": "1", "messages": {"message": OLD}}
    single = {"response": {"customer": {"interactions": {"network": {"name": "capillary", "interaction": alone}}}}}
    assert ids(read(single)[0]) == ["7"]
    assert ids(read(old(old_entry("sms", OLD, {**OLD, "id": 8})))[0]) == ["7", "8"]
    assert ids(read({"interaction": [{"name": "sms", "messageList": MESSAGE}]})[0]) == ["1"]


@pytest.mark.parametrize("other", [{}, "", "\n ", None, 0, {"name": "sms", "messageList": [MESSAGE]}])
def test_v2_has_a_list_of_channels_and_nothing_else(other):
    with pytest.raises(BadResponse):
        read({"interaction": other})


@pytest.mark.parametrize("nothing", [None, {}, "", []])
def test_a_channel_that_is_nothing_is_no_channel(nothing):
    channel = {"name": "sms", "count": 1, "messageList": [MESSAGE]}
    for body in ({"interaction": [channel, nothing]}, old(old_entry("sms", OLD), nothing)):
        with pytest.raises(BadResponse):
            read(body)


def test_a_message_that_is_nothing_is_landed_to_be_rejected():
    [page], _ = read({"interaction": [{"name": "sms", "count": 2, "messageList": [MESSAGE, None]}]})
    assert list(page.records)[1:] == [b"null"]
    assert list(page.occurred)[1:] == [None]


def test_messages_that_are_null_beside_a_count_are_no_list():
    with pytest.raises(BadResponse):
        read(old({"type": "sms", "count": "1", "messages": {"message": None}}))


@pytest.mark.parametrize("hidden", ['"interaction":[],', '"warnings":[],'])
def test_a_member_that_comes_twice_hides_nothing(hidden):
    text = json.dumps({"interaction": [{"name": "sms", "messageList": [MESSAGE]}], "warnings": []})
    for body in ("{" + hidden + text[1:], text[:-1] + "," + hidden[:-1] + "}"):
        with pytest.raises(BadResponse):
            read(body.encode())


def test_surveys_and_check_ins_with_a_time_are_records():
    survey = {"name": "NPS", "nps_score": "9", "sent_time": "2013-11-20 12:56:55", "completion_time": "null"}
    place = {"lat": "22.23", "long": "23.33", "time": "2012-3-12 11:33:23"}
    body = old(
        {"type": "survey", "surveys": {"survey": [survey, {**survey, "sent_time": ""}]}, "count": "2"},
        {"type": "checkin", "locs": {"loc": place}, "count": "1"},
    )
    pages, _ = read(body)
    assert channels(pages) == [("survey", 1), ("checkin", 1)]
    row = map_one(survey, "survey")
    assert (row.channel, row.action, row.message_id) == ("survey", "responded", None)
    assert row.interaction_id == digest(WHO.id, "survey", "2013-11-20 12:56:55", None)
    row = map_one(place, "checkin")
    assert (row.channel, row.action) == ("social", "checked_in")
    assert row.occurred_at == datetime(2012, 3, 12, 11, 33, 23, tzinfo=UTC)
    assert json.loads(row.attributes) == place
    assert channels(read(new({"name": "survey", "surveys": [survey]}))[0]) == [("survey", 1)]


def test_raw_line_breaks_and_half_surrogates_cost_nothing():
    subject = b'a\nb \\\\ \\" \xf0\x9f\x9a\x80 \\ud83d\\ude80 \\ud83d'
    message = b'{"id":1,"subject":"' + subject + b'",\n"receiver":"\n9\t"}'
    body = b'{"interaction":[{"name":"sms","messageList":[' + message + b"]}]}"
    assert classify(body) is None
    [page], _ = read(body)
    assert json.loads(page.records[0])["subject"] == 'a\nb \\ " 🚀 🚀 \ufffd'
    assert json.loads(page.records[0])["receiver"] == "\n9\t"


@given(st.text(), st.dictionaries(st.text(), st.text()), st.booleans())
def test_mending_leaves_good_json_as_it_is(text, fields, escaped):
    good = json.dumps([text, fields], indent=1, ensure_ascii=escaped).encode()
    assert mend(good) == good


def test_mending_is_quick_on_an_answer_that_was_cut_off():
    assert mend(b'"' + b'\\"' * 500_000).startswith(b'"')


def test_numbers_are_never_floats():
    body = b'{"interaction":[{"name":"sms","messageList":[{"id":9007199254740993,"x":1.10}]}]}'
    [page], _ = read(body)
    assert page.records == [b'{"id":9007199254740993,"x":1.10}']


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"<response/>", b'{"a":1}', b'{"response":{}}', b"[" * 10**5]
)
def test_neither_shape_is_a_bad_response(body):
    assert isinstance(classify(body), BadResponse)
    with pytest.raises(BadResponse, match="neither of the two documented shapes"):
        read(body)


def test_a_shape_that_breaks_further_in_is_a_bad_response():
    for body in ({"interaction": ["x"]}, old("x"), {"interaction": 5}, {"response": {"customer": [7]}}):
        with pytest.raises(BadResponse):
            read(body)


# Paging of v1.1


def history(number):
    return [{**OLD, "id": str(n)} for n in range(number)]


def serve(rows, size, deletions=(), channels_of=lambda rows: [("sms", rows)]):
    """What the generator reads of a list from which, after some answers, the row at a number is deleted."""
    rows, requests, gone = list(rows), [], dict(deletions)

    async def fetch(request, decode):
        requests.append((int(request.query["offset"]), int(request.query["limit"])))
        offset, limit = requests[-1]
        body = old(*[old_entry(name, *some[offset : offset + limit]) for name, some in channels_of(rows)])
        for at in gone.get(len(requests), ()):
            del rows[at : at + 1]
        return decode(Response(200, {}, json.dumps(body).encode()))

    async def run():
        options = build_options(CAPILLARY, {"page_size": size})
        query = Query(WHO, credentials(api="v1.1").settings, options)
        return [page async for page in CAPILLARY.pages(fetch, query, ALWAYS)]

    return asyncio.run(run()), requests


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 50])
def test_pages_by_offset_overlap_by_a_row_until_one_brings_nothing_new(size):
    pages, requests = serve(history(7), size)
    assert ids(pages) == [str(n) for n in range(7)]
    step = max(size, 2) - 1
    assert requests == [(min(n * step, 6), step + 1) for n in range(len(requests))]
    assert requests[-1][0] == 6
    assert [page.cursor for page in pages if page.cursor] == [str(offset) for offset, _ in requests[1:]]


def test_rows_that_move_up_over_the_end_of_a_short_page_are_read():
    pages, _ = serve(history(9), 8, {1: [0, 0]})
    assert ids(pages) == [str(n) for n in range(9)]


def test_a_row_that_is_deleted_while_paging_costs_no_other_row():
    pages, requests = serve(history(60), 25, {1: [0]})
    assert ids(pages) == [str(n) for n in range(60)]
    assert requests == [(0, 25), (24, 25), (23, 25), (47, 25), (58, 25)]


@given(
    st.integers(0, 40),
    st.integers(1, 9),
    st.dictionaries(st.integers(1, 8), st.lists(st.integers(0, 40), max_size=4), max_size=4),
    st.booleans(),
)
def test_whatever_is_deleted_while_paging_every_row_that_stays_is_read(number, size, deletions, by_channel):
    def channels_of(rows):
        return [("sms", rows), ("email", rows[::2])] if by_channel else [("sms", rows)]

    stay = [str(n) for n in range(number)]
    for _, places in sorted(deletions.items()):
        for at in places:
            del stay[at : at + 1]
    pages, _ = serve(history(number), size, deletions, channels_of)
    assert set(stay) <= set(ids(pages))


def test_rows_that_move_again_and_again_are_incomplete(monkeypatch):
    monkeypatch.setattr("airflow_provider_interactions.vendors.capillary.paging.MAX_STEPS_BACK", 2)
    with pytest.raises(Incomplete, match="deleted again and again"):
        serve(history(200), 5, {n: [0, 0, 0, 0] for n in range(1, 40)})


def test_a_repeated_page_is_stalled():
    body = old(old_entry("sms", *history(2)))
    with pytest.raises(Stalled, match="same page twice"):
        read(body, body, settings={"api": "v1.1"}, page_size=2)


def test_a_server_that_sends_everything_at_once_is_read_once():
    body = new(entry("sms", *history(3)))
    pages, requests = read(body, body, settings={"api": "v1.1"}, page_size=2)
    assert (ids(pages), len(requests)) == (["0", "1", "2"], 2)


def test_surveys_on_every_page_come_once_and_do_not_stall():
    survey = {"type": "survey", "surveys": {"survey": {"sent_time": "2013-11-20 12:56:55"}}}
    rows = history(3)
    bodies = [old(old_entry("sms", *rows[at : at + 2]), survey) for at in range(3)]
    pages, requests = read(*bodies, settings={"api": "v1.1"}, page_size=2)
    assert (channels(pages), len(requests)) == ([("sms", 2), ("survey", 1), ("sms", 1)], 3)


def test_paging_has_an_upper_bound(monkeypatch):
    monkeypatch.setattr("airflow_provider_interactions.vendors.capillary.vendor.MAX_PAGES", 3)
    with pytest.raises(Stalled, match="within 3 pages"):
        serve(history(9), 2)


@pytest.mark.parametrize("count", ["2 ", 2.0, "2.0", "1,200", "1 200"])
def test_a_count_in_another_dress_is_checked(count):
    with pytest.raises(Incomplete):
        read(new({**entry("email", MESSAGE), "count": count}))
    with pytest.raises(BadResponse):
        read(new({"name": "email", "count": count}))


@pytest.mark.parametrize("count", ["many", -1, 1.5, True, [1], "1.000"])
def test_a_count_that_cannot_be_read_is_a_bad_response(count):
    with pytest.raises(BadResponse, match="count"):
        read(new({**entry("email", MESSAGE), "count": count}))


# Keys


def keys(pages, who=WHO):
    return [
        map_record(CAPILLARY, record, Asked(who, "", page.context)).interaction_id
        for page in pages
        for record in page.records
    ]


@pytest.mark.parametrize("placeholder", [0, -1, "0", "-1", "", None, -0.0, "00000000-0000-0000-0000-000000000000"])
def test_a_placeholder_makes_no_key(placeholder):
    one = {**MESSAGE, "id": placeholder}
    others = [{**one, "subject": "other"}, {**one, "sentDate": "03-01-2026 10:00:00"}, {**one, "receiver": "x"}]
    found = keys(read(new(entry("email", one, *others)))[0])
    assert len(set(found)) == 4
    assert map_one(one).message_id is None


def test_one_id_in_two_channels_makes_two_keys_and_the_first_sent_keeps_the_id():
    later = {**MESSAGE, "sentDate": "03-01-2026 10:00:00"}
    found = keys(read(new(entry("email", later), entry("whatsapp", MESSAGE)))[0])
    assert len(set(found)) == 2
    assert found[1] == "1"
    assert keys(read(new(entry("whatsapp", MESSAGE), entry("email", later)))[0]) == found[::-1]


def test_one_id_for_two_messages_of_a_channel_makes_two_keys():
    other = {**MESSAGE, "subject": "other"}
    assert len(set(keys(read(new(entry("email", MESSAGE, other)))[0]))) == 2
    assert len(set(keys(read(new(entry("sms", MESSAGE), entry("phone", other)))[0]))) == 2


def test_a_message_under_phone_and_sms_and_a_newer_status_keep_the_key():
    newer = {**MESSAGE, "status": "OPENED"}
    assert keys(read(new(entry("phone", MESSAGE), entry("sms", newer, MESSAGE)))[0]) == ["1"] * 3


@pytest.mark.parametrize("written", ["1685581782856", "1.685581782856E12", "1685581782856.0", '"1.685581782856E12"'])
def test_an_id_has_one_spelling(written):
    payload = json.dumps({**MESSAGE, "id": "%", "campaignId": "#"}).encode()
    payload = payload.replace(b'"%"', written.encode()).replace(b'"#"', b"-1.0")
    row = map_one(payload)
    assert row.interaction_id == row.message_id == "1685581782856"
    assert row.campaign_id is None


# Bytes


def test_a_body_in_the_charset_of_its_header_is_read():
    body = json.dumps(new(entry("email", {**MESSAGE, "subject": "Größe 5 €"})), ensure_ascii=False)
    for charset, encoding in (("ISO-8859-1", "cp1252"), ("windows-1252", "cp1252"), ("iso-8859-1", "utf-8")):
        content = {"content-type": f'application/json; charset="{charset}"'}
        [page], _ = read_bytes(body.encode(encoding), content)
        assert json.loads(page.records[0])["subject"] == "Größe 5 €"


def read_bytes(body, headers):
    async def fetch(_, decode):
        response = Response(200, headers, body)
        assert CAPILLARY.classify(response) is None
        return decode(response)

    async def run():
        query = Query(WHO, credentials().settings, CAPILLARY.options())
        return [page async for page in CAPILLARY.pages(fetch, query, ALWAYS)]

    return asyncio.run(run()), None


# What stands in a subject, and how it is read; None where it has no certain meaning.
ODD = {
    "a byte of Windows-1252": (b"Caf\xe9", "Caf\xe9"),
    "a raw tab": (b"a\tb", "a\tb"),
    "CESU-8": (b"\xed\xa0\xbd\xed\xba\x80", "\U0001f680"),
    "half a surrogate pair": (b"sale \xed\xa0\xbd", "sale \ufffd"),
    "half a pair as an escape": (b"sale \\ud83d", "sale \ufffd"),
    "an undefined byte": (b"a\x81b", None),
}


@pytest.mark.parametrize("size", [1, 3, 400])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_byte_is_read_where_its_meaning_is_certain(odd, size):
    written, meaning = ODD[odd]
    messages = [{**MESSAGE, "id": n + 1, "subject": "%" if n == size // 2 else "x"} for n in range(size)]
    [page], _ = read(json.dumps(new(entry("email", *messages))).encode().replace(b"%", written))
    assert len(page.records) == size
    texts = [None if not is_read(payload) else map_one(bytes(payload)).subject for payload in page.records]
    assert texts == [meaning if n == size // 2 else "x" for n in range(size)]


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.binary(min_size=1, max_size=3).map(lambda some: bytes(b | 0x80 for b in some)),
)
def test_bad_bytes_cost_one_record_at_most(number, at, some):
    messages = [json.dumps({**MESSAGE, "id": n, "subject": "%"}).encode() for n in range(1, number + 2)]
    at = min(at, number)
    messages[at] = messages[at].replace(b"%", some)
    body = b'{"interaction":[{"name":"email","messageList":[' + b",".join(messages) + b"]}]}"
    [page], _ = read(body)
    assert len(page.records) == number + 1
    assert sum(not is_read(record) for record in page.records) <= 1
    assert page.records[at] == messages[at] or is_read(page.records[at])


def is_read(record):
    try:
        map_one(bytes(record))
    except RecordRejected:
        return False
    return True


@pytest.mark.parametrize("others", [["1"], [1.0, " 1 ", None, ""], [2], [None, "2"]])
def test_pages_of_several_customers_are_refused(others):
    """An id is another one whatever its spelling; a page without one says nothing."""
    several = {"2", 2} & set(others)
    rows = [{"id": n, "sent_time": f"2026-01-02 10:00:{n:02}"} for n in range(2 + len(others))]
    counted = [{**old_entry("sms", *rows[n : n + 2]), "count": str(len(rows))} for n in range(len(rows))]
    bodies = [old(counted[n], id=who) for n, who in enumerate(["1", *others])]
    if several:
        with pytest.raises(BadResponse, match="several customers"):
            read(*bodies, old(counted[-1]), settings={"api": "v1.1"}, page_size=2)
    else:
        pages, _ = read(*bodies, old(counted[-1]), settings={"api": "v1.1"}, page_size=2)
        assert len(ids(pages)) == len(rows)


def test_fewer_messages_than_the_vendor_counts_are_incomplete():
    body = new({**entry("sms", MESSAGE), "count": 2})
    with pytest.raises(Incomplete, match="1 channels of one customer"):
        read(body)
    assert ids(read(body, check_counts=False)[0]) == ids(read(body, type="sms")[0]) == ["1"]
    twice = new(entry("sms", MESSAGE, {**MESSAGE, "id": 2}), {**entry("sms", {**MESSAGE, "id": 3}), "count": 2})
    with pytest.raises(Incomplete, match="1 channels of one customer"):
        read(twice)


# Records


def digest(*parts):
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    ("channel", "meaning"),
    [
        ("email", ("email", "delivered")),
        ("emailbulk", ("email", "delivered")),
        ("phone", ("sms", "delivered")),
        ("zalo", ("zalo", "delivered")),
        ("missed_call", ("voice", "other")),
        ("feedback", ("survey", "responded")),
        ("retweet", ("social", "responded")),
        ("fax", ("other", "delivered")),
    ],
)
def test_what_a_channel_means(channel, meaning):
    row = map_one(channel=channel)
    assert (row.channel, row.action) == meaning
    assert row.native_type == channel


def test_every_word_maps_to_words_of_the_table():
    assert CHANNELS.issuperset(vocabulary.CHANNELS.values())
    assert ACTIONS.issuperset(vocabulary.ACTIONS.values())
    assert ACTIONS.issuperset(STATUSES.values())


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("NOT-DELIVERED", "failed"),
        ("GTW_NOT_FOUND", "failed"),
        ("SOFT_BOUNCED", "bounced"),
        ("OPENED", "opened"),
        ("SENT", "sent"),
        ("QUEUED", "other"),
        (None, "sent"),
        ("null", "sent"),
        ("", "sent"),
    ],
)
def test_what_a_status_means(status, action):
    assert map_one(status=status).action == action


def test_no_campaign_and_texts_that_say_null():
    row = map_one(subject="null", status="", campaignId=-1, deliveredTime="null", userId=-1, receiver="null")
    assert (row.subject, row.status, row.campaign_id, row.delivered_at) == (None, None, None, None)
    assert json.loads(row.attributes) == {"sentDate": MESSAGE["sentDate"], "userId": -1, "receiver": "null"}
    assert map_one(OLD, campaign_id="-1").campaign_id is None
    assert map_one(OLD, campaign_id="469").campaign_id == map_one(campaignId=469).campaign_id == "469"


def test_attributes_keep_every_other_field_as_sent():
    more = (
        b'{"id":"5","reciever":"9","sender":"x","userId":9007199254740993,"z":{"a":[1.0]},"sent_time":"2026-1-2 3:4:5"}'
    )
    row = map_one(more)
    assert row.attributes.endswith('"userId":9007199254740993,"z":{"a":[1.0]},"sent_time":"2026-1-2 3:4:5"}')
    assert json.loads(row.attributes).keys() == {"reciever", "sender", "userId", "z", "sent_time"}
    assert row.occurred_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_zone_is_the_connections_and_delivery_has_its_own():
    row = map_one(zone="Asia/Kolkata", deliveredTime="2026-01-02T10:00:10Z")
    assert row.occurred_at == datetime(2026, 1, 2, 4, 30, tzinfo=UTC)
    assert row.delivered_at == datetime(2026, 1, 2, 10, 0, 10, tzinfo=UTC)
    old_one = map_one(OLD, zone="Asia/Kolkata", delivered_time="2026-01-02 10:00:10")
    assert old_one.delivered_at == datetime(2026, 1, 2, 4, 30, 10, tzinfo=UTC)
    [page], _ = read(new(entry("sms", MESSAGE)), settings={"time_zone": "Asia/Kolkata"})
    assert page.occurred == [row.occurred_at]


def test_a_message_without_an_id_gets_a_digest():
    row = map_one(id="null", subject="")
    assert row.interaction_id == digest(WHO.id, "email", MESSAGE["sentDate"], None)
    assert row.message_id is None
    assert map_one({"sentDate": "02-01-2026 10:00:00", "subject": "é"}).interaction_id == digest(
        WHO.id, "email", "02-01-2026 10:00:00", "é"
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sentDate": "45837-06-15 02:56:40"}, "sentDate is not a time"),
        ({"sentDate": "15-06-45837 02:56:40"}, "sentDate is not a time"),
        ({"sentDate": "31-02-2026 00:00:00"}, "sentDate is not a time"),
        ({"sentDate": 1767348000000}, "sentDate is not a time"),
        ({"sentDate": "02-01-2026 10:00:00+05:60"}, "sentDate is not a time"),
        ({"sentDate": {}}, "sentDate is missing"),
        ({"sentDate": None}, "sentDate is missing"),
        ({"sentDate": "null"}, "sentDate is missing"),
        ({"deliveredTime": "45837-06-15T02:56:40Z"}, "deliveredTime is not a time"),
    ],
)
def test_a_time_that_cannot_be_read_is_landed_and_rejected(fields, reason):
    record = {**MESSAGE, **fields}
    [page], _ = read(new(entry("sms", record)))
    assert len(page.records) == 1
    if "sentDate" in fields:
        assert page.occurred == [None]
    with pytest.raises(RecordRejected, match=reason):
        map_one(record)


@pytest.mark.parametrize("payload", [b"5", b"[]", b"\xff", b"{", b'"x"'])
def test_what_is_no_object_is_rejected(payload):
    with pytest.raises(RecordRejected, match="not a JSON object"):
        map_one(payload)


def test_bytes_that_are_no_text_are_rejected():
    for field in ("subject", "sentDate", "receiver", "id"):
        with pytest.raises(RecordRejected):
            map_one(json.dumps({**MESSAGE, field: "%"}).encode().replace(b"%", b"\xff"))


@pytest.mark.parametrize(
    "context", ["", "{}", "[", '{"channel":"","time_zone":"UTC"}', '{"channel":"a","time_zone":"b"}']
)
def test_a_record_without_its_surroundings_is_rejected(context):
    with pytest.raises(RecordRejected, match=r"context|channel"):
        map_record(CAPILLARY, json.dumps(MESSAGE).encode(), Asked(WHO, "", context))


# Times


SECONDS = st.datetimes(datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("9999-12-30")).map(
    lambda at: at.replace(microsecond=0)
)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(SECONDS, OFFSETS)
def test_every_spelling_of_a_time_is_read(at, offset):
    wanted = at.replace(tzinfo=offset).astimezone(UTC)
    day_first = f"{at.day:02}-{at.month:02}-{at.year:04} {at:%H:%M:%S}"
    loose = f"{at.year:04}-{at.month}-{at.day} {at.hour}:{at.minute}:{at.second}"
    assert times.read_instant(day_first, offset) == times.read_instant(loose, offset) == wanted
    assert times.read_instant(f"{at.isoformat()}Z", offset) == at.replace(tzinfo=UTC)
    assert times.read_instant(at.replace(tzinfo=offset).isoformat(), UTC) == wanted


@given(st.text(alphabet="0123456789-: TZ+.", max_size=25))
def test_any_text_is_a_time_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert times.read_instant(text, UTC).tzinfo is UTC


def test_local_times_around_the_end_of_summer_time():
    london = ZoneInfo("Europe/London")
    assert times.read_instant("25-10-2026 01:30:00", london) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert times.read_instant("2026-10-25 01:30:00.1234567", london).microsecond == 123456
    with pytest.raises(ValueError, match="outside the years"):
        times.read_instant("0001-01-01 00:00:00", ZoneInfo("Asia/Kolkata"))


# Refusals


def test_every_code_has_a_verdict_in_both_shapes():
    for code, (kind, sentence) in errors.CODES.items():
        for body in (build_refusal(code), build_refusal(int(code)), {"errors": [{"status": False, "code": int(code)}]}):
            found = classify(body)
            assert type(found) is kind
            assert found.code == code
            assert sentence in str(found)


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ("1012", ContactNotFound),
        (816, ContactNotFound),
        (8109, ContactDeleted),
        ("618", ContactFailed),
        (9, RequestRejected),
    ],
)
@pytest.mark.parametrize("code", ["500", 500, "200"])
def test_the_customers_own_status_explains(code, item, kind):
    assert type(classify(build_refusal(code, item, "false" if code != "200" else "true"))) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (build_refusal("500"), Unavailable),
        (build_refusal("500", "500"), Unavailable),
        (build_refusal("407"), Unavailable),
        (build_refusal("408"), RequestRejected),
        (build_refusal("402"), RequestRejected),
        (build_refusal("429"), RequestRejected),
        (build_refusal("77777"), RequestRejected),
        (build_refusal(None), RequestRejected),
        (build_refusal("<secret text>"), RequestRejected),
        ({"response": {"success": "false", "code": "1012"}}, ContactNotFound),
        ({"response": {"status": {"success": False, "response_code": "1012"}}}, ContactNotFound),
        ({"errors": {"code": 8015}}, ContactNotFound),
        ({"errors": [{"message": "?"}, {"code": "8015"}], "pagination": {}}, ContactNotFound),
        ({"errors": [{"message": "?"}]}, RequestRejected),
        ({"errors": ["x"]}, RequestRejected),
        (new(errors=[{"code": 8109}]), ContactDeleted),
    ],
)
def test_success_is_decided_from_the_body(body, kind):
    found = classify(body)
    assert type(found) is kind
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    "body",
    [
        new(warnings=[{"status": False, "code": 8015, "message": "m"}]),
        new(errors=None),
        new(errors=[]),
        build_refusal("1061", flag="true"),
        build_refusal("201", flag=True),
        {"response": {"status": {"success": "true", "code": "500"}, "customer": {"item_status": {"code": 1012}}}},
    ],
)
def test_warnings_and_odd_codes_of_success_never_raise(body):
    assert classify(body) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, RequestRejected),
        (400, RequestRejected),
        (401, AuthRejected),
        (403, AuthRejected),
        (404, RequestRejected),
        (429, Throttled),
        (461, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (521, Unavailable),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"errors":[{"code":123456}]}', b'{"message":"x"}'])
def test_without_a_known_code_the_status_decides(status, kind, body):
    assert type(classify(body, status)) is kind


def test_the_body_decides_before_the_status_except_for_limits_and_tokens():
    gone = {"errors": [{"code": 8015}]}
    assert [type(classify(gone, status)) for status in (400, 404, 500)] == [ContactNotFound] * 3
    assert type(classify(gone, 429)) is Throttled
    assert type(classify(gone, 401)) is AuthRejected
    assert type(classify({"errors": [{"code": 403}]}, 403)) is RequestRejected


def test_a_refused_token_in_a_good_answer_counts_as_401():
    # The engine asks for a fresh token on 401 only.
    assert classify(build_refusal("401")).status == 401


def test_a_web_page_is_unavailable():
    assert type(classify(b"<html>Maintenance</html>")) is Unavailable


def test_the_request_id_is_logged_and_nothing_else(caplog):
    caplog.set_level("INFO")
    classify(build_refusal("400"), **{"x-cap-requestid": "f-1_2"})
    classify(build_refusal("400"), **{"x-cap-requestid": "a b\n"})
    classify(build_refusal("1012"), **{"x-cap-requestid": "normal"})
    assert [record.getMessage().rsplit(" ", 1)[1] for record in caplog.records] == ["f-1_2", "None"]


# Credentials


def authenticate(**extra):
    return CAPILLARY.auth(credentials(**extra))


def test_basic_sends_the_md5_of_the_password():
    hashed = hashlib.md5(SECRET.encode()).hexdigest()
    auth = authenticate()
    header = auth.apply(Request("GET", "/x"), "").headers["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == f"till:{hashed}"
    assert not auth.has_tokens
    assert {SECRET, hashed, header.removeprefix("Basic ")} <= set(auth.secrets)
    again = authenticate(password=hashed.upper(), password_is_md5=True)
    assert again.apply(Request("GET", "/x"), "").headers["Authorization"] == header


def test_oauth_asks_on_the_same_host_and_names_the_header():
    auth = authenticate(login="key", password="geheim", auth="oauth")
    assert (auth.ask.method, auth.ask.url) == ("POST", "https://eu.api.example.com/v3/oauth/token/generate")
    assert json.loads(auth.ask.body) == {"key": "key", "secret": "geheim"}
    assert auth.ask.headers["Content-Type"] == "application/json"
    request = auth.apply(Request("GET", "/x", headers={"A": "b"}), "tok")
    assert request.headers == {"A": "b", "X-CAP-API-OAUTH-TOKEN": "tok"}
    other = authenticate(auth="oauth", token_header="CAP-API-ACCESS-TOKEN")
    assert other.apply(Request("GET", "/x"), "tok").headers == {"CAP-API-ACCESS-TOKEN": "tok"}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"login": ""}, "login"),
        ({"password": ""}, "password"),
        ({"login": "a:b"}, "colon"),
        ({"password_is_md5": True}, "32 hexadecimal digits"),
        ({"auth": "kerberos"}, "auth"),
        ({"api": "v3"}, "api"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "America"}, "time_zone"),
        ({"token_header": "a b"}, "token_header"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_wrong_fields_are_named_and_never_shown(fields, wrong):
    with pytest.raises(ConfigError, match=wrong) as caught:
        authenticate(**fields)
    assert SECRET not in str(caught.value)


def test_nothing_secret_is_in_a_repr():
    for extra in ({}, {"auth": "oauth"}):
        given = credentials(**extra)
        auth = CAPILLARY.auth(given)
        request = auth.apply(Request("GET", "/x", query={"mobile": WHO.id}), "t0k3n")
        shown = f"{given!r} {auth!r} {request!r} {auth.ask!r} {WHO!r}"
        hidden = (
            SECRET,
            hashlib.md5(SECRET.encode()).hexdigest(),
            "t0k3n",
            WHO.id,
            request.headers.get("Authorization"),
        )
        assert not any(text in shown for text in hidden if text)


def token(body, status=200):
    return read_token(Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("seconds", "life"), [(300, 300), ("600", 600), (None, 300), ("soon", 300), (-5, 300), ("inf", 300), ([], 300)]
)
def test_a_token_and_its_life(seconds, life):
    found = token({"data": {"accessToken": "t", "ttlSeconds": seconds}, "errors": None})
    assert (found.value, found.expires_in) == ("t", life)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"data": None, "errors": [{"code": 1}]}, 200, AuthRejected),
        ({"data": {"accessToken": ""}}, 200, AuthRejected),
        ({"data": None}, 400, AuthRejected),
        ({}, 401, AuthRejected),
        (b"", 403, AuthRejected),
        (b"no", 200, BadResponse),
        (b"", 404, RequestRejected),
        (b"", 302, RequestRejected),
        (b"", 429, Throttled),
        (b"", 503, Unavailable),
    ],
)
def test_no_token_is_a_refusal_whatever_the_status(body, status, kind):
    with pytest.raises(kind) as caught:
        token(body, status)
    assert caught.value.status == status


def test_a_token_counts_whatever_the_status():
    assert token({"data": {"accessToken": "t", "ttlSeconds": 9}}, 201).value == "t"


@pytest.mark.parametrize("api", ["v2", "v1.1"])
def test_the_probe_asks_for_nobody(api):
    request = CAPILLARY.probe(credentials(api=api).settings)
    assert "nobody@connection-test.invalid" in request.query.values()
    assert request.path.startswith(f"/{api}/")
