"""Whole histories, fetched once: for vendors that cannot filter by date.

Such a vendor sends everything it knows of a contact, whatever the window. So the answer is kept in the lake with the
instant at which it was fetched, and every window that ended before that instant is cut from it. A backfill of a year
of days then asks about once for each contact, not 365 times. What an interrupted run has fetched is in a checkpoint
that the next run goes on with. Runs that begin side by side, before any of them has fetched much, each ask for
themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import WindowSuperseded
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.cleanup import leave_out_busy, list_expired_files
from airflow_provider_interactions.extract.erase_rows import erase_published
from airflow_provider_interactions.extract.job import Job, Progress, check_known, knows_too_few
from airflow_provider_interactions.extract.outcomes import Outcome, count_outcomes, read_outcomes
from airflow_provider_interactions.extract.people import SuppressedPeople
from airflow_provider_interactions.extract.pipeline import land_pages
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.resume import open_checkpoints
from airflow_provider_interactions.extract.rewriter import Rewriter
from airflow_provider_interactions.extract.unfinished import list_landed_files
from airflow_provider_interactions.lake.manifest import Counts, Manifest, list_referenced
from airflow_provider_interactions.lake.paths import timestamp
from airflow_provider_interactions.lake.pseudonyms import reveal_column
from airflow_provider_interactions.lake.reader import filter_window, read_rows
from airflow_provider_interactions.lake.reconcile import reconcile
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import read_suppression
from airflow_provider_interactions.lake.swap import hold_folder
from airflow_provider_interactions.window import ALWAYS

#: A history this much older than any run would still use is removed.
GRACE = timedelta(days=1)

_REPLACED = "Histories in the lake were replaced while this extraction used them. Run it again."


@dataclass(frozen=True, slots=True)
class KnownContact:
    """How it went with one contact when its history was fetched."""

    manifest: Manifest
    outcome: Outcome
    requests: int = 0


def extract_from_history(job: Job) -> Manifest:
    """Land the job's window out of histories in the lake, after asking for those that are absent or too old.

    Raises WindowSuperseded if an erasure or another run has replaced a history meanwhile. Then call it again.
    """
    try:
        return _extract_from_history(job)
    except FileNotFoundError as gone:
        raise WindowSuperseded(_REPLACED) from gone


def _extract_from_history(job: Job) -> Manifest:
    known = _find_known(job)
    missing = [contact for contact in job.contacts if contact not in known]
    sent = Counts()
    if missing:
        fetched = _fetch_histories(job, missing, [contact for contact, one in known.items() if one.outcome.is_answered])
        sent = Counts(
            requests=fetched.counts.requests, retries=fetched.counts.retries, throttled=fetched.counts.throttled
        )
        known.update(_read_known(job, fetched, fresh=True))
        if not known.keys() >= set(job.contacts):  # erased while they were asked for
            raise WindowSuperseded(_REPLACED)
    elif job.resume is not None:  # an earlier try may have died between keeping its answers and dropping its checkpoint
        whole = _history_job(job, job.contacts)
        open_checkpoints(whole).drop_if_over(whole.run)
    state = Checkpoint(extracted_at=job.extracted_at)
    with RawWriter(job.lake, job.place, state, job.batch, job.batches, asked=job.source_digest) as writer:
        cut = _WindowCut(job, writer, known)
        for manifest, contacts in _group_by_manifest(job.contacts, known):
            cut.copy_rows(manifest, contacts)
        counts = cut.finish() + sent
        check_known(job, counts)
        return writer.finish(counts)


@dataclass(slots=True)
class _WindowCut:
    job: Job
    writer: RawWriter
    known: Mapping[Contact, KnownContact]
    received: int = 0
    rows: Counter[str] = field(default_factory=Counter)

    def copy_rows(self, manifest: Manifest, contacts: Sequence[Contact]) -> None:
        """Copy the rows of some contacts that are in the window."""
        wanted = pa.array([_contact_key(contact.kind, contact.id) for contact in contacts], pa.string())
        window = self.job.window
        for rows in read_rows(self.job.lake, manifest.files):
            mine = rows.filter(pc.is_in(_contact_keys(self.job.lake, rows), wanted))
            found = filter_window(mine, window, undated=True)  # without a time in histories of older versions only
            self.received += mine.num_rows
            self.rows.update(_contact_keys(self.job.lake, found).to_pylist())
            if found.num_rows:
                self.writer.copy(found)

    def finish(self) -> Counts:
        """Add the outcome of each contact, and count."""
        outcomes = [self._outcome(contact) for contact in self.job.contacts]
        for outcome in outcomes:
            self.writer.add_outcome(outcome)
        fetched, asked = self.rows.total(), len(self.job.contacts)
        if self.job.progress is not None:
            self.job.progress(Progress(asked, asked, fetched, 0, 0))
        return count_outcomes(outcomes) + Counts(
            received=self.received, outside=self.received - fetched, fetched=fetched
        )

    def _outcome(self, contact: Contact) -> Outcome:
        known = self.known[contact]
        return known.outcome.within(self.rows[_contact_key(contact.kind, contact.id)], known.requests)


def _find_known(job: Job) -> dict[Contact, KnownContact]:
    """What the lake knows of the job's contacts: for each the newest history that is young enough and late enough."""
    wanted, known = set(job.contacts), {}
    usable = [manifest for manifest in _read_manifests(job) if job.can_cut(manifest.extracted_at)]
    for manifest in sorted(_select_whole(job, usable), key=lambda manifest: manifest.extracted_at):
        found = _read_known(job, manifest, fresh=False)
        known.update({contact: found[contact] for contact in found.keys() & wanted})
    unknown = sum(one.outcome.outcome == "not_found" for one in known.values())
    if job.on_missing == "record" and knows_too_few(unknown, len(wanted)):  # it failed: what was wrong may be mended
        return {contact: one for contact, one in known.items() if one.outcome.outcome != "not_found"}
    if job.on_missing == "fail":  # whoever was not there then is asked for again, to fail by the vendor's own answer
        return {contact: one for contact, one in known.items() if one.outcome.is_answered}
    return known


