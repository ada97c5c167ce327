"""The rows of the tables, made from the world and never from what was written to a file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from airflow_provider_interactions.sandbox import dynamics_marketing
from airflow_provider_interactions.sandbox.dynamics_journeys import realistic
from airflow_provider_interactions.sandbox.dynamics_journeys.options import NAME, Options
from airflow_provider_interactions.sandbox.dynamics_journeys.tables import OLDER, TABLES, list_columns
from airflow_provider_interactions.sandbox.dynamics_journeys.values import draw_value
from airflow_provider_interactions.sandbox.dynamics_marketing.records import get_contact_id, list_records
from airflow_provider_interactions.sandbox.world import (
    DAY,
    Event,
    World,
    draw,
    draw_chance,
    draw_guid,
    draw_hex,
    draw_oddity,
    draw_tagged_guid,
    get_events,
    get_shape,
    get_tag,
    pick,
    to_datetime,
)

#: what a CSV file shows where a row has no Timestamp
BAD_TIME = "not a time"
#: a column that came last; no page names it
UNKNOWN = "SandboxDetails"
#: SourceSystem: 1 is outbound marketing, anything else real-time journeys (ci-docs, outbound-removal-notes.md)
_OUTBOUND, _JOURNEYS = 1, 2


class Row(NamedTuple):
    """A row of a table: whose, when, on which day of the world it arrives (from 0), and the columns with values."""

    table: str
    contact: int
    #: microseconds since 1970, UTC
    at_us: int
    arrival: int
    fields: dict[str, Any]
    #: it has the columns of before 2024's change
    older: bool = False
    #: it was deleted from the table again
    deleted: bool = False
    #: why a reader must reject it: "no_key", "no_person" or "bad_time"
    reject: str | None = None


def list_rows(world: World, options: Options, index: int) -> list[Row]:
    """A contact's rows, in no order."""
    source = get_shape(world, index)
    rows = _list_rows_of_shape(world, options, source)
    return list(rows) if source == index else [_relabel(row, source, index) for row in rows]


def _relabel(row: Row, source: int, target: int) -> Row:
    old, new = get_tag(source), get_tag(target)
    fields = {name: value.replace(old, new) if isinstance(value, str) else value for name, value in row.fields.items()}
    return row._replace(contact=target, fields=fields)


@lru_cache(maxsize=2048)
def _list_rows_of_shape(world: World, options: Options, index: int) -> tuple[Row, ...]:
    events = get_events(world, NAME, index)
    rows = [row for event in events for row in _make_rows(world, options, index, event)]
    return (*rows, *_list_merged(world, options, index), *_list_erased(world, options, index))


def _make_rows(world: World, options: Options, index: int, event: Event) -> Iterator[Row]:
    row = _make_row(world, options, index, event)
    key = (NAME, get_shape(world, index), event.number)
    if row.reject is None and "Version" in row.fields and draw_chance(world, 6, *key, "updated"):
        # Now and then the later version arrives first.
        order = draw(world, *key, "order") % 3
        newer = _update(world, row, *key)
        yield newer._replace(arrival=max(newer.arrival, row.arrival + (order > 0)))
        row = row._replace(arrival=row.arrival + (order == 0))
    yield row
    if draw_chance(world, 12, *key, "twice"):
        yield row._replace(arrival=row.arrival + 1)
    if "DeliveredCount" in row.fields and draw_chance(world, 4, *key, "bounced"):
        yield _cancel_delivery(world, row, *key)
    if draw_chance(world, 10, *key, "deleted"):
        ids = {name: f"deleted-{row.fields[name]}" for name in KEYS if name in row.fields}
        yield row._replace(fields=row.fields | ids, deleted=True, reject=None)


#: the columns whose first value identifies an interaction
KEYS = ("IdempotencyId", "InternalMarketingInteractionId")


def list_ids(row: Row) -> tuple[str | None, ...]:
    """The values of these columns."""
    return tuple(row.fields.get(name) for name in KEYS)


def _update(world: World, row: Row, *key: object) -> Row:
    """The next version of a row. Some have another Timestamp, since no page says that an update keeps it."""
    changed = draw_value(world, row.contact, "UsageType", "s", row.at_us, *key, "update")
    fields = row.fields | {"Version": row.fields["Version"] + 1}
    if changed is not None and "UsageType" in TABLES[row.table]:
        fields["UsageType"] = changed
    if draw_chance(world, 2, *key, "moved"):
        day = draw(world, *key, "day") % world.days
        at_us = world.start_us + day * DAY + (row.at_us - world.start_us) % DAY
        return row._replace(fields=fields | {"Timestamp": to_datetime(at_us)}, at_us=at_us, arrival=day)
    return row._replace(fields=fields)


