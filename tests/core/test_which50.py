"""Which50: JSON and XML as one, times, the key, refusals, credentials nobody has published, contact lists."""

import asyncio
import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import unquote
from xml.sax.saxutils import escape

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
    ContactFailed,
    ContactNotFound,
    Incomplete,
    RecordRejected,
    RequestRejected,
    Throttled,
    Unavailable,
)
from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.which50.auth import read_token
from airflow_provider_interactions.vendors.which50.responses import read_time
from airflow_provider_interactions.vendors.which50.vocabulary import KINDS
from airflow_provider_interactions.window import ALWAYS
from tests.mapped import Asked, map_record

WHICH50 = VENDORS["which50"]
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "which50.json").read_text())
WHO = Contact("0f8fad5b+d9/cb==")
SECRET = "s3cr3t!"
HOST = "https://app.example.com/Which50API"
RECORD = {
    "Id": 7,
    "Interaction": "Email",
    "Name": "Spring",
    "Occurred": "2026-01-02T10:00:00.1234567+01:00",
    "Status": "Open",
    "CampaignId": 3,
    "CampaignName": "Spring & co",
}
AT = datetime(2026, 1, 2, 9, 0, 0, 123456, tzinfo=UTC)

XML_HEAD = (
    '<ArrayOf{0} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns="http://schemas.datacontract.org/2004/07/W50API.Models.DTO.Contacts">{1}</ArrayOf{0}>'
)


def credentials(login="user", password=SECRET, **extra):
    return build_credentials(WHICH50, HOST, login, password, extra)


def as_xml(record):
    """The record as .NET writes it: null as i:nil, the time in UTC beside its offset."""
    fields = {name: value for name, value in record.items() if name != "Occurred"}
    members = "".join(
        f'<{name} i:nil="true"/>' if value is None else f"<{name}>{escape(str(value))}</{name}>"
        for name, value in fields.items()
    )
    written = record["Occurred"]
    at, fraction = datetime.fromisoformat(written), written[19:-6]
    return (
        f'<ContactInteraction>{members}<Occurred xmlns:d="http://schemas.datacontract.org/2004/07/System">'
        f"<d:DateTime>{at.astimezone(UTC).isoformat()[:19]}{fraction}Z</d:DateTime>"
        f"<d:OffsetMinutes>{at.utcoffset() // timedelta(minutes=1)}</d:OffsetMinutes></Occurred></ContactInteraction>"
    )


def xml_list(*members, name="ContactInteraction"):
    return XML_HEAD.format(name, "".join(members)).encode()


def json_list(*records):
    return json.dumps(records).encode()


def read(body, status=200, content_type="", who=WHO, **settings):
    """The history that the generator makes of this answer, and what it asked."""
    requests = []

    async def fetch(request, decode):
        requests.append(request)
        found = Response(status, {"content-type": content_type}, body)
        error = WHICH50.classify(found)
        if error is not None:
            error.path = request.path
            raise error
        return decode(found)

    async def run():
        query = Query(who, credentials(**settings).settings, WHICH50.options())
        return [page async for page in WHICH50.pages(fetch, query, ALWAYS)]

    [page] = asyncio.run(run())
    return page, requests[0]


def map_one(record=RECORD, who=WHO, **fields):
    payload = record if isinstance(record, bytes) else json.dumps({**record, **fields}).encode()
    return map_record(WHICH50, payload, Asked(who))


def rows(page, who=WHO):
    return [map_record(WHICH50, payload, Asked(who)) for payload in page.records]


def classify(status, body=b"", content_type=""):
    return WHICH50.classify(Response(status, {"content-type": content_type}, body))


def test_the_golden_records():
    found = [read(body.encode())[0] for body in GOLDEN["bodies"].values()]
    payloads = [payload for page in found for payload in page.records]
    instants = [at for page in found for at in page.occurred]
    assert [payload.decode() for payload in payloads] == GOLDEN["payloads"]
    asked = GOLDEN["asked"]
    who = Asked(Contact(asked["contact_id"], asked["contact_id_kind"]), asked["native_type"])
    for payload, occurred, wanted in zip(payloads, instants, GOLDEN["rows"], strict=True):
        row = msgspec.structs.asdict(map_record(WHICH50, payload, who))
        assert occurred == row["occurred_at"] == datetime.fromisoformat(wanted["occurred_at"])
        assert json.loads(row["attributes"]) == wanted["attributes"]
        decided = row.keys() - {"occurred_at", "attributes", "contact_id"}
        assert {name: row[name] for name in decided} == {name: wanted[name] for name in decided}
        assert wanted.keys() == set(CANONICAL.names) - {
            "account",
            "extracted_at",
            "window_start",
            "window_end",
            "person_id",
        }


