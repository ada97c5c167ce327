"""The Which50 sandbox against the vendor's pages: status codes, both formats, dates, lists, logins, faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
import requests

from airflow_provider_interactions.sandbox import Fact, Sandbox, SandboxConfig, digest, serve
from airflow_provider_interactions.sandbox.which50.records import TYPES
from airflow_provider_interactions.sandbox.which50.times import Moment, get_irish_minutes

VENDOR = "which50"
START, END = "2026-01-01", "2026-01-08"
W50 = "{http://schemas.datacontract.org/2004/07/W50API.Models.DTO.Contacts}"
SYSTEM = "{http://schemas.datacontract.org/2004/07/System}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KNOWN = ["Id", "Interaction", "Name", "Occurred", "Status", "CampaignId", "CampaignName"]


class Client:
    """Asks the sandbox with the fixed token, unless told otherwise."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.connection = sandbox.connections[VENDOR]
        self.contacts = sandbox.contacts(VENDOR)
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {self.connection['password']}"

    def get(self, path: str, accept: str = "application/json", **more: Any) -> requests.Response:
        headers = {"Accept": accept} | more.pop("headers", {})
        return self.session.get(f"{self.connection['host']}/{path}", headers=headers, timeout=5, **more)

    def history(self, contact: str, accept: str = "application/json") -> requests.Response:
        return self.get(f"contacts/{quote(contact, safe='')}/communications", accept)


@contextmanager
def running(config: SandboxConfig | None = None, **options: Any) -> Iterator[Client]:
    with serve(config or SandboxConfig(contacts=5, options={VENDOR: options})) as sandbox:
        client = Client(sandbox)
        with client.session:
            yield client


@pytest.fixture(scope="module")
def which50(shared):
    client = Client(shared)
    with client.session:
        yield client


def instant_of(text: str) -> int:
    """Microseconds of an offset or UTC form; the seventh digit is cut off, not rounded."""
    found = re.fullmatch(r"(.{19})(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)", text)
    assert found, text
    assert not (found[2] or "1").endswith("0")
    whole = datetime.fromisoformat(found[1] + found[3]) - EPOCH
    return whole // timedelta(microseconds=1) + int((found[2] or "").ljust(7, "0")[:6])


