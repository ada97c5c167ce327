"""What the sandbox says of itself, and what Airflow is told to ask it for."""

from __future__ import annotations

import pytest

from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.sandbox_process import SandboxProcess, build_variables
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

WEEK = Window.of("2026-01-01", "2026-01-08")


@pytest.fixture(scope="module")
def sandbox():
    with serve(SandboxConfig(contacts=4, seed=11)) as running:
        yield running


@pytest.fixture(scope="module")
def witness(sandbox):
    return SandboxProcess(sandbox.url, {})


def test_every_vendor_takes_part():
    assert [source.vendor for source in SOURCES] == list(VENDORS)


@pytest.mark.parametrize("vendor", VENDORS)
def test_contacts_are_those_of_the_running_sandbox(sandbox, witness, vendor):
    assert witness.contacts(vendor) == sandbox.contacts(vendor)
    found, known = {fact.contact_id for fact in witness.facts(vendor, WEEK)}, set(witness.contacts(vendor))
    # A bulk vendor's tables have leads and visitors, too.
    assert found & known if VENDORS[vendor].bulk else found <= known


def test_whom_to_ask_for_is_told_by_variables(witness, tmp_path):
    told = build_variables(witness, Paths(tmp_path))
    path = tmp_path / "capillary-contacts.txt"
    assert told == {"AIRFLOW_VAR_CAPILLARY_CONTACTS": str(path), "AIRFLOW_VAR_LUMINATE_ONLINE_GROUP": "1001"}
    assert path.read_text().splitlines() == witness.contacts("capillary")


def test_a_refusal_is_told(witness):
    with pytest.raises(DemoError, match=r"refused /_sandbox/oracle/nobody: 404"):
        witness.fetch_expected("nobody", WEEK)
