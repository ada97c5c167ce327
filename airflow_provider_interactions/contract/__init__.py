"""The types that all layers share: a vendor, the queries to it, and its responses.

They are values: nothing here opens a socket or a file. ``http`` builds the ``Fetch`` for a vendor's generators, and
``extract`` runs the generators.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from airflow_provider_interactions import status
from airflow_provider_interactions.about import About
from airflow_provider_interactions.errors import ConfigError, VendorError
from airflow_provider_interactions.page_cap import PageCap
from airflow_provider_interactions.urls import spell_host
from airflow_provider_interactions.window import Window

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from airflow_provider_interactions.contract.bulk import Bulk

    #: A vendor's own ``Settings`` and ``Options``. A ``Vendor`` without them may have any.
    SettingsT = TypeVarWithDefault("SettingsT", bound="Settings", default=Any)
    OptionsT = TypeVarWithDefault("OptionsT", bound="Options", default=Any)
else:
    SettingsT, OptionsT = TypeVar("SettingsT"), TypeVar("OptionsT")

#: The most empty pages in a row, each with a new cursor. After more, the engine assumes that the pages never end. This
#: number is our choice: no vendor documents such pages.
MOST_EMPTY_PAGES = 200


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of the connection's ``extra`` that every vendor has. Each vendor adds its own keys in a subclass.

    ``account`` is the organisation's name in paths and in the table (default: the host). ``allow_http`` allows a host
    with plain ``http://``, for a sandbox. ``verify_tls`` False accepts any certificate. ``concurrency`` (requests in
    flight) and ``requests_per_minute`` replace the vendor's documented limits, if your contract has others. ``policy``
    says what becomes of personal data (`normalize.policy_rules`).
    """

    account: str | None = None
    allow_http: bool | None = None
    verify_tls: bool | None = None
    concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None
    requests_per_minute: Annotated[float, msgspec.Meta(gt=0)] | None = None
    policy: dict[str, Any] | str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of an extraction. Each vendor adds its own in a subclass. ``page_size`` is in records."""

    page_size: Annotated[int, msgspec.Meta(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class Credentials(Generic[SettingsT]):
    """A checked connection. ``host`` is a full base URL without a trailing slash. The repr shows no secret."""

    host: str
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    settings: SettingsT = field(default_factory=Settings, repr=False)  # type: ignore[assignment]

    @property
    def account(self) -> str:
        """The organisation's name in the lake and the table: the connection's ``account``, else the host and its path.

        The host is in lower case and without a default port, so all its spellings give the same account.
        """
        url = urlsplit(self.host)
        return self.settings.account or f"{spell_host(url)}{url.path}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a vendor. ``url`` is a path on the connection's host, or an absolute URL on the same host.

    The client encodes ``query`` and ``form``. It sends an absolute URL without ``query`` byte for byte. The repr shows
    only method and path.
    """

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The path alone, for logs and errors. Empty if the link is not a valid URL."""
        try:
            return urlsplit(self.url).path
        except ValueError:
            return ""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path})"


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response: status, header names in lower case, the whole decoded body. The repr shows only the status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Fetch(Protocol):
    """Sends a request until there is a response, and returns the result of ``decode`` for it.

    ``decode`` is a part of the retried call. If it raises BadResponse, the fault may pass, for example a body that was
    cut off. So the client sends the request again a few times before it raises the error.
    """

    async def __call__(self, request: Request, decode: Callable[[Response], T], /) -> T:
        """Send a request. Raises VendorError that says what to do."""


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


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its lifetime in seconds from now."""

    value: str = field(repr=False)
    expires_in: float


@dataclass(frozen=True, slots=True)
class Auth:
    """How to sign a vendor's requests. The functions are pure, so that two HTTP clients can share them.

    ``apply(request, token)`` returns the request with the credentials in it. A vendor with tokens has either ``ask``
    and ``read``, or ``acquire``. ``ask`` is an absolute request for a token. ``read`` makes a Token of its response, or
    raises AuthRejected, Unavailable, Throttled or BadResponse. ``acquire`` blocks: it calls a library that gets tokens
    itself. ``secrets`` are texts to mask in logs.
    """

    apply: Callable[[Request, str], Request]
    ask: Request | None = None
    read: Callable[[Response], Token] | None = None
    acquire: Callable[[], Token] | None = None
    secrets: Sequence[str] = field(default=(), repr=False)

    @property
    def has_tokens(self) -> bool:
        """Whether requests need a token that expires."""
        return self.ask is not None or self.acquire is not None