# What is asked


@pytest.mark.parametrize("text", ["a/b+c==", "%2F", "ü ?#", "..a", "a%", "x;y,z"])
def test_the_contact_is_one_segment_of_the_path(text):
    _, request = read(b"[]", who=WHICH50.contact(text, "contact_id"))
    assert request.method == "GET"
    assert request.url.startswith("/contacts/")
    segment = request.url.removeprefix("/contacts/").removesuffix("/communications")
    assert unquote(segment) == text
    assert not set(segment) & set("/+? #")


@pytest.mark.parametrize("text", ["", " ", ".", "..", "a\nb"])
def test_what_is_no_contact_is_refused(text):
    with pytest.raises(ConfigError, match="EncContactId"):
        WHICH50.contact(text, "contact_id")


def test_a_contact_is_kept_as_it_is_and_has_one_kind():
    assert WHICH50.contact("Ab+/= ", "contact_id").id == "Ab+/= "
    with pytest.raises(ConfigError):
        WHICH50.contact("x", "email")


def test_the_format_is_asked_for_by_the_settings():
    assert read(b"[]")[1].headers["Accept"] == "application/json"
    assert read(b"[]", response_format="xml")[1].headers["Accept"] == "application/xml"
    assert not WHICH50.filters_by_date
    settings, options = credentials().settings, WHICH50.options()
    assert list(WHICH50.queries(WHO, settings, options)) == [Query(WHO, settings, options)]


# What is answered


def offset(minutes):
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff\x85"), max_size=8)
TIMES = st.builds(
    lambda at, digits, minutes: at.isoformat()[:19] + digits + offset(minutes),
    st.datetimes(datetime.fromisoformat("1901-01-01"), datetime.fromisoformat("9990-01-01")),
    st.text("0123456789", min_size=0, max_size=7).map(lambda digits: f".{digits}" if digits else ""),
    st.integers(-14 * 60, 14 * 60),
)
RECORDS = st.fixed_dictionaries(
    {"Interaction": TEXTS.filter(bool), "Occurred": TIMES},
    optional={
        "Id": st.none() | st.integers(),
        "CampaignId": st.none() | st.integers(),
        "Name": st.none() | TEXTS,
        "Status": st.none() | TEXTS,
        "CampaignName": st.none() | TEXTS,
        "New": st.none() | TEXTS,
    },
)


def plain_rows(page):
    """Rows with their attributes as values: how a character is escaped does not matter."""
    return [{**msgspec.structs.asdict(row), "attributes": json.loads(row.attributes)} for row in rows(page)]


@given(st.lists(RECORDS, max_size=3))
def test_json_and_xml_give_the_same_rows(records):
    by_json, by_xml = read(json_list(*records))[0], read(xml_list(*map(as_xml, records)))[0]
    assert by_json.occurred == by_xml.occurred
    assert plain_rows(by_json) == plain_rows(by_xml)
    assert [row.occurred_at for row in rows(by_json)] == list(by_json.occurred)


@pytest.mark.parametrize("content_type", ["application/json", "application/xml", "text/plain", ""])
@pytest.mark.parametrize("response_format", ["json", "xml"])
def test_the_answer_is_known_by_its_looks(content_type, response_format):
    for body in (json_list(RECORD), b"\xef\xbb\xbf" + json_list(RECORD), xml_list(as_xml(RECORD))):
        page, _ = read(body, content_type=content_type, response_format=response_format)
        assert page.occurred == [AT]
        assert [row.subject for row in rows(page)] == ["Spring"]


def test_xml_in_another_encoding():
    body = ('<?xml version="1.0" encoding="utf-16"?>' + xml_list(as_xml(RECORD)).decode()).encode("utf-16")
    assert read(body, content_type="application/xml; charset=utf-16")[0].occurred == [AT]


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", xml_list(), b"<ArrayOfContactInteraction/>"])
def test_an_empty_history(body):
    assert read(body)[0].records == []


