"""Good answers, recorded once from the sandbox, changed one at a time and read by the whole engine; and the judge.

A task must not be green with fewer records: whatever was in the good answers is a canonical row, a reject, an outcome
with a reason, or an error was raised. Some changes make another *good* answer, which nobody can tell from a smaller
history: each subject's ``fewer`` names them, and nothing else is excused.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import rig
from fsspec.implementations.memory import MemoryFileSystem
from subjects import SUBJECTS, Subject

from airflow_provider_interactions import contacts
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Request, Response
from airflow_provider_interactions.errors import InteractionsError, RequestRejected
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http import client as http_client
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.sandbox.mutations import Mutation, mutate
from airflow_provider_interactions.vendors import VENDORS

#: One retry, so that a fault that passes is retried and one that stays costs little.
LIMITS = http_client.Limits(timeout=10.0, tries=2, first_wait=0.0, last_wait=0.0, rate=RateTuning(first_rate=UNLIMITED))


@dataclass(frozen=True)
class Found:
    """What a run left behind: rows by contact and id, and what it reported besides."""

    rows: Mapping[tuple[str, str], Any]
    rejected: int = 0
    outside: int = 0
    reported: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Recording:
    """Everything that was asked and answered for some contacts, and what a run made of it."""

    subject: Subject
    job: Job
    answers: Mapping[Any, Response]
    good: Found

    @property
    def changeable(self) -> list[Any]:
        """The requests whose answers are changed."""
        return [key for key in self.answers if self.subject.calls in key[1]]


def key_of(request: Request) -> Any:
    """What tells requests apart."""
    query, form = (tuple(sorted((some or {}).items())) for some in (request.query, request.form))
    return request.method, request.url, query, form, request.body


@contextmanager
def answered_by(send: Callable[..., Any]) -> Iterator[None]:
    """The engine with another way to the vendor: below retries and throttling, above the socket."""
    with patch.object(http_client.Client, "_send", send):
        yield


def record(sandbox: Any, name: str) -> list[Recording]:
    """A recording for each contact of a sandbox, or one for a listing of contacts."""
    subject = SUBJECTS[name]
    if subject.listing:
        found = [_record(subject, job_of(sandbox, subject, ()))]
    else:
        people = sandbox.contacts(subject.vendor)
        found = [_record(subject, job_of(sandbox, subject, [one])) for one in people]
    return [one for one in found if 0 < len(one.good.rows) <= 80]


def _record(subject: Subject, job: Job) -> Recording:
    answers: dict[Any, Response] = {}
    real = http_client.Client._send

    async def send(client, request):
        answers[key_of(request)] = response = await real(client, request)
        return response

    with answered_by(send):
        good = run(subject, job)
    return Recording(subject, job, answers, good)


def job_of(sandbox: Any, subject: Subject, people: Any) -> Job:
    """A small window of a sandbox."""
    vendor, connection = VENDORS[subject.vendor], sandbox.connections[subject.vendor]
    extra = {**connection["extra"], **subject.extra, "account": "acme", "requests_per_minute": 1e9}
    credentials = build_credentials(
        vendor, connection["host"], connection.get("login"), connection.get("password"), extra
    )
    return Job(
        vendor=vendor,
        credentials=credentials,
        lake=Lake.at("/lake", MemoryFileSystem()),
        window=rig.WHOLE,
        contacts=contacts.check_contacts(vendor, people),
        options=build_options(vendor, subject.options),
        concurrency=1,
        limits=LIMITS,
        extracted_at=rig.FIRST,
    )


def run(subject: Subject, job: Job) -> Found:
    """Extract, publish, normalize; or list contacts. Raises what they raise."""
    if subject.listing:
        pages = contacts.list_from_vendor(job.vendor, job.credentials, job.options, LIMITS)
        return Found({(one.id, one.kind): None for page in pages for one in page})
    try:
        raw = commit.commit_window(job.lake, [extract(job)], rig.FIRST)
        done = normalize(job.lake, raw, now=rig.FIRST)
        rows = list(map(plain, rig.rows(job.lake, done.files).to_pylist()))
        outcomes = rig.rows(job.lake, done.outcomes).to_pylist()
        reported = frozenset(one["contact_id"] for one in outcomes if one["reason"])
        return Found(
            {(row["contact_id"], row["interaction_id"]): row for row in rows},
            count_rejects(job.lake),
            done.counts.outside,
            reported,
        )
    finally:
        job.lake.fs.store.clear()


def count_rejects(lake: Lake) -> int:
    """Rejected rows: those of normalize, and those without a time, which are rejected where they are fetched."""
    paths = [path for path in lake.fs.find(lake.root) if "/rejects-" in path or "-undated-" in path]
    return sum(pq.read_metadata(lake.fs.open(path)).num_rows for path in paths)


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its spelling: JSON as values, and Capillary's two names for one and the same message as one."""
    native_type = "sms" if row["native_type"] == "phone" else row["native_type"]
    return {**row, "native_type": native_type, "attributes": json.loads(row["attributes"])}


