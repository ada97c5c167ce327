"""Show a few interactions, each as a row of the table and as the vendor sent it. Nothing is written."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import islice
from typing import Any

import msgspec

from airflow_provider_interactions.contract import Contact, Interaction
from airflow_provider_interactions.errors import RecordRejected, VendorError
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.stream import stream_records
from airflow_provider_interactions.person.report import pluralize
from airflow_provider_interactions.person.request import choose_all_time
from airflow_provider_interactions.rejects import ANOTHER_CONTACT
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.shell.sources import Source
from airflow_provider_interactions.window import Window, zulu

#: A person waits for the answer, so a vendor that is away or busy is not waited for as long as by a task.
LIMITS = Limits(timeout=30.0, tries=3, odd_tries=2, patience=30.0)

#: Columns that the preview leaves out, because the record next to the row has the same values.
BESIDE = frozenset({"attributes"})


def preview(session: Session, source: Source, contacts: Iterable[Contact], window: Window, limit: int) -> None:
    """Show up to ``limit`` records of the contacts in a window. Raises VendorError."""
    try:
        with closing(_read_records(source, contacts, window)) as records:
            found = list(islice(records, limit))
    except VendorError as error:
        error.window = "" if window == choose_all_time(source.vendor) else error.window
        raise
    session.result |= {"vendor": source.vendor.name, "account": source.credentials.account, "interactions": found}
    title = f"{source.vendor.title}: {pluralize(len(found), 'record')}"
    session.show_table(("canonical", "raw"), map(_describe, found), title=title, show_lines=True)
    if not found:
        session.note("There is none in this time. Try another --contact, or another --start and --end.")


def _read_records(source: Source, contacts: Iterable[Contact], window: Window) -> Generator[dict[str, Any]]:
    for contact in contacts:
        job = Job(
            vendor=source.vendor,
            credentials=source.credentials,
            lake=Lake.at("memory://"),  # nothing is written
            window=window,
            contacts=[contact],
            options=source.options,
            limits=LIMITS,
        )
        with closing(stream_records(job)) as records:
            for payload, found in records:
                yield _build_record(contact, payload, found)


def _build_record(contact: Contact, payload: bytes, found: Interaction | RecordRejected) -> dict[str, Any]:
    raw = payload.decode("utf-8", "backslashreplace")
    if isinstance(found, RecordRejected):
        shown = "" if found.reason == ANOTHER_CONTACT else raw
        return {"canonical": None, "rejected": found.reason, "raw": shown}
    row = {name: _spell(value) for name, value in msgspec.structs.asdict(found).items()}
    who = {"contact_id": row["contact_id"] or contact.id, "contact_id_kind": contact.kind}
    return {"canonical": row | who, "rejected": None, "raw": raw}


def _spell(value: Any) -> Any:
    return zulu(value) if hasattr(value, "astimezone") else value


def _describe(record: dict[str, Any]) -> tuple[str, str]:
    if record["canonical"] is None:
        return f"cannot be read: {record['rejected']}", _indent(record["raw"])
    row = {name: value for name, value in record["canonical"].items() if name not in BESIDE and value is not None}
    return "\n".join(f"{name}: {value}" for name, value in row.items()), _indent(record["raw"])


def _indent(raw: str) -> str:
    """A JSON object with a line for each field; anything else as it is."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(fields, dict):
        return raw
    return "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
