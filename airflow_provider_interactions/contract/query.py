"""What a vendor is asked, and what it gives: contacts, queries, pages of records, and mapped columns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic

import msgspec

from airflow_provider_interactions.contract.messages import Fetch
from airflow_provider_interactions.contract.settings import OptionsT, SettingsT
from airflow_provider_interactions.page_cap import PageCap
from airflow_provider_interactions.window import Window


@dataclass(frozen=True, slots=True)
class Contact:
    """A person: an identifier in the vendor's canonical spelling, and its kind."""

    id: str
    kind: str = "contact_id"

    def __repr__(self) -> str:
        return f"Contact({self.kind})"


@dataclass(frozen=True, slots=True)
class Query(Generic[SettingsT, OptionsT]):
    """What to ask the vendor about one contact. ``native_type`` is the interaction type, None for all at once.

    ``page_cap`` is what the run knows of the server's pages, for vendors that do not mark the last page.
    """

    contact: Contact
    settings: SettingsT
    options: OptionsT
    native_type: str | None = None
    page_cap: PageCap = field(default_factory=PageCap, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one response.

    ``records`` are the vendor's own bytes, one JSON object or XML element each.
    ``occurred`` holds the instant of each record in UTC, or None if it is unreadable. Such a record lands, and
    ``normalize`` decides about it. ``context`` is JSON text: what the response says outside the records, if a reader of
    one record needs it. ``cursor`` is the start of the next page, empty on the last one; the engine refuses a repeated
    cursor. ``total`` is the number of records that the vendor declares for the whole query, None if it declares none.
    """

    records: Sequence[bytes]
    occurred: Sequence[datetime | None]
    context: str = ""
    cursor: str = ""
    total: int | None = None


class Interaction(msgspec.Struct, kw_only=True):
    """The canonical columns that come from the record itself; ``schema.CANONICAL`` has their meaning.

    ``contact_id`` is set only if one response covers many contacts. Otherwise the contact of the query counts.
    """

    interaction_id: str
    occurred_at: datetime
    contact_id: str | None = None
    channel: str
    action: str
    native_type: str
    status: str | None = None
    subject: str | None = None
    campaign_id: str | None = None
    campaign_name: str | None = None
    message_id: str | None = None
    count: int | None = None
    delivered_at: datetime | None = None
    updated_at: datetime | None = None
    revision: int | None = None
    attributes: str = "{}"


#: A vendor's paging loop: a generator that awaits nothing but the given fetch. It yields every record that may lie in
#: the window. It may yield more records, never fewer.
Pages = Callable[[Fetch, Query[SettingsT, OptionsT], Window], AsyncGenerator[Page, None]]

#: A vendor's own list of contacts, page by page.
ContactListing = Callable[[Fetch, SettingsT, OptionsT], AsyncGenerator[Sequence[Contact], None]]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a vendor's mapping makes of a raw batch.

    ``columns`` are canonical columns by name (pyarrow.Array, one value for every record); ``rejected`` says of each
    record that cannot be read, by its place in the batch, which field is wrong and how; ``names`` are the fields
    without a column, of all records.
    """

    columns: Mapping[str, Any]
    rejected: Mapping[int, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