def fact_of(record: dict[str, Any], contact: str) -> Fact:
    """The canonical row of a served record, written from the mapping and not from the oracle."""
    at = instant_of(record["Occurred"])
    campaign = record.get("CampaignId")
    utc = (EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    key = [contact, record["Interaction"], str(record["Id"]), None if campaign is None else str(campaign), utc]
    text = json.dumps(key, ensure_ascii=False, separators=(",", ":"))
    return Fact(
        vendor=VENDOR,
        contact_id=contact,
        interaction_id=sha256(text.encode()).hexdigest()[:32],
        occurred_at=at,
        native_type=record["Interaction"],
        status=record.get("Status") or None,
        subject=record.get("Name") or None,
        campaign_id=key[3],
        campaign_name=record.get("CampaignName") or None,
        message_id=key[2],
        attributes={name: value for name, value in record.items() if name not in KNOWN},
    )


def from_xml(body: bytes) -> list[dict[str, Any]]:
    """Records of the DataContract form, with Occurred as the UTC text and its offset checked for range."""
    root = ET.fromstring(body)
    assert root.tag == f"{W50}ArrayOfContactInteraction"
    records = []
    for element in root:
        names = [child.tag.removeprefix(W50) for child in element]
        assert names == sorted(names)
        record: dict[str, Any] = {}
        for name, child in zip(names, element, strict=True):
            record[name] = None if child.get(NIL) == "true" else child.text or ""
        moment = element.find(f"{W50}Occurred")
        assert [child.tag for child in moment] == [f"{SYSTEM}DateTime", f"{SYSTEM}OffsetMinutes"]
        assert -840 <= int(moment[1].text) <= 840
        records.append(record | {"Occurred": moment[0].text, "offset": int(moment[1].text)})
    return records


@pytest.mark.parametrize(
    "config",
    [
        SandboxConfig(contacts=9),
        SandboxConfig(contacts=9, shapes=3),
        SandboxConfig(contacts=6, per_contact=70, shapes=2, start="2026-03-25", days=9),
        SandboxConfig(contacts=5, options={VENDOR: {"omit_nulls": True, "offset_minutes": 330}}),
    ],
)
def test_what_is_served_is_what_the_oracle_tells(config):
    with running(config) as client:
        served = {contact: client.history(contact).json() for contact in client.contacts}
        facts = [fact_of(record, contact) for contact, records in served.items() for record in records]
        found = client.sandbox.oracle(VENDOR, "2026-01-01", "2026-06-01")
    assert len({fact.interaction_id for fact in facts}) == len(facts) > 50
    assert (found.interactions, found.digest) == (len(facts), digest(facts))
    assert found.contacts == sum(map(bool, served.values()))


def test_xml_and_json_tell_the_same(which50):
    for contact in which50.contacts[:8]:
        plain = which50.history(contact).json()
        marked = from_xml(which50.history(contact, "text/xml").content)
        offsets = [record.pop("offset") for record in marked]
        assert [fact_of(record, contact) for record in marked] == [fact_of(record, contact) for record in plain]
        for record, minutes in zip(plain, offsets, strict=True):
            written = datetime.fromisoformat(record["Occurred"][:19] + record["Occurred"][-6:])
            assert written.utcoffset() == timedelta(minutes=minutes)


def test_records_have_the_samples_form(which50):
    contact = which50.contacts[0]
    body = which50.history(contact).json()
    assert all(list(record)[:7] == KNOWN for record in body)
    text = which50.history(contact, "application/xml").text
    head = (
        '<ArrayOfContactInteraction xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns="http://schemas.datacontract.org/2004/07/W50API.Models.DTO.Contacts"><ContactInteraction><CampaignId'
    )
    occurred = (
        r'<Occurred xmlns:d3p1="http://schemas\.datacontract\.org/2004/07/System"><d3p1:DateTime>[-T0-9:.]+Z'
        r"</d3p1:DateTime><d3p1:OffsetMinutes>-?\d+</d3p1:OffsetMinutes></Occurred>"
    )
    assert text.startswith(head)
    assert len(re.findall(occurred, text)) == len(body) > 3


def test_the_world_has_every_quirk(which50):
    records = [record for contact in which50.contacts for record in which50.history(contact).json()]
    whole = {contact: which50.history(contact).json() for contact in which50.contacts}
    kinds = {record["Interaction"] for record in records}
    assert set(TYPES) < kinds
    assert {None, ""} < {record["Status"] for record in records}
    assert {None, 0} < {record["CampaignId"] for record in records}
    assert {None, ""} < {record["Name"] for record in records}
    assert {None, ""} < {record["CampaignName"] for record in records}
    assert {len(record["Occurred"][:-6].partition(".")[2]) for record in records} == set(range(8))
    assert len({record["Occurred"][-6:] for record in records}) > 4
    assert any(record["Id"] == 2**53 + 1 for record in records)
    assert {type(record["SandboxNote"]) for record in records if "SandboxNote" in record} == {str, type(None)}
    assert any(ord(sign) > 0xFFFF for sign in json.dumps(records, ensure_ascii=False))
    ids = [record["Id"] for record in whole[which50.contacts[0]]]
    assert len(set(ids)) < len(ids)
    instants = [instant_of(record["Occurred"]) for record in whole[which50.contacts[0]]]
    assert instants != sorted(instants)


def test_the_oracle_is_half_open_and_cuts_the_seventh_digit(which50):
    oracle = which50.sandbox.oracle
    days = [oracle(VENDOR, f"2026-01-0{day}", f"2026-01-0{day + 1}") for day in range(1, 8)]
    assert sum(day.interactions for day in days) == oracle(VENDOR, START, END).interactions
    assert oracle(VENDOR, "2026-01-07T23:59:59.999999Z", END).interactions > 0
    assert oracle(VENDOR, START, "2026-01-01T00:00:00.000001Z").interactions > 0
    texts = [record["Occurred"] for contact in which50.contacts for record in which50.history(contact).json()]
    assert any(".9999999" in text for text in texts)


def test_offsets_are_those_of_dublin():
    zone, begin = ZoneInfo("Europe/Dublin"), datetime(2023, 1, 1, tzinfo=UTC)
    hours = [begin + timedelta(hours=number) for number in range(0, 4 * 365 * 24, 5)]
    edges = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    hours += [edge + timedelta(microseconds=step) for edge in edges for step in (-1, 0)]
    for hour in hours:
        at_us = (hour - EPOCH) // timedelta(microseconds=1)
        assert timedelta(minutes=get_irish_minutes(at_us)) == hour.astimezone(zone).utcoffset()
    with running(SandboxConfig(contacts=4, start="2026-03-26", days=7)) as client:
        texts = [record["Occurred"] for contact in client.contacts for record in client.history(contact).json()]
    assert {"+00:00", "+01:00"} < {text[-6:] for text in texts}


@pytest.mark.parametrize(
    ("ticks", "offset", "json_form", "xml_form"),
    [
        (17622662980527074, 0, "2025-11-04T14:24:58.0527074+00:00", "2025-11-04T14:24:58.0527074Z"),
        (17622662985335130, 60, "2025-11-04T15:24:58.533513+01:00", "2025-11-04T14:24:58.533513Z"),
        (17622662980000000, -570, "2025-11-04T04:54:58-09:30", "2025-11-04T14:24:58Z"),
    ],
)
def test_times_drop_trailing_zeros(ticks, offset, json_form, xml_form):
    moment = Moment(ticks, offset)
    assert (moment.format_local(), moment.format_utc()) == (json_form, xml_form)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("application/json", "application/json"),
        ("application/xml", "application/xml"),
        ("text/xml", "application/xml"),
        ("*/*", "application/json"),
    ],
)
def test_the_format_is_the_accepted_one(which50, accept, media):
    answer = which50.history(which50.contacts[0], accept)
    assert answer.headers["Content-Type"] == f"{media}; charset=utf-8"
    assert answer.content[:1] == (b"<" if media.endswith("xml") else b"[")


