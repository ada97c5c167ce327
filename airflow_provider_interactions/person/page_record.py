"""One record in plain words, with the vendor's own fields folded away."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_interactions.person.files import Row
from airflow_provider_interactions.person.html import Html, element, isolate, show_text
from airflow_provider_interactions.person.words import describe_event, show_time
from airflow_provider_interactions.vendors import read_about
from airflow_provider_interactions.window import zulu

#: The columns of a record that its words do not say, with their names on the page.
_FIELDS = {
    "interaction_id": "record number",
    "contact_id": "identifier",
    "contact_id_kind": "kind of identifier",
    "native_type": "type, in the system's word",
    "account": "account",
    "campaign_id": "campaign number",
    "message_id": "message number",
    "revision": "version of the record",
    "extracted_at": "read at",
}

#: The most fields of one record. The other files of an answer have all.
MOST_FIELDS = 1_000


class Pairs(list[tuple[str, Any]]):
    """The members of a JSON object. A key may come twice."""


def write_record(row: Row, zone: ZoneInfo) -> Html:
    """A record as an item of a list."""
    at = row["occurred_at"]
    parts = [
        element("time", show_time(at, zone), datetime=zulu(at)) if at else Html("<time>no readable time</time>"),
        Html(" · "),
        show_text(read_about(row["vendor"]).title),
        *(_describe_unreadable(row) if row["rejected"] is not None else _describe_readable(row, zone)),
    ]
    return Html(f'<li class="record">{"".join(parts)}</li>\n')


def _describe_readable(row: Row, zone: ZoneInfo) -> Iterator[Html]:
    what = describe_event(row["channel"], row["action"], row["native_type"])
    yield Html(f'<div class="what"><bdi>{show_text(what)}</bdi></div>')
    if row["subject"]:
        yield Html(f"<div>“{isolate(row['subject'])}”</div>")
    facts = list(_list_facts(row, zone))
    if facts:
        yield Html(f'<div class="soft">{" · ".join(facts)}</div>')
    fields = [(name, row[column]) for column, name in _FIELDS.items() if row[column] is not None]
    yield _fold("All fields", [*fields, *flatten_json(row["attributes"])])


def _list_facts(row: Row, zone: ZoneInfo) -> Iterator[str]:
    if row["campaign_name"]:
        yield f"campaign {isolate(row['campaign_name'])}"
    if row["status"]:
        yield f"status {isolate(row['status'])}"
    if row["count"] is not None:
        yield f"counted {row['count']} {'time' if row['count'] == 1 else 'times'}"
    for column, words in (("delivered_at", "delivered"), ("updated_at", "last changed")):
        if row[column]:
            yield f"{words} {show_text(show_time(row[column], zone))}"


def _describe_unreadable(row: Row) -> Iterator[Html]:
    yield Html(f'<div class="what bad">A record that could not be read: {isolate(row["rejected"])}</div>')
    if not row["record"]:  # it is about somebody else
        return
    record = row["record"].decode("utf-8", "replace")
    outside = [(f"outside the record: {name}", value) for name, value in flatten_json(row["context"] or "{}")]
    fields = [(_FIELDS[column], row[column]) for column in ("contact_id", "contact_id_kind") if row[column]]
    yield _fold("As the system sent it", [*fields, *outside, ("record", record)])


def _fold(title: str, fields: Sequence[tuple[str, Any]]) -> Html:
    rows = "".join(
        f"<dt>{isolate(name)}</dt><dd>{isolate(zulu(value) if isinstance(value, datetime) else value)}</dd>"
        for name, value in fields[:MOST_FIELDS]
    )
    if len(fields) > MOST_FIELDS:
        rows += f"<dt>…</dt><dd>cut: {len(fields):,} fields in all</dd>"
    return Html(f'<details><summary>{title}</summary><dl class="facts">{rows}</dl></details>')


def flatten_json(text: str) -> list[tuple[str, str]]:
    """The values of a JSON object by their paths, ``a.b[0]``, with every digit of a number. Bad JSON is one value."""
    try:
        value = json.loads(text, object_pairs_hook=Pairs, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return [("fields", text)]
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, Pairs) and item:
            waiting.extend((f"{path}.{key}" if path else key, child) for key, child in reversed(item))
        elif isinstance(item, list) and item:
            waiting.extend((f"{path}[{n}]", child) for n, child in reversed([*enumerate(item)]))
        elif path:
            found.append((path, item if isinstance(item, str) else _show_plain(item)))
    return found


def _show_plain(item: Any) -> str:
    """A value without parts, as JSON writes it."""
    return "{}" if isinstance(item, Pairs) else json.dumps(item)
