"""Go on from a checkpoint: which one is a job's, whether the job may use it, and a writer that continues it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from airflow_provider_interactions import __version__
from airflow_provider_interactions.extract.checkpoint import FORM, Checkpoint, CheckpointStore
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.outcomes import Answer
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.extract.unfinished import expire_checkpoints


def open_checkpoints(job: Job, tables: Sequence[str] = ()) -> CheckpointStore:
    """The checkpoints of an extraction. Its folder is named by a digest of everything that decides the rows.

    ``tables`` are those of a bulk vendor, in the order in which they are read.
    """
    contacts = [(contact.kind, contact.id) for contact in job.contacts]
    options = msgspec.to_builtins(job.options)
    facts = [
        __version__,
        FORM,
        None if job.is_shared else job.resume,
        job.batch,
        job.batches,
        job.credentials.host,
        job.on_missing,
        options,
        contacts,
        *([list(tables), job.width] if tables else []),
        *(["encrypted"] if job.lake.ring else []),  # rows of a checkpoint are not encrypted later
    ]
    return CheckpointStore.of(job.lake, job.place, facts)


def open_writer(
    job: Job, folder: str, fresh: Checkpoint | None
) -> tuple[RawWriter, Sequence[pa.Table], Sequence[Answer]]:
    """A new writer, or one that continues the checkpoint of an earlier try of the same run, with what that holds.

    ``fresh`` is used instead of a checkpoint.
    """
    if job.resume is None:
        state = fresh or Checkpoint(extracted_at=job.extracted_at)
        return RawWriter(job.lake, job.place, state, job.batch, job.batches, folder, asked=job.source_digest), (), ()
    store = open_checkpoints(job)
    expire_checkpoints(job.lake, job.place, job.extracted_at, job.resume_age)
    found = None if fresh else store.load(job.extracted_at, job.resume_age)
    if found and not _can_go_on(job, found[0]):
        store.drop()
        found = None
    state, rows, answers = found or (fresh or Checkpoint(extracted_at=job.extracted_at), [], [])
    state.generation, state.run = job.generation, job.run
    writer = RawWriter(job.lake, job.place, state, job.batch, job.batches, folder, store, job.source_digest)
    return writer, rows, answers


def _can_go_on(job: Job, state: Checkpoint) -> bool:
    """Whether a job may use a checkpoint: its own, unless that is finished and the task was cleared since.

    One of histories may be another run's. It is used if these are late and young enough, as published ones are.
    """
    is_own = state.run == job.run and (not state.finished or state.generation == job.generation)
    return is_own or (job.is_shared and job.can_cut(state.extracted_at))
