"""Many rows, made by the column: for measurements. The same rows one by one, for the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.sandbox.dynamics_journeys.delta import build_schema
from airflow_provider_interactions.sandbox.dynamics_journeys.options import Options
from airflow_provider_interactions.sandbox.dynamics_journeys.records import Row
from airflow_provider_interactions.sandbox.dynamics_journeys.tables import TABLES
from airflow_provider_interactions.sandbox.world import DAY, World, to_datetime

_PART = 262_144
#: how many contacts, journeys and messages the rows are spread over
_CONTACTS, _JOURNEYS, _MESSAGES = 100_000, 50, 500
_ORGANIZATION = "00000000-0000-4000-8000-0000000000aa"


def count_scale_rows(options: Options, table: str) -> int:
    """Rows a day of one table."""
    return options.scale_rows // len(options.scale_types) if table in options.scale_types else 0


def build_scale_parts(world: World, options: Options, table: str, day: int) -> Iterator[pa.Table]:
    """A day's rows of a table, some hundred thousand at a time, so that a file of any size takes little memory."""
    total = count_scale_rows(options, table)
    for first in range(0, total, _PART):
        yield _build_part(world, table, day, range(first, min(first + _PART, total)), DAY // total)


def _build_part(world: World, table: str, day: int, places: range, step_us: int) -> pa.Table:
    numbers, count = pa.array(places, pa.int64()), len(places)
    at_us = pc.add(pc.multiply(numbers, step_us), world.start_us + day * DAY)
    made = {
        name: _build_texts(prefix, numbers if size is None else _compute_remainder(numbers, size))
        for name, (prefix, size) in _list_texts(table, day).items()
    }
    made |= {"Timestamp": at_us.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))}
    made |= {name: pa.repeat(value, count) for name, value in _list_constants(table).items()}
    schema = build_schema(TABLES[table])
    arrays = [
        made[field.name].cast(field.type) if field.name in made else pa.nulls(count, field.type) for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def list_scale_rows(world: World, options: Options, table: str, day: int) -> Iterator[Row]:
    """The same rows, one by one."""
    count = count_scale_rows(options, table)
    texts, constants = _list_texts(table, day), _list_constants(table)
    for number in range(count):
        at_us = world.start_us + day * DAY + number * (DAY // count)
        fields: dict[str, Any] = {
            name: f"{prefix}{number if size is None else number % size:012d}" for name, (prefix, size) in texts.items()
        }
        fields |= {"Timestamp": to_datetime(at_us), **constants}
        kept = {name: fields[name] for name in TABLES[table] if name in fields}
        yield Row(table, -1, at_us, day, kept)


def _list_texts(table: str, day: int) -> dict[str, tuple[str, int | None]]:
    """By column, what comes before twelve digits, and how many different numbers there are (None: each row its own)."""
    place = list(TABLES).index(table)
    texts: dict[str, tuple[str, int | None]] = {
        "IdempotencyId": (f"{place:08x}-{day:04x}-4000-9000-", None),
        "InternalMarketingInteractionId": (f"{place:08X}{day:04X}40009000", None),
        "ProfileId": ("5ca1ab1e-0000-4000-8000-", _CONTACTS),
        "ContactId": ("5ca1ab1e-0000-4000-8000-", _CONTACTS),
        "CustomerJourneyId": ("5ca1ab1e-0000-4000-8001-", _JOURNEYS),
        "MessageId": ("5ca1ab1e-0000-4000-8002-", _MESSAGES),
        "EmailAddressUsed": ("contact@example.org#", _CONTACTS),
    }
    return {name: text for name, text in texts.items() if name in TABLES[table]}


def _list_constants(table: str) -> dict[str, Any]:
    constants: dict[str, Any] = {"BusinessUnitId": _ORGANIZATION, "OrganizationId": _ORGANIZATION}
    constants |= {"InteractionType": table, "SourceSystem": 2, "Version": 1, "ProfileType": "contact"}
    constants |= {"DeliveredCount": 1, "EmailDomain": "example.org"}
    return {name: value for name, value in constants.items() if name in TABLES[table]}


def _compute_remainder(numbers: pa.Array, size: int) -> pa.Array:
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, size), size))


def _build_texts(prefix: str, numbers: pa.Array) -> pa.Array:
    digits = pc.utf8_lpad(numbers.cast(pa.string()), width=12, padding="0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")
