"""Connections and options: which are refused, and with which message."""

import pytest

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Credentials
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.dynamics_marketing.auth import Settings
from airflow_provider_interactions.vendors.dynamics_marketing.vendor import TYPES

DYNAMICS = VENDORS["dynamics_marketing"]
HOST = "https://org.crm4.dynamics.com"


def credentials(host=HOST, **extra):
    return build_credentials(DYNAMICS, host, "client", "hush", extra)


def test_a_plain_connection():
    made = credentials("https://org.crm4.dynamics.com/", tenant_id="t")
    assert made == Credentials(HOST, "client", "hush", Settings(tenant_id="t"))
    assert made.account == "org.crm4.dynamics.com"
    assert credentials(account="acme").account == "acme"


def test_fields_that_airflow_left_empty_count_as_not_given():
    made = credentials(tenant_id=None, authority=None, scope="", api_version=None, verify_tls=None, account="")
    assert made.settings == Settings()


def test_a_connection_without_an_extra():
    assert build_credentials(DYNAMICS, HOST, None, None, None) == Credentials(HOST, settings=Settings())


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"tenantid": "t"}, r"dynamics_marketing: the connection's extra .*`tenantid`.*Known keys: .*tenant_id"),
        ({"allow_http": "yes"}, r"the connection's extra cannot be used.*`bool.*allow_http"),
        ({"credential": "magic"}, r"the connection's extra cannot be used.*credential"),
        ({"verify_tls": "/etc/ca.pem"}, "cannot be used.*verify_tls"),
    ],
)
def test_an_extra_that_cannot_be_used_is_named(extra, message):
    with pytest.raises(ConfigError, match=message):
        credentials(**extra)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("", "full URL that starts with https://"),
        (None, "full URL that starts with https://"),
        ("org.crm4.dynamics.com", "full URL that starts with https://"),
        ("ftp://org.crm4.dynamics.com", "full URL that starts with https://"),
        ("https://", "full URL that starts with https://"),
        ("https://:443", "full URL that starts with https://"),
        ("https://[", "full URL that starts with https://"),
        ("https://org:port", "full URL that starts with https://"),
        ("https://org:99999", "full URL that starts with https://"),
        ("https://my org.dynamics.com", "full URL that starts with https://"),
        ("https://ann:hush@org.dynamics.com", "must not hold a user name, password"),
        ("https://org.dynamics.com/?key=hush", "must not hold a user name, password, query"),
        ("https://org.dynamics.com/#hush", "must not hold a user name, password, query"),
        ("http://org.dynamics.com", r'plain http://.*"allow_http": true'),
    ],
)
def test_a_host_that_cannot_be_used_is_refused_without_repeating_it(host, message):
    with pytest.raises(ConfigError, match=message) as refused:
        credentials(host)
    assert str(refused.value).startswith("dynamics_marketing: the connection's host")
    assert "hush" not in str(refused.value)


def test_plain_http_is_for_those_who_ask_for_it():
    assert credentials("http://127.0.0.1:8080/dynamics/", allow_http=True).host == "http://127.0.0.1:8080/dynamics"
    with pytest.raises(ConfigError, match="allow_http"):
        credentials("http://127.0.0.1:8080", allow_http=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pagesize": 1}, r"dynamics_marketing: the options .*`pagesize`.*Known keys: page_size"),
        ({"page_size": "10"}, "the options cannot be used.*page_size"),
        ({"page_size": 0}, "the options cannot be used.*>= 1.*page_size"),
        ({"page_size": -1}, "the options cannot be used.*>= 1.*page_size"),
        ({"types": []}, "types is empty. Name at least one"),
        ({"types": "EmailSent"}, "the options cannot be used.*types"),
    ],
)
def test_options_that_cannot_be_used_are_named(given, message):
    with pytest.raises(ConfigError, match=message):
        build_options(DYNAMICS, given)


def test_options_have_defaults(caplog):
    assert build_options(DYNAMICS, None).types == TYPES
    assert not caplog.records


def test_an_undocumented_interaction_type_is_a_warning(caplog):
    chosen = build_options(DYNAMICS, {"types": ["EmailSent", "ContactUpserted"]})
    assert chosen.types == ("EmailSent", "ContactUpserted")
    assert [record.getMessage() for record in caplog.records] == [
        "dynamics_marketing: not among the documented interaction types: ContactUpserted"
    ]


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " true ", "1"])
def test_texts_of_a_uri_are_read_as_yes_or_no_and_numbers(text):
    extra = {"allow_http": text, "verify_tls": "False", "concurrency": "2", "requests_per_minute": "1000"}
    made = build_credentials(DYNAMICS, "http://localhost", extra=extra)
    assert (made.settings.allow_http, made.settings.verify_tls) == (True, False)
    assert (made.settings.concurrency, made.settings.requests_per_minute) == (2, 1000.0)


def test_texts_stay_texts_where_a_text_is_wanted():
    made = credentials(account="2", tenant_id="True", scope="1e3").settings
    assert (made.account, made.tenant_id, made.scope) == ("2", "True", "1e3")


@pytest.mark.parametrize(
    ("key", "text"), [("allow_http", "maybe"), ("verify_tls", "2"), ("concurrency", "two"), ("concurrency", "0")]
)
def test_a_text_that_is_neither_is_named(key, text):
    with pytest.raises(ConfigError, match=rf"the connection's extra cannot be used: .*\.{key}`"):
        credentials(**{key: text})


def test_options_are_not_read_from_texts():
    with pytest.raises(ConfigError, match="page_size"):
        build_options(DYNAMICS, {"page_size": "2"})
