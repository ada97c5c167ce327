"""The Dynamics sandbox against the vendor's pages: status codes, bodies, paging, dates, records."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from airflow_provider_interactions.sandbox import Fact, SandboxConfig, digest, serve
from airflow_provider_interactions.sandbox.dynamics_marketing.fields import FIELDS, TYPES

VENDOR = "dynamics_marketing"
START, END = "2026-01-01", "2026-01-08"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
COLUMNS = {"InteractionId", "InteractionType", "Timestamp", "CustomerJourneyId", "MessageId", "ContactId"}


def plain(text: str | None) -> str | None:
    """A GUID without its dress, written here a second time on purpose."""
    if text is None:
        return None
    digits = re.sub("[^0-9a-f]", "", text.lower())
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def fact_of(record: dict[str, Any], contact: str) -> Fact:
    """The canonical row of a served record, written from the facts and not from the oracle."""
    seconds, _, fraction = record["Timestamp"].removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp())
    assert plain(record["ContactId"]) == contact
    return Fact(
        vendor=VENDOR,
        contact_id=contact,
        interaction_id=plain(record["InteractionId"]) or "",
        occurred_at=whole * 10**6 + int(fraction.ljust(6, "0") or 0),
        native_type=record["InteractionType"],
        campaign_id=plain(record.get("CustomerJourneyId")),
        message_id=plain(record.get("MessageId")),
        attributes={name: value for name, value in record.items() if name not in COLUMNS},
    )


@pytest.mark.parametrize("shapes", [None, 2])
def test_what_is_served_is_what_the_oracle_tells(connect, shapes):
    config = SandboxConfig(contacts=7, shapes=shapes, options={VENDOR: {"page_size": 2}})
    with serve(config) as sandbox:
        client = connect(sandbox)
        facts = [
            fact_of(record, contact)
            for contact in sandbox.contacts(VENDOR)
            for kind in TYPES
            for record in client.walk(contact, kind)
        ]
        found = sandbox.oracle(VENDOR, START, END)
    assert len({fact.interaction_id for fact in facts}) == len(facts) > 50
    assert (found.interactions, found.digest) == (len(facts), digest(facts))
    assert found.contacts == len({fact.contact_id for fact in facts}) < 7


def test_the_oracle_is_half_open_and_its_parts_add_up(shared):
    whole = shared.oracle(VENDOR, START, END)
    days = [shared.oracle(VENDOR, f"2026-01-0{day}", f"2026-01-0{day + 1}") for day in range(1, 8)]
    assert sum(day.interactions for day in days) == whole.interactions
    assert f"{sum(int(day.digest, 16) for day in days) % 2**256:064x}" == whole.digest
    midnight = shared.oracle(VENDOR, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001+00:00")
    last = shared.oracle(VENDOR, "2026-01-07T23:59:59.999999Z", END)
    assert midnight.interactions > 0 < last.interactions
    assert shared.oracle(VENDOR, END, "2030-01-01").interactions == 0


def test_all_forty_types_exist_and_have_their_fields(connect):
    with serve(SandboxConfig(contacts=1, per_contact=600)) as sandbox:
        client = connect(sandbox)
        (contact,) = sandbox.contacts(VENDOR)
        seen = {kind: set().union(*client.walk(contact, kind)) for kind in TYPES}
    always = COLUMNS | {"OrganizationId", "AccountId", "SandboxDetails"}
    assert len(TYPES) == 40
    for kind, names in seen.items():
        assert names, kind
        assert names <= always | set(FIELDS[kind])
    assert "CustomerJourneyId" not in seen["SegmentRelationshipEdited"]
    assert "MessageId" not in seen["WebsiteClicked"]


def test_records_vary_as_live_ones_do(client):
    records = [
        record
        for contact in client.sandbox.contacts(VENDOR)
        for kind in ("EmailSent", "EmailOpened", "FormSubmitted", "EmailClicked")
        for record in client.walk(contact, kind)
    ]
    ids = {record["ContactId"] for record in records}
    assert any(text.startswith("{") for text in ids)
    assert any(text != text.lower() for text in ids)
    assert any(re.fullmatch("[0-9A-F]{32}", record["InteractionId"]) for record in records)
    assert any("MessageId" not in record for record in records)
    assert any("SandboxDetails" in record for record in records)
    assert any(ord(sign) > 0xFFFF for sign in json.dumps(records, ensure_ascii=False))


def test_empty_answers_come_in_three_forms(client):
    day = {"DateFrom": "01-01-1999", "DateTo": "01-02-1999"}
    answers = [
        client.load(contact, kind, **day).json()
        for contact in client.sandbox.contacts(VENDOR)[:4]
        for kind in TYPES[:9]
    ]
    assert {answer["Data"] for answer in answers} == {None, "", "[]"}
    assert {answer["NextSkipToken"] for answer in answers} == {None, ""}


def test_the_answer_has_the_published_head(client):
    answer = client.load(client.sandbox.contacts(VENDOR)[0])
    assert answer.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    assert answer.headers["OData-Version"] == "4.0"
    assert list(answer.json()) == ["@odata.context", "Data", "NextSkipToken"]
    assert answer.json()["@odata.context"].endswith("#Microsoft.Dynamics.CRM.msdyncrm_LoadInteractionsPublicResponse")


def test_top_and_skip_token_give_each_record_once(client):
    contact, kind, count = client.busy()
    assert count >= 3
    whole = client.walk(contact, kind)
    assert len(whole) == count
    assert client.walk(contact, kind, Top=1) == whole
    token = client.load(contact, kind, Top=1).json()["NextSkipToken"]
    other = client.load(contact, kind, Top=1, DateFrom="01-01-2020", SkipToken=token)
    assert (other.status_code, client.load(contact, kind, SkipToken="x").status_code) == (400, 400)


@pytest.mark.parametrize(("inclusive", "offset"), [(True, 0), (False, 0), (True, 120), (True, -300)])
def test_dates_are_days_of_the_servers_zone(connect, inclusive, offset):
    options = {"date_to_inclusive": inclusive, "zone_offset_minutes": offset}
    with serve(SandboxConfig(contacts=3, options={VENDOR: options})) as sandbox:
        client = connect(sandbox)
        served = sum(
            len(client.walk(contact, kind, DateFrom="01-02-2026", DateTo="01-04-2026"))
            for contact in sandbox.contacts(VENDOR)
            for kind in TYPES
        )
        sign, hours = "+" if offset >= 0 else "-", abs(offset) // 60
        zone = f"{sign}{hours:02}:00"
        last = "2026-01-05" if inclusive else "2026-01-04"
        expected = sandbox.oracle(VENDOR, f"2026-01-02T00:00:00{zone}", f"{last}T00:00:00{zone}")
    assert served == expected.interactions > 0


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"ContactId": "{0dbe0fa3-8e18-e811-a951-000d3a37caec}"}, 400, "0x80040265"),
        ({"ContactId": "anna@example.org"}, 400, "0x80040265"),
        ({"ContactId": UNKNOWN}, 404, "0x80040217"),
        ({"ContactId": None}, 400, "0x80048d19"),
        ({"ContactId": 7}, 400, "0x80048d19"),
        ({"InteractionType": "EmailSend"}, 400, "0x80040265"),
        ({"Contact": "x"}, 400, "0x80048d19"),
        ({"Top": "5"}, 400, "0x80048d19"),
        ({"Top": -1}, 400, "0x80040265"),
        ({"DateFrom": "2026-01-01"}, 400, "0x80040265"),
        ({"DateTo": "13-01-2026"}, 400, "0x80040265"),
        ({"DateTo": "1-1-2026"}, 400, "0x80040265"),
    ],
)
def test_wrong_calls_are_refused(client, change, status, code):
    body = {"ContactId": client.sandbox.contacts(VENDOR)[0], "InteractionType": "EmailSent"} | change
    answer = client.session.post(f"{client.base}/api/data/v9.1/msdyncrm_LoadInteractionsPublic", json=body, timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_required_members_json_and_headers(client):
    url = f"{client.base}/api/data/v9.0/msdyncrm_LoadInteractionsPublic"
    contact = client.sandbox.contacts(VENDOR)[0]
    typed = {"Content-Type": "application/json; charset=utf-8"}
    # The published sample itself has a trailing comma and is not JSON.
    sample = f'{{"InteractionType": "WebsiteClicked", "ContactId": "{contact}",}}'
    assert client.session.post(url, data=sample, headers=typed, timeout=5).status_code == 400
    assert client.session.post(url, json={"ContactId": contact}, timeout=5).status_code == 400
    good = sample.replace(",}", "}")
    assert client.session.post(url, data=good, headers=typed, timeout=5).status_code == 200
    assert client.session.post(url, data=good, headers={"Content-Type": "text/plain"}, timeout=5).status_code == 415
    assert client.session.post(url, data=good, headers=typed | {"Accept": "text/xml"}, timeout=5).status_code == 406
    assert client.session.post(url, data=good, headers=typed | {"OData-Version": "3.0"}, timeout=5).status_code == 400
    assert client.session.get(url, timeout=5).status_code == 404


def test_versions_and_segments(client):
    body = {"ContactId": client.sandbox.contacts(VENDOR)[0], "InteractionType": "EmailSent"}
    for version, status in {"v9.0": 200, "v9.1": 200, "v9.2": 200, "v8.2": 404}.items():
        url = f"{client.base}/api/data/{version}/msdyncrm_LoadInteractionsPublic"
        assert client.session.post(url, json=body, timeout=5).status_code == status
    assert set(client.get("WhoAmI").json()) == {"@odata.context", "BusinessUnitId", "UserId", "OrganizationId"}
    assert "segment 'msdyncrm_Nothing'" in client.get("msdyncrm_Nothing").json()["error"]["message"]


@pytest.mark.parametrize("option", ["removed", "fault"])
def test_a_removed_action(connect, option):
    with serve(SandboxConfig(contacts=1, options={VENDOR: {"removed": option == "removed"}})) as sandbox:
        client = connect(sandbox)
        if option == "fault":
            sandbox.faults([{"kind": "removed", "code": "0x80060888"}])
        answer = client.load(sandbox.contacts(VENDOR)[0])
        assert answer.status_code == 404
        assert answer.json()["error"] == {
            "code": "0x80060888" if option == "fault" else "0x8006088a",
            "message": "Resource not found for the segment 'msdyncrm_LoadInteractionsPublic'.",
        }
        sandbox.faults([{"kind": "removed", "variant": "no_code"}])
        assert "code" not in client.load(sandbox.contacts(VENDOR)[0]).json()["error"]
        assert client.get("contacts").status_code == 200


def test_undocumented_choices_can_be_turned(connect):
    options = {
        "unknown_contact": "empty",
        "unknown_type": "empty",
        "type_in_every_record": False,
    }
    with serve(SandboxConfig(options={VENDOR: options})) as sandbox:
        client = connect(sandbox)
        assert client.load(UNKNOWN).json()["Data"] is None
        assert client.walk(sandbox.contacts(VENDOR)[0], "Whatever") == []
        forms = [record for contact in sandbox.contacts(VENDOR) for record in client.walk(contact, "FormVisited")]
        assert forms
        assert not any("InteractionType" in record for record in forms)


@pytest.mark.parametrize(
    ("change", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"tenant": "contoso.example"}, 400, "invalid_request", 90002),
        ({"client_id": UNKNOWN}, 400, "unauthorized_client", 700016),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "openid"}, 400, "invalid_scope", 70011),
        ({"scope": "http://a/.default http://b/.default"}, 400, "invalid_scope", 700022),
        ({"scope": "https://other.crm4.dynamics.com/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_the_token_endpoint_refuses(client, change, status, error, number):
    answer = client.token(**change)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert {"error_description", "timestamp", "trace_id", "correlation_id"} <= set(body)
    assert body["error_description"].startswith(f"AADSTS{number}")


def test_the_token_endpoint_grants(client):
    answer = client.token().json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3599)


def test_tokens_are_checked_and_expire(connect):
    with serve(SandboxConfig(contacts=1, options={VENDOR: {"token_seconds": 0.15}})) as sandbox:
        client = connect(sandbox)
        before = client.get("WhoAmI").status_code
        time.sleep(0.2)
        assert (before, client.get("WhoAmI").status_code) == (200, 401)
        client.session.headers["Authorization"] = "Bearer made-up"
        answer = client.get("WhoAmI")
    assert (answer.status_code, answer.content) == (401, b"")
    assert "authorization_uri=" in answer.headers["WWW-Authenticate"]


def test_contacts_are_listed_once_through_the_next_link(client):
    answer = client.get("contacts?$select=contactid,emailaddress1", Prefer="odata.maxpagesize=6")
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=6"
    assert answer.json()["@odata.context"].endswith("/$metadata#contacts(contactid,emailaddress1)")
    found, pages = answer.json()["value"], 1
    while link := answer.json().get("@odata.nextLink"):
        assert "%253ccookie%2520page" in link
        answer = client.session.get(link, headers={"Prefer": "odata.maxpagesize=6"}, timeout=5)
        found, pages = found + answer.json()["value"], pages + 1
    assert [row["contactid"] for row in found] == client.sandbox.contacts(VENDOR)
    assert pages == 4
    assert set(found[0]) == {"@odata.etag", "contactid", "emailaddress1"}


def test_a_changed_next_link_is_refused(client):
    link = client.get("contacts?$select=contactid", Prefer="odata.maxpagesize=6").json()["@odata.nextLink"]
    parsed = urlsplit(link)
    rebuilt = f"{link.partition('?')[0]}?{urlencode(parse_qsl(parsed.query))}"
    for changed in (link.replace("%253c", "%253C"), link.replace("$skiptoken", "%24skiptoken"), link[:-1], rebuilt):
        answer = client.session.get(changed, timeout=5)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")


def test_contact_options(client):
    every = client.get("contacts").json()["value"]
    some = client.get("contacts?$filter=statecode eq 0&$orderby=contactid").json()
    assert {row["statecode"] for row in every} == {0, 1}
    assert len(some["value"]) == sum(row["statecode"] == 0 for row in every)
    ids = [row["contactid"] for row in some["value"]]
    assert ids == sorted(ids)
    middle = sorted(row["modifiedon"] for row in every)[10]
    later = client.get(f"contacts?$filter=modifiedon ge {middle}").json()["value"]
    assert {row["contactid"] for row in later} == {row["contactid"] for row in every if row["modifiedon"] >= middle}
    for bad in ("$skip=5", "$select=nothing", "$filter=substringof(1)", "$orderby=fullname"):
        answer = client.get(f"contacts?{bad}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