def test_no_content_is_an_empty_history():
    assert read(b"", status=204)[0].records == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[",
        b'"x"',
        b'{"Message":"x"}',
        b"<Error><Message>x</Message></Error>",
        b"<ArrayOfContactInteraction>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><ArrayOfContactInteraction/>',
        b"<" * 1000,
        b"null",
        b'{"value":[]}',
        b"[[]]",
        json_list([RECORD]),
        json_list({"Communications": [RECORD]}),
        json_list({"Message": "An error has occurred."}),
        b"<ArrayOfContact/>",
        b"<ArrayOfstring><string>x</string></ArrayOfstring>",
        b"<ArrayOfContactInteraction>sorry</ArrayOfContactInteraction>",
        xml_list(as_xml(RECORD), "sorry", as_xml(RECORD)),
        b'<ArrayOfContactInteraction xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>',
        xml_list("<Page>" + as_xml(RECORD) + "</Page>"),
        xml_list("<ContactInteraction>" + as_xml(RECORD) + "</ContactInteraction>"),
        xml_list(as_xml(RECORD), "<Error/>"),
        xml_list(as_xml(RECORD)).replace(b"ArrayOfContactInteraction", b"ContactInteractions"),
    ],
)
def test_another_shape_is_a_bad_response(body):
    with pytest.raises(BadResponse, match="the list of communications"):
        read(body)


@pytest.mark.parametrize(
    "body", [b'{"Message":"no"}', b'\xef\xbb\xbf {"message":"no"}', b"<Error><Message>no</Message></Error>"]
)
def test_an_error_under_200_is_called_one(body):
    with pytest.raises(BadResponse, match="an error came instead of the list of communications"):
        read(body)


@given(
    st.recursive(
        st.sampled_from([[], {}, RECORD, [RECORD], {"Message": "x"}, None, 1]),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=2)
            | st.dictionaries(st.sampled_from(["Data", "value"]), inner, min_size=1)
        ),
        max_leaves=4,
    )
)
def test_no_other_shape_is_an_empty_history(answer):
    """Whatever comes: as many records as there are, or an error; none only for the empty list."""
    try:
        found = read(json.dumps(answer).encode())[0].records
    except BadResponse:
        return
    assert isinstance(answer, list)
    assert len(found) == len(answer)
    assert not any(isinstance(one, list) for one in answer)


def test_json_records_are_kept_byte_for_byte():
    body = b'[ {"Id" : 9007199254740993, "x":1.10},\n{"Id":2}]'
    assert read(body)[0].records == [b'{"Id" : 9007199254740993, "x":1.10}', b'{"Id":2}']


def test_half_a_surrogate_pair_costs_nothing():
    page, _ = read(json_list({**RECORD, "Name": "a\\🚀\ud83d"}, RECORD))
    assert [row.subject for row in rows(page)] == ["a\\🚀\ufffd", "Spring"]
    assert page.occurred == [AT, AT]
    assert page.records[0].decode() == json.dumps({**RECORD, "Name": "a\\🚀\ud83d"})


# What stands in a name as XML or JSON, and how it is read; None where it has no certain meaning.
ODD = {
    "a byte of Windows-1252": (b"Caf\xe9", "Caf\xe9"),
    "an entity of HTML": (b"Save&nbsp;now", "Save\xa0now"),
    "a bare ampersand": (b"Fish & Chips", "Fish & Chips"),
    "a raw tab": (b"a\tb", "a\tb"),
    "CESU-8": (b"\xed\xa0\xbd\xed\xb8\x80 sale", "\U0001f600 sale"),
    "half a surrogate pair": (b"sale \xed\xa0\xbd", "sale \ufffd"),
    "an undefined byte": (b"a\x81b", None),
}


