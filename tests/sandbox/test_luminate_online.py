"""The Luminate sandbox against the vendor's pages: calls, both formats, paging, dates, errors, groups, records."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from itertools import pairwise

import pytest
import requests

from airflow_provider_interactions.sandbox import Fact, SandboxConfig, digest, serve

VENDOR = "luminate_online"
START, END = "2026-01-01", "2026-01-08"
SPACE = "{http://convio.com/crm/v1.0}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
COLUMNS = {"interactionId", "interactionTypeId", "creationDate", "subject", "count"}
FORMS = ["xml", "json"]
#: keeps connections, but no cookies
SESSION = requests.Session()
SESSION.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))


class Site:
    """Calls the servlet as the sandbox's connection says; reads answers in a way of its own."""

    def __init__(self, sandbox, form="xml"):
        self.sandbox = sandbox
        connection = sandbox.connections[VENDOR]
        self.url = f"{connection['host']}/SRConsAPI"
        self.form = {
            "api_key": connection["extra"]["api_key"],
            "v": "1.0",
            "login_name": connection["login"],
            "login_password": connection["password"],
            "response_format": form,
        }
        self.contacts = sandbox.contacts(VENDOR)

    def post(self, method="getUserInteractions", **asked):
        form = {name: value for name, value in (self.form | {"method": method} | asked).items() if value is not None}
        return SESSION.post(self.url, data=form, timeout=5)

    def rows(self, method="getUserInteractions", **asked):
        answer = self.post(method, **asked)
        assert answer.status_code == 200, answer.text
        return rows_of(answer)

    def walk(self, method="getUserInteractions", size=200, **asked):
        found, page = [], None
        while page is None or len(page) == size:
            page = self.rows(method, list_page_size=size, list_record_offset=len(found), **asked)
            found += page
        return found

    def stats(self):
        return self.sandbox.stats()[VENDOR]


def tidy(value):
    """JSON null, {} and blank text are nothing; text is trimmed."""
    if isinstance(value, dict):
        return {name: tidy(child) for name, child in value.items()} or None
    return (value or "").strip() or None


