"""A realistic world has what an organisation has, and nothing that tests a reader."""

import re
from datetime import time

import pytest

from airflow_provider_interactions.sandbox import SandboxConfig, museum
from airflow_provider_interactions.sandbox.registry import VENDORS
from airflow_provider_interactions.sandbox.state import create_state
from airflow_provider_interactions.sandbox.world import DAY, get_person, to_datetime

#: Latin letters, digits and the punctuation of names, sentences, links, ids and phone numbers
ORDINARY = re.compile(r"\+?[A-Za-zÀ-ž0-9][A-Za-zÀ-ž0-9 .,:;'!?%/@+_-]*")
CONTACTS = 30


@pytest.fixture(scope="module")
def realistic():
    return create_state(SandboxConfig(contacts=CONTACTS, realistic=True))


def list_texts(value):
    """Every text inside a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) else [text for each in inner for text in list_texts(each)]


def list_facts(state, vendor):
    site = state.sites[vendor]
    return [fact for index in range(CONTACTS) for fact in state.vendors[vendor].facts(site.world, site.options, index)]


def list_odd(state, vendor):
    """The texts of a vendor's facts and contacts that are neither ordinary nor empty."""
    facts = list_facts(state, vendor)
    columns = [[fact.native_type, fact.status, fact.subject, fact.campaign_name, fact.attributes] for fact in facts]
    texts = list_texts([*columns, state.list_contacts(vendor)])
    return {text for text in texts if text and not ORDINARY.fullmatch(text)}


@pytest.mark.parametrize("vendor", VENDORS)
def test_texts_are_ordinary_and_only_there(realistic, vendor):
    assert list_odd(realistic, vendor) == set()
    assert len(list_odd(create_state(SandboxConfig(contacts=CONTACTS)), vendor)) > 5


@pytest.mark.parametrize("vendor", VENDORS)
def test_instants_lie_in_the_day_and_in_the_world(realistic, vendor):
    world, facts = realistic.world, list_facts(realistic, vendor)
    assert len(facts) > CONTACTS
    assert all(time(7) <= to_datetime(fact.occurred_at).time() < time(22) for fact in facts)
    assert {(fact.occurred_at - world.start_us) // DAY for fact in facts} == set(range(world.days))


def test_it_is_the_same_again_and_another_with_another_seed(realistic):
    again, other = (create_state(SandboxConfig(contacts=CONTACTS, realistic=True, seed=seed)) for seed in (7, 8))
    for vendor in VENDORS:
        assert list_facts(again, vendor) == list_facts(realistic, vendor) != list_facts(other, vendor)


def test_subject_and_campaign_belong_together(realistic):
    facts = list_facts(realistic, "which50")
    pairs = {(fact.subject, fact.campaign_name) for fact in facts}
    assert len(pairs) == len({fact.subject for fact in facts}) > len({fact.campaign_name for fact in facts}) > 3


def test_the_links_of_a_row_and_their_names_belong_together(realistic):
    facts = [fact for fact in list_facts(realistic, "dynamics_journeys") if fact.native_type == "EmailClicked"]
    pairs = {(fact.attributes["OriginalUrl"], fact.attributes["LinkText"]) for fact in facts}
    assert len(pairs) == len({link for link, _ in pairs}) == len({name for _, name in pairs}) > 3


def test_a_persons_browser_and_system_are_those_of_one_device(realistic):
    devices = {(device[0], device[2]) for device in museum.DEVICES}
    rows = [fact.attributes for fact in list_facts(realistic, "dynamics_journeys")]
    found = {(row["BrowserName"].lower(), row["OperatingSystemName"].lower()) for row in rows if "BrowserName" in row}
    assert devices == found


def test_people_have_ordinary_names(realistic):
    people = [get_person(realistic.world, index) for index in range(CONTACTS)]
    assert all(ORDINARY.fullmatch(f"{person.first} {person.last}") for person in people)
