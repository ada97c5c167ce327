"""Hooks: Connection to Credentials, the generator, the Test button."""

from __future__ import annotations

import json
import socket
import warnings

import pytest

from airflow_provider_interactions import hooks
from airflow_provider_interactions.connection import add_port
from airflow_provider_interactions.errors import ConfigError, ContactNotFound, RecordRejected, ServiceRemoved
from airflow_provider_interactions.hooks import DynamicsMarketingHook, InteractionsHook
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

VENDOR = "dynamics_marketing"
pytestmark = pytest.mark.usefixtures("connection")
SPAN = ("2026-01-01", "2026-01-08")
WEEK = Window.of(*SPAN)


def test_constructor_reads_no_connection():
    assert DynamicsMarketingHook().conn_id == "dynamics_marketing_default"
    assert InteractionsHook(vendor=VENDOR).conn_id == "dynamics_marketing_default"
    assert DynamicsMarketingHook("mine").conn_id == "mine"


def test_connection_becomes_credentials(sandbox):
    given, found = sandbox.connections[VENDOR], DynamicsMarketingHook().credentials
    assert (found.host, found.login, found.password) == (given["host"], given["login"], given["password"])
    assert found.settings.tenant_id == given["extra"]["tenant_id"]


def test_connection_is_looked_up_once(connection, monkeypatch):
    hook = DynamicsMarketingHook()
    assert hook.credentials is hook.credentials
    monkeypatch.delenv(f"AIRFLOW_CONN_{connection.upper()}")
    assert hook.vendor.name == VENDOR


def test_fields_the_form_left_empty_are_not_given(connect, sandbox):
    connect(sandbox.connections[VENDOR], extra={"account": None, "certificate_path": None, "api_version": None})
    settings = DynamicsMarketingHook().credentials.settings
    assert (settings.account, settings.api_version) == (None, "v9.0")


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("https://org.example", None, "https://org.example"),
        ("https://org.example", 0, "https://org.example"),
        ("https://org.example", 443, "https://org.example"),
        ("https://org.example/base", 8443, "https://org.example:8443/base"),
        ("https://org.example:9443", 8443, "https://org.example:9443"),
        ("https://[::1]/base", 8443, "https://[::1]:8443/base"),
        ("org.example", 8443, "org.example"),
        ("https://org.example:x", 8443, "https://org.example:x"),
    ],
)
def test_port(host, port, expected):
    assert add_port(host, port) == expected


def test_port_of_the_connection_is_honoured(connect, sandbox):
    given = sandbox.connections[VENDOR]
    address, _, rest = given["host"].removeprefix("http://127.0.0.1:").partition("/")
    connect(given, host=f"http://127.0.0.1/{rest}", port=int(address))
    assert DynamicsMarketingHook().test_connection()[0] is True


def test_generic_hook_takes_the_vendor_from_the_connection(connection):
    assert InteractionsHook(connection).vendor.name == VENDOR


def test_session_is_signed():
    assert DynamicsMarketingHook().get_conn().get("/api/data/v9.0/WhoAmI").ok


def test_interactions_of_one_contact_are_those_that_exist_in_the_window(sandbox, people):
    hook, start, end = DynamicsMarketingHook(), "2026-01-02T06:00:00Z", "2026-01-04T18:00:00Z"
    assert 0 < sandbox.oracle(VENDOR, start, end).interactions < sandbox.oracle(VENDOR, *SPAN).interactions
    for person in people[:2]:
        expected = sandbox.oracle(VENDOR, start, end, contact=person).interactions
        found = list(hook.interactions(person, start=start, end=end))
        assert len(found) == expected
        assert all(row.occurred_at in Window.of(start, end) for row in found)


def test_interaction_that_comes_twice_is_given_once(sandbox, people):
    def exist(person, kind):
        return sandbox.oracle(VENDOR, *SPAN, contact=person, type=kind).interactions

    types = VENDORS[VENDOR].options().types
    person, kind = next((one, kind) for one in people for kind in types if exist(one, kind) > 1)
    sandbox.faults([{"kind": "duplicate"}])  # it repeats records on later pages
    found = [r.interaction_id for r in DynamicsMarketingHook().interactions(person, WEEK, types=[kind], page_size=1)]
    assert sandbox.stats()[VENDOR]["by_fault"]["duplicate"] > 0
    assert len(found) == len(set(found)) == exist(person, kind)