def to_list(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def from_json(interaction):
    notes = [tidy(note) for note in to_list(interaction.pop("note", None))]
    return tidy(interaction) | ({"note": notes} if notes else {})


def from_xml(element):
    row, notes = {}, []
    for child in element:
        name = child.tag.removeprefix(SPACE)
        if name == "note":
            notes.append(from_xml(child))
        else:
            row[name] = tidy(child.text)
            assert child.get(NIL) in {None, "true"}
    return row | ({"note": notes} if notes else {})


def rows_of(answer):
    if answer.headers["Content-Type"].startswith("application/json"):
        ((root, inside),) = answer.json().items()
        assert root.endswith("Response")
        return [from_json(row) for row in to_list((inside or {}).get("interaction"))]
    return [from_xml(row) for row in ET.fromstring(answer.content)]


def microseconds(text):
    return int(datetime.fromisoformat(text).timestamp() * 1000) * 1000


def fact_of(row, contact):
    """The canonical row of a served record, written from the mapping and not from the oracle."""
    return Fact(
        vendor=VENDOR,
        contact_id=contact,
        interaction_id=row["interactionId"],
        occurred_at=microseconds(row["creationDate"]),
        native_type=row["interactionTypeId"],
        subject=row.get("subject"),
        count=int(row["count"]) if row.get("count") else None,
        attributes={name: value for name, value in row.items() if name not in COLUMNS},
    )


def code_of(answer):
    """The error's code and text."""
    if "json" in answer.headers["Content-Type"]:
        error = answer.json()["errorResponse"]
        return error["code"], error["message"]
    root = ET.fromstring(answer.content)
    assert root.tag == f"{SPACE}errorResponse"
    return root.findtext(f"{SPACE}code"), root.findtext(f"{SPACE}message")


@pytest.fixture(scope="module", autouse=True)
def _close_session():
    yield
    SESSION.close()


@pytest.fixture(scope="module")
def world():
    with serve(SandboxConfig()) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def site(world):
    return Site(world)


@pytest.fixture
def own():
    with serve(SandboxConfig(contacts=4)) as sandbox:
        yield Site(sandbox)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shapes", [None, 2])
def test_what_is_served_is_what_the_oracle_tells(form, shapes):
    with serve(SandboxConfig(contacts=7, shapes=shapes)) as sandbox:
        site = Site(sandbox, form)
        facts = [fact_of(row, contact) for contact in site.contacts for row in site.walk(cons_id=contact, size=20)]
        found = sandbox.oracle(VENDOR, START, END)
    assert len({fact.interaction_id for fact in facts}) == len(facts) > 50
    assert (found.interactions, found.digest) == (len(facts), digest(facts))
    assert found.contacts == len({fact.contact_id for fact in facts}) < 7


@pytest.mark.parametrize("kind", ["cons_id", "member_id", "primary_email"])
def test_each_identifier_finds_the_same_constituent(kind):
    options = {VENDOR: {"identifier": kind, "standard_notes": True}}
    with serve(SandboxConfig(contacts=3, per_contact=12, options=options)) as sandbox:
        site = Site(sandbox, "json")
        facts = []
        for contact in site.contacts:
            tag = contact[1:]
            ids = {"cons_id": contact, "member_id": f"M-{tag}", "primary_email": f"c.{tag}@example.org"}
            asked = {kind: ids[kind]}
            for row in site.walk(**asked):
                (whole,) = site.rows("getInteraction", interaction_id=row["interactionId"], **asked)
                assert whole | {"note": None} == row | {"note": None}
                facts.append(fact_of(whole, ids[kind]))
        assert sandbox.oracle(VENDOR, START, END).digest == digest(facts)
    assert any("note" in fact.attributes and int(fact.native_type) < 1000 for fact in facts)


def test_both_formats_say_the_same(site):
    json_site = Site(site.sandbox, "json")
    for contact in site.contacts:
        assert site.walk(cons_id=contact) == json_site.walk(cons_id=contact)


def test_records_vary_as_live_ones_may(site):
    text = "".join(site.post(cons_id=contact, list_page_size="500").text for contact in site.contacts)
    raw = "".join(
        Site(site.sandbox, "json").post(cons_id=contact, list_page_size="500").text for contact in site.contacts
    )
    rows = [row for contact in site.contacts for row in site.walk(cons_id=contact)]
    notes = [row.get("note") for row in rows if int(row["interactionTypeId"]) >= 1000]
    assert {len(note or []) for note in notes} == {0, 1, 2, 3}
    assert not any("note" in row for row in rows if int(row["interactionTypeId"]) < 1000)
    assert {row["interactionTypeId"] for row in rows} >= {"0", "1", "6", "1000", "1001", "1040"}
    assert {row.get("subject", "absent") for row in rows} >= {"absent", None, "null"}
    assert all(
        piece in text for piece in ('xsi:nil="true"/>', "<subject/>", ">  ", "\t", "🐕", "&amp;", "sandboxField")
    )
    assert all(piece in raw for piece in (":{}", ":null", '"note":[{', '"note":{', "\\ud83d", "🐕", "sandboxField"))
    ids = [int(row["interactionId"]) for row in rows]
    assert min(ids) < 2**53 < max(ids)
    assert max(len(row.get("subject") or "") for row in rows) == 80
    assert all(isinstance(value, str | None | list) for row in rows for value in row.values())


def test_the_root_is_the_published_one(site):
    answer = site.post(cons_id=site.contacts[0])
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert answer.text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n<getUserInteractionsResponse xsi:schemaLocation="http://convio.com/'
        'crm/v1.0 http://service.convio.net/xmlschema/crm.public.v1.xsd" xmlns="http://convio.com/crm/v1.0" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><interaction>'
    )
    assert answer.text.endswith("</interaction></getUserInteractionsResponse>")
    order = [child.tag.removeprefix(SPACE) for child in ET.fromstring(answer.content)[0]]
    assert order[:2] == ["interactionId", "interactionTypeId"]
    answer = Site(site.sandbox, "json").post(cons_id=site.contacts[0])
    assert len({tuple(row) for row in answer.json()["getUserInteractionsResponse"]["interaction"]}) > 3


def test_empty_answers_come_in_all_forms(site):
    day = {"begin_date": "1999-01-01T00:00:00Z", "end_date": "1999-01-02T00:00:00Z"}
    asked = [{"cons_id": contact, "interaction_type_id": kind} for contact in site.contacts[:8] for kind in ("0", "1")]
    bodies = {Site(site.sandbox, "json").post(**day, **one).text for one in asked}
    assert bodies == {f'{{"getUserInteractionsResponse":{empty}}}' for empty in ("{}", '""', "null")}
    texts = [site.post(**day, **one).text for one in asked]
    assert {text[-2:] for text in texts} == {"/>", "e>"}
    assert all(len(ET.fromstring(text.encode())) == 0 for text in texts)


