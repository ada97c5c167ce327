"""The arguments of one extraction, and its progress."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from airflow_provider_interactions.contract import Contact, Credentials, Options, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.checkpoint import AGE
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.http.shared_limit import Sharing
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.rejects import SHARE
from airflow_provider_interactions.window import Window

#: How long a history that was fetched whole serves windows that ended before, for vendors that cannot filter by date.
HISTORY_AGE = timedelta(days=1)

#: The share of a list that the vendor may not know. Above it the list is taken to be wrong.
MOST_UNKNOWN = 0.5

#: Contacts from which on a share is judged; of fewer, one known contact is enough.
LONG_LIST = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an extraction is; ``rows`` are records in the window.

    ``paused_until`` (aware) is when the vendor may be asked again, if it asked for a pause.
    """

    contacts: int
    done: int
    rows: int
    requests: int
    throttled: int
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one extraction needs. ``contacts`` are asked in this order; ``batch`` of ``batches`` of the window.

    ``on_missing`` says what a contact that the vendor cannot answer for means: ``record`` notes it as an outcome and
    fails where too few contacts are known (`check_known`), ``allow`` notes it however many there are, ``fail`` ends
    the extraction. Contacts that alone get no answer are noted in a bounded share, see ``unanswered``.
    ``concurrency`` overrides the vendor's requests in flight. ``history_age`` is for vendors that cannot filter by
    date: how old a history in the lake may be to be cut instead of asked for again; zero asks anew. ``resume`` names
    the run: a later extraction with the same name and everything else the same goes on where this one ended, however
    it ended, unless that is ``resume_age`` ago; None leaves nothing behind on a failure. ``keeps`` says
    which records land: the ``dated`` ones of the window, while those whose time cannot be read are rejected;
    ``undated`` ones, too; or ``everything``, whatever its time. More unreadable times than ``rejects_share`` of all
    that came fail the extraction. ``source`` says where the contacts come from, the same in every run of a pipeline.
    ``extracted_at`` is the instant (aware) that every row of this extraction carries.
    ``sharing`` says where the tasks of the account divide its limit; None keeps to the limit alone.
    ``generation`` changes when a task is cleared: a finished checkpoint of an earlier generation is not used
    again. ``listed`` is the list that the contacts come from, where it is longer, and ``first`` the place in the
    whole list at which that begins, from 0: errors name places. ``answered`` are contacts of an earlier extraction
    that were answered: they tell whether the vendor is away when a contact is not. ``serves`` is the window that will
    be cut from histories, if this job fetches such.
    """

    vendor: Vendor
    credentials: Credentials
    lake: Lake
    window: Window
    contacts: Sequence[Contact]
    options: Options
    batch: int = 0
    batches: int = 1
    concurrency: int | None = None
    history_age: timedelta = HISTORY_AGE
    on_missing: Literal["record", "allow", "fail"] = "record"
    limits: Limits | None = None
    sharing: Sharing | None = None
    progress: Callable[[Progress], None] | None = None
    resume: str | None = None
    resume_age: timedelta = AGE
    generation: int = 0
    listed: Sequence[Contact] | None = None
    first: int = 0
    answered: Sequence[Contact] = ()
    serves: Window | None = None
    source: str = ""
    keeps: Literal["dated", "undated", "everything"] = "dated"
    rejects_share: float = SHARE
    width: timedelta | None = None
    extracted_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def place(self) -> WindowPaths:
        """Where its files go."""
        return WindowPaths(self.vendor.name, self.credentials.account, self.window)

    def can_cut(self, fetched_at: datetime) -> bool:
        """Whether histories that were fetched at an instant (aware) are late and young enough for the window."""
        return fetched_at >= (self.serves or self.window).end and self.extracted_at - fetched_at < self.history_age

    @property
    def is_shared(self) -> bool:
        """Whether what lands serves other runs, too. Then these go on with its checkpoint."""
        return self.serves is not None and self.can_cut(self.extracted_at)

    @property
    def run(self) -> str:
        """A digest of the run's name; empty without one."""
        return hashlib.sha256(self.resume.encode()).hexdigest()[:16] if self.resume else ""

    def find_place(self, contact: Contact) -> int:
        """The contact's place in the list, from 1."""
        return self.first + list(self.whole_list).index(contact) + 1

    @property
    def whole_list(self) -> Sequence[Contact]:
        """The list that the contacts come from, as far as this extraction knows it."""
        return self.contacts if self.listed is None else self.listed

    @property
    def source_digest(self) -> str:
        """A digest of source and options without the page size: it differs between two pipelines of one account."""
        options = {name: value for name, value in msgspec.to_builtins(self.options).items() if name != "page_size"}
        return hashlib.sha256(msgspec.json.encode([self.source, options])).hexdigest()[:16]


def knows_too_few(unknown: int, asked: int) -> bool:
    """Whether the vendor knows none of the contacts, or of a longer list less than half."""
    return unknown > (asked * MOST_UNKNOWN if asked >= LONG_LIST else max(asked - 1, 0))


def check_known(job: Job, counts: Counts) -> None:
    """Raise ConfigError when the vendor knows none of the contacts, or of a longer list less than half.

    Then the list is wrong, and to publish would replace what the lake has of the window by nothing.
    """
    unknown, asked = counts.not_found, counts.contacts
    if job.on_missing != "record" or not knows_too_few(unknown, asked):
        return
    msg = (
        f"{job.vendor.name} does not know {unknown} of {asked} contacts. Check that the list holds identifiers of the "
        "right kind and account, or allow it with on_missing='allow'."
    )
    raise ConfigError(msg)