def test_an_empty_history_is_a_bare_list(which50):
    empty = which50.contacts[1]
    assert which50.history(empty).content == b"[]"
    assert from_xml(which50.history(empty, "text/xml").content) == []
    assert which50.history(empty).status_code == 200


def test_ids_are_one_escaped_segment(which50):
    everything = "".join(which50.contacts)
    assert all(sign in everything for sign in "/+=%")
    assert any(re.fullmatch("[0-9a-f]{32}", contact) for contact in which50.contacts)
    for contact in which50.contacts[:4]:
        escaped = quote(contact, safe="")
        right = which50.history(contact).json()
        lower = re.sub("%..", lambda found: found[0].lower(), escaped)
        assert which50.get(f"contacts/{lower}/communications?from=2026-01-02").json() == right
        if escaped != contact:
            assert which50.get(f"contacts/{quote(escaped, safe='')}/communications").status_code == 404
    slashed = which50.contacts[0]
    assert which50.get(f"contacts/{slashed}/communications").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("contacts/nobody/communications", 404),
        ("contacts/000000000000/communications", 404),
        ("contacts/x", 404),
        ("contactLists/999/contacts", 404),
        ("contactLists/all/contacts", 404),
        ("journeys", 404),
    ],
)
def test_what_does_not_exist(which50, path, status):
    for accept, first in (("application/json", '{"Message":"'), ("text/xml", "<Error><Message>")):
        answer = which50.get(path, accept)
        assert (answer.status_code, answer.text.startswith(first)) == (status, True)


