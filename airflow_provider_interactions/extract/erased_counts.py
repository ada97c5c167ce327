"""The counts and the digest of a manifest whose files have fewer rows than before."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import replace

from airflow_provider_interactions.extract.raw_table import digest_payloads
from airflow_provider_interactions.extract.rewriter import Rewriter
from airflow_provider_interactions.lake.manifest import OUTCOMES, Counts, File, Manifest, count_rows
from airflow_provider_interactions.lake.storage import Lake

#: The files of a manifest, by what they hold.
GROUPS = ("files", "outcomes", "rejects", "undated")


def choose_digest(
    rewriter: Rewriter, manifest: Manifest, files: Sequence[File], raw: Manifest | None, *, normalized: bool
) -> str:
    """The digest of the raw files. It cannot be computed if the files of a normalized window are gone."""
    if not manifest.digest or (not normalized and files == manifest.files):
        return manifest.digest
    if not normalized:
        return _digest_files(rewriter, files)
    return raw.digest if raw is not None and raw.extracted_at == manifest.extracted_at else ""


def count_rest(
    lake: Lake, manifest: Manifest, groups: Mapping[str, Sequence[File]], raw: Manifest | None, *, normalized: bool
) -> Counts:
    """The counts of a manifest whose files are now ``groups``. ``raw`` is the raw manifest of a ``normalized`` one."""
    gone = {name: count_rows(getattr(manifest, name)) - count_rows(groups[name]) for name in GROUPS}
    counts, changed = manifest.counts, {}
    if groups["outcomes"] != manifest.outcomes:
        changed = _count_outcomes(lake, groups["outcomes"])
    landed = gone["files"]
    if normalized:
        changed["canonical"], changed["rejected"] = (
            counts.canonical - gone["files"],
            counts.rejected - gone["rejects"],
        )
        landed = _count_landed(lake, manifest, groups, raw, gone)
        changed["repeated"] = counts.landed - landed - changed["canonical"] - changed["rejected"]
    records = landed + gone["undated"]
    return replace(
        counts,
        received=counts.received - records,
        fetched=counts.fetched - landed,
        landed=counts.landed - landed,
        undated=counts.undated - gone["undated"],
        erased=counts.erased + records,
        suppressed=counts.suppressed + gone["outcomes"],
        contacts=counts.contacts - gone["outcomes"],
        **changed,
    )


def _count_landed(
    lake: Lake, manifest: Manifest, groups: Mapping[str, Sequence[File]], raw: Manifest | None, gone: Mapping[str, int]
) -> int:
    """The landed records of these people in a normalized window: repeated ones are in none of its files."""
    if raw is not None and raw.extracted_at == manifest.extracted_at:
        # Records whose key was destroyed are landed in the raw window only.
        return max(gone["files"] + gone["rejects"], manifest.counts.landed - raw.counts.landed)
    if groups["outcomes"] == manifest.outcomes:  # also if these are gone, with the raw window that was replaced
        return gone["files"] + gone["rejects"]
    before, after = (_sum_rows(lake, files) for files in (manifest.outcomes, groups["outcomes"]))
    return max(gone["files"] + gone["rejects"], before - after)


def _count_outcomes(lake: Lake, files: Sequence[File]) -> dict[str, int]:
    found = Counter(word for table in _read_column(lake, files, "outcome") for word in table.to_pylist())
    return {name: found[name] for name in OUTCOMES}


def _sum_rows(lake: Lake, files: Sequence[File]) -> int:
    return sum(pc.sum(rows).as_py() or 0 for rows in _read_column(lake, files, "rows"))


def _digest_files(rewriter: Rewriter, files: Sequence[File]) -> str:
    others = [file for file in files if file.path not in rewriter.digests]
    for file, payloads in zip(others, _read_column(rewriter.lake, others, "payload"), strict=True):
        rewriter.digests[file.path] = digest_payloads(payloads)
    digests = (rewriter.digests[file.path] for file in files)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _read_column(lake: Lake, files: Sequence[File], name: str) -> Iterator[pa.ChunkedArray]:
    for file in files:
        with lake.open(file.path) as stream:
            yield pq.ParquetFile(stream).read(columns=[name]).column(0)
