"""Contacts and vendors: which are refused, and that no secret and no person shows in a repr."""

import subprocess
import sys

import pytest

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.contract import Contact, Credentials, Request, Response, Token
from airflow_provider_interactions.errors import BadResponse, ConfigError, Unavailable
from airflow_provider_interactions.vendors import VENDORS, find_vendor
from airflow_provider_interactions.vendors.dynamics_marketing.auth import Settings

DYNAMICS = VENDORS["dynamics_marketing"]
HOST = "https://org.crm4.dynamics.com"


@pytest.mark.parametrize("text", ["", "ann@example.org", "0dbe0fa3", "{0dbe0fa3-8e18-e811-a951}", "g" * 32, "../../x"])
def test_a_contact_that_is_no_guid_is_refused_without_repeating_it(text):
    with pytest.raises(ConfigError, match="dynamics_marketing: a contact must be given as the GUID") as refused:
        DYNAMICS.contact(text, "contact_id")
    assert not text or text not in str(refused.value)


def test_a_kind_of_contact_the_vendor_does_not_know_is_refused():
    with pytest.raises(ConfigError, match="kind contact_id"):
        DYNAMICS.contact("0dbe0fa3-8e18-e811-a951-000d3a37caec", "email")


def test_an_unknown_vendor_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="no vendor 'hubspot'\\. Known are: dynamics_journeys, dynamics_marketing"):
        find_vendor("hubspot")


@pytest.mark.parametrize(
    "value",
    [
        Credentials(HOST, "login-hush", "password-hush", Settings(tenant_id="hush")),
        Settings(tenant_id="hush", scope="hush"),
        Request("POST", "/path?sig=hush", query={"q": "hush"}, headers={"h": "hush"}, form={"f": "hush"}, body=b"hush"),
        Response(200, {"set-cookie": "hush"}, b"hush"),
        Token("hush", 10.0),
        Contact("hush"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_a_secret_or_a_person(value):
    assert "hush" not in repr(value)
    assert "hush" not in f"{value}"
    assert type(value).__name__ in repr(value)


def test_how_calls_are_signed_shows_no_secret_either():
    assert "hush" not in repr(DYNAMICS.auth(build_credentials(DYNAMICS, HOST, "client", "hush", {"tenant_id": "t"})))


def test_what_airflow_reads_about_the_package_imports_nothing_heavy():
    heavy = ("msgspec", "aiohttp", "pyarrow", "airflow", "airflow_provider_interactions.contract")
    script = (
        "import sys; from airflow_provider_interactions.provider_info import get_provider_info; get_provider_info();"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("status", [202, 205, 206, 207, 299])
@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"value": []}', b'{"interaction": []}', b'{"Data": "[]", "NextSkipToken": null}']
)
@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_a_status_that_does_not_promise_a_whole_response_is_an_error(vendor, body, status):
    assert isinstance(vendor.classify(Response(status, {}, body)), Unavailable | BadResponse)
