"""Everything a vendor knows of one person, or of a few: the answer to a "get my data" request.

The vendor is asked anew, for all time unless a window is given, and whatever it sends is in the answer: what can be
read as interactions, what cannot with the reason, and for every person how it went. Three files, in the folder
``requests/vendor=…/account=…/`` of the lake, whose names hold nothing of the person::

    <stamp>-<token>.parquet   one row per record, person by person in order of time, the vendor's own bytes included
    <stamp>-<token>.jsonl     the same to be read by people: one JSON object a line
    <stamp>-<token>.json      the counts; written last, so where it is, the answer is whole

They hold personal data. Whoever can read the lake can read them. Delete them there when the request is closed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fsspec
import msgspec

from airflow_provider_interactions.connection import build_options
from airflow_provider_interactions.contacts import check_contact, is_empty
from airflow_provider_interactions.contract import Contact, Credentials, Options, Vendor
from airflow_provider_interactions.errors import ConfigError, VendorError
from airflow_provider_interactions.extract.job import Job, Progress
from airflow_provider_interactions.extract.pipeline import land_pages
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.counts import Answer, Tally, build_answer
from airflow_provider_interactions.person.files import AnswerFiles, PersonRecords, fold_type, read_person
from airflow_provider_interactions.window import ALWAYS, Instant, Window, instant

#: People in one request. Longer lists are for the pipeline of list, extract, normalize and load.
MOST = 500

#: Nothing is before or after this. For vendors that send everything whatever is asked: records with made-up times too.
EVER = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request about given people; made by ``check_request``. ``window`` None means all time.

    ``places`` are the contacts' first places in the list as it was given, from 1.
    ``types`` are those to keep here, where the vendor cannot be asked for some only; empty means all.
    """

    vendor: Vendor
    contacts: Sequence[Contact]
    places: Sequence[int]
    options: Options
    window: Window | None = None
    types: frozenset[str] = frozenset()

    @property
    def span(self) -> Window:
        """The window as the vendor is asked for it."""
        return self.window or _ever(self.vendor)

    @property
    def when(self) -> str:
        """The window in a sentence."""
        return f"window {self.window}" if self.window else "all time"


def check_request(
    vendor: Vendor,
    ids: Iterable[str],
    kind: str | None = None,
    *,
    start: Instant | None = None,
    end: Instant | None = None,
    types: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Request:
    """Check everything that can be checked before anybody is asked; raises ConfigError that says what to mend.

    Without ``start`` the window is open to the past, without ``end`` to the future, without both it is all time.
    """
    people = _check_people(vendor, ids, kind)
    known = {option.name for option in msgspec.structs.fields(vendor.options)}
    chosen = {**vendor.thorough, **(options or {})}
    wanted = list(dict.fromkeys(types))
    if wanted and "types" in known:
        chosen, wanted = chosen | {"types": wanted}, []
    window, kept = _read_window(vendor, start, end), frozenset(map(fold_type, wanted))
    return Request(vendor, list(people), list(people.values()), build_options(vendor, chosen), window, kept)


def split_identifiers(given: Sequence[str] | str | None) -> list[str]:
    """A list of identifiers, or text with one on each line, without blanks around them; empty ones keep their places.

    Raises ConfigError for anything else.
    """
    found = given.splitlines() if isinstance(given, str) else given or []
    if not isinstance(found, list | tuple) or not all(isinstance(text, str | int) for text in found):
        msg = "contacts must be a list of identifiers, or text with one on each line."
        raise ConfigError(msg)
    return [str(text).strip() for text in found]


def answer_request(
    lake: Lake,
    asked: Request,
    credentials: Credentials,
    *,
    progress: Callable[[Progress], None] | None = None,
    limits: Limits | None = None,
    now: datetime | None = None,
) -> Answer:
    """Ask the vendor, write the three files and return what the last one says; on any error no file is left.

    Raises what the vendor's answers mean, and Unreconciled when a record is unaccounted for. ``now`` (aware) is when.
    """
    with _open_memory_lake() as memory:
        job = Job(
            vendor=asked.vendor,
            credentials=credentials,
            lake=memory,
            window=asked.span,
            contacts=asked.contacts,
            options=asked.options,
            on_missing="allow",  # that nobody is known is an answer here
            progress=progress,
            keeps="undated" if asked.window else "everything",
            limits=limits,
            extracted_at=now or datetime.now(UTC),
        )
        landed = _land(job, asked)
        return _write_answer(lake, asked, landed, read_person(memory, asked.vendor, landed, asked.types))


def _check_people(vendor: Vendor, ids: Iterable[object], kind: str | None) -> dict[Contact, int]:
    """Each person once, with the first place in the list; blanks only take places."""
    contacts: dict[Contact, int] = {}
    for place, value in enumerate(ids, start=1):
        found = value.strip() if isinstance(value, str) else value
        if found != "" and not is_empty(found):
            contacts.setdefault(check_contact(vendor, found, kind or vendor.contact_kinds[0], place), place)
    if not contacts:
        msg = "No contact is given. Give at least one identifier."
        raise ConfigError(msg)
    if len(contacts) > MOST:
        msg = f"{len(contacts)} contacts are more than the {MOST} of one request. Use the pipeline for whole lists."
        raise ConfigError(msg)
    if next(iter(contacts)).kind not in vendor.about.person_kinds:
        msg = f"{vendor.name}: a request is about given people, not of kind {kind}. Use the pipeline for that."
        raise ConfigError(msg)
    return contacts


def _read_window(vendor: Vendor, start: Instant | None, end: Instant | None) -> Window | None:
    if start is None and end is None:
        return None
    ever = _ever(vendor)
    return Window(ever.start if start is None else instant(start), ever.end if end is None else instant(end))


def _ever(vendor: Vendor) -> Window:
    # A vendor that reads the dates may refuse the year 1.
    return ALWAYS if vendor.filters_by_date else EVER


@contextmanager
def _open_memory_lake() -> Iterator[Lake]:
    """A lake that goes with the process, so that whatever happens, no half of somebody's data lies about."""
    memory = Lake(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}")
    try:
        yield memory
    finally:
        with suppress(FileNotFoundError):
            memory.fs.rm(memory.root, recursive=True)


def _land(job: Job, asked: Request) -> Manifest:
    try:
        return asyncio.run(land_pages(job, "raw"))
    except VendorError as error:
        error.window = error.window if asked.window else "all time"
        raise


def _write_answer(lake: Lake, asked: Request, landed: Manifest, people: Iterator[PersonRecords]) -> Answer:
    folder = WindowPaths(landed.vendor, landed.account, asked.span).requests
    base, tally = f"{folder}/{timestamp(landed.extracted_at)}-{uuid.uuid4().hex[:8]}", Tally()
    with AnswerFiles(lake, base) as output:
        for place, found in zip(asked.places, people, strict=True):
            tally.take(place, found)
            output.write(found.rows)
        done = build_answer(landed, asked.window, tally, *output.close(), f"{base}.json")
        lake.publish(done.summary, done)
        output.keep()
    return done