@pytest.mark.parametrize("size", [1, 3, 400])
@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_byte_costs_its_record_at_most(odd, form, size):
    written, meaning = ODD[odd]
    if form == "json" and b"&nbsp;" in written:
        meaning = "Save&nbsp;now"  # plain text in JSON
    records = [{**RECORD, "Id": n + 1, "Name": "ODD" if n == size // 2 else f"Name {n}"} for n in range(size)]
    body = json_list(*records) if form == "json" else xml_list(*map(as_xml, records))
    page, _ = read(body.replace(b"ODD", written))
    assert len(page.records) == len(page.occurred) == size
    others = [payload for n, payload in enumerate(page.records) if n != size // 2]
    assert [map_record(WHICH50, payload, Asked(WHO)).message_id for payload in others] == [
        str(n + 1) for n in range(size) if n != size // 2
    ]
    assert all(at == AT for n, at in enumerate(page.occurred) if n != size // 2)
    if meaning is None:
        assert written in page.records[size // 2]
        with pytest.raises(RecordRejected):
            map_one(page.records[size // 2])
    else:
        assert map_one(page.records[size // 2]).subject == meaning
        assert page.occurred[size // 2] == AT


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-8"])
def test_the_charset_of_the_header_counts(form, charset):
    named = {**RECORD, "Name": "\xc3\xa9 \u20ac"}  # its first bytes in Windows-1252 are UTF-8 too
    text = json.dumps([named], ensure_ascii=False) if form == "json" else xml_list(as_xml(named)).decode()
    body = text.encode("utf-8" if charset == "utf-8" else "cp1252")
    page, _ = read(body, content_type=f"application/{form}; charset={charset}")
    assert [row.subject for row in rows(page)] == [named["Name"]]
    assert page.occurred == [AT]


def test_json_in_utf_16():
    page, _ = read(json_list(RECORD).decode().encode("utf-16"), content_type="application/json; charset=utf-16")
    assert [row.subject for row in rows(page)] == ["Spring"]


def test_members_count_by_their_local_names():
    body = xml_list(as_xml(RECORD)).replace(b"<Name>", b'<n:Name xmlns:n="urn:x">').replace(b"</Name>", b"</n:Name>")
    assert rows(read(body)[0]) == rows(read(json_list(RECORD))[0])


def test_the_offset_of_xml_is_not_applied_again():
    body = xml_list(as_xml(RECORD))
    assert b"<d:DateTime>2026-01-02T09:00:00.1234567Z</d:DateTime><d:OffsetMinutes>60</d:OffsetMinutes>" in body
    assert read(body)[0].occurred == [AT]


# Records


@pytest.mark.parametrize("text", ["Email", "EMAIL", "e mail ", "eMail"])
def test_case_and_blanks_of_a_type_do_not_matter(text):
    row = map_one(Interaction=text, Status=None)
    assert (row.channel, row.action, row.native_type) == ("email", "sent", text)


@pytest.mark.parametrize(
    ("status", "action"),
    [
        *((None, "sent"), ("", "sent"), ("Sent", "sent"), ("delivered", "delivered"), ("OPENED", "opened")),
        *(("Clicked ", "clicked"), ("Hard Bounced", "bounced"), ("not-delivered", "failed"), ("Queued", "other")),
    ],
)
def test_the_action_of_a_message_is_its_last_status(status, action):
    assert (map_one(Status=status).action, map_one(Interaction="SMS", Status=status).action) == (action, action)
    assert map_one(Interaction="WebForm", Status=status).action == "submitted"


@pytest.mark.parametrize(
    ("native_type", "meaning"),
    [
        ("SMS", ("sms", "sent")),
        ("Landing Page", ("web", "visited")),
        ("Event", ("event", "registered")),
        ("WebForm", ("form", "submitted")),
        ("Competition", ("form", "submitted")),
        ("WebForm Competition", ("other", "other")),
        ("Push", ("other", "other")),
    ],
)
def test_what_a_type_means(native_type, meaning):
    row = map_one(Interaction=native_type, Status=None)
    assert (row.channel, row.action) == meaning


def test_every_type_maps_to_words_of_the_table():
    assert all(channel in CHANNELS and action in ACTIONS for channel, action in KINDS.values())


def test_the_key_is_a_digest_of_what_does_not_change():
    parts = f'["{WHO.id}","Email","7","3","2026-01-02T09:00:00.123456Z"]'
    assert map_one().interaction_id == hashlib.sha256(parts.encode()).hexdigest()[:32]
    same = map_one(Status="Click", Name="New", CampaignName=None, Occurred="2026-01-02T09:00:00.1234569Z")
    assert same.interaction_id == map_one().interaction_id
    others = ({"Id": 8}, {"CampaignId": None}, {"Interaction": "SMS"}, {"Occurred": "2026-01-02T09:00:00Z"})
    assert len({map_one(**fields).interaction_id for fields in ({}, *others)}) == 5
    assert map_one(who=Contact("x")).interaction_id != map_one().interaction_id


@given(st.integers(1, 2**70))
def test_a_whole_number_makes_one_key_however_it_is_written(number):
    dress = (str(number), f"{number}.0", f"{number}e0", f'"{number}"', f'"{number}.0"', f"{number}0E-1")
    found = [map_one(json.dumps({**RECORD, "Id": "%"}).replace('"%"', one).encode()) for one in dress]
    found += rows(read(xml_list(*(as_xml({**RECORD, "Id": one.strip('"')}) for one in dress)))[0])
    assert {row.interaction_id for row in found} == {map_one(Id=number).interaction_id}
    assert {row.message_id for row in found} == {str(number)}


@pytest.mark.parametrize("placeholder", [None, 0, -1, "", " ", 0.0, -1.0, "0", "00000000-0000-0000-0000-000000000000"])
def test_a_placeholder_is_no_id_and_the_name_takes_its_place(placeholder):
    one, other = map_one(Id=placeholder, Name="a"), map_one(Id=placeholder, Name="b")
    assert one.message_id is None
    assert one.interaction_id != other.interaction_id
    assert one.interaction_id == map_one(Id=0, Name="a", Status="x").interaction_id


def in_case(record, case):
    return {case(name): value for name, value in record.items()}


@pytest.mark.parametrize("case", [str.lower, str.upper, lambda name: name[0].lower() + name[1:]])
def test_names_in_another_case_are_the_same_names(case):
    page, _ = read(json_list(in_case(RECORD, case), {**RECORD, "id": 8}))
    assert page.occurred == [AT, AT]
    first, second = rows(page)
    assert first == map_one()
    assert second == map_one(id=8)
    assert second.attributes == '{"id":8}'
    as_text = as_xml(RECORD)
    for name in RECORD:
        as_text = as_text.replace(f"<{name}", f"<{case(name)}").replace(f"</{name}>", f"</{case(name)}>")
    assert rows(read(xml_list(as_text))[0]) == [map_one()]


def test_the_case_of_camel_case_names():
    """F11: ten of ten records were rejected."""
    records = [
        {"id": n, "interaction": "Email", "name": f"News {n}", "occurred": f"2026-01-02T10:00:0{n}+00:00"}
        for n in range(10)
    ]
    page, _ = read(json_list(*records))
    assert [row.subject for row in rows(page)] == [f"News {n}" for n in range(10)]
    assert None not in page.occurred


def test_absent_parts_of_the_key_are_null_and_whole_seconds_have_six_digits():
    parts = f'["{WHO.id}","Ereignis ü",null,null,"2026-01-02T09:00:00.000000Z"]'
    row = map_one({"Interaction": "Ereignis ü", "Occurred": "2026-01-02T10:00:00+01:00"})
    assert row.interaction_id == hashlib.sha256(parts.encode()).hexdigest()[:32]
    assert (row.message_id, row.campaign_id, row.status, row.subject) == (None, None, None, None)


def test_empty_texts_are_null_and_unknown_fields_are_kept():
    row = map_one(Status="", Name="", CampaignName="", New={"a": [1.5]}, Big=9007199254740993)
    assert (row.status, row.subject, row.campaign_name) == (None, None, None)
    assert row.attributes == '{"New":{"a": [1.5]},"Big":9007199254740993}'


def test_unknown_fields_of_xml_are_texts():
    more = '<New>a</New><Empty/><Nil i:nil="true"/><Two>1</Two><Two>2</Two><In><A>1</A><B/></In></ContactInteraction>'
    [row] = rows(read(xml_list(as_xml(RECORD).replace("</ContactInteraction>", more)))[0])
    wanted = {"New": "a", "Empty": "", "Nil": None, "Two": ["1", "2"], "In": {"A": "1", "B": None}}
    assert json.loads(row.attributes) == wanted


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Occurred": None}, "Occurred is missing"),
        ({"Occurred": ""}, "Occurred is missing"),
        ({"Occurred": "yesterday"}, "Occurred is not a valid ISO"),
        ({"Occurred": "0001-01-01T00:00:00+00:00"}, "Occurred is not a valid ISO"),
        ({"Occurred": 5}, "Occurred is not a valid ISO"),
        ({"Interaction": None}, "Interaction is missing"),
        ({"Interaction": ""}, "Interaction is missing"),
    ],
)
def test_what_cannot_be_a_row_is_landed_and_rejected(fields, reason):
    page, _ = read(json_list({**RECORD, **fields}))
    assert len(page.records) == 1
    with pytest.raises(RecordRejected, match=reason):
        rows(page)


def test_what_is_in_a_record_of_xml_is_a_row_or_rejected_whole():
    inner = as_xml({**RECORD, "Id": 99})
    odd = as_xml(RECORD).replace("</ContactInteraction>", f"{inner}</ContactInteraction>")
    with pytest.raises(RecordRejected, match="holds another record"):
        map_one(read(xml_list(odd, as_xml(RECORD)))[0].records[0])
    more = "between<Owner>a<b>c</b><DateTime>d</DateTime></Owner><At><DateTime>d</DateTime></At></ContactInteraction>"
    (record,) = read(xml_list(as_xml(RECORD).replace("</ContactInteraction>", more)))[0].records
    found = json.loads(map_one(record).attributes)
    assert found == {"content": "between", "Owner": {"b": "c", "DateTime": "d", "content": "a"}, "At": "d"}


def test_an_absent_time_is_missing():
    page, _ = read(b'[{"Interaction":"SMS"},5]')
    assert page.occurred == [None, None]
    with pytest.raises(RecordRejected, match="Occurred is missing"):
        map_one(page.records[0])
    assert read(xml_list("<ContactInteraction/>"))[0].occurred == [None]


@pytest.mark.parametrize("payload", [b"5", b"{", b"\xff", b"<a", b"<a/>", b"<a>x</a>", b"<!DOCTYPE a><a><b/></a>"])
def test_what_is_no_record_is_rejected(payload):
    with pytest.raises(RecordRejected, match=r"not a JSON object|not an XML element with members"):
        map_one(payload)


@pytest.mark.parametrize("field", ["Name", "Interaction", "Occurred", "Other"])
def test_bytes_that_are_no_text_are_rejected(field):
    with pytest.raises(RecordRejected):
        map_one(json.dumps({**RECORD, field: "%"}).encode().replace(b"%", b"\xff"))


# Times


@given(TIMES)
def test_every_time_is_cut_to_microseconds_in_utc(written):
    whole = written[:19] + written[-6:]
    micro = int(written[20:-6].ljust(6, "0")[:6] or 0)
    assert read_time(written) == datetime.fromisoformat(whole).astimezone(UTC) + timedelta(microseconds=micro)


@given(st.text(alphabet="0123456789-:TZ+. ", max_size=40))
def test_any_text_is_a_time_or_refused(text):
    try:
        assert read_time(text).tzinfo is UTC
    except (ValueError, OverflowError):
        assert len(text.strip()) < 19 or not text.strip().startswith("20")  # else it would be a time


@given(st.integers() | st.none() | st.lists(st.none()) | st.dictionaries(st.text(), st.none()))
def test_only_text_is_a_time(value):
    with pytest.raises(RecordRejected, match=r"^Occurred is (missing|not a valid ISO 8601 time)$"):
        map_one(json.dumps({**RECORD, "Occurred": value}).encode())


@pytest.mark.parametrize("count", range(1, 8))
def test_one_to_seven_digits(count):
    digits = "9999999"[:count]
    assert read_time(f"2026-01-01T00:00:00.{digits}Z").microsecond == int("999999"[:count].ljust(6, "0"))


def test_the_offset_changes_with_the_season_but_the_instant_counts():
    summer = timezone(timedelta(hours=1))
    assert read_time("2026-10-25T01:30:00+01:00") == datetime(2026, 10, 25, 1, 30, tzinfo=summer)
    assert read_time("2026-10-25T01:30:00+00:00") - read_time("2026-10-25T01:30:00+01:00") == timedelta(hours=1)
    assert read_time("2026-10-25T01:30:00") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


# Refusals


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, RequestRejected),
        (400, RequestRejected),
        (401, AuthRejected),
        (403, AuthRejected),
        (404, RequestRejected),
        (417, RequestRejected),
        (429, Throttled),
        (500, Unavailable),
        (502, Unavailable),
        (504, Unavailable),
    ],
)
@pytest.mark.parametrize("body", [b"", b'{"Message":"secret"}', b"<Error><Message>secret</Message></Error>", b"<html>"])
def test_what_a_status_means(status, kind, body):
    found = classify(status, body)
    assert type(found) is kind
    assert "secret" not in str(found)


def test_a_good_answer_is_none_and_a_web_page_is_unavailable():
    assert classify(200, b"[]", "application/json") is None
    assert classify(204) is None
    assert type(classify(200, b"<!DOCTYPE html><html>login", "text/html")) is Unavailable


@pytest.mark.parametrize("body", [b"", b'{"Message":"Not found"}', b"<html>404"])
def test_an_unknown_contact_is_an_outcome(body):
    with pytest.raises(ContactNotFound) as caught:
        read(body, status=404)
    assert WHO.id not in str(caught.value)
    assert caught.value.path == "/contacts/{contactId}/communications"


@pytest.mark.parametrize("text", ["a/b", "a+b", "a%2Fb", "a\\b"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b'{"Message":"No HTTP resource was found that matches the request URI"}'),
        (400, b"<!DOCTYPE html><html>A potentially dangerous Request.Path value was detected"),
    ],
)
def test_an_id_that_a_web_server_refuses_fails_for_its_contact_alone(text, status, body):
    with pytest.raises(ContactFailed, match="does not take this contact's id in a path") as caught:
        read(body, status=status, who=Contact(text))
    assert text not in str(caught.value)
    with pytest.raises(RequestRejected):
        read(body, status=status, who=Contact("ab"))
    with pytest.raises(ContactNotFound):
        read(b'{"Message":"x"}', status=404, who=Contact(text))


@pytest.mark.parametrize("form", ['{{"Message":"{}"}}', "<Error><Message>{}</Message></Error>"])
def test_a_route_that_does_not_exist_is_no_missing_contact(form):
    body = form.format("No HTTP resource was found that matches the request URI").encode()
    with pytest.raises(RequestRejected, match="must end in /Which50API"):
        read(body, status=404, who=Contact("ab"))


@pytest.mark.parametrize("status", [401, 403, 404, 417, 429, 500])
def test_no_error_shows_the_contact(status):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - all of them
        read(b"", status=status)
    assert WHO.id not in str(caught.value)
    assert "0f8fad5b" not in str(caught.value)


# Credentials


def authenticate(**fields):
    return WHICH50.auth(credentials(**fields))


def headers(auth, token=""):
    return dict(auth.apply(Request("GET", "/x"), token).headers)


def test_bearer_is_the_default():
    assert headers(authenticate()) == {"Authorization": f"Bearer {SECRET}"}
    assert not authenticate().has_tokens


def test_a_named_header():
    assert headers(authenticate(auth="header", header_name="X-Api-Key")) == {"X-Api-Key": SECRET}
    assert headers(authenticate(auth="header", password="Custom abc")) == {"Authorization": "Custom abc"}


def test_basic():
    packed = headers(authenticate(auth="basic", password="pä:ss"))["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(packed).decode() == "user:pä:ss"
    assert packed in authenticate(auth="basic", password="pä:ss").secrets


def test_oauth2_with_client_credentials_and_with_a_user():
    auth = authenticate(auth="oauth2", token_url="https://login.example.org/token", scope="read")
    wanted = {"grant_type": "client_credentials", "client_id": "user", "client_secret": SECRET, "scope": "read"}
    assert (auth.ask.method, auth.ask.url, auth.ask.form) == ("POST", "https://login.example.org/token", wanted)
    assert headers(auth, "tok") == {"Authorization": "Bearer tok"}
    auth = authenticate(auth="oauth2", token_url="/token", grant="password")
    assert (auth.ask.url, auth.ask.form) == (
        f"{HOST}/token",
        {"grant_type": "password", "username": "user", "password": SECRET},
    )


def test_a_plain_token_host_needs_leave():
    url = "http://127.0.0.1:8080/token"
    with pytest.raises(ConfigError, match="token_url is plain http"):
        authenticate(auth="oauth2", token_url=url)
    assert authenticate(auth="oauth2", token_url=url, allow_http=True).ask.url == url


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"password": ""}, "password is empty"),
        ({"login": "", "auth": "basic"}, "login is empty"),
        ({"login": "", "auth": "oauth2", "token_url": "/t"}, "login is empty"),
        ({"login": "a:b", "auth": "basic"}, "colon"),
        ({"password": f"{SECRET}\n"}, "no header can carry"),
        ({"password": f" {SECRET}"}, "no header can carry"),
        ({"password": f"{SECRET}é", "auth": "header"}, "no header can carry"),
        ({"auth": "header", "header_name": "a:b"}, "header_name"),
        ({"auth": "oauth2"}, "token_url"),
        ({"auth": "oauth2", "token_url": "token"}, "token_url"),
        ({"auth": "oauth2", "token_url": "//other/token"}, "token_url"),
        ({"auth": "oauth2", "token_url": "ftp://x/t"}, "token_url"),
        ({"auth": "oauth2", "token_url": "https://u:p@x/t"}, "token_url"),
        ({"auth": "oauth2", "token_url": "https://[x/t"}, "token_url"),
        ({"auth": "digest"}, "auth"),
        ({"grant": "code"}, "grant"),
        ({"response_format": "csv"}, "response_format"),
    ],
)
def test_wrong_fields_are_named_and_never_shown(fields, wrong):
    with pytest.raises(ConfigError, match=wrong) as caught:
        authenticate(**fields)
    assert SECRET not in str(caught.value)


def test_nothing_secret_is_in_a_repr():
    for scheme in ("bearer", "header", "basic", "oauth2"):
        given = credentials(auth=scheme, token_url="/t")
        auth = WHICH50.auth(given)
        request = auth.apply(Request("GET", "/x"), "t0k3n")
        shown = f"{given!r} {auth!r} {request!r} {auth.ask!r}"
        assert SECRET in auth.secrets
        assert not any(text in shown for text in (SECRET, "t0k3n", *request.headers.values()))


def token(body, status=200):
    return read_token(Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("seconds", "life"), [(60, 60), ("1199", 1199), (None, 3600), ("x", 3600), (-1, 3600), ("nan", 3600)]
)
def test_a_token_and_its_life(seconds, life):
    found = token({"access_token": "t", "token_type": "bearer", "expires_in": seconds})
    assert (found.value, found.expires_in) == ("t", life)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 200, BadResponse),
        ({"access_token": "a\nb"}, 200, BadResponse),
        ({"access_token": ""}, 200, BadResponse),
        ({"error": "invalid_grant"}, 400, AuthRejected),
        (b"", 401, AuthRejected),
        (b"", 404, RequestRejected),
        (b"", 302, RequestRejected),
        (b"", 429, Throttled),
        (b"", 500, Unavailable),
    ],
)
def test_what_the_token_host_refuses(body, status, kind):
    with pytest.raises(kind):
        token(body, status)


