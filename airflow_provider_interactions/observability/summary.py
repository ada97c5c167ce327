"""The summary of a step. Metrics, links, assets and lineage are made from it.

It holds no personal data.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.window import zulu

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Counts, Manifest
    from airflow_provider_interactions.lake.paths import WindowPaths
    from airflow_provider_interactions.load import Loaded
    from airflow_provider_interactions.person.counts import Answer, PersonAnswer
    from airflow_provider_interactions.person.receipt import Receipt

Counters = Mapping[str, int]

#: What a step that asks for contacts counts of them.
CONTACTS = ("contacts", "ok", "empty", "not_found", "deleted", "failed")


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of one step. ``rows`` and ``bytes`` count what it wrote. ``path`` is its manifest or list in the lake.

    ``bytes`` is None for a database, because a database does not report the bytes of rows. If a run covers several
    ``windows``, ``path`` is the folder of their manifests. ``window_start`` and ``window_end`` are ISO 8601 in UTC,
    None for all time. ``counters`` are for metrics: they count the work of this step, not of the steps before it.
    ``outcomes`` count contacts, if the step asks for some. ``alerts`` say
    what is unusual about the windows, if the step looks for that. ``removed`` are files that retention has removed, by
    layer.
    """

    stage: str
    vendor: str
    account: str
    window_start: str | None
    window_end: str | None
    rows: int
    bytes: int | None
    files: int
    path: str
    rejected: int = 0
    windows: int = 1
    counters: Counters = field(default_factory=dict)
    outcomes: Counters = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    removed: Counters = field(default_factory=dict)

    @property
    def extra(self) -> dict[str, Any]:
        """The values for an asset event."""
        values = {
            "vendor": self.vendor,
            "account": self.account,
            "window_start": self.window_start,
            "window_end": self.window_end,
            "rows": self.rows,
            "bytes": self.bytes,
            "rejected": self.rejected,
            **({"alerts": list(self.alerts)} if self.alerts else {}),
            **({"removed": dict(self.removed)} if self.removed else {}),
            **({"manifest": self.path} if self.windows == 1 else {"windows": self.windows, "manifests": self.path}),
        }
        return {name: value for name, value in values.items() if name != "bytes" or value is not None}


def summarize_list(stage: str, place: WindowPaths, path: str, contacts: int) -> Summary:
    """The summary of a list of contacts, written to ``path``."""
    return _summarize(stage, place, contacts, None, 1, path, counters={"rows": contacts})


def summarize_extracted(stage: str, manifest: Manifest) -> Summary:
    """The summary of an extracted batch."""
    summary = summarize_raw(stage, manifest)
    return replace(summary, counters={"rows": manifest.counts.landed}, outcomes=_count_contacts(manifest.counts))


def summarize_raw(stage: str, manifest: Manifest) -> Summary:
    """The summary of a raw window."""
    single = manifest.windows == 1
    path = manifest.place.raw_manifest if single else manifest.place.of_account("raw")
    return _summarize_manifest(stage, manifest, manifest.counts.landed, path, {})


def summarize_normalized(
    stage: str, manifest: Manifest, alerts: Sequence[str] = (), removed: Counters | None = None
) -> Summary:
    """The summary of one or more normalized windows of a run. ``removed`` is what retention has removed."""
    counts = manifest.counts
    counters = {"rows": counts.canonical, "rejects": counts.rejected}
    summary = _summarize_manifest(stage, manifest, counts.canonical, _find_path(manifest), counters)
    return replace(summary, alerts=tuple(alerts), removed=removed or {})


def summarize_loaded(stage: str, manifest: Manifest, result: Loaded, late: Loaded | None = None) -> Summary:
    """The summary of a loaded window. ``late`` are the counts of the windows before the run's own."""
    news = late.inserted + late.updated + late.removed if late else 0
    return _summarize(
        stage,
        manifest.place,
        result.rows,
        None,
        0,
        _find_path(manifest),
        rejected=manifest.counts.rejected,
        windows=manifest.windows,
        counters={"rows": result.rows, "late": news},
    )


def summarize_answer(stage: str, answer: Answer) -> Summary:
    """The summary of an answer to a request."""
    return _summarize_request(stage, answer.vendor, answer.account, answer)


def summarize_person(stage: str, answer: PersonAnswer) -> Summary:
    """The summary of an answer about one person at several systems."""
    return _summarize_request(stage, "all", "all", answer)


def summarize_erasure(stage: str, vendors: Sequence[str], receipt: Receipt) -> Summary:
    """The summary of an erasure. ``rows`` are those that were removed, also from tables."""
    rows = sum(receipt.erased.values()) + sum(one.rows for one in receipt.tables)
    vendor = vendors[0] if len(vendors) == 1 else "all"
    return Summary(stage, vendor, "all", None, None, rows, None, receipt.files, receipt.path, counters={"rows": rows})


def _summarize_request(stage: str, vendor: str, account: str, answer: Answer | PersonAnswer) -> Summary:
    counts = answer.counts
    return Summary(
        stage=stage,
        vendor=vendor,
        account=account,
        window_start=zulu(answer.window_start) if answer.window_start else None,
        window_end=zulu(answer.window_end) if answer.window_end else None,
        rows=counts.canonical,
        bytes=answer.parquet.bytes + answer.lines.bytes + answer.page.bytes,
        files=3,
        path=answer.summary,
        rejected=counts.rejected,
        counters={"rows": counts.canonical, "rejects": counts.rejected},
        outcomes=_count_contacts(counts),
    )


def _summarize_manifest(stage: str, manifest: Manifest, rows: int, path: str, counters: Counters) -> Summary:
    return _summarize(
        stage,
        manifest.place,
        rows,
        sum(file.bytes for file in manifest.files),
        len(manifest.files),
        path,
        rejected=manifest.counts.rejected,
        windows=manifest.windows,
        counters=counters,
    )


def _summarize(
    stage: str, place: WindowPaths, rows: int, size: int | None, files: int, path: str, **more: Any
) -> Summary:
    start, end = zulu(place.window.start), zulu(place.window.end)
    return Summary(stage, place.vendor, place.account, start, end, rows, size, files, path, **more)


def _find_path(manifest: Manifest) -> str:
    """The path of the manifest of a normalized window, or the folder of the manifests of several windows."""
    path = manifest.place.manifest
    return path if manifest.windows == 1 else posixpath.dirname(path)


def _count_contacts(counts: Counts) -> Counters:
    return {name: getattr(counts, name) for name in CONTACTS}
