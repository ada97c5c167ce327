"""Store lists of contacts in the lake and cut them into batches, so that XCom holds no identifiers.

A source is a stream of pages of contacts: a list, a file, the rows of a query, or the vendor's own list.
``write_list`` drops repeats and stores the rest. ``cut_batches`` makes batches of the stored list. ``read_batch`` reads
one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact, Credentials, Options, Vendor
from airflow_provider_interactions.errors import ConfigError, VendorError
from airflow_provider_interactions.http.client import connect
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.http.shared_limit import Sharing
from airflow_provider_interactions.identifiers import spell_identifier
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.lake.pseudonyms import hide_contacts, reveal_contacts
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import read_suppression
from airflow_provider_interactions.schema import CONTACTS

#: Contacts in a row group of a stored list. A task reads only the row groups that hold its batch.
GROUP = 10_000

Pages = Iterable[Sequence[Contact]]


class Batch(msgspec.Struct, frozen=True):
    """A slice of a list of contacts in the lake: rows ``[first, first + count)`` of ``path``."""

    path: str
    first: int
    count: int
    batch: int
    batches: int


def check_contacts(vendor: Vendor, ids: Iterable[object], kind: str | None = None) -> list[Contact]:
    """Identifiers as contacts, without repeats, in their order. Raises ConfigError that says which one is wrong."""
    return list(dict.fromkeys(contact for page in check_identifiers(vendor, ids, kind) for contact in page))


def check_identifiers(vendor: Vendor, ids: Iterable[object], kind: str | None = None) -> Iterator[list[Contact]]:
    """Identifiers as pages of contacts. Raises ConfigError that says which one is wrong.

    The message gives the place in the list, never the identifier. Empty places are left out.
    """
    kind, values, n = kind or vendor.contact_kinds[0], iter(ids), 0
    while page := list(islice(values, GROUP)):
        places = ((place, value) for place, value in enumerate(page, start=n + 1) if not is_empty(value))
        yield [check_contact(vendor, value, kind, place) for place, value in places]
        n += len(page)


def list_from_vendor(
    vendor: Vendor,
    credentials: Credentials,
    options: Options,
    limits: Limits | None = None,
    sharing: Sharing | None = None,
) -> Iterator[Any]:
    """Pages of all contacts that the vendor lists. Raises ConfigError if the vendor has no list of contacts."""
    if vendor.contacts is None:
        msg = f"{vendor.name} offers no list of its contacts. Give them to the operator: a list, a file or a query."
        raise ConfigError(msg)
    with asyncio.Runner() as runner:
        session = connect(vendor, credentials, limits=limits, sharing=sharing)
        client = runner.run(session.__aenter__())
        try:
            pages = vendor.contacts(client.fetch, credentials.settings, options)
            while (page := runner.run(_take_next(pages))) is not None:
                yield page
        except VendorError as error:
            error.vendor = error.vendor or vendor.name
            raise
        finally:
            runner.run(session.__aexit__(None, None, None))


async def _take_next(pages: Any) -> Any:
    return await anext(pages, None)


def is_empty(value: object) -> bool:
    """Whether a source has no value here: null, or a row of one null."""
    return value is None or (isinstance(value, list | tuple) and len(value) == 1 and value[0] is None)


def hash_source(
    file: str | None = None,
    column: str | None = None,
    sql: str | None = None,
    sql_conn_id: str | None = None,
    kind: str | None = None,
    *,
    listed: bool = False,
) -> str:
    """A short hash of where contacts come from, for ``Job.source``: the same in every run of a pipeline.

    ``listed`` says that identifiers were given one by one. The hash does not include them.
    """
    return sha256(repr([file, column, sql, sql_conn_id, kind, listed]).encode()).hexdigest()[:16]


def write_list(lake: Lake, place: WindowPaths, pages: Pages, now: datetime) -> tuple[str, int]:
    """Store contacts without repeats, in the order of the source; returns the file's path in the lake and their number.

    To find repeats, memory holds every identifier: about 100 bytes each. Leaves out people on the suppression list;
    raises ConfigError if it has entries but the lake has no key for them. If raw rows are encrypted, the list has
    pseudonyms, and the key store has the identifiers.
    """
    suppression = read_suppression(lake, place.vendor)
    path = f"{place.folder('contacts')}/contacts-{timestamp(now)}.parquet"
    writer, seen = Writer(lake, path, CONTACTS), set[Contact]()
    try:
        for page in _join_pages(pages):
            fresh = [contact for contact in dict.fromkeys(page) if contact not in seen]
            seen.update(fresh)
            kept = [one for one in fresh if not suppression or not suppression.covers(one.kind, one.id)]
            writer.write(_build_rows(hide_contacts(lake, place.vendor, kept)))
    except BaseException:
        writer.discard()
        raise
    return path, writer.close().rows


def _join_pages(pages: Pages) -> Iterator[list[Contact]]:
    """Pages of at least ``GROUP`` contacts, but for the last: each is a row group, and changes files of keys once."""
    held = list[Contact]()
    for page in pages:
        held += page
        if len(held) >= GROUP:
            yield held
            held = []
    if held:
        yield held


def cut_batches(path: str, contacts: int, size: int) -> list[Batch]:
    """Batches of ``size`` contacts. An empty list makes one empty batch, so that its window still gets a manifest."""
    starts = range(0, contacts, size) or range(1)
    return [Batch(path, first, min(size, contacts - first), n, len(starts)) for n, first in enumerate(starts)]


def read_batch(lake: Lake, batch: Batch) -> list[Contact]:
    """The contacts of a batch. Raises ConfigError if the list is gone.

    An erased contact is an empty row, or one whose key is destroyed, so that the places of the others stay. Raises
    ConfigError, too, if the list has pseudonyms, but the lake has not their key store.
    """
    try:
        with lake.open(batch.path) as stream:
            rows = _read_slice(pq.ParquetFile(stream), batch.first, batch.count)
    except FileNotFoundError:
        msg = f"The list of contacts {batch.path} is no longer in the lake. Run the step that lists contacts again."
        raise ConfigError(msg) from None
    ids, kinds = (rows.column(name).to_pylist() for name in ("contact_id", "contact_id_kind"))
    revealed = reveal_contacts(lake, ids)
    return [Contact(known, kind) for one, kind in zip(ids, kinds, strict=True) if (known := revealed[one])]


def _read_slice(file: pq.ParquetFile, first: int, count: int) -> pa.Table:
    """Rows ``[first, first + count)``, from the row groups that hold them."""
    groups, before, start = [], 0, 0
    for n in range(file.num_row_groups):
        rows = file.metadata.row_group(n).num_rows
        if start + rows <= first:
            before = start + rows
        elif start < first + count:
            groups.append(n)
        start += rows
    return file.read_row_groups(groups).slice(first - before, count) if groups else CONTACTS.empty_table()


def _build_rows(contacts: Sequence[Contact]) -> pa.RecordBatch:
    columns = [pa.array([c.id for c in contacts], pa.string()), pa.array([c.kind for c in contacts], pa.string())]
    return pa.record_batch(columns, schema=CONTACTS)


def check_contact(vendor: Vendor, value: object, kind: str, n: int) -> Contact:
    """The contact at a place in a list, from 1. Raises ConfigError that gives the place, not the identifier."""
    try:
        text = spell_identifier(value) or ""
        text.encode()  # fails for half of a surrogate pair, which cannot be sent or written
        return vendor.contact(text, kind)
    except (ConfigError, UnicodeEncodeError) as error:
        why = error if isinstance(error, ConfigError) else "It is not a valid Unicode text."
        msg = f"Contact {n} of the list cannot be used. {why}"
        raise ConfigError(msg) from None