def replay(recording: Recording, changed: Any, body: bytes) -> Found:
    """The run once more, one answer's body changed. What nobody has asked before is a wrong call."""

    async def send(client, request):
        client.counters.requests += 1
        key = key_of(request)
        found = recording.answers.get(key)
        if found is None:
            raise RequestRejected("nobody has asked this before", status=400)
        return replace(found, body=body) if key == changed else found

    with answered_by(send):
        return run(recording.subject, recording.job)


def changes(recordings: list[Recording], first: int, count: int) -> Iterator[tuple[Recording, Any, Mutation]]:
    """So many changes, evenly over all answers."""
    answers = [(recording, key) for recording in recordings for key in recording.changeable]
    for seed, (recording, key) in zip(range(first, first + count), itertools.cycle(answers)):
        yield recording, key, mutate(recording.answers[key].body, seed)


def judge(recording: Recording, mutation: Mutation, changed: Any) -> str | None:
    """What is wrong with what a change led to; None if nothing is."""
    try:
        found = replay(recording, changed, mutation.body)
    except InteractionsError:
        return None
    except Exception as unforeseen:
        return f"unforeseen {type(unforeseen).__name__}"
    return compare(recording, mutation, found)


def compare(recording: Recording, mutation: Mutation, found: Found) -> str | None:
    """What a green run lost or altered."""
    good, subject = recording.good, recording.subject
    if is_good_answer(subject, mutation):
        return None
    missing = [key for key in good.rows if key not in found.rows and key[0] not in found.reported]
    others = sum(key not in good.rows for key in found.rows)
    moved = max(0, found.outside - good.outside) if may_move(subject, mutation) else 0
    lost = len(missing) - max(0, found.rejected - good.rejected) - others - moved
    if lost > 0:
        return "lost"
    differing = sum(key in good.rows and good.rows[key] != row for key, row in found.rows.items())
    return "altered" if differing > may_differ(subject, mutation) else None


def may_differ(subject: Subject, mutation: Mutation) -> int:
    """How many rows a change may touch."""
    if mutation.name in ("as Latin-1", "as Windows-1252") or in_channel(mutation):
        return 1000
    inside = mutation.where == "bytes" or re.match(subject.records, mutation.where)
    return 1 if inside else 0


def in_channel(mutation: Mutation) -> bool:
    """Whether it touches what Capillary says of all messages of a channel: its name."""
    return re.search(r"(network|interaction)(\[\])?\.(name|type)$", mutation.where) is not None


def may_move(subject: Subject, mutation: Mutation) -> bool:
    """Whether a change may have made another instant, which can lie outside the window."""
    return mutation.where == "bytes" or re.fullmatch(subject.times, mutation.where) is not None


def is_good_answer(subject: Subject, mutation: Mutation) -> bool:
    """Whether the changed answer is a good answer of fewer records, which nobody can tell from the truth.

    Besides the subject's own: bytes that went with the border between two records, which made one of them, and a whole
    answer that was replaced by an empty list.
    """
    if mutation.name == "cut bytes":
        return any(border in mutation.removed for border in (b"},", b"},{", b"></"))
    if mutation.name == "another page":
        return mutation.body == b"[]" and subject.vendor == "which50"
    return f"{mutation.name} at {mutation.where}" in subject.fewer


def tell(failures: list[tuple[str, Mutation]]) -> str:
    """Failures by kind, most frequent first, each with a seed to try it again."""
    kinds = Counter(f"{wrong}: {mutation.name} at {mutation.where}" for wrong, mutation in failures)
    seeds = {f"{wrong}: {mutation.name} at {mutation.where}": mutation.seed for wrong, mutation in reversed(failures)}
    return "\n".join(f"{count:4} x {kind} (seed {seeds[kind]})" for kind, count in kinds.most_common())