def test_lists_overlap_and_agree_with_their_count(which50):
    lists = which50.get("contactLists").json()
    assert all(list(entry) == ["Id", "Name", "Count"] for entry in lists)
    members = {}
    for entry in lists:
        contacts = which50.get(f"contactLists/{entry['Id']}/contacts").json()
        assert len(contacts) == entry["Count"]
        assert all(contact["ListId"] == entry["Id"] for contact in contacts)
        members[entry["Id"]] = [contact["EncContactId"] for contact in contacts]
    everyone, half, third, nobody = members.values()
    assert everyone == which50.contacts
    assert set(half) & set(third) < set(half) < set(everyone)
    assert nobody == []
    assert which50.get("contactLists/420/contacts").content == b"[]"


def local(element: ET.Element) -> str:
    return element.tag.partition("}")[2]


def test_contacts_in_both_formats(which50):
    plain = which50.get("contactLists/101/contacts").json()
    root = ET.fromstring(which50.get("contactLists/101/contacts", "application/xml").content)
    assert {type(contact["ValidationWarnings"]) for contact in plain} == {list, type(None)}
    for contact, element in zip(plain, root, strict=True):
        assert list(contact) == ["EncContactId", "ListId", "Values", "ValidationWarnings"]
        parts = {local(child): child for child in element}
        assert parts["EncContactId"].text == contact["EncContactId"]
        assert set(parts) - set(contact) == {"Id"}
        pairs = {name.text: None if value.get(NIL) else value.text for name, value in parts["Values"]}
        told = {
            name: str(value).lower() if value is True or value is False else value and str(value)
            for name, value in contact["Values"].items()
        }
        assert pairs == told
    marked = ET.fromstring(which50.get("contactLists", "text/xml").content)
    rows = [{local(child): child.text for child in element} for element in marked]
    told = which50.get("contactLists").json()
    assert rows == [{name: str(entry[name]) for name in ("Count", "Id", "Name")} for entry in told]


def test_count_can_disagree():
    with running(count_off_by=2) as client:
        assert client.get("contactLists").json()[0]["Count"] == 7
        assert len(client.get("contactLists/101/contacts").json()) == 5


@pytest.mark.parametrize("auth", ["bearer", "header", "basic"])
def test_fixed_logins(auth):
    with running(auth=auth) as client:
        connection, extra = client.connection, client.connection["extra"]
        assert (extra["auth"], extra["allow_http"], connection["conn_type"]) == (auth, True, VENDOR)
        secret = connection["password"]
        client.session.headers.pop("Authorization")
        right: dict[str, Any] = {
            "bearer": {"headers": {"Authorization": f"Bearer {secret}"}},
            "header": {"headers": {extra.get("header_name"): secret}},
            "basic": {"auth": (connection.get("login"), secret)},
        }
        for scheme, how in right.items():
            if None not in how.get("headers", {}) and how.get("auth", ("x",))[0]:
                assert client.get("contactLists", **how).status_code == (200 if scheme == auth else 401)
        refused = client.get("contactLists", headers={"Authorization": "Basic %%%"})
        assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)
        client.sandbox.faults([{"kind": "reject_tokens"}])
        assert client.get("contactLists", **right[auth]).status_code == 401


@pytest.mark.parametrize("auth", ["client_credentials", "password"])
def test_token_grants(auth):
    with running(auth=auth, token_seconds=0.15) as client:
        connection, url = client.connection, client.connection["extra"]["token_url"]
        assert (connection["extra"]["auth"], connection["extra"]["grant"]) == ("oauth2", auth)
        names = ("client_id", "client_secret") if auth == "client_credentials" else ("username", "password")
        form = {"grant_type": auth, **dict(zip(names, (connection["login"], connection["password"]), strict=True))}

        def post(**change: str) -> requests.Response:
            return requests.post(url, data=form | change, timeout=5)

        assert client.get("contactLists").status_code == 401
        granted = post()
        assert (granted.json()["token_type"], granted.json()["expires_in"]) == ("bearer", 0)
        client.session.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
        statuses = {client.get("contactLists").status_code}
        while 401 not in statuses:
            statuses.add(client.get("contactLists").status_code)
        assert statuses == {200, 401}
        wrong = post(**{names[1]: "wrong"})
        word = "invalid_client" if auth == "client_credentials" else "invalid_grant"
        assert (wrong.status_code, wrong.json()["error"]) == (401 if "client" in word else 400, word)
        assert post(grant_type="other").json()["error"] == "unsupported_grant_type"
        assert requests.post(url, json=form, timeout=5).json()["error"] == "invalid_request"