# Contact lists


LISTS = [{"Id": 1, "Name": "a", "Count": 2}, {"Id": 2, "Name": "b", "Count": 0}, {"Id": 3, "Name": "c", "Count": None}]
PEOPLE = {
    "1": [{"EncContactId": "a/b=", "ListId": 1, "Values": {"x": 1}}, {"EncContactId": "c", "Values": {}}],
    "2": [],
    "3": [{"EncContactId": "d", "ListId": 3}],
}


def list_people(lists=LISTS, people=PEOPLE, form="json", **options):
    """The contacts that the listing makes of these answers, and the paths it asked for."""
    asked = []

    async def fetch(request, decode):
        asked.append(request.path)
        rows, name = (lists, "ContactsList")
        if request.path != "/contactLists":
            rows, name = people[request.path.split("/")[2]], "Contact"
        return decode(Response(200, {}, rows_as_xml(rows, name) if form == "xml" else json.dumps(rows).encode()))

    async def run():
        made = build_options(WHICH50, options)
        return [page async for page in WHICH50.contacts(fetch, credentials().settings, made)]

    return [person.id for page in asyncio.run(run()) for person in page], asked


def rows_as_xml(rows, name):
    members = (
        "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in row.items() if value is not None)
        for row in rows
    )
    return xml_list(*(f"<{name}>{member}</{name}>" for member in members), name=name)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_all_contacts_of_all_lists(form):
    found, asked = list_people(form=form)
    assert found == ["a/b=", "c", "d"]
    assert asked == ["/contactLists", *(f"/contactLists/{n}/contacts" for n in (1, 2, 3))]


