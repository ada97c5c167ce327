"""Customer Insights - Journeys: each published type has words of the table, and no name is lost."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.schema import ACTIONS, CHANNELS
from airflow_provider_interactions.vendors.dynamics_journeys.clients import CLIENTS
from airflow_provider_interactions.vendors.dynamics_journeys.columns import KEYS, PEOPLE, PERSON_KINDS, TIME, VERSION
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import (
    BOOKKEEPING,
    CHANNEL_TYPED,
    DEFAULT_TYPES,
    HISTORY,
    KINDS,
    OLDER,
    PERSONLESS,
    TYPES,
    map_type,
    read_published,
    spell_type,
)
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import KINDS as MARKETING_KINDS
from airflow_provider_interactions.vendors.shared.guids import spell_guid

PUBLISHED = read_published()
DOCS = Path(__file__).parents[2] / "docs"
PERSON_COLUMNS = {column.name for column in PEOPLE}


def test_every_published_type_has_words_and_no_other_does():
    assert set(KINDS) == set(PUBLISHED)
    assert len(TYPES) == 136
    assert not HISTORY.keys() & BOOKKEEPING.keys()


def test_the_words_are_those_of_the_table():
    channels, actions = zip(*KINDS.values(), strict=True)
    assert set(channels) <= CHANNELS
    assert set(actions) <= ACTIONS


@pytest.mark.parametrize("name", MARKETING_KINDS)
def test_a_type_of_the_old_action_has_the_same_words_here(name):
    assert map_type(name) == MARKETING_KINDS[name]


def test_only_bots_click_as_bots():
    bots = {name for name in KINDS if name.startswith("Bot")}
    assert bots == {name for name, (_, action) in KINDS.items() if action == "bot_clicked"}
    assert len(bots) == 4


def test_types_without_a_person_are_those_without_a_column_for_one():
    assert {name for name, columns in PUBLISHED.items() if not PERSON_COLUMNS & columns.keys()} == PERSONLESS
    assert not PERSONLESS & set(DEFAULT_TYPES)


def test_the_default_is_history_of_people():
    assert set(DEFAULT_TYPES) == HISTORY.keys() - PERSONLESS
    assert {"EmailSent", "SmsReceived", "CustomSent", "EventCheckIn", "BotEmailLinkClicked"} <= set(DEFAULT_TYPES)
    assert not {"JourneyEventInflow", "ActionEventProcessed", "ContactDeleted"} & set(DEFAULT_TYPES)


def test_types_with_a_channel_of_their_own_have_the_column():
    assert {name for name, columns in PUBLISHED.items() if "ChannelType" in columns} == CHANNEL_TYPED


def test_the_columns_that_decide_are_published():
    columns = {one for columns in PUBLISHED.values() for one in columns} | {"EntityName"}
    assert {
        *KEYS,
        TIME,
        VERSION,
        *(name for one in PEOPLE for name in (one.name, one.kind_column or one.name)),
    } <= columns
    kinds = {kind for one in PEOPLE for kind in (one.kind, *one.kinds.values())}
    assert kinds == set(PERSON_KINDS)


@given(st.sampled_from([*TYPES, *OLDER]), st.randoms())
def test_a_name_is_found_in_any_case(name, random):
    mixed = "".join(random.choice((one.lower(), one.upper())) for one in name)
    assert spell_type(f" {mixed} ") == name
    assert map_type(mixed) == map_type(name)


@given(st.text(min_size=1))
def test_no_name_is_lost(name):
    channel, action = map_type(name)
    assert channel in CHANNELS
    assert action in ACTIONS
    assert spell_type(name).lower() == name.strip().lower()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("EmailUnheardOf", ("email", "other")),
        ("BotWhatsAppLinkClicked", ("whatsapp", "bot_clicked")),
        ("FormsProSomething", ("survey", "other")),
        ("CustomerJourneySomething", ("journey", "other")),
        ("Bottle", ("other", "other")),
    ],
)
def test_a_newer_type_has_the_channel_of_its_beginning(name, kind):
    assert map_type(name) == kind


def test_guids_of_clients_are_spelled_as_identifiers_are():
    columns = {one for columns in PUBLISHED.values() for one in columns}
    for column, (name, words) in CLIENTS.items():
        assert column in columns
        assert name not in columns  # it must not hide one
        assert [spell_guid(guid) for guid in words] == list(words)
        assert "Unknown" in words.values()


def test_the_script_reads_a_page_as_the_file_has_it(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    sys.modules.pop("journeys_types", None)
    import journeys_types

    page = "# EmailX in CustomerInsightsJourneys\n" + "".join(
        f'\n### <a href=#{name} name="{name}">{name}</a>\n<td>dataFormat</td><td>{kind}</td>\n'
        for name, kind in (("B", "guid"), ("A", "string"), ("C", "guid"))
    )
    tables = journeys_types.read_tables(iter([page]))
    assert tables == {"EmailX": {"A": "string", "B": "guid", "C": "guid"}}
    assert json.loads(journeys_types.format_tables(tables)) == {"EmailX": {"guid": "B C", "string": "A"}}
    for broken in ("no title", page + '\n### <a href=#D name="D">D</a>\n'):
        with pytest.raises(ValueError, match=r"title|no type"):
            journeys_types.read_tables(iter([broken]))
    assert journeys_types.OUTPUT.read_text() == journeys_types.format_tables(PUBLISHED)
