"""Whom to ask: lists of contacts, cut into batches, kept in the lake so that no id has to travel by XCom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact, Credentials, Options, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.http import Limits, connect
from airflow_provider_interactions.lake import Lake, Place, stamp
from airflow_provider_interactions.land import Writer

CONTACTS = pa.schema([pa.field("contact_id", pa.string(), False), pa.field("contact_id_kind", pa.string(), False)])


class Batch(msgspec.Struct, frozen=True):
    """A slice of a list of contacts in the lake: rows ``[first, first + count)`` of ``path``."""

    path: str
    first: int
    count: int
    batch: int
    batches: int


def checked(vendor: Vendor, ids: Iterable[str], kind: str | None = None) -> list[Contact]:
    """Identifiers as contacts, each once, in their first order; raises ConfigError that says which one is wrong.

    The message names the place in the list, never the identifier.
    """
    kind = kind or vendor.contact_kinds[0]
    found: dict[Contact, None] = {}
    for n, text in enumerate(ids, start=1):
        try:
            found[vendor.contact(str(text), kind)] = None
        except ConfigError as wrong:
            msg = f"Contact {n} of the list cannot be asked for. {wrong}"
            raise ConfigError(msg) from None
    return list(found)


def listed(vendor: Vendor, credentials: Credentials, options: Options, limits: Limits | None = None) -> list[Contact]:
    """All contacts the vendor itself lists, each once; raises ConfigError when it cannot list them."""
    return asyncio.run(_listed(vendor, credentials, options, limits))


async def _listed(vendor: Vendor, credentials: Credentials, options: Options, limits: Limits | None) -> list[Contact]:
    if vendor.contacts is None:
        msg = f"{vendor.name} offers no list of its contacts. Give them to the operator."
        raise ConfigError(msg)
    found: dict[Contact, None] = {}
    async with connect(vendor, credentials, limits=limits) as client:
        async for page in vendor.contacts(client.fetch, credentials.settings, options):
            found.update(dict.fromkeys(page))
    return list(found)


def store(lake: Lake, place: Place, contacts: Sequence[Contact], size: int, now: datetime) -> list[Batch]:
    """Keep a list in the lake and cut it into batches of ``size``. An empty list is one empty batch."""
    path = f"{place.folder('contacts')}/contacts-{stamp(now)}.parquet"
    columns = [pa.array([c.id for c in contacts], pa.string()), pa.array([c.kind for c in contacts], pa.string())]
    writer = Writer(lake, path, CONTACTS)
    writer.write(pa.record_batch(columns, schema=CONTACTS))
    writer.close()
    starts = range(0, len(contacts), size) or range(1)
    return [Batch(path, first, min(size, len(contacts) - first), n, len(starts)) for n, first in enumerate(starts)]


def read(lake: Lake, batch: Batch) -> list[Contact]:
    """The contacts of a batch; raises ConfigError when the list is gone."""
    try:
        with lake.fs.open(lake.full(batch.path), "rb") as stream:
            table = pq.read_table(stream, schema=CONTACTS).slice(batch.first, batch.count)
    except FileNotFoundError:
        msg = f"The list of contacts {batch.path} is no longer in the lake. Run the step that lists contacts again."
        raise ConfigError(msg) from None
    rows: list[dict[str, Any]] = table.to_pylist()
    return [Contact(row["contact_id"], row["contact_id_kind"]) for row in rows]