def _fetch_histories(job: Job, contacts: Sequence[Contact], answered: Sequence[Contact]) -> Manifest:
    whole = _history_job(job, contacts, answered)
    try:
        manifest = asyncio.run(land_pages(whole, job.place.histories))
    except BaseException as error:
        if hasattr(error, "window"):
            error.window = str(job.window)
        raise
    reconcile(manifest)
    if not _select_whole(job, [manifest]):  # of a checkpoint that another run went on with, too, and gave up
        raise WindowSuperseded(_REPLACED)
    path = _manifest_path(job, manifest)
    with hold_folder(job.lake, path):
        job.lake.publish(path, manifest)
    manifest = _leave_out_suppressed(job, path) or manifest
    open_checkpoints(whole).drop()
    _remove_old(job)
    return manifest


def _leave_out_suppressed(job: Job, path: str) -> Manifest | None:
    """The published history without people who were erased while it was fetched."""
    suppression = read_suppression(job.lake, job.vendor.name)
    if not suppression:
        return None
    people = SuppressedPeople(suppression, job.lake)
    change = erase_published(job.lake, path, Rewriter(job.lake, job.vendor.name, people, job.extracted_at))
    job.lake.remove(sorted(change.former_files))
    return change.after


def _history_job(job: Job, contacts: Sequence[Contact], answered: Sequence[Contact] = ()) -> Job:
    # These are only contacts that the lake does not know yet: the share of unknown ones is judged over all, at the end.
    on_missing: Literal["allow", "fail"] = "fail" if job.on_missing == "fail" else "allow"
    return replace(
        job,
        window=ALWAYS,
        contacts=contacts,
        listed=job.contacts,
        answered=answered,
        on_missing=on_missing,
        resume=job.resume and f"{job.resume} {job.window.slug}",  # one name may be that of several windows' runs
        serves=job.window,
    )


def _remove_old(job: Job) -> None:
    """Remove histories that are too old to be of use to anyone."""
    for manifest in _read_manifests(job):
        if job.extracted_at - manifest.extracted_at > job.history_age + GRACE:
            rejects = {file.path for file in manifest.undated}  # these stay as long as others
            job.lake.remove([_manifest_path(job, manifest), *sorted(manifest.paths - rejects)])
    folder, always = job.place.histories, replace(job, window=ALWAYS).place
    old = leave_out_busy(job.lake, always, list_expired_files(job.lake, folder, job.extracted_at), folder)
    keep = list_landed_files(job.lake, always) | list_referenced(job.lake, folder) if old else frozenset[str]()
    job.lake.remove(path for path in old if path not in keep)


def _read_manifests(job: Job) -> Iterator[Manifest]:
    for name in job.lake.list_names(job.place.histories):
        path = f"{job.place.histories}/{name}"
        if path.startswith(_path_prefix(job)) and name.endswith(".json"):
            found = job.lake.read(path, Manifest)
            if found is not None:
                yield found


def _select_whole(job: Job, manifests: Sequence[Manifest]) -> list[Manifest]:
    """The histories whose rows and outcomes are all there. Another run may have removed some."""
    folder = job.place.histories
    there = {f"{folder}/{name}" for name in job.lake.list_names(folder)} if manifests else set[str]()
    return [one for one in manifests if there.issuperset(file.path for file in (*one.files, *one.outcomes))]


def _manifest_path(job: Job, manifest: Manifest) -> str:
    return f"{_path_prefix(job)}-{timestamp(manifest.extracted_at)}-{manifest.batch:05d}.json"


def _path_prefix(job: Job) -> str:
    """Histories asked for with other options hold other rows, so they have other names."""
    digest = hashlib.sha256(msgspec.json.encode(job.options)).hexdigest()[:12]
    return f"{job.place.histories}/history-{digest}"


def _read_known(job: Job, manifest: Manifest, *, fresh: bool) -> dict[Contact, KnownContact]:
    found = read_outcomes(job.lake, manifest)
    return {one.contact: KnownContact(manifest, one, one.requests if fresh else 0) for one in found}


def _group_by_manifest(
    contacts: Sequence[Contact], known: Mapping[Contact, KnownContact]
) -> Iterator[tuple[Manifest, Sequence[Contact]]]:
    groups: dict[int, tuple[Manifest, list[Contact]]] = {}
    for contact in contacts:
        manifest = known[contact].manifest
        groups.setdefault(id(manifest), (manifest, []))[1].append(contact)
    yield from groups.values()


def _contact_key(kind: str, contact_id: str) -> str:
    return f"{kind}\0{contact_id}"


def _contact_keys(lake: Lake, rows: pa.RecordBatch) -> pa.Array:
    kinds = rows.column("contact_id_kind").cast(pa.string())
    return pc.binary_join_element_wise(kinds, reveal_column(lake, rows.column("contact_id")), "\0")
