"""Customer Insights - Journeys: what a row of a table becomes."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.contract.bulk import SUPERSEDED, Bulk
from airflow_provider_interactions.errors import RecordRejected
from airflow_provider_interactions.mapping import build_batch, list_interactions, map_batch
from airflow_provider_interactions.tables.columns import read_people
from airflow_provider_interactions.tables.columns import read_versions as read_versions_of_rows
from airflow_provider_interactions.vendors.dynamics_journeys.columns import (
    KEYS,
    PEOPLE,
    PERSON_KINDS,
    TIME,
    VERSION,
    read_versions,
    spell_ids,
)
from airflow_provider_interactions.vendors.dynamics_journeys.mapping import map_records
from airflow_provider_interactions.vendors.dynamics_journeys.times import read_timestamps
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import KINDS, PERSONLESS, read_published
from tests.mapped import Asked, map_record

PERSON = "0dbe0fa3-8e18-e811-a951-000d3a37caec"
EVENT = "172c1e59-a3cd-4d85-b392-316dd76651ce"
EMPTY = "00000000-0000-0000-0000-000000000000"
ROW = {
    "IdempotencyId": EVENT,
    "InternalMarketingInteractionId": "b6aeb700-f1c1-4cb1-e8f8-e883eac6bfbc",
    "InteractionType": "EmailSent",
    "Timestamp": "2026-03-01T12:00:00.123456Z",
    "Version": 1,
    "SourceSystem": 2,
    "ProfileId": PERSON,
    "ProfileType": "Contact",
}
AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


WHO = Contact(PERSON, "contact")
#: The extraction looks for people by these columns; nothing else of it is needed here.
BULK = Bulk(
    open_access=None,
    find_tables=None,
    time=TIME,
    read_times=read_timestamps,
    keys=KEYS,
    version=VERSION,
    read_versions=read_versions,
    people=PEOPLE,
    spell_ids=spell_ids,
)


@dataclass(frozen=True)
class Journeys:
    """What the mapping needs of a vendor."""

    bulk = BULK
    map_records = staticmethod(map_records)


def build(records, table="EmailSent", who=WHO, context=""):
    payloads = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
    return build_batch(payloads, who, table, context)


def map_one(record, table="EmailSent", who=WHO, **changed):
    payload = {key: value for key, value in {**record, **changed}.items() if value is not None}
    return map_record(Journeys, json.dumps(payload).encode(), Asked(who, table))


def find_person(**fields):
    """The person that the extraction finds in a row."""
    rows = pa.RecordBatch.from_pylist([fields])
    [person], [kind] = (values.to_pylist() for values in read_people(rows, BULK))
    return person, kind


def rejection(record, **changed):
    with pytest.raises(RecordRejected) as caught:
        map_one(record, **changed)
    return caught.value.reason


def test_a_row_as_it_is_published():
    row = map_one(ROW, CustomerJourneyId=EMPTY, MessageId="{5A2F3E76-9518-E811-A951-000D3A38CAEC}", EmailDomain="x.com")
    assert row.interaction_id == f"EmailSent:{EVENT}"
    assert (row.contact_id, row.occurred_at, row.native_type) == (PERSON, AT, "EmailSent")
    assert (row.channel, row.action, row.campaign_id) == ("email", "sent", None)
    assert row.message_id == "5a2f3e76-9518-e811-a951-000d3a38caec"
    assert json.loads(row.attributes) == {
        "InternalMarketingInteractionId": ROW["InternalMarketingInteractionId"],
        "SourceSystem": 2,
        "ProfileType": "Contact",
        "EmailDomain": "x.com",
    }
    assert row.revision == 1


@pytest.mark.parametrize("name", KINDS)
def test_a_row_of_every_type_with_all_of_its_columns(name):
    values = {"boolean": True, "dateTime": ROW["Timestamp"], "double": 1.5, "int32": 1, "int64": 1}
    texts = {"guid": EVENT, "string": "x"}
    columns = {column: {**values, **texts}[kind] for column, kind in read_published()[name].items()}
    known = {key: value for key, value in ROW.items() if key in columns}
    row = map_one({**columns, **known, "InteractionType": name}, name)
    assert (row.channel, row.action) == KINDS[name]
    assert row.native_type == name
    taken = {"IdempotencyId", "InteractionType", "Timestamp", "CustomerJourneyId", "MessageId", "DeliveredCount"}
    taken.add("Version")
    assert columns.keys() - taken - {"ProfileId"} <= json.loads(row.attributes).keys()
    assert row.contact_id == (EVENT if name in PERSONLESS else PERSON)


@pytest.mark.parametrize(
    ("version", "revision"),
    [(0, 0), (7, 7), (2**63 - 1, 2**63 - 1), ("7", 7), (" 7 ", 7), ("7.00", 7), (7.0, 7), (str(2**63 - 1), 2**63 - 1)],
)
def test_a_version_has_a_column_of_its_own(version, revision):
    row = map_one(ROW, Version=version)
    assert (row.revision, "Version" in json.loads(row.attributes)) == (revision, False)


@pytest.mark.parametrize("version", [-1, 1.5, 2**63, "2e3", "v7", "1 000", str(2**63), "9" * 40, True, [1], {"a": "b"}])
def test_what_is_no_version_stays_as_it_is(version):
    row = map_one(ROW, Version=version)
    assert (row.revision, json.loads(row.attributes)["Version"]) == (None, version)


def test_a_row_without_a_version_has_none():
    assert map_one(ROW, Version=None).revision is None


@given(
    st.lists(
        st.one_of(st.none(), st.integers(-(2**70), 2**70).map(str), st.sampled_from(["", " 7 ", "7.0", "x", "٣"])),
        min_size=1,
    )
)
def test_the_extraction_and_the_mapping_read_the_same_versions(texts):
    rows = pa.RecordBatch.from_pydict({VERSION: pa.array(texts, pa.string())})
    records = [{**ROW, "IdempotencyId": str(n), VERSION: one} for n, one in enumerate(texts)]
    raw = build([{name: value for name, value in record.items() if value is not None} for record in records])
    mapped_rows = map_batch(raw, Journeys).rows.column("revision").to_pylist()
    assert read_versions_of_rows(rows, BULK).to_pylist() == [-1 if one is None else one for one in mapped_rows]


@given(st.randoms())
def test_names_of_columns_count_in_any_case(random):
    respelled = {"".join(random.choice((c.lower(), c.upper())) for c in name): value for name, value in ROW.items()}
    found, wanted = map_one(respelled), map_one(ROW)
    assert json.loads(found.attributes) == json.loads(wanted.attributes)
    assert msgspec.structs.replace(found, attributes=wanted.attributes) == wanted


def test_a_name_in_two_cases_loses_neither_value():
    attributes = json.loads(map_one(ROW, city="Wien", City="Graz").attributes)
    assert (attributes["City"], attributes["city"]) == ("Graz", "Wien")


@pytest.mark.parametrize(
    ("changed", "identifier", "kind"),
    [
        ({}, PERSON, "contact"),
        ({"ProfileType": "Lead"}, PERSON, "lead"),
        ({"ProfileType": "CI Profile", "ProfileId": "abc"}, "abc", "profile"),
        ({"ProfileType": None}, PERSON, "profile"),
        ({"ProfileType": "new", "LeadId": EVENT}, PERSON, "profile"),
        ({"ProfileId": PERSON.upper()}, PERSON, "contact"),
        ({"ProfileId": None, "EntityId": EVENT.upper(), "EntityName": "contact"}, EVENT, "contact"),
        ({"ProfileId": None, "EntityId": EVENT, "EntityName": "account", "LeadId": PERSON}, PERSON, "lead"),
        ({"ProfileId": EMPTY, "VisitorId": "v"}, "v", "visitor"),
        ({"ProfileId": "{" + EMPTY + "}"}, "", ""),
        ({"ProfileType": None, "DeletedContactId": EVENT}, EVENT, "contact"),
        ({"ProfileId": None, "DeletedEntityId": EVENT, "DeletedEntityType": "lead"}, EVENT, "lead"),
        ({"ProfileId": None, "DeletedEntityId": EVENT, "DeletedEntityType": "msevtmgt_event"}, EVENT, "entity"),
        ({"ProfileId": None}, "", ""),
    ],
)
def test_who_a_row_is_about(changed, identifier, kind):
    found = find_person(**{**{name: ROW[name] for name in ("ProfileId", "ProfileType")}, **changed})
    assert found == (identifier, kind)
    assert kind in ("", *PERSON_KINDS)


def test_ids_of_other_people_stay():
    attributes = json.loads(map_one(ROW, ContactId=PERSON.upper(), LeadId=EVENT).attributes)
    assert (attributes["ContactId"], attributes["LeadId"]) == (PERSON.upper(), EVENT)
    assert json.loads(map_one(ROW, who=Contact(EVENT, "contact")).attributes)["ProfileId"] == PERSON


def test_rows_about_all_are_the_organisations():
    batch = build([{**ROW, "OrganizationId": EVENT}], "segmentmemberscountchanged", Contact("", ""))
    row = map_batch(batch, Journeys).rows
    assert (row.column("contact_id")[0].as_py(), row.column("contact_id_kind")[0].as_py()) == (EVENT, "organization")


def test_a_row_with_a_newer_version_becomes_neither_a_row_nor_a_reject():
    records = [ROW, {**ROW, "Timestamp": "?"}]
    found = map_batch(build(records, context=SUPERSEDED), Journeys)
    assert (found.rows.num_rows, found.rejected) == (0, {})
    assert map_batch(build(records), Journeys).rejected.keys() == {1}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"IdempotencyId": None, "InternalMarketingInteractionId": None}, "are missing"),
        ({"Timestamp": None}, "Timestamp is missing"),
        ({"Timestamp": "31/1/2026 12:00:00 PM"}, "neither a valid ISO 8601"),
        ({"IdempotencyId": EMPTY, "InternalMarketingInteractionId": "0"}, "only placeholders"),
        ({"IdempotencyId": "\u00a0", "InternalMarketingInteractionId": " -1 "}, "only placeholders"),
        ({"DeliveredCount": "many"}, "DeliveredCount is not a 32-bit number"),
        ({"DeliveredCount": 2**31}, "DeliveredCount is not a 32-bit number"),
        ({"DeliveredCount": "9" * 40}, "DeliveredCount is not a 32-bit number"),
    ],
)
def test_what_a_row_must_have(changed, reason):
    found = rejection(ROW, **changed)
    assert reason in found
    assert not any(str(value) in found for value in changed.values() if value not in (None, EMPTY))


def test_an_older_row_without_its_key_has_the_internal_one():
    for none in (None, "", EMPTY, "{" + EMPTY + "}"):
        row = map_one(ROW, IdempotencyId=none, InternalMarketingInteractionId="B6AEB700F1C14CB1E8F8E883EAC6BFBC")
        assert row.interaction_id == "EmailSent:B6AEB700F1C14CB1E8F8E883EAC6BFBC"


def test_a_row_must_name_somebody():
    with pytest.raises(RecordRejected, match="no column names"):
        map_one(ROW, who=Contact("", ""))


def test_the_key_holds_the_type():
    assert map_one(ROW, "EmailSent").interaction_id != map_one(ROW, "EmailOpened").interaction_id


def test_the_table_decides_about_the_type_and_the_rows_own_word_stays():
    row = map_one(ROW, "emailopened")
    assert (row.native_type, row.action) == ("EmailOpened", "opened")
    assert json.loads(row.attributes)["InteractionType"] == "EmailSent"
    assert map_one(ROW, "").native_type == "EmailSent"


def test_a_cancelled_delivery_and_its_cancellation_add_up():
    rows = [map_one(ROW, "EmailDelivered", DeliveredCount=count) for count in (1, "-1")]
    assert [row.count for row in rows] == [1, -1]
    # Both stay, also if they share an id.
    assert rows[1].interaction_id == f"{rows[0].interaction_id}:cancelled"


@pytest.mark.parametrize(
    ("table", "word", "channel"),
    [
        ("CustomSent", "SMS", "sms"),
        ("CustomSent", "custom", "other"),
        ("CustomSent", "carrier pigeon", "other"),
        ("ConfirmationRequest", "sms", "sms"),
        ("ConfirmationRequest", "?", "email"),
        ("EmailSent", "sms", "email"),
    ],
)
def test_the_channel_of_custom_channels_is_in_a_column(table, word, channel):
    row = map_one(ROW, table, ChannelType=word)
    assert row.channel == channel
    assert json.loads(row.attributes)["ChannelType"] == word


@pytest.mark.parametrize("guid", ["A8A2DC38-6ACD-42C3-999B-5599E31ACA3B", "{a8a2dc38-6acd-42c3-999b-5599e31aca3b}"])
def test_a_browser_has_its_name_beside_its_guid(guid):
    attributes = json.loads(map_one(ROW, BrowserId=guid).attributes)
    assert (attributes["BrowserId"], attributes["BrowserName"]) == (guid, "Chrome")


@pytest.mark.parametrize("value", ["", EVENT, 7, ["x"]])
def test_an_unknown_browser_has_none(value):
    attributes = json.loads(map_one(ROW, BrowserId=value).attributes)
    assert attributes["BrowserId"] == value
    assert "BrowserName" not in attributes


instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - hypothesis wants them so


@given(st.lists(st.one_of(instants, st.none()), max_size=5), st.randoms())
def test_both_spellings_of_a_time_mean_the_same(times, random):
    def spell(at):
        if at is None:
            return None
        iso = f"{at.isoformat(timespec='microseconds')}{random.choice(('Z', '+00:00', ''))}"
        american = f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S.%f} {'AP'[at.hour >= 12]}M"
        return random.choice((iso, american, f"{at:%m/%d/%Y %H:%M:%S.%f}"))

    found = read_timestamps(pa.array([spell(at) for at in times], pa.string())).to_pylist()
    assert [at and at.astimezone(UTC) for at in found] == [at and at.replace(tzinfo=UTC) for at in times]


@given(st.integers(13, 31), st.integers(1, 12), st.integers(0, 23))
def test_a_day_is_never_taken_for_a_month(day, month, hour):
    found = read_timestamps(pa.array([f"{day}/{month}/2026 {hour}:00:00", f"{day:02}/{month:02}/2026 1:00:00 AM"]))
    assert found.null_count == 2


def test_a_time_at_the_edge_of_a_day_stays_in_its_day():
    [before, noon, midnight] = read_timestamps(
        pa.array(["3/1/2026 11:59:59.9999999 PM", "3/1/2026 12:00:00 PM", "3/1/2026 12:00:00 AM"])
    ).to_pylist()
    assert before + timedelta(microseconds=1) == datetime(2026, 3, 2, tzinfo=UTC)
    assert noon - midnight == timedelta(hours=12)


anything = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just(EVENT), st.just(EMPTY))
rows = st.builds(
    lambda known, changed: {**known, **changed},
    st.sampled_from([ROW, {}, {"Timestamp": "3/1/2026 1:00:00 AM", "VisitorId": "v", "IdempotencyId": "i"}]),
    st.dictionaries(
        st.sampled_from(
            [
                *ROW,
                *("ContactId", "LeadId", "EntityId", "EntityName", "VisitorId", "DeliveredCount", "BrowserId", "new"),
                *("version", "TIMESTAMP", "profileid", "ChannelType", "FormName", "DeletedEntityId"),
            ]
        ),
        anything,
        max_size=5,
    ),
)


@given(st.lists(st.one_of(rows, st.sampled_from([b"", b"[]", b'{"Version":"\xff"}', b"{"])), min_size=1, max_size=6))
def test_a_batch_gives_what_its_records_give_one_by_one(records):
    together = map_batch(build(records), Journeys)
    found = dict(zip(together.places.to_pylist(), together.rows.to_pylist(), strict=True))
    for place, one in enumerate(records):
        alone = map_batch(build([one]), Journeys)
        assert together.rejected.get(place) == alone.rejected.get(0)
        assert alone.rows.to_pylist() == ([found[place]] if place in found else [])
        assert len(list_interactions(alone.rows)) == (place in found)