def _cancel_delivery(world: World, row: Row, *key: object) -> Row:
    """The second EmailDelivered of a message that bounced remotely (ci-docs, fabric-integration.md, FAQ).

    Some share the ids of the first, and have a greater Version, since no page says that they have ids of their own.
    """
    if "Version" in row.fields and draw_chance(world, 2, *key, "same ids"):
        fields = row.fields | {"DeliveredCount": -1, "Version": row.fields["Version"] + 2}
        return row._replace(fields=fields, arrival=row.arrival + 2)
    ids = {name: _draw_id(world, row.contact, name, *key, "bounce") for name in KEYS if name in row.fields}
    return row._replace(fields=row.fields | ids | {"DeliveredCount": -1}, arrival=row.arrival + 2)


def _draw_id(world: World, index: int, name: str, *key: object) -> str:
    plain = draw_hex(world, *key, name, digits=20) + get_tag(index)
    return plain.upper() if name == "InternalMarketingInteractionId" else f"{plain[:20]}-{plain[20:]}"


def _draw_table(world: World, options: Options, index: int, number: int) -> str:
    if world.realistic:
        known = [name for name in realistic.TYPES if name in options.types]
        return pick(world, known or options.types, NAME, index, number)
    favourite = draw(world, NAME, "favourite", index, draw(world, NAME, "which", index, number) % 5)
    wide = draw(world, NAME, "type", index, number)
    return options.types[(favourite if number % 2 else wide) % len(options.types)]


def _make_row(world: World, options: Options, index: int, event: Event) -> Row:
    table = _draw_table(world, options, get_shape(world, index), event.number)
    key = (NAME, get_shape(world, index), event.number)
    day = (event.at_us - world.start_us) // DAY
    older = table in OLDER and day < world.days // 2
    fields = make_fields(world, table, index, event.at_us, *key, older=older)
    if day == world.days - 1 and draw_oddity(world, 3, *key, "unknown"):
        fields[UNKNOWN] = "nobody has published this column 🚀"
    row = Row(table, index, event.at_us, day + draw_chance(world, 8, *key, "late"), fields, older=older)
    return _break(world, options, row, *key)


def make_fields(world: World, table: str, index: int, at_us: int, *key: object, older: bool = False) -> dict[str, Any]:
    """The columns of a row that have a value; times are aware datetimes."""
    columns = list_columns(table, older=older)
    fields = {
        name: draw_value(world, index, name, kind, at_us, *key)
        for name, kind in columns.items()
        if name not in _SPECIAL
    }
    fields |= _make_common(world, table, index, at_us, *key)
    fields |= _make_person(world, index, *key)
    return {name: fields[name] for name in columns if fields.get(name) is not None}


#: columns whose values are not drawn by name and type
_SPECIAL = frozenset(
    {
        *("BusinessUnitId", "IdempotencyId", "InteractionType", "InternalMarketingInteractionId", "OrganizationId"),
        *("SourceSystem", "Timestamp", "Version", "ProfileId", "ProfileType", "EntityId", "EntityName", "ContactId"),
        *("LeadId", "VisitorId", "DeletedContactId", "DeliveredCount", "IsUnresolvedProfile"),
    }
)


def _make_common(world: World, table: str, index: int, at_us: int, *key: object) -> dict[str, Any]:
    return {
        "BusinessUnitId": draw_guid(world, dynamics_marketing.VENDOR.name, "business unit"),
        "OrganizationId": draw_guid(world, dynamics_marketing.VENDOR.name, "organization"),
        **{name: _draw_id(world, index, name, *key) for name in KEYS},
        "InteractionType": table,
        "SourceSystem": _JOURNEYS,
        "Timestamp": to_datetime(at_us),
        "Version": None if draw_oddity(world, 9, *key, "no version") else 1 + draw(world, *key, "version") % 3,
        "DeliveredCount": 1,
        "IsUnresolvedProfile": False,
        "VisitorId": f"visitor-{draw_hex(world, *key, 'visitor', digits=8)}-{get_tag(index)}",
    }