def test_contacts_of_chosen_lists():
    assert list_people(contact_lists=["3", 3])[0] == ["d"]
    assert list_people(contact_lists=[])[0] == []
    with pytest.raises(ConfigError, match="do not exist: 9"):
        list_people(contact_lists=["9", 1])


def test_fewer_contacts_than_the_list_counts_are_incomplete():
    with pytest.raises(Incomplete, match="contact list 1 answered with 1 contacts where its Count says 2"):
        list_people(people={**PEOPLE, "1": PEOPLE["1"][:1]})
    assert list_people(people={**PEOPLE, "2": PEOPLE["3"]})[0] == ["a/b=", "c", "d", "d"]


@pytest.mark.parametrize("form", ["json", "xml"])
def test_lists_and_contacts_need_their_ids(form):
    with pytest.raises(BadResponse, match="without its Id"):
        list_people(lists=[{"Name": "a"}], form=form)
    with pytest.raises(BadResponse, match="without its EncContactId"):
        list_people(people={**PEOPLE, "3": [{"ListId": 3}]}, form=form)


@pytest.mark.parametrize("answer", [{}, [5], None, [[]], {"value": []}, {"Message": "x"}, [LISTS]])
def test_a_listing_of_another_shape_is_a_bad_response(answer):
    with pytest.raises(BadResponse, match="the list of contact lists"):
        list_people(lists=answer)
    with pytest.raises(BadResponse, match="the contact list"):
        list_people(people={**PEOPLE, "2": answer})


