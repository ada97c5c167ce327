"""Answer a "get my data" request: everything that a vendor knows about one person, or about a few.

The vendor is always called again: for all time, unless a window is given. The answer holds everything that it sends:
readable records as interactions, unreadable records with the reason, and an outcome for every person. It consists of
four files in the lake's folder ``requests/vendor=…/account=…/``. Their names hold no personal data::

    <stamp>-<token>.parquet   one row per record, person by person, in order of time, with the vendor's own bytes
    <stamp>-<token>.jsonl     the same for programs and people: one JSON object on each line
    <stamp>-<token>.html      the same as a page for people, see ``page.py``
    <stamp>-<token>.json      the counts; it is written last, so if it exists, the answer is complete

The files hold personal data. Everybody who can read the lake can read them. Delete them when the request is closed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.contacts import check_contact, is_empty
from airflow_provider_interactions.contract import Contact, Credentials, Options, Vendor
from airflow_provider_interactions.errors import ConfigError, VendorError
from airflow_provider_interactions.extract.job import Job, Progress
from airflow_provider_interactions.extract.pipeline import land_pages
from airflow_provider_interactions.extract.tables import land_tables
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.http.shared_limit import Sharing
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.memory import open_memory_lake
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.counts import Answer, Files, Totals, build_answer
from airflow_provider_interactions.person.erased import refuse_erased
from airflow_provider_interactions.person.files import AnswerFiles, PersonRecords, fold_type, read_person
from airflow_provider_interactions.person.from_lake import Landed, land_from_lake
from airflow_provider_interactions.person.page import Cover, write_page
from airflow_provider_interactions.person.page_rows import place_subjects
from airflow_provider_interactions.person.words import UTC_ZONE, find_zone
from airflow_provider_interactions.window import ALWAYS, Instant, Window, read_instant

#: The most people in one request. For longer lists, use the pipeline of list, extract, normalize and load.
MOST_PEOPLE = 500

#: All possible times, for vendors that cannot filter by date and send everything, also records with invented times.
EVER = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class PersonRequest:
    """A checked request about given people, made by ``check_request``. ``window`` None means all time.

    ``places`` are the contacts' first places in the given list, from 1. If the vendor cannot filter by type, ``types``
    are the types to keep here; empty means all. ``words`` are all types of the request as they were given. ``zone`` is
    that of the times on the page.
    """

    vendor: Vendor
    contacts: Sequence[Contact]
    places: Sequence[int]
    options: Options
    window: Window | None = None
    types: frozenset[str] = frozenset()
    zone: ZoneInfo = UTC_ZONE
    words: Sequence[str] = ()

    @property
    def span(self) -> Window:
        """The window of the vendor's queries."""
        return self.window or choose_all_time(self.vendor)

    @property
    def when(self) -> str:
        """The window as a part of a sentence."""
        return f"window {self.window}" if self.window else "all time"


def check_request(
    vendor: Vendor,
    ids: Iterable[str | Contact],
    kind: str | None = None,
    *,
    start: Instant | None = None,
    end: Instant | None = None,
    types: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    time_zone: str | None = None,
) -> PersonRequest:
    """Check everything that can be checked before the first call. Raises ConfigError that says what to correct.

    ``kind`` is that of identifiers which are not given as contacts. Without ``start``, the window has no limit in the
    past; without ``end``, none in the future. ``time_zone`` is the IANA name of the zone of the times on the page, by
    default UTC.
    """
    people = _check_people(vendor, ids, kind)
    names = {option.name for option in msgspec.structs.fields(vendor.options)}
    chosen = {**vendor.thorough, **(options or {})}
    words = list(dict.fromkeys(types))
    by_vendor = bool(words) and "types" in names
    return PersonRequest(
        vendor,
        list(people),
        list(people.values()),
        build_options(vendor, chosen | {"types": words} if by_vendor else chosen),
        _read_window(vendor, start, end),
        frozenset() if by_vendor else frozenset(map(fold_type, words)),
        find_zone(time_zone),
        words,
    )


def split_identifiers(value: Sequence[str] | str | None) -> list[str]:
    """Split a list of identifiers, or text with one on each line, and strip blanks. Empty ones keep their places.

    Raises ConfigError for anything else.
    """
    ids = value.splitlines() if isinstance(value, str) else value or []
    if not isinstance(ids, list | tuple) or not all(isinstance(text, str | int) for text in ids):
        msg = "contacts must be a list of identifiers, or text with one on each line."
        raise ConfigError(msg)
    return [str(text).strip() for text in ids]