def _make_person(world: World, index: int, *key: object) -> dict[str, Any]:
    """The columns that say whose a row is: mostly a contact's, now and then a lead's or a unified profile's."""
    contact = get_contact_id(world, index)
    dressed = contact if world.realistic else pick(world, (contact,) * 5 + (contact.upper(),), *key, "dress")
    who = pick(world, ("contact",) * 8 + ("lead", "profile"), *key, "who")
    if who == "lead":
        lead = draw_tagged_guid(world, index, NAME, "lead")
        return {"ProfileId": lead, "ProfileType": "Lead", "EntityId": lead, "EntityName": "lead", "LeadId": lead}
    if who == "profile":
        unified = f"CI-{draw_hex(world, get_shape(world, index), NAME, 'unified', digits=20)}{get_tag(index)}"
        # EntityId is a GUID, which a unified profile's id is not: an older row is the contact's.
        old = {"EntityId": contact, "EntityName": "contact"}
        return {"ProfileId": unified, "ProfileType": "CI Profile", **old}
    spelling = pick(world, ("contact", "Contact"), *key, "spelling")
    older = {"EntityId": dressed, "EntityName": "contact"}
    return {"ProfileId": dressed, "ProfileType": spelling, "ContactId": dressed, "DeletedContactId": contact} | older


#: whose a row is: the first of these columns that has a value
PEOPLE = ("DeletedContactId", "ProfileId", "ContactId", "LeadId", "EntityId", "DeletedEntityId", "VisitorId")
_PERSON = frozenset({*PEOPLE, "ProfileType", "EntityName"} - {"VisitorId"})


def find_person(table: str, fields: dict[str, Any]) -> str | None:
    """Whose a row is: a contact's, a lead's, a profile's or a visitor's; the organisation's in tables without these."""
    if not TABLES[table].keys() & set(PEOPLE):
        return str(fields["OrganizationId"])
    return next((str(fields[name]) for name in PEOPLE if name in fields), None)


def _break(world: World, options: Options, row: Row, *key: object) -> Row:
    """Leave out what a row may lack, and, if the options say so, what no reader can do without."""
    visitor, bad = "VisitorId" in row.fields, options.bad_rows
    if (visitor or bad) and draw_oddity(world, 6 if visitor else 40, *key, "nobody"):
        row = row._replace(fields=_drop_fields(row.fields, *_PERSON))
        if bad and draw_oddity(world, 4, *key, "no visitor"):
            row = row._replace(fields=_drop_fields(row.fields, "VisitorId"))
    if find_person(row.table, row.fields) is None:
        return row._replace(reject="no_person")
    if bad and draw_oddity(world, 40, *key, "no key"):
        return row._replace(fields=_drop_fields(row.fields, *KEYS), reject="no_key")
    if draw_oddity(world, 12, *key, "old key"):
        row = row._replace(fields=_drop_fields(row.fields, "IdempotencyId"))
    if bad and draw_oddity(world, 40, *key, "no time"):
        return row._replace(fields=_drop_fields(row.fields, "Timestamp"), reject="bad_time")
    return row


def _drop_fields(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _list_merged(world: World, options: Options, index: int) -> Iterator[Row]:
    """Some interactions of the old action, merged into this store; whether they got new ids is not published."""
    history = list_records(world, dynamics_marketing.VENDOR.options(), index)
    for table, records in history.items():
        for record in records if table in options.types else ():
            key = (NAME, index, record.fields["InteractionId"])
            if not draw_chance(world, 3, *key, "merged"):
                continue
            fields = make_fields(world, table, index, record.at_us, *key)
            same = {"InternalMarketingInteractionId": record.fields["InteractionId"], "SourceSystem": _OUTBOUND}
            if draw_chance(world, 2, *key, "new id"):
                fields.pop("IdempotencyId", None)
            yield Row(table, index, record.at_us, (record.at_us - world.start_us) // DAY, fields | same)


def _list_erased(world: World, options: Options, index: int) -> Iterator[Row]:
    """One contact in five was deleted in the end."""
    if "ContactDeleted" in options.types and draw_chance(world, 5, NAME, index, "erased"):
        at_us = world.end_us - DAY // 2
        fields = make_fields(world, "ContactDeleted", index, at_us, NAME, index, "erased")
        contact = get_contact_id(world, index)
        yield Row(
            "ContactDeleted", index, at_us, world.days - 1, fields | {"ProfileId": contact, "DeletedContactId": contact}
        )