@pytest.mark.parametrize("count", [2.0, "2", "2 ", " 2.0", "2e0"])
@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_count_in_other_dress_is_still_checked(count, form):
    lists = [{"Id": 1.0, "Count": count}]
    assert list_people(lists=lists, form=form)[1][1] == "/contactLists/1/contacts"
    with pytest.raises(Incomplete, match="its Count says 2"):
        list_people(lists=lists, people={"1": PEOPLE["1"][:1]}, form=form)


def test_a_count_in_thousands_is_read_and_one_without_meaning_refused():
    with pytest.raises(Incomplete, match="its Count says 1200"):
        list_people(lists=[{"Id": 1, "Count": "1,200"}])
    for count in ("many", "1.200", -1, [2], {}, True):
        with pytest.raises(BadResponse, match="Count of a contact list"):
            list_people(lists=[{"Id": 1, "Count": count}])


def test_names_of_listings_count_in_any_case():
    lists = [in_case(one, str.lower) for one in LISTS]
    people = {number: [in_case(one, str.lower) for one in some] for number, some in PEOPLE.items()}
    assert list_people(lists=lists, people=people)[0] == ["a/b=", "c", "d"]


def test_the_probe_lists_the_lists():
    request = WHICH50.probe(credentials().settings)
    assert (request.method, request.url, request.headers) == ("GET", "/contactLists", {"Accept": "application/json"})