def test_interactions_take_dates_options_and_any_spelling_of_the_contact(sandbox, people):
    person = next(p for p in people if sandbox.oracle(VENDOR, "2026-01-01", "2026-01-08", contact=p).interactions)
    hook = DynamicsMarketingHook()
    everything = list(hook.interactions(person, WEEK))
    kind = everything[0].native_type
    found = list(hook.interactions(f"{{{person.upper()}}}", start="2026-01-01", end="2026-01-08", types=[kind]))
    assert found == [row for row in everything if row.native_type == kind]


def test_interactions_stop_asking_when_nobody_reads_on(sandbox, people):
    rows = DynamicsMarketingHook().interactions(people[0], WEEK, types=["EmailSent"])
    next(rows, None)
    rows.close()
    assert sandbox.stats()[VENDOR]["tokens_issued"] == 1


UNREADABLE = {"NextSkipToken": None, "Data": json.dumps([{"InteractionId": "1", "InteractionType": "EmailSent"}])}


def test_unreadable_record_is_raised_or_handed_over(sandbox, people):
    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": json.dumps(UNREADABLE)}])
    hook, rejected = DynamicsMarketingHook(), []
    with pytest.raises(RecordRejected, match="Timestamp is missing"):
        list(hook.interactions(people[0], WEEK, types=["EmailSent"]))
    rows = hook.interactions(people[0], WEEK, types=["EmailSent"], on_reject=lambda *both: rejected.append(both))
    assert list(rows) == []
    assert [(json.loads(payload)["InteractionId"], why.reason) for payload, why in rejected] == [
        ("1", "Timestamp is missing")
    ]


def test_another_record_with_a_known_id_is_handed_over_and_not_dropped(sandbox, people):
    known = {"InteractionId": "A" * 32, "InteractionType": "EmailSent", "Timestamp": "2026-01-02T10:00:00Z"}
    records = [known, known, {**known, "Timestamp": "2026-01-03T10:00:00Z"}, {**known, "Subject": "another"}]
    body = json.dumps({"NextSkipToken": None, "Data": json.dumps(records)})
    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": body}])
    hook, rejected = DynamicsMarketingHook(), []
    rows = hook.interactions(people[0], WEEK, types=["EmailSent"], on_reject=lambda *both: rejected.append(both))
    assert len(list(rows)) == 1
    assert [json.loads(payload) for payload, _ in rejected] == records[2:]
    with pytest.raises(RecordRejected, match="its id is the id of another record"):
        list(hook.interactions(people[0], WEEK, types=["EmailSent"]))


def test_unknown_contact():
    with pytest.raises(ContactNotFound, match="there is no such contact") as error:
        list(DynamicsMarketingHook().interactions("00000000-0000-0000-0000-000000000001", WEEK))
    assert str(WEEK) in str(error.value)


