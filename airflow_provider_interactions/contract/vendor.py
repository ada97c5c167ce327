"""A vendor as a value, with the defaults that suit most vendors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from airflow_provider_interactions import status
from airflow_provider_interactions.about import About
from airflow_provider_interactions.contract.messages import Auth, Fetch, Request, Response
from airflow_provider_interactions.contract.pace import Pace, PageRule
from airflow_provider_interactions.contract.query import Contact, ContactListing, Mapped, Page, Pages, Query
from airflow_provider_interactions.contract.settings import Credentials, Options, OptionsT, Settings, SettingsT
from airflow_provider_interactions.errors import ConfigError, VendorError
from airflow_provider_interactions.window import Window

if TYPE_CHECKING:
    from airflow_provider_interactions.contract.bulk import Bulk


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
