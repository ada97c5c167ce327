"""Normalize one window in several tasks: split its raw files into parts, normalize each, publish all of them at once.

Repeats are found among the rows of a contact, which are adjacent (`Deduplicator`). So a part ends where a contact ends,
and the parts have together the rows that the window has when one task normalizes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import pyarrow.parquet as pq
from msgspec.structs import replace

from airflow_provider_interactions.errors import WindowSuperseded
from airflow_provider_interactions.extract.commit import commit_or_follow, read_newer
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest, count_rows, join_identities
from airflow_provider_interactions.lake.reader import describe_superseded
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.persons import PersonIndex
from airflow_provider_interactions.normalize.pipeline import normalize, normalize_part
from airflow_provider_interactions.normalize.policy import KEEP_ALL, Policy
from airflow_provider_interactions.normalize.publish import Publication, publish
from airflow_provider_interactions.normalize.window import normalize_current
from airflow_provider_interactions.rejects import SHARE

#: Airflow maps a task over 1,024 values at most (``[core] max_map_length``).
MOST_PARTS = 1_000


def commit_and_split(lake: Lake, batches: Sequence[Manifest], files: int) -> list[Manifest]:
    """Commit a window's batches, and split its raw files into parts of about ``files``.

    Returns a manifest of raw files for each part. A run over several windows is neither committed nor split: each of
    its windows is small, and `normalize_run` takes them one by one. Raises as ``commit_window`` does.
    """
    if batches and batches[0].width is not None:
        return [batches[0]]
    return split_raw(lake, commit_or_follow(lake, batches), files)


def split_raw(lake: Lake, raw: Manifest, files: int) -> list[Manifest]:
    """A raw window in parts of at least ``files`` files, each with all rows of its contacts."""
    size = max(files, math.ceil(len(raw.files) / MOST_PARTS))
    groups, last = [list[File]()], ""
    for file in raw.files:
        first, end = _read_ends(lake, raw, file)
        if len(groups[-1]) >= size and first != last:
            groups.append([])
        groups[-1].append(file)
        last = end
    parts = [replace(raw, files=tuple(group), outcomes=(), undated=(), rejects=()) for group in groups]
    return [
        replace(part, batch=n, batches=len(parts), counts=Counts(landed=count_rows(part.files)))
        for n, part in enumerate(parts)
    ]


def _read_ends(lake: Lake, raw: Manifest, file: File) -> tuple[str, str]:
    """The first and the last contact of a raw file."""
    try:
        with lake.fs.open(lake.full(file.path), "rb") as stream:
            parquet = pq.ParquetFile(stream)
            ends = (0, parquet.num_row_groups - 1)
            first, last = (parquet.read_row_group(end, columns=["contact_id"]).column(0) for end in ends)
            return first[0].as_py(), last[-1].as_py()
    except FileNotFoundError as gone:
        raise WindowSuperseded(describe_superseded(raw)) from gone


def normalize_split(
    lake: Lake, part: Manifest, now: datetime, policy: Policy = KEEP_ALL, persons: PersonIndex | None = None
) -> Manifest:
    """Write the canonical rows of one part; see ``normalize_part``.

    Returns the part without any file if another extraction has replaced the window: ``publish_parts`` sees that, too.
    """
    if part.width is not None:
        return part
    try:
        return normalize_part(lake, part, now, policy, persons)
    except WindowSuperseded:
        identities = join_identities(["0"]) if persons else ""
        return replace(part, files=(), counts=Counts(), policy=policy.digest, identities=identities)


def publish_parts(
    lake: Lake,
    split: Sequence[Manifest],
    parts: Sequence[Manifest],
    rejects_share: float | None,
    keep_former: timedelta,
    now: datetime,
    policy: Policy = KEEP_ALL,
    persons: PersonIndex | None = None,
) -> Manifest:
    """Publish a window whose parts, those of ``split``, are normalized; raises as ``publish`` does.

    If another run has committed the same window meanwhile, this normalizes that version, in one piece, under
    ``policy`` and with ``persons``.
    """
    share = SHARE if rejects_share is None else rejects_share
    raw = replace(split[0], files=tuple(file for part in split for file in part.files))
    try:
        return publish(lake, _read_current(lake, raw), parts, Publication(share, keep_former, now))
    except WindowSuperseded as superseded:
        current = read_newer(lake, raw, superseded)
        finish = partial(normalize, rejects_share=share, keep_former=keep_former, policy=policy, persons=persons)
        done = normalize_current(lake, current, finish)
        lake.remove(file.path for part in parts for file in (*part.files, *part.rejects))
        return done


def _read_current(lake: Lake, raw: Manifest) -> Manifest:
    """The published raw manifest, if it has these files."""
    current = lake.read(raw.place.raw_manifest, Manifest)
    if current is None or current.files != raw.files:
        raise WindowSuperseded(describe_superseded(raw))
    return current