def answer_request(
    lake: Lake,
    request: PersonRequest,
    credentials: Credentials,
    *,
    progress: Callable[[Progress], None] | None = None,
    limits: Limits | None = None,
    sharing: Sharing | None = None,
    now: datetime | None = None,
    asked_by: str | None = None,
) -> Answer:
    """Ask the vendor, write the four files and return the content of the last one. After an error, no file remains.

    Raises ConfigError for people who were erased, VendorError, and Unreconciled if a record is unaccounted for.
    ``now`` (aware) is the time of the request.
    ``sharing`` is as in ``Job``. ``asked_by`` is the name of who asks; only the page holds it.
    """
    refuse_erased(lake, request.vendor.name, request.contacts, request.places)
    with ask_vendor(lake, request, credentials, progress=progress, limits=limits, sharing=sharing, now=now) as found:
        return _write_answer(lake, request, found, asked_by)


class Found(NamedTuple):
    """What a vendor knows about the people of a request: the counts, and each person's records, in memory only.

    ``source`` is a sentence if the records do not come from the vendor directly.
    """

    manifest: Manifest
    people: Iterator[PersonRecords]
    source: str = ""


@contextmanager
def ask_vendor(
    lake: Lake,
    request: PersonRequest,
    credentials: Credentials,
    *,
    progress: Callable[[Progress], None] | None = None,
    limits: Limits | None = None,
    sharing: Sharing | None = None,
    now: datetime | None = None,
) -> Iterator[Found]:
    """Ask the vendor about the people of a request, or the lake if that is known to have everything."""
    with open_memory_lake() as memory:
        job = Job(
            vendor=request.vendor,
            credentials=credentials,
            lake=memory,
            window=request.span,
            contacts=request.contacts,
            options=request.options,
            on_missing="allow",  # here, an unknown person is a valid answer
            progress=progress,
            keeps="undated" if request.window else "everything",
            limits=limits,
            sharing=sharing,
            extracted_at=now or datetime.now(UTC),
        )
        manifest, source = _land(lake, job, request)
        yield Found(manifest, read_person(memory, request.vendor, manifest, request.types), source)


def _check_people(vendor: Vendor, ids: Iterable[object], kind: str | None) -> dict[Contact, int]:
    """Each person once, with the first place in the list. Blanks count as places."""
    contacts: dict[Contact, int] = {}
    for place, value in enumerate(ids, start=1):
        own, given = (value.kind, value.id) if isinstance(value, Contact) else (kind, value)
        identifier = given.strip() if isinstance(given, str) else given
        if identifier != "" and not is_empty(identifier):
            contacts.setdefault(check_contact(vendor, identifier, own or vendor.contact_kinds[0], place), place)
    if not contacts:
        msg = "No contact is given. Give at least one identifier."
        raise ConfigError(msg)
    if len(contacts) > MOST_PEOPLE:
        msg = f"{len(contacts)} contacts are more than the {MOST_PEOPLE} of one request. Use the pipeline for lists."
        raise ConfigError(msg)
    if next(iter(contacts)).kind not in vendor.about.person_kinds:
        msg = f"{vendor.name}: a request is about given people, so kind cannot be {kind}. Use the pipeline for that."
        raise ConfigError(msg)
    return contacts


def _read_window(vendor: Vendor, start: Instant | None, end: Instant | None) -> Window | None:
    if start is None and end is None:
        return None
    full = choose_all_time(vendor)
    return Window(full.start if start is None else read_instant(start), full.end if end is None else read_instant(end))


def choose_all_time(vendor: Vendor) -> Window:
    """The window of everything that a vendor has. One that filters by date may refuse the year 1."""
    return ALWAYS if vendor.filters_by_date else EVER


def _land(lake: Lake, job: Job, request: PersonRequest) -> Landed:
    try:
        if job.vendor.bulk is None:
            return Landed(asyncio.run(land_pages(job, "raw")))
        return land_from_lake(lake, job) or Landed(land_tables(job, "raw"))
    except VendorError as error:
        error.window = error.window if request.window else "all time"
        raise


def _write_answer(lake: Lake, request: PersonRequest, found: Found, asked_by: str | None) -> Answer:
    manifest = found.manifest
    folder = WindowPaths(manifest.vendor, manifest.account, request.span).requests
    base, totals = f"{folder}/{timestamp(manifest.extracted_at)}-{uuid.uuid4().hex[:8]}", Totals()
    with AnswerFiles(lake, base) as output:
        for place, person in zip(request.places, found.people, strict=True):
            totals.add(place, person)
            output.write(person.rows)
        parquet, lines = output.close()
        subjects = place_subjects(manifest.vendor, manifest.account, request.contacts, totals.people)
        notes = [found.source] if found.source else []
        cover = Cover(manifest.extracted_at, asked_by, request.window, request.words, request.zone, notes)
        page = write_page(lake, f"{base}.html", parquet, [[subject] for subject in subjects], cover)
        answer = build_answer(
            manifest, request.window, totals, Files(parquet, lines, page), f"{base}.json", found.source
        )
        lake.publish(answer.summary, answer)
        output.keep()
    return answer