def test_pages_give_each_record_once_in_order(site):
    contact = max(site.contacts, key=lambda one: len(site.walk(cons_id=one)))
    whole = site.walk(cons_id=contact)
    count, times = len(whole), [microseconds(row["creationDate"]) for row in whole]
    assert count > 26
    assert all(first <= second for first, second in pairwise(times))
    assert len(site.rows(cons_id=contact)) == 25
    for size in (7, count, count + 1):
        assert site.walk(cons_id=contact, size=size) == whole
    kind = whole[0]["interactionTypeId"]
    assert site.walk(cons_id=contact, interaction_type_id=kind) == [
        row for row in whole if row["interactionTypeId"] == kind
    ]
    named = [row for row in whole if row.get("subject") == "null"]
    assert site.walk(cons_id=contact, interaction_subject="null", list_ascending="true") == named


@pytest.mark.parametrize("above", ["cap", "refuse"])
def test_a_server_may_have_a_largest_page(above):
    options = {VENDOR: {"max_page_size": 3, "above_maximum": above}}
    with serve(SandboxConfig(contacts=1, options=options)) as sandbox:
        site = Site(sandbox)
        answer = site.post(cons_id=site.contacts[0], list_page_size="4")
        assert code_of(answer)[0] == "50" if above == "refuse" else len(rows_of(answer)) == 3
        assert len(site.rows(cons_id=site.contacts[0], list_page_size="3")) == 3


@pytest.mark.parametrize("inclusive", [True, False])
def test_dates_are_instants_with_offsets(inclusive):
    with serve(SandboxConfig(contacts=6, options={VENDOR: {"end_inclusive": inclusive}})) as sandbox:
        site = Site(sandbox)
        for zone in ("-06:00", "+05:30"):
            begin, end = f"2026-01-02T00:00:00{zone}", f"2026-01-04T00:00:00.000{zone}"
            served = sum(len(site.walk(cons_id=one, begin_date=begin, end_date=end)) for one in site.contacts)
            assert served == sandbox.oracle(VENDOR, begin, end).interactions > 0
        edge = site.rows(cons_id=site.contacts[0])[3]["creationDate"]
        same = [row for row in site.walk(cons_id=site.contacts[0]) if row["creationDate"] == edge]
        found = site.walk(cons_id=site.contacts[0], begin_date=edge, end_date=edge)
    assert found == (same if inclusive else [])


def test_dates_follow_the_seasons_of_us_central():
    with serve(SandboxConfig(start="2026-03-06", days=5, contacts=4)) as sandbox:
        site = Site(sandbox)
        dates = [row["creationDate"] for contact in site.contacts for row in site.walk(cons_id=contact)]
    assert all(re.fullmatch(r"2026-03-\d\dT\d\d:\d\d:\d\d\.\d{3}-0[56]:00", date) for date in dates)
    turn = microseconds("2026-03-08T02:00:00-06:00")
    assert {(date[-6:], microseconds(date) >= turn) for date in dates} == {("-06:00", False), ("-05:00", True)}