@dataclass(frozen=True, slots=True)
class Pace:
    """A vendor's documented limits: ``concurrency`` requests in flight, ``requests`` in any ``seconds``.

    ``source`` gives page and date. None means that the vendor publishes no such limit.
    """

    concurrency: int
    requests: int | None = None
    seconds: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class PageRule:
    """How many requests one query takes, for plans.

    ``rows`` is the most rows of a page, None if a response holds everything. Each further page repeats ``overlap`` rows
    of the one before. ``marks_end`` says whether the vendor marks the last page; if not, another request confirms some
    of the last pages, see ``page_cap``. ``margin`` is the time beyond the window that is asked for as well.
    """

    rows: int | None = None
    overlap: int = 0
    marks_end: bool = True
    margin: timedelta = timedelta(0)

    def count_pages(self, rows: int) -> int:
        """The requests for so many rows, without those that confirm a last page."""
        if self.rows is None or rows <= self.rows:
            return 1
        return 1 + ceil((rows - self.rows) / max(1, self.rows - self.overlap))

    def count_last_rows(self, rows: int) -> int:
        """The rows on the last page of so many."""
        if self.rows is None or rows <= self.rows:
            return rows
        return self.overlap + (rows - self.rows - 1) % max(1, self.rows - self.overlap) + 1


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


def spell_identifier(text: str, _: str) -> str | None:
    """The default of ``Vendor.identifier``: any printable text, without blanks around it."""
    found = text.strip()
    return found if found.isprintable() else None


def ask_once(contact: Contact, settings: SettingsT, options: OptionsT) -> Iterator[Query[SettingsT, OptionsT]]:
    """The default of ``Vendor.queries``: one query, because one response covers all interaction types."""
    yield Query(contact, settings, options)


async def refuse_pages(fetch: Fetch, query: Query, window: Window) -> AsyncGenerator[Page, None]:  # noqa: ARG001
    """The default of ``Vendor.pages``, for bulk vendors, which have tables instead."""
    none: Sequence[Page] = ()
    for page in none:  # what makes it a generator
        yield page
    msg = "a bulk vendor has no pages"
    raise AssertionError(msg)


def answer_at_once(settings: Settings, options: Options) -> PageRule:  # noqa: ARG001 - the same for all
    """The default of ``Vendor.page_rule``: one response holds all records of a query."""
    return PageRule()


def classify_by_status(response: Response) -> VendorError | None:
    """The default of ``Vendor.classify``: the HTTP status decides, and a web page is always an error."""
    verdict = status.judge(response.status)
    if verdict is None and status.is_html(response.headers, response.body):
        verdict = status.WEB_PAGE
    return status.build_error(verdict, response.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor(Generic[SettingsT, OptionsT]):
    """Everything this package knows about one vendor, as a value. See docs/add-a-vendor.md for a worked example.

    ``identifier(text, kind)`` returns an identifier in one spelling, None for a text that cannot be an identifier;
    ``identifiers`` describes them in an error message. ``thorough`` are options that make the records of a person
    complete at the cost of more calls. ``queries`` says what to request for one contact, ``page_rule`` how many pages
    the responses have, ``classify`` which error a response means (None: read it), and ``probe`` is the cheapest request
    that proves the credentials. ``presence`` is a request that shows whether the service still exists, if ``probe``
    does not show it. ``bulk`` says how to read a vendor that keeps everybody's interactions in tables; ``pages`` is not
    used then. ``map_records`` maps a raw batch (pyarrow.RecordBatch with at least the columns of ``mapping.NEEDED``) to
    canonical columns.
    """

    about: About
    map_records: Callable[[Any], Mapped]
    auth: Callable[[Credentials[SettingsT]], Auth]
    probe: Callable[[SettingsT], Request]
    pace: Pace
    pages: Pages[SettingsT, OptionsT] = refuse_pages
    settings: type[SettingsT] = Settings  # type: ignore[assignment]
    options: type[OptionsT] = Options  # type: ignore[assignment]
    identifier: Callable[[str, str], str | None] = spell_identifier
    identifiers: str = ""
    queries: Callable[[Contact, SettingsT, OptionsT], Iterable[Query[SettingsT, OptionsT]]] = ask_once
    page_rule: Callable[[SettingsT, OptionsT], PageRule] = answer_at_once
    classify: Callable[[Response], VendorError | None] = classify_by_status
    contacts: ContactListing[SettingsT, OptionsT] | None = None
    presence: Callable[[SettingsT], Request] | None = None
    bulk: Bulk | None = None
    filters_by_date: bool = True
    thorough: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The vendor's name in the registry, in paths and in the table."""
        return self.about.name

    @property
    def title(self) -> str:
        """The vendor's name for people."""
        return self.about.title

    @property
    def contact_kinds(self) -> Sequence[str]:
        """The kinds of identifier that the vendor accepts, the default first."""
        bulk = self.about.bulk_kind
        return (*self.about.person_kinds, bulk) if bulk else self.about.person_kinds

    def contact(self, text: str, kind: str | None = None) -> Contact:
        """A contact in the vendor's own spelling. Raises ConfigError that says how to write one."""
        kind = kind or self.contact_kinds[0]
        found = self.identifier(text, kind) if kind in self.contact_kinds else None
        if not found:
            msg = f"{self.name}: a contact must be given as {self.identifiers or ' or '.join(self.contact_kinds)}."
            raise ConfigError(msg)
        return Contact(found, kind)
