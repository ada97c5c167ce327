"""What a correct reader makes of the rows: facts, and rows that it must reject."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from airflow_provider_interactions.sandbox.dynamics_journeys.options import NAME, Options
from airflow_provider_interactions.sandbox.dynamics_journeys.records import Row, find_person, list_rows
from airflow_provider_interactions.sandbox.dynamics_journeys.values import CLIENTS, show_as_text
from airflow_provider_interactions.sandbox.expected import Fact
from airflow_provider_interactions.sandbox.world import SECOND, World

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: columns that have a field in a fact; all others are in its attributes, verbatim
COLUMNS = frozenset(
    {"IdempotencyId", "InteractionType", "Timestamp", "Version", "CustomerJourneyId", "MessageId", "DeliveredCount"}
)


def get_key(row: Row) -> str:
    """IdempotencyId, else InternalMarketingInteractionId, which Microsoft's Power BI template takes for the id.

    A row that cancels a delivery stands beside the delivery, whatever its ids, because both are added up.
    """
    key = row.fields.get("IdempotencyId") or row.fields.get("InternalMarketingInteractionId") or ""
    return f"{key}:cancelled" if (row.fields.get("DeliveredCount") or 0) < 0 else key


def get_time(options: Options, row: Row) -> int:
    """When it happened, in microseconds since 1970. A CSV file's times have no fractions of a second."""
    return row.at_us - row.at_us % SECOND if options.format == "csv" else row.at_us


def choose_newest(rows: Iterable[Row]) -> list[Row]:
    """For each table and key, the row with the greatest Version, without deleted rows."""
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = row.table, get_key(row)
        if not row.deleted and row.reject is None:
            newest[key] = max(newest.get(key, row), row, key=_get_version)
    return list(newest.values())


def _get_version(row: Row) -> int:
    return int(row.fields.get("Version") or 0)


def list_facts(world: World, options: Options, index: int) -> list[Fact]:
    """A contact's interactions as the canonical table must hold them."""
    return [build_fact(options, row) for row in choose_newest(list_rows(world, options, index))]


def list_rejects(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that a reader must reject."""
    return (row for row in rows if row.reject is not None and not row.deleted)


def build_fact(options: Options, row: Row) -> Fact:
    """One row as a fact."""
    fields = row.fields
    person = _normalize(find_person(row.table, fields))
    return Fact(
        vendor=NAME,
        contact_id=person,
        interaction_id=f"{row.table}:{get_key(row)}",
        occurred_at=get_time(options, row),
        native_type=row.table,
        campaign_id=_normalize(fields.get("CustomerJourneyId")),
        message_id=_normalize(fields.get("MessageId")),
        count=fields.get("DeliveredCount"),
        revision=fields.get("Version"),
        attributes=_list_attributes(options, fields, person),
    )


def _list_attributes(options: Options, fields: dict[str, Any], person: str) -> dict[str, Any]:
    kept = {name: _encode(options, value) for name, value in fields.items() if _is_kept(options, name, value)}
    if _normalize(fields.get("ProfileId")) == person:
        del kept["ProfileId"]
    names = {f"{name.removesuffix('Id')}Name": known.get(fields.get(name, "")) for name, known in CLIENTS.items()}
    return kept | {name: text for name, text in names.items() if text}


def _is_kept(options: Options, name: str, value: Any) -> bool:
    # An empty text and no value are the same thing in a CSV file.
    return name not in COLUMNS and not (options.format == "csv" and value == "")


def _encode(options: Options, value: Any) -> Any:
    """A value as it stands: a CSV file has texts only, and a time of another file is ISO 8601 with microseconds."""
    if options.format == "csv":
        return show_as_text(value)
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


def _normalize(text: Any) -> Any:
    """A GUID in lower case; anything else as it is."""
    return text.lower() if text is not None and _GUID.fullmatch(text) else text