WRONG = [
    ({"api_key": None}, "9"),
    ({"api_key": "other"}, "2"),
    ({"v": None}, "9"),
    ({"v": "1.1"}, "1"),
    ({"method": None}, "6"),
    ({"method": "getuserinteractions"}, "6"),
    ({"response_format": "csv"}, "1"),
    ({"login_name": None}, "9"),
    ({"login_password": "wrong"}, "3"),
    ({"cons_id": None}, "9"),
    ({"cons_id": "1000"}, "16"),
    ({"cons_id": "1001", "member_id": "M-1"}, "16"),
    ({"cons_id": None, "member_id": "nobody"}, "16"),
    ({"cons_id": None, "primary_email": "nobody@example.org"}, "16"),
    ({"cons_id": None, "primary_email": "Household@example.org"}, "8"),
    ({"begin_date": "2026-01-01"}, "25"),
    ({"begin_date": "2026-01-03T00:00:00"}, "25"),
    ({"begin_date": "2026-01-01T00:00:00 00:00"}, "25"),
    ({"end_date": "2026-02-30T00:00:00Z"}, "25"),
    ({"begin_date": "2026-01-02T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, "25"),
    ({"interaction_type_id": "x"}, "26"),
    ({"interaction_type_id": "999"}, "26"),
    ({"list_page_size": "0"}, "50"),
    ({"list_page_size": "many"}, "50"),
    ({"list_record_offset": "-1"}, "50"),
    ({"list_ascending": "false"}, "50"),
    ({"list_pagesize": "3"}, "50"),
    ({"method": "getInteraction"}, "9"),
    ({"method": "getInteraction", "interaction_id": "7"}, "27"),
    ({"method": "getInteraction", "interaction_id": "9" * 5000}, "27"),
    ({"method": "listInteractions"}, "9"),
    ({"method": "listInteractions", "interaction_type_id": "0"}, "26"),
    ({"method": "listInteractions", "interaction_type_id": "1040"}, "26"),
    ({"method": "getGroupMembers"}, "9"),
    ({"method": "getGroupMembers", "group_id": "7"}, "19"),
    ({"method": "getGroupMembers", "group_id": "1001", "fields": "shoe_size"}, "18"),
    ({"method": "getGroupMembers", "group_id": "1001", "fields": "cons_id", "max_number": "x"}, "50"),
]


@pytest.mark.parametrize(("change", "code"), WRONG)
def test_wrong_calls_are_refused(site, change, code):
    for form in FORMS:
        about = {} if change.get("method") in ("listInteractions", "getGroupMembers") else {"cons_id": site.contacts[0]}
        asked = about | {"response_format": form} | change
        answer = site.post(**asked)
        assert (answer.status_code, code_of(answer)[0]) == (403, code)
        assert code_of(answer)[1]


def test_the_first_identifier_decides(site):
    first, second = site.contacts[0], site.contacts[2]
    member = f"M-{second[1:]}"
    both = site.rows(cons_id=first, member_id=member, primary_email="household@example.org")
    assert both == site.rows(cons_id=first)
    assert site.rows(member_id=member, primary_email="household@example.org") == site.rows(cons_id=second)
    address = f"C.{second[1:]}@Example.org"
    assert site.rows(primary_email=address) == site.rows(cons_id=second)


def test_only_post_and_only_forms(site):
    for verb in ("GET", "PUT", "DELETE"):
        answer = requests.request(verb, site.url, params={"response_format": "json"}, timeout=5)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    body = site.form | {"method": "getUserInteractions", "cons_id": site.contacts[0]}
    assert code_of(requests.post(site.url, json=body, timeout=5))[0] == "6"
    assert requests.post(site.url.replace("SRCons", "CRCons"), data=body, timeout=5).status_code == 404


def test_a_login_in_the_query_is_refused_and_cookies_are_counted(own):
    body = own.form | {"method": "getUserInteractions", "cons_id": own.contacts[0]}
    plain = requests.post(own.url, data=body, timeout=5)
    assert plain.headers["Set-Cookie"].startswith("JSESSIONID=")
    assert own.stats()["with_cookie"] == 0
    assert code_of(requests.post(own.url, params=body, timeout=5))[0] == "3"
    requests.post(own.url, data=body, cookies=plain.cookies, timeout=5)
    assert own.stats()["with_cookie"] == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shapes", [None, 2])
def test_the_bulk_route_lists_public_custom_types_of_everyone(form, shapes):
    with serve(SandboxConfig(contacts=9, shapes=shapes)) as sandbox:
        site = Site(sandbox, form)
        for kind in ("1000", "1021"):
            rows = site.walk("listInteractions", interaction_type_id=kind, size=4)
            facts = [fact_of(row, row["consId"]) for row in rows]
            found = sandbox.oracle(VENDOR, START, END, type=kind)
            assert (found.interactions, found.digest) == (len(facts), digest(facts))
            assert found.contacts > 2
            assert rows == sorted(rows, key=lambda row: microseconds(row["creationDate"]))
        span = {"begin_date": "2026-01-03T00:00:00Z", "end_date": "2026-01-04T23:59:59.999Z"}
        part = site.walk("listInteractions", interaction_type_id="1000", **span)
        assert len(part) == sandbox.oracle(VENDOR, "2026-01-03", "2026-01-05", type="1000").interactions
        assert site.walk("listInteractions", interaction_type_id="1000", begin_date=f"{END}T00:00:00Z") == []


@pytest.mark.parametrize("arrive", ["early", "late"])
def test_rows_that_arrive_while_a_client_pages(arrive):
    config = SandboxConfig(contacts=3, per_contact=24, options={VENDOR: {"rows_arrive": arrive}})
    past = {"begin_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-08T00:00:00Z"}
    with serve(config) as sandbox:
        site = Site(sandbox)
        for asked in ({"cons_id": site.contacts[0]}, {"method": "listInteractions", "interaction_type_id": "1000"}):
            still = site.walk(**asked)
            assert 4 < len(still) < 200
            for size in (1, 3):
                found = site.walk(**asked, **past, size=size)
                if arrive == "late":
                    assert found == still
                    assert site.walk(**asked, size=size)[:-1] == still
                else:
                    # The last row of the first page comes again, and nothing is lost.
                    assert found[:size] + found[size + 1 :] == still
                    assert found[size] == found[size - 1]


def test_records_that_come_twice_and_pages_that_repeat(own):
    contact = own.contacts[0]
    whole = own.walk(cons_id=contact)
    own.sandbox.faults([{"kind": "duplicate", "times": 1, "after": 1}])
    pages = [own.rows(cons_id=contact, list_page_size=3, list_record_offset=offset) for offset in (0, 3)]
    assert pages == [whole[:3], whole[2:6]]
    own.sandbox.faults([{"kind": "repeat_cursor"}])
    assert own.rows(cons_id=contact, list_page_size=3, list_record_offset=3) == whole[:3]


@pytest.mark.parametrize("form", FORMS)
def test_groups(world, form):
    site = Site(world, form)

    def members(**asked):
        answer = site.post("getGroupMembers", **asked)
        if form == "json":
            inside = answer.json()["getGroupMembersResponse"]
            return inside["total_number"], inside.get("member")
        root = ET.fromstring(answer.content)
        found = [member.findtext(f"{SPACE}cons_id") for member in root.iter(f"{SPACE}member")]
        return root.findtext(f"{SPACE}total_number"), [{"cons_id": one} for one in found]

    everyone = [{"cons_id": contact} for contact in site.contacts]
    assert members(group_id="1001", fields="cons_id") == ("20", everyone)
    assert members(group_id="1001", fields="cons_id", max_number="3") == ("20", everyone[:3])
    assert 0 < int(members(group_id="1002", fields="cons_id")[0]) < 20
    alone = everyone[0] if form == "json" else everyone[:1]
    assert members(group_id="1003", fields="cons_id") == ("1", alone)
    assert members(group_id="1004", fields="cons_id") == ("0", None if form == "json" else [])


def test_a_group_has_a_thousand_members_at_most():
    with serve(SandboxConfig(contacts=1003, per_contact=1)) as sandbox:
        site = Site(sandbox, "json")
        inside = site.post("getGroupMembers", group_id="1001", fields="cons_id").json()["getGroupMembersResponse"]
    assert (inside["total_number"], len(inside["member"])) == ("1003", 1000)
    assert inside["member"][0] == {"cons_id": sandbox.contacts(VENDOR)[0]}


@pytest.mark.parametrize("form", FORMS)
def test_errors_by_rule_come_in_the_callers_format(own, form):
    for code in ("1", "4", "25", "26"):
        own.sandbox.faults([{"kind": "status", "status": 403, "code": code, "message": "no", "times": 1}])
        answer = own.post(cons_id=own.contacts[0], response_format=form)
        assert (answer.status_code, code_of(answer)) == (403, (code, "no"))
        assert ("json" in answer.headers["Content-Type"]) == (form == "json")
    own.sandbox.faults([{"kind": "status", "status": 403, "code": "16", "contact": own.contacts[0]}])
    assert [own.post(cons_id=contact).status_code for contact in own.contacts[::2]] == [403, 200]


def test_pages_of_what_stands_in_front(own):
    def page(**rule):
        own.sandbox.faults([rule])
        answer = own.post(cons_id=own.contacts[0])
        assert answer.headers["Content-Type"].startswith("text/html")
        return answer.status_code, answer.headers.get("Retry-After")

    assert page(kind="html", status=200) == (200, None)
    assert page(kind="status", status=503, retry_after=9) == (503, "9")
    assert page(kind="status", status=500, code="1", variant="html") == (500, None)
    assert page(kind="throttle", retry_after=2) == (429, "2")
    own.sandbox.faults([{"kind": "truncate"}])
    with pytest.raises(requests.RequestException):
        own.post(cons_id=own.contacts[0])


def test_the_connection_and_large_pages_at_scale():
    with serve(SandboxConfig(contacts=1000, per_contact=400, shapes=4)) as sandbox:
        connection = sandbox.connections[VENDOR]
        site = Site(sandbox, "json")
        answers = [
            site.post(cons_id=one, list_page_size="300", list_record_offset="100") for one in site.contacts[::400]
        ]
        bulk = site.rows(
            "listInteractions", interaction_type_id="1000", list_page_size="500", list_record_offset="30000"
        )
    assert [len(rows_of(answer)) for answer in answers] == [300] * 3
    assert all(
        row["consId"] == one
        for one, answer in zip(site.contacts[::400], answers, strict=True)
        for row in rows_of(answer)
    )
    assert len({row["interactionId"] for row in bulk}) == 500
    assert connection["host"] == f"{sandbox.url}/{VENDOR}/site"
    assert set(connection) == {"conn_type", "host", "login", "password", "extra"}
    assert connection["extra"] == {"api_key": "sandbox-api-key", "response_format": "xml", "allow_http": True}
    assert json.dumps(connection)
