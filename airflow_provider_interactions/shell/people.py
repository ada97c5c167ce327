"""Contacts: those that a vendor lists; and everything that it knows about a few of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import msgspec

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.params import require_kind, require_types
from airflow_provider_interactions.person.counts import Answer
from airflow_provider_interactions.person.report import describe_answer
from airflow_provider_interactions.person.request import PersonRequest, answer_request, check_request
from airflow_provider_interactions.shell.progress import show_progress
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.shell.sources import Source, read_ids
from airflow_provider_interactions.shell.steps import open_sharing
from airflow_provider_interactions.shell.windows import read_ends


def show_contacts(session: Session, found: Iterable[Contact], limit: int) -> None:
    """Print up to ``limit`` contacts (0: all): a table on a terminal, else one identifier on each line."""
    shown = list(islice(found, limit or None))
    session.result["contacts"] = [{"id": contact.id, "kind": contact.kind} for contact in shown]
    if session.screen.is_terminal:
        session.show_table(("contact", "kind"), [(contact.id, contact.kind) for contact in shown])
        return
    for contact in shown:
        session.say(contact.id)


def check_people(
    source: Source,
    contacts: Sequence[str],
    kind: str | None,
    start: str | None,
    end: str | None,
    types: Sequence[str],
    time_zone: str | None,
) -> PersonRequest:
    """Check a request for a few people's data, as the operator does. Raises ConfigError that names what is wrong."""
    vendor = source.vendor
    first, last = read_ends(start, end, time_zone)
    return check_request(
        vendor,
        read_ids(contacts),
        require_kind(vendor.name, kind, vendor.about.person_kinds),
        start=first,
        end=last,
        types=require_types(vendor.name, types),
        options=source.given,
        time_zone=time_zone,
    )


def answer(session: Session, source: Source, request: PersonRequest, lake: Lake, *, show: bool) -> None:
    """Ask the vendor and write the four files of the answer. ``show`` prints the records, too."""
    with show_progress(session, source.vendor.name) as report:
        found = answer_request(
            lake, request, source.credentials, progress=report, sharing=open_sharing(lake, source, ahead=True)
        )
    lines = _read_lines(lake, found) if show else []
    session.result |= _build_result(lake, found) | ({"records": lines} if show else {})
    for text in (*describe_answer(found), *(f"{name}: {url}" for name, url in session.result["addresses"].items())):
        session.say(text)
    if show:
        rows = [("\n".join(f"{name}: {value}" for name, value in line.items()),) for line in lines]
        session.show_table(("record",), rows, show_lines=True)


def _build_result(lake: Lake, found: Answer) -> dict[str, Any]:
    paths = {
        "parquet": found.parquet.path,
        "lines": found.lines.path,
        "page": found.page.path,
        "summary": found.summary,
    }
    addresses = {name: lake.url(path) for name, path in paths.items()}
    return {**msgspec.json.decode(msgspec.json.encode(found)), "addresses": addresses}


def _read_lines(lake: Lake, found: Answer) -> list[dict[str, Any]]:
    with closing(lake.fs.open(lake.full(found.lines.path), "rb")) as stream:
        return [msgspec.json.decode(line) for line in stream]