def test_removed_service_says_where_the_history_is_now(sandbox, people):
    sandbox.faults([{"kind": "removed"}])
    with pytest.raises(ServiceRemoved, match=r"May 2026.*Customer Insights Journeys"):
        list(DynamicsMarketingHook().interactions(people[0], WEEK))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"contact_id": "somebody@example.org", "window": WEEK}, "GUID of its contactid"),
        ({"contact_id": "x"}, "Give a window, or both start and end"),
        ({"contact_id": "x", "start": "2026-01-02", "end": "2026-01-01"}, "ends before it starts"),
        ({"contact_id": "00000000-0000-0000-0000-000000000001", "window": WEEK, "colour": 1}, "unknown field `colour`"),
        ({"contact_id": "00000000-0000-0000-0000-000000000001", "window": WEEK, "types": []}, "types is empty"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(arguments, message):
    with pytest.raises(ConfigError, match=message):
        DynamicsMarketingHook().interactions(**arguments)


WRONG_FIELDS = {
    "host without scheme": ({"host": "org.example"}, {}, "host must be a full URL that starts with https://"),
    "plain http": ({}, {"allow_http": None}, "plain http://"),
    "no tenant": ({}, {"tenant_id": None}, "tenant_id is empty"),
    "no client id": ({"login": ""}, {}, "client id (login) is empty"),
    "no secret": ({"password": None}, {}, "client secret (password) is empty"),
    "unknown extra key": ({}, {"tenant": "x"}, "unknown field `tenant`"),
    "wrong type in extra": ({}, {"verify_tls": "no"}, "Expected `bool | null`"),
}


@pytest.mark.parametrize("name", WRONG_FIELDS)
def test_wrong_field_is_named_by_the_test_button(connect, sandbox, name):
    fields, extra, message = WRONG_FIELDS[name]
    connect(sandbox.connections[VENDOR], extra=extra, **fields)
    worked, said = DynamicsMarketingHook().test_connection()
    assert not worked
    assert said.startswith(VENDOR)
    assert message in said


@pytest.mark.parametrize("extra", ["{not json", "[1]", '"text"'])
def test_extra_that_is_no_object(monkeypatch, sandbox, extra):
    given = {**sandbox.connections[VENDOR], "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(given))
    with pytest.raises(ConfigError, match="the extra of connection mine is not a JSON object"):
        _ = DynamicsMarketingHook("mine").credentials


def test_connection_of_another_vendor_is_refused(monkeypatch):
    from airflow_provider_interactions import vendors

    other = vendors.find_vendor(VENDOR)
    monkeypatch.setattr(vendors, "VENDORS", {VENDOR: other, "which50": other})
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({"conn_type": "which50", "host": "https://x.example"}))
    with pytest.raises(ConfigError, match="connection mine is of type which50"):
        _ = DynamicsMarketingHook("mine").credentials


def test_test_button_says_that_it_worked(sandbox):
    worked, said = DynamicsMarketingHook().test_connection()
    assert (worked, said) == (
        True,
        f"Dynamics 365 Marketing accepted the credentials at {sandbox.connections[VENDOR]['host']}.",
    )
    assert sandbox.stats()[VENDOR]["tokens_issued"] == 1


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


NOWHERE = "there is nothing at this address. Check the connection's host"


def refusals(sandbox):
    given = sandbox.connections[VENDOR]
    return {
        "wrong secret": ({"password": "not-the-secret"}, {}, "Check client id and client secret"),
        "unknown tenant": ({}, {"tenant_id": "00000000-0000-0000-0000-000000000000"}, "Check tenant_id"),
        "unknown app": ({"login": "nobody"}, {}, "Check client id and tenant_id"),
        "wrong scope": ({}, {"scope": f"{given['host']}"}, "must be the organisation's URL followed by /.default"),
        "unreachable": ({"host": f"http://127.0.0.1:{closed_port()}"}, {}, "Check the connection's host"),
        "unreachable token host": ({}, {"authority": f"http://127.0.0.1:{closed_port()}"}, "cannot be reached"),
        "another path": ({"host": f"{given['host']}/nowhere"}, {"scope": f"{given['host']}/.default"}, NOWHERE),
    }


@pytest.mark.parametrize(
    "name",
    [
        "wrong secret",
        "unknown tenant",
        "unknown app",
        "wrong scope",
        "unreachable",
        "unreachable token host",
        "another path",
    ],
)
def test_test_button_says_what_to_fix(connect, sandbox, name):
    fields, extra, message = refusals(sandbox)[name]
    connect(sandbox.connections[VENDOR], extra=extra, **fields)
    worked, said = DynamicsMarketingHook().test_connection()
    assert not worked
    assert message in said
    assert said.startswith("dynamics_marketing: ")
    assert "not-the-secret" not in said


ACTION = "msdyncrm_LoadInteractionsPublic"


@pytest.mark.parametrize("variant", [{"code": "0x8006088a"}, {"code": "0x80060888"}, {"variant": "no_code"}], ids=str)
def test_test_button_says_at_once_that_the_service_is_gone(sandbox, variant):
    sandbox.faults([{"kind": "removed", **variant, "path": ACTION}])
    worked, said = DynamicsMarketingHook().test_connection()
    assert not worked
    assert "Microsoft removed outbound marketing" in said


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 400},
        {"kind": "throttle", "retry_after": 60},
        {"kind": "html"},
    ],
    ids=str,
)
def test_any_other_answer_about_nobody_shows_that_the_service_exists(sandbox, fault):
    sandbox.faults([{**fault, "path": ACTION}])
    assert DynamicsMarketingHook().test_connection()[0] is True
    assert sum(sandbox.stats()[VENDOR]["by_fault"].values()) == 1


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "throttle", "retry_after": 60}])
def test_test_button_asks_once(sandbox, fault):
    sandbox.faults([{**fault, "path": "WhoAmI"}])
    assert DynamicsMarketingHook().test_connection()[0] is False
    assert sum(sandbox.stats()[VENDOR]["by_fault"].values()) == 1