def test_tokens_can_be_killed():
    with running(auth="client_credentials") as client:
        login, secret = (client.connection[name] for name in ("login", "password"))
        url, form = client.connection["extra"]["token_url"], {"grant_type": "client_credentials"}
        assert requests.post(url, data=form, timeout=5).status_code == 401
        form |= {"client_id": login, "client_secret": secret}
        granted = requests.post(url, data=form, timeout=5).json()
        client.session.headers["Authorization"] = f"Bearer {granted['access_token']}"
        client.sandbox.faults([{"kind": "expire_tokens", "uses": 2}])
        assert [client.get("contactLists").status_code for _ in range(3)] == [200, 200, 401]
        assert client.sandbox.stats()[VENDOR]["tokens_issued"] == 1


def test_without_a_grant_there_is_no_token_endpoint(which50):
    assert requests.post(f"{which50.connection['host']}/token", timeout=5).status_code == 404


def test_statuses_move_on_between_fetches():
    with running() as client:
        contact = client.contacts[0]
        last = client.history(contact).json()
        client.sandbox.faults([{"kind": "earlier_status", "contact": contact, "times": 2}])
        for accept in ("application/json", "text/xml"):
            answer = client.history(contact, accept)
            first = answer.json() if accept.endswith("json") else from_xml(answer.content)
            before = [fact_of({k: v for k, v in record.items() if k != "offset"}, contact) for record in first]
            after = [fact_of(record, contact) for record in last]
            assert [fact.interaction_id for fact in before] == [fact.interaction_id for fact in after]
            changed = [a.status != b.status for a, b in zip(before, after, strict=True)]
            assert len(changed) > sum(changed) > 0
        assert client.history(contact).json() == last
        told = client.sandbox.oracle(VENDOR, START, END, contact=contact)
        assert told.digest == digest(fact_of(record, contact) for record in last)


def test_faults_find_a_contact_and_a_record_may_come_twice():
    with running() as client:
        first, third = client.contacts[0], client.contacts[2]
        once = client.history(first).json()
        client.sandbox.faults([{"kind": "duplicate", "contact": first}])
        assert client.history(first).json() == [*once, once[0]]
        client.sandbox.faults([{"kind": "status", "status": 404, "contact": first.upper()}])
        assert [client.history(contact).status_code for contact in (first, third)] == [404, 200]
        client.sandbox.faults([{"kind": "throttle", "retry_after": 3}])
        assert (client.history(first).status_code, client.history(first).headers["Retry-After"]) == (429, "3")


def test_counters_name_the_route(which50):
    which50.history(which50.contacts[0])
    paths = which50.sandbox.stats()[VENDOR]["by_path"]
    assert paths["/Which50API/contacts/{contactId}/communications"] > 0


def test_contacts_share_bytes_at_scale():
    with running(SandboxConfig(contacts=3000, per_contact=100)) as client:
        one, other = client.contacts[5], client.contacts[5 + 16 * 9]
        assert client.history(one).content == client.history(other).content
        assert len(client.get("contactLists/101/contacts").json()) == 3000
        found = [client.sandbox.oracle(VENDOR, START, END, contact=contact) for contact in (one, other)]
        facts = [fact_of(record, other) for record in client.history(other).json()]
    assert found[0].digest != found[1].digest == digest(facts)
