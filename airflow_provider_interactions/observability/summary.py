"""What a step did, read from what it returns: the one form that metrics, links, assets and lineage are made of.

Nothing about a person is in it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from airflow_provider_interactions.lake.manifest import Manifest
    from airflow_provider_interactions.lake.paths import WindowPaths

Counters = Mapping[str, int]

#: What metrics call the counts of calls.
CALLS = {"requests": "requests", "retries": "retries", "throttles": "throttled"}


@dataclass(frozen=True, slots=True)
class Summary:
    """One step's outcome. ``rows`` and ``bytes`` are of what it wrote; ``path`` is where the lake says more.

    ``bytes`` is None where nobody knows them: a database does not say what rows take in it. Where a run wrote several
    ``windows``, or will, the path is that of the folder with their manifests.

    ``window_start`` and ``window_end`` are ISO 8601 in UTC, None for all time. ``counters`` are for metrics: what this
    step added, not what steps before it did.
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

    @property
    def extra(self) -> dict[str, Any]:
        """What an asset event carries."""
        told = {
            "vendor": self.vendor,
            "account": self.account,
            "window_start": self.window_start,
            "window_end": self.window_end,
            "rows": self.rows,
            "bytes": self.bytes,
            "rejected": self.rejected,
            **({"manifest": self.path} if self.windows == 1 else {"windows": self.windows, "manifests": self.path}),
        }
        return {name: value for name, value in told.items() if name != "bytes" or value is not None}


def summarize(stage: str, result: Any) -> Summary:
    """Read what the operator of a stage returned."""
    return _READERS[stage](stage, result)


def _listed(stage: str, references: Sequence[Mapping[str, Any]]) -> Summary:
    first = references[0]
    named = dict(part.split("=", 1) for part in first["path"].split("/") if "=" in part)
    rows = sum(reference["count"] for reference in references)
    return Summary(
        stage=stage,
        vendor=unquote(named["vendor"]),
        account=unquote(named["account"]),
        window_start=first["window_start"],
        window_end=first["window_end"],
        rows=rows,
        bytes=None,
        files=1,
        path=first["path"],
        counters={"rows": rows},
    )


def _landed(stage: str, result: Mapping[str, Any]) -> Summary:
    counts = result["counts"]
    return _of_manifest(stage, result, counts["landed"], {"rows": counts["landed"], **_calls(counts)})


def _published(stage: str, result: Mapping[str, Any]) -> Summary:
    return _of_manifest(stage, result, result["counts"]["landed"], {})


def _normalized(stage: str, result: Mapping[str, Any]) -> Summary:
    counts = result["counts"]
    told = {"rows": counts["canonical"], "rejects": counts["rejected"]}
    return _of_manifest(stage, result, counts["canonical"], told)


def _of_manifest(stage: str, result: Mapping[str, Any], rows: int, counters: Counters) -> Summary:
    from airflow_provider_interactions.lake.manifest import unpacked

    manifest = unpacked(result)
    path = _path(manifest.place, manifest.windows) if stage == "normalize" else _raw_path(manifest)
    return Summary(
        stage=stage,
        vendor=result["vendor"],
        account=result["account"],
        window_start=result["window_start"],
        window_end=result["window_end"],
        rows=rows,
        bytes=sum(file["bytes"] for file in result["files"]),
        files=len(result["files"]),
        path=path,
        rejected=result["counts"]["rejected"],
        windows=manifest.windows,
        counters=counters,
    )


def _loaded(stage: str, result: Mapping[str, Any]) -> Summary:
    from airflow_provider_interactions.lake.paths import WindowPaths
    from airflow_provider_interactions.window import Window

    window = Window.of(result["window_start"], result["window_end"])
    return Summary(
        stage=stage,
        vendor=result["vendor"],
        account=result["account"],
        window_start=result["window_start"],
        window_end=result["window_end"],
        rows=result["loaded"]["rows"],
        bytes=None,
        files=0,
        path=_path(WindowPaths(result["vendor"], result["account"], window), result["windows"]),
        rejected=result["counts"]["rejected"],
        windows=result["windows"],
        counters={"rows": result["loaded"]["rows"]},
    )


def _raw_path(manifest: Manifest) -> str:
    return manifest.place.raw_manifest if manifest.windows == 1 else manifest.place.of_account("raw")


def _path(place: WindowPaths, windows: int) -> str:
    return place.manifest if windows == 1 else posixpath.dirname(place.manifest)


def _answered(stage: str, result: Mapping[str, Any]) -> Summary:
    counts = result["counts"]
    return Summary(
        stage=stage,
        vendor=result["vendor"],
        account=result["account"],
        window_start=result["window_start"],
        window_end=result["window_end"],
        rows=counts["canonical"],
        bytes=result["parquet"]["bytes"] + result["lines"]["bytes"],
        files=2,
        path=result["summary"],
        rejected=counts["rejected"],
        counters={"rows": counts["canonical"], "rejects": counts["rejected"], **_calls(counts)},
    )


def _calls(counts: Mapping[str, int]) -> Counters:
    return {metric: counts[name] for metric, name in CALLS.items()}


_READERS: Mapping[str, Callable[[str, Any], Summary]] = {
    "list": _listed,
    "extract": _landed,
    "publish": _published,
    "normalize": _normalized,
    "load": _loaded,
    "request": _answered,
}
