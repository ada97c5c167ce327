"""The Capillary sandbox against the vendor's pages: logins, both shapes, paging, errors, dates, the oracle."""

from __future__ import annotations

import base64
import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import md5, sha256
from zoneinfo import ZoneInfo

import pytest
import requests

from airflow_provider_interactions.sandbox import Fact, SandboxConfig, digest, serve

VENDOR = "capillary"
START, END = "2026-01-01", "2026-01-08"
V1, V2 = "v1.1/customer/interaction", "v2/customers/interaction"
COLUMNS = {"id", "subject", "status", "campaignId", "campaign_id", "deliveredTime", "delivered_time"}


class Client:
    """Talks to the sandbox as its connection says; `broken` bodies are read leniently."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.connection = sandbox.connections[VENDOR]
        self.host, self.extra = self.connection["host"], self.connection["extra"]
        self.session = requests.Session()
        hashed = md5(self.connection["password"].encode(), usedforsecurity=False).hexdigest()
        self.pair = f"{self.connection['login']}:{hashed}"
        self.login(self.pair)

    def login(self, pair):
        self.session.headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"

    def get(self, path, **query):
        return self.session.get(f"{self.host}/{path}", params=query, timeout=5)

    def v2(self, contact, name="mobile", **query):
        return self.get(V2, identifierName=name, identifierValue=contact, **query)

    def v1(self, contact, name="mobile", **query):
        return self.get(V1, **{name: contact, "format": "json", **query})

    def ids(self, path, **query):
        """(channel, id) of an answer, in its order."""
        messages = entries(self.get(path, format="json", **query).json())
        return [(channel, str(message["id"])) for channel, message in messages]

    def token(self, **changed):
        body = {"key": self.connection["login"], "secret": self.connection["password"], **changed}
        return self.session.post(f"{self.host}/v3/oauth/token/generate", json=body, timeout=5)

    def busy(self):
        """The contact with the most messages."""
        return max(self.sandbox.contacts(VENDOR), key=lambda one: len(self.ids(V2, **name_mobile(one))))


def name_mobile(contact):
    return {"identifierName": "mobile", "identifierValue": contact}


@contextmanager
def running(faults=(), contacts=6, config=None, **options):
    with serve(SandboxConfig(contacts=contacts, options={VENDOR: options}, **(config or {}))) as sandbox:
        sandbox.faults(list(faults))
        client = Client(sandbox)
        with client.session:
            yield client


@pytest.fixture(scope="module")
def client():
    with running(contacts=12) as found:
        yield found


def many(value):
    return value if isinstance(value, list) else [value] if value else []


def entries(body):
    """(channel, message) of either shape, in the order sent; none of an error."""
    if "interaction" in body:
        return [(one["name"], message) for one in body["interaction"] for message in one.get("messageList", [])]
    customer = body.get("response", {}).get("customer", {})
    networks = many(customer.get("interactions", {}).get("network"))
    channels = [one for network in networks for one in many(network.get("interaction"))]
    return [(one["type"], message) for one in channels for message in many((one.get("messages") or {}).get("message"))]


def instant(text, zone):
    day, clock = text.split(" ")
    numbers = [int(part) for part in day.split("-")]
    year, month, date = numbers if numbers[0] > 31 else reversed(numbers)
    at = datetime(year, month, date, *map(int, clock.split(":")), tzinfo=ZoneInfo(zone))
    return int(at.timestamp()) * 10**6


def plain(value):
    return None if value in (None, "", "null", "-1", -1) else str(value)


def fact_of(contact, channel, message, zone):
    """The canonical row of a served message, written from the agreed mapping and not from the oracle."""
    text = message.get("sentDate", message.get("sent_time"))
    key = [contact, channel, text, plain(message.get("subject"))]
    made_up = sha256(json.dumps(key, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()[:32]
    return Fact(
        vendor=VENDOR,
        contact_id=contact,
        interaction_id=plain(message.get("id")) or made_up,
        occurred_at=instant(text, zone),
        native_type=channel,
        status=plain(message.get("status")),
        subject=plain(message.get("subject")),
        campaign_id=plain(message.get("campaignId", message.get("campaign_id"))),
        message_id=plain(message.get("id")),
        attributes={name: value for name, value in message.items() if name not in COLUMNS},
    )


def read(client, contact):
    """All messages of a contact through the API of the connection, page by page where there are pages."""
    if client.extra["api"] == "v2":
        return entries(json.loads(client.v2(contact).text, strict=False))
    found = []
    for offset in range(0, 1000, 7):
        page = entries(json.loads(client.v1(contact, limit=7, offset=offset).text, strict=False))
        found += page
        if not page:
            return found
    raise AssertionError


def rows(client):
    """The canonical rows of everybody: an id under sms hides the same under phone, absurd years are left out."""
    facts = {}
    for contact in client.sandbox.contacts(VENDOR):
        for channel, message in sorted(read(client, contact), key=lambda pair: pair[0] != "sms"):
            if "45837" not in message.get("sentDate", message.get("sent_time")):
                fact = fact_of(contact, channel, message, client.extra["time_zone"])
                facts.setdefault((contact, fact.interaction_id), fact)
    return list(facts.values())


EVERY = ["five_digit_year", "unpadded_date", "raw_line_break", "no_id"]


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({}, {}),
        ({}, {"api": "v1.1"}),
        ({}, {"api": "v1.1", "edition": "2025", "time_zone": "Asia/Kolkata", "count": "channel"}),
        ({}, {"swapped": True}),
        ({}, {"swapped": True, "api": "v1.1", "time_zone": "America/New_York", "false_z": True}),
        ({}, {"malformed": EVERY, "unknown": [], "deleted": []}),
        ({}, {"malformed": EVERY, "api": "v1.1"}),
        ({"per_contact": 40, "shapes": 2}, {}),
        ({"per_contact": 9, "shapes": 2}, {"api": "v1.1"}),
    ],
)
def test_what_is_served_is_what_the_oracle_tells(config, options):
    with running(contacts=6, config=config, **options) as client:
        facts = rows(client)
        found = client.sandbox.oracle(VENDOR, START, END)
    assert len({fact.interaction_id for fact in facts}) == len(facts) > 40
    assert (found.interactions, found.digest) == (len(facts), digest(facts))
    assert found.contacts == len({fact.contact_id for fact in facts})
    if config:
        assert found.interactions == 6 * config["per_contact"]


def test_the_oracle_is_half_open_in_whole_seconds(client):
    oracle = client.sandbox.oracle
    whole = oracle(VENDOR, START, END)
    days = [oracle(VENDOR, f"2026-01-0{day}", f"2026-01-0{day + 1}") for day in range(1, 8)]
    assert sum(day.interactions for day in days) == whole.interactions
    assert oracle(VENDOR, START, "2026-01-01T00:00:01Z").interactions > 0
    assert oracle(VENDOR, "2026-01-07T23:59:59Z", END).interactions > 0
    assert oracle(VENDOR, "2026-01-07T23:59:59.000001Z", END).interactions == 0


def test_v2_has_the_published_shape(client):
    body = client.v2(client.busy()).json()
    assert list(body)[:3] == ["name", "interaction", "warnings"]
    by_name = {one["name"]: one for one in body["interaction"]}
    assert by_name["survey"] == {"count": 0, "name": "survey", "surveys": []}
    assert by_name["missed_call"] == {"count": 0, "name": "missed_call", "usedStatus": False}
    assert {message["id"] for message in by_name["sms"]["messageList"]} < {
        message["id"] for message in by_name["phone"]["messageList"]
    }
    messages = [message for _, message in entries(body)]
    assert all(one["count"] == len(one.get("messageList", [])) for one in body["interaction"])
    assert all(re.fullmatch(r"\d{13}", str(message["id"])) and isinstance(message["id"], int) for message in messages)
    assert all(re.fullmatch(r"\d\d-\d\d-2026 \d\d:\d\d:\d\d", message["sentDate"]) for message in messages)
    assert -1 in {message["campaignId"] for message in messages} & {message["userId"] for message in messages}
    assert [message["sentDate"] for message in messages] != sorted(message["sentDate"] for message in messages)


def test_v2_varies_as_the_facts_say(client):
    bodies = [client.v2(contact).json() for contact in client.sandbox.contacts(VENDOR)]
    messages = [message for body in bodies if "interaction" in body for _, message in entries(body)]
    told = [message["deliveredTime"] for message in messages if "deliveredTime" in message]
    assert 0 < len(told) < len(messages)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) for text in told)
    assert any("sandboxDetails" in message for message in messages)
    assert any(ord(sign) > 0xFFFF for message in messages for sign in message.get("subject") or "")
    warnings = [warning for body in bodies for warning in body.get("warnings", [])]
    assert warnings
    assert all(warning["status"] is False for warning in warnings)


def test_the_editions_of_v11(client):
    bodies = [client.v1(contact).json()["response"] for contact in client.sandbox.contacts(VENDOR)]
    good = [body for body in bodies if body["status"]["success"] == "true"]
    old = [body for body in good if "response_code" in body["status"]]
    new = [body for body in good if body["status"].get("code") == 200]
    assert len(old) + len(new) == len(good) == len(bodies) - 2
    for body in new:
        assert body["customer"]["item_status"] == {
            "success": "true",
            "code": 1000,
            "message": "Customer successfully retrieved",
        }
        for _, message in entries({"response": body}):
            assert {"sender", "reciever", "campaign_id"} <= set(message)
            assert isinstance(message["id"], int)
    for body in old:
        for _, message in entries({"response": body}):
            assert "receiver" in message
            assert isinstance(message["id"], str)
    assert {message["delivered_time"] for body in new for _, message in entries({"response": body})} >= {
        "null",
        "",
        None,
    }
    assert '"last_interaction_time": "null"' in json.dumps(new)


def test_one_child_is_an_object_and_several_are_an_array():
    with running(contacts=1, edition="2013") as client:
        one, several = (
            client.v1(client.busy(), type="line", limit=limit).json()["response"]["customer"]["interactions"]["network"]
            for limit in (1, 2)
        )
    assert isinstance(one["interaction"]["messages"]["message"], dict)
    assert isinstance(several["interaction"]["messages"]["message"], list)


@pytest.mark.parametrize("paging", ["total", "channel"])
@pytest.mark.parametrize("limit", [1, 5, 1000])
def test_paging_by_offset_gives_each_message_once(paging, limit):
    with running(contacts=1, paging=paging) as client:
        contact = client.busy()
        whole, found, offset = client.ids(V2, **name_mobile(contact)), [], 0
        while page := client.ids(V1, mobile=contact, limit=limit, offset=offset):
            assert len(page) <= limit or paging == "channel"
            found += page
            offset += limit
        assert len(client.ids(V1, mobile=contact)) == min(len(whole), 50) or paging == "channel"
    assert len(whole) > 30
    assert sorted(found) == sorted(whole)
    assert found == whole or paging == "channel"


def test_limit_and_offset_are_checked_and_capped():
    with running(contacts=1, limit_max=3) as client:
        contact = client.busy()
        assert len(client.ids(V1, mobile=contact, limit=20)) == 3
        for wrong in ({"limit": "x"}, {"offset": "-1"}, {"network": "myspace"}):
            answer = client.v1(contact, **wrong)
            assert (answer.status_code, answer.json()["response"]["status"]["code"]) == (200, 400)


def test_rows_that_leave_between_pages():
    with running(contacts=1, rows_leave=2) as client:
        contact = client.busy()
        known = client.ids(V2, **name_mobile(contact))
        first, second = (client.ids(V1, mobile=contact, limit=5, offset=offset) for offset in (0, 5))
    assert first == known[:5]
    assert second == known[7:12]


def test_paging_faults():
    rules = [{"kind": "duplicate", "times": 1}, {"kind": "repeat_cursor", "after": 1}]
    with running(contacts=1) as client:
        contact = client.busy()
        first, second = (client.ids(V1, mobile=contact, limit=5, offset=offset) for offset in (0, 5))
        client.sandbox.faults(rules)
        repeated, again = (client.ids(V1, mobile=contact, limit=5, offset=5) for _ in range(2))
    assert repeated == [first[-1], *second]
    assert again == first


def test_types_and_networks_narrow_the_answer(client):
    contact = client.busy()
    assert {channel for channel, _ in client.ids(V2, **name_mobile(contact), type="line")} == {"line"}
    assert {channel for channel, _ in client.ids(V1, mobile=contact, type="email")} == {"email"}
    assert client.ids(V2, **name_mobile(contact), network="facebook") == []
    assert client.ids(V1, mobile=contact, network="twitter") == []
    with running(contacts=1, type_filters=False) as lax:
        other = lax.busy()
        everything = sorted(lax.ids(V2, **name_mobile(other)))
        assert sorted(lax.ids(V2, **name_mobile(other), type="viber")) == everything


def test_a_person_is_found_by_every_identifier(client):
    contact = client.busy()
    person = client.v1(contact).json()["response"]["customer"]
    whole = client.v2(contact).json()
    for name in ("email", "external_id"):
        assert client.v2(person[name], name).json() == whole
        assert client.v1(person[name], name).json() == client.v1(contact).json()
    assert client.v2(f"+{contact}").json() == whole


def test_errors_about_a_customer():
    with running(contacts=6, unknown=[1], deleted=[2]) as client:
        contacts = client.sandbox.contacts(VENDOR)
        for contact, item, code in (
            (contacts[1], "1012", 8015),
            (contacts[2], "1012", 8109),
            ("4479", "1012", 8015),
        ):
            answer = client.v1(contact)
            assert answer.status_code == 200
            assert answer.json()["response"]["status"]["success"] == "false"
            assert answer.json()["response"]["customer"]["item_status"]["code"] == item
            answer = client.v2(contact)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (200, code)
            assert answer.json()["errors"][0]["status"] is False
            assert client.sandbox.oracle(VENDOR, START, END, contact=contact).interactions == 0


def test_requests_without_a_good_identifier(client):
    answer = client.get(V1, format="json", shoe="9")
    assert (answer.status_code, answer.json()["response"]["customer"]["item_status"]["code"]) == (200, "1015")
    answers = client.v2("", "mobile"), client.v2("1", "card_number")
    assert [(one.status_code, one.json()["errors"][0]["code"]) for one in answers] == [(403, 403), (400, 400)]


def test_v11_answers_in_json_only(client):
    for query in ({}, {"format": "xml"}):
        assert client.get(V1, mobile=client.busy(), **query).status_code == 406


def test_basic_takes_nothing_but_the_hash(client):
    till, _, hashed = client.pair.partition(":")
    for pair in (f"{till}:{hashed.upper()}", f"{till}: {hashed}", f"x:{hashed}", f"{till}:sandbox:pässword", till):
        client.login(pair)
        old, new = client.v1("1"), client.v2("1")
        assert (old.status_code, old.json()["response"]["status"]["code"]) == (401, 401)
        assert (new.status_code, new.json()["errors"][0]["code"]) == (401, 401)
    client.login(client.pair)
    assert client.v2("1").status_code == 200
    assert re.fullmatch("[0-9a-f]{32}", client.v2("1").headers["X-Cap-Requestid"])


def test_errors_about_a_customer_may_have_another_status():
    with running(error_status=404) as client:
        assert client.v2("1").status_code == 404


def test_tokens():
    with running(auth="oauth", token_header="CAP-API-ACCESS-TOKEN", token_seconds=600) as client:
        assert client.extra == {**client.extra, "auth": "oauth", "token_header": "CAP-API-ACCESS-TOKEN"}
        answer = client.token().json()
        assert (answer["errors"], answer["data"]["ttlSeconds"]) == (None, 600)
        client.session.headers["CAP-API-ACCESS-TOKEN"] = answer["data"]["accessToken"]
        assert client.v2("1").status_code == 200
        client.sandbox.faults([{"kind": "expire_tokens", "times": 1}])
        assert [client.v2("1").status_code for _ in range(2)] == [401, 401]
        assert client.sandbox.stats()[VENDOR]["tokens_issued"] == 1


def test_a_refused_token_request_has_no_data():
    with running(auth="oauth", token_seconds=0) as client:
        for wrong in ({"secret": "x"}, {"key": "x"}, {"key": 7}):
            answer = client.token(**wrong)
            assert (answer.status_code, answer.json()["data"]) == (200, None)
            assert answer.json()["errors"]
        client.session.headers["X-CAP-API-OAUTH-TOKEN"] = client.token().json()["data"]["accessToken"]
        assert client.v2("1").status_code == 401


@pytest.mark.parametrize("status", [403, 429, 461, 503, 504, 521])
def test_faults_speak_the_vendors_language(client, status):
    contact = client.sandbox.contacts(VENDOR)[0]
    for variant, told in (("plain", status), ("body", 200), ("item", 200)):
        client.sandbox.faults([{"kind": "status", "status": status, "variant": variant, "times": 2}])
        old, new = client.v1(contact), client.v2(contact)
        assert (old.status_code, new.status_code) == (told, told)
        assert "Retry-After" not in old.headers
        assert str(status) in old.text
        assert new.json()["errors"][0]["code"] == status


def test_throttles_tell_when_to_come_back_or_not(client):
    told = {"retry_after": 9}, {"variant": "bare"}, {"code": "search"}
    rules = [{"kind": "throttle", "after": number, "times": 1, **more} for number, more in enumerate(told)]
    client.sandbox.faults([*rules, {"kind": "reject_tokens"}])
    answers = [client.v2("1") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 461, 401]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["9", None, "1", None]
    client.sandbox.faults([])


def test_malformed_times_and_text_on_request():
    with running(contacts=6, malformed=EVERY, unknown=[], deleted=[], edition="2013") as client:
        texts = [client.v1(contact, limit=500).text for contact in client.sandbox.contacts(VENDOR)]
    assert any("45837-06-15 02:56:40" in text for text in texts)
    assert any(re.search(r'"2026-1-\d \d\d:', text) for text in texts)
    assert any('"receiver":"\n' in text for text in texts)
    with pytest.raises(json.JSONDecodeError):
        [json.loads(text) for text in texts]


def test_times_are_of_the_servers_zone():
    with running(contacts=1, time_zone="Asia/Kolkata") as client:
        messages = [message for _, message in entries(client.v2(client.busy()).json())]
    with running(contacts=1, time_zone="Asia/Kolkata", false_z=True) as client:
        false = [message for _, message in entries(client.v2(client.busy()).json())]
    gaps = {
        int(datetime.fromisoformat(one["deliveredTime"]).timestamp()) - instant(one["sentDate"], "UTC") // 10**6
        for one in messages
        if "deliveredTime" in one
    }
    assert gaps == {late - 19_800 for late in (0, 10, 20)}
    assert [one["sentDate"] for one in messages] == [one["sentDate"] for one in false]
    assert datetime.fromisoformat(false[0].get("deliveredTime", "2026-01-01T00:00:00Z")).tzinfo is UTC


def test_the_scale_mode_serves_many_contacts_from_few_histories():
    with running(contacts=5_000, config={"per_contact": 100, "shapes": 4}) as client:
        contacts = client.sandbox.contacts(VENDOR)
        first, last = contacts[3], contacts[4_999]
        ids = [{one for _, one in client.ids(V2, **name_mobile(contact))} for contact in (first, last)]
        facts = client.sandbox.oracle(VENDOR, START, END, contact=last)
    assert [len(found) for found in ids] == [100, 100]
    assert not ids[0] & ids[1]
    assert facts.interactions == 100


def test_a_world_of_missing_ids_needs_a_history_each():
    with (
        running(contacts=4, config={"shapes": 2}, malformed=["no_id"]) as client,
        pytest.raises(ValueError, match="no_id"),
    ):
        client.sandbox.oracle(VENDOR, START, END)