def press_test(given, connect):
    """What the Test button says of an unsaved connection, which Airflow 3.2 puts into the environment before."""
    from airflow import sdk

    fields = {"conn_id": "unsaved", **given, "extra": json.dumps(given["extra"])}
    if hasattr(sdk.Connection, "test_connection"):
        return sdk.Connection(**fields).test_connection()
    from airflow.models.connection import Connection

    connect(given, "unsaved")
    with warnings.catch_warnings(action="ignore"):  # Airflow 3.2 deprecates what its own API server calls
        return Connection(**fields).test_connection()


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_airflows_own_test_finds_hook_and_connection_of_every_vendor(sandbox, connect, vendor):
    given = sandbox.connections[vendor]
    worked, said = press_test(given, connect)
    assert worked, said
    worked, said = press_test({**given, "password": "not-the-secret"}, connect)
    assert not worked
    assert said.startswith(f"{vendor}: ")
    assert "not-the-secret" not in said


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_has_a_hook_that_gives_what_exists_of_a_contact(connect, sandbox, vendor):
    (cls,) = (found for name in hooks.__all__ if (found := getattr(hooks, name)).conn_type == vendor)
    connect(sandbox.connections[vendor], f"{vendor}_default")
    person = max(sandbox.contacts(vendor), key=lambda one: sandbox.oracle(vendor, *SPAN, contact=one).interactions)
    expected = sandbox.oracle(vendor, *SPAN, contact=person).interactions
    assert len(list(cls().interactions(person, WEEK))) == expected > 0
    assert str(cls().get_conn()) == f"VendorSession({vendor}, {sandbox.connections[vendor]['host']})"


def test_short_secrets_are_not_masked_which_airflow_would_warn_of(connect, sandbox):
    from airflow.sdk.log import redact

    connect(sandbox.connections["luminate_online"], "luminate_online_default", extra={"api_key": "a1"}, login="bob")
    hook = hooks.LuminateOnlineHook()
    auth = hook.vendor.auth(hook.credentials)
    assert "bob" in auth.secrets
    assert redact("bob a1") == "bob a1"


def test_connection_survives_its_uri_form(sandbox, monkeypatch):
    """The form in which Airflow's own commands and secrets backends may keep it."""
    from airflow.sdk import Connection

    given = sandbox.connections[VENDOR]
    uri = Connection(conn_id="mine", **{**given, "extra": json.dumps(given["extra"])}).get_uri()
    monkeypatch.setenv("AIRFLOW_CONN_MINE", uri)
    worked, said = DynamicsMarketingHook("mine").test_connection()
    assert worked, said


def test_secrets_and_tokens_are_masked_in_airflows_logs(sandbox):
    from airflow.sdk.log import redact

    hook = DynamicsMarketingHook()
    token = hook.get_conn().get("/api/data/v9.0/WhoAmI").request.headers["Authorization"].removeprefix("Bearer ")
    assert redact(f"Bearer {token}") == "Bearer ***"
    assert redact(sandbox.connections[VENDOR]["password"]) == "***"
