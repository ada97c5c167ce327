"""Extract, normalize and load: each window as a task of the same step leaves it in the lake."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import msgspec

from airflow_provider_interactions.alerts import KINDS, Kind
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.coverage.alerts import find_alerts
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.commit import commit_or_follow
from airflow_provider_interactions.extract.job import HISTORY_AGE, Job
from airflow_provider_interactions.extract.retention import refuse_swept
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.shared_limit import Sharing
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import WindowPaths, name_shares
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import open_ledger
from airflow_provider_interactions.load import Target, load_window
from airflow_provider_interactions.normalize.persons import PersonIndex
from airflow_provider_interactions.normalize.policy import Policy
from airflow_provider_interactions.normalize.window import normalize_run
from airflow_provider_interactions.rejects import SHARE
from airflow_provider_interactions.shell.config import SHARED_LIMIT, read_switch
from airflow_provider_interactions.shell.progress import show_progress
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.shell.sources import Source
from airflow_provider_interactions.window import Window, zulu

#: Names the shell's extractions in checkpoints, so that the same command continues where it was stopped.
RUN = "shell"

#: The counts of a window that a table shows, for each step.
SHOWN = {
    "extract": ("contacts", "landed", "requests", "not_found", "failed"),
    "normalize": ("landed", "canonical", "rejected", "repeated"),
    "load": ("rows", "inserted", "updated", "unchanged"),
}


def extract_windows(
    session: Session,
    source: Source,
    lake: Lake,
    windows: Sequence[Window],
    contacts: Sequence[Contact],
    *,
    asked: str,
    missing: bool,
    refresh: bool,
    on_missing: Literal["record", "allow", "fail"],
    rejects_share: float | None = None,
) -> None:
    """Extract and commit one window after the other. ``missing`` leaves out what the lake has."""

    def run(place: WindowPaths) -> tuple[Manifest, Any] | None:
        if missing and _exists(lake, place.raw_manifest):
            return None
        with show_progress(session, f"{source.vendor.name} {_name(place.window)}") as report:
            job = Job(
                vendor=source.vendor,
                credentials=source.credentials,
                lake=lake,
                window=place.window,
                contacts=contacts,
                options=source.options,
                sharing=open_sharing(lake, source),
                history_age=timedelta(0) if refresh else HISTORY_AGE,
                on_missing=on_missing,
                rejects_share=SHARE if rejects_share is None else rejects_share,
                resume=RUN,
                source=asked,
                progress=report,
            )
            manifest = commit_or_follow(lake, [extract(job)])
        return manifest, manifest.counts

    _run_windows(session, source.vendor.name, source.credentials.account, windows, run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalization:
    """How windows are normalized: the arguments of the operator. ``persons`` is the map of identities."""

    policy: Policy
    persons: PersonIndex | None = None
    rejects_share: float | None = None
    keep_former: timedelta = timedelta(0)
    alerts: Sequence[Kind] = ()

    def normalize(self, lake: Lake, raw: Manifest) -> Manifest:
        """Normalize one window. Raises ConfigError if retention has removed its raw records."""
        refuse_swept(raw, "raw")
        keep, share = self.keep_former, self.rejects_share
        return normalize_run(lake, [raw], share, keep_former=keep, policy=self.policy, persons=self.persons)

    def is_done(self, lake: Lake, raw: Manifest, done: Manifest | None) -> bool:
        """Whether a window is as new as its extraction, and follows the policy and the map of identities.

        Also if it cannot follow them, because retention has removed what it could be normalized from.
        """
        if done is not None and "raw" in raw.swept:
            return True
        if done is None or done.extracted_at < raw.extracted_at or done.policy != self.policy.digest:
            return False
        return self.persons is None or self.persons.find_contacts(lake, raw).digest == done.identities


def normalize_windows(
    session: Session,
    lake: Lake,
    vendor: str,
    account: str,
    windows: Sequence[Window],
    chosen: Normalization,
    *,
    missing: bool,
) -> None:
    """Normalize one window after the other. ``missing`` leaves out those that are done.

    Each alert is a warning, and is in the result.
    """
    if chosen.persons:
        places = (WindowPaths(vendor, account, window) for window in windows)
        raws = [raw for place in places if (raw := lake.read(place.raw_manifest, Manifest))]
        chosen.persons.prepare(lake, raws)

    def run(place: WindowPaths) -> tuple[Manifest, Any] | None:
        raw = _require_manifest(lake, place.raw_manifest, place.window, "extract")
        if missing and chosen.is_done(lake, raw, lake.read(place.manifest, Manifest)):
            return None
        manifest = chosen.normalize(lake, raw)
        session.result.setdefault("alerts", []).extend(
            {"window": str(place.window), "kind": alert.kind, "message": alert.message}
            for alert in find_alerts(lake, manifest, chosen.alerts)
        )
        return manifest, manifest.counts

    _run_windows(session, vendor, account, windows, run)


def check_kinds(names: Iterable[str]) -> list[Kind]:
    """The kinds of alerts of ``--alert``. Raises ConfigError for another word."""
    known: dict[str, Kind] = {kind: kind for kind in KINDS}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        msg = f"--alert is {unknown[0]!r}. Write one of {', '.join(KINDS)}."
        raise ConfigError(msg)
    return [known[name] for name in names]


def load_windows(
    session: Session, lake: Lake, vendor: str, account: str, windows: Sequence[Window], targets: Iterable[Target]
) -> None:
    """Load one window after the other into each target. A window that is there already changes nothing."""
    for target in targets:
        table = ".".join(filter(None, target.describe()))

        def run(place: WindowPaths, target: Target = target) -> tuple[Manifest, Any]:
            manifest = _require_manifest(lake, place.manifest, place.window, "normalize")
            return load_window(lake, manifest, target)

        _run_windows(session, vendor, account, windows, run, table=table)


def open_sharing(lake: Lake, source: Source, *, ahead: bool = False) -> Sharing | None:
    """The ledger of the account in the lake, if Airflow's configuration says that its tasks share the limit."""
    if not read_switch(os.environ, SHARED_LIMIT):
        return None
    ledger = open_ledger(lake, name_shares(source.vendor.name, source.credentials.account))
    return Sharing(ledger, ahead) if ledger else None


def _run_windows(
    session: Session,
    vendor: str,
    account: str,
    windows: Sequence[Window],
    run: Callable[[WindowPaths], tuple[Manifest, Any] | None],
    **more: str,
) -> None:
    """Run a step for each window. The table, and the result, have those that are done, also after an error."""
    done: list[dict[str, Any]] = session.result.setdefault("windows", [])
    session.result |= {"vendor": vendor, "account": account}
    first = len(done)
    try:
        for window in windows:
            found = run(WindowPaths(vendor, account, window))
            counts = None if found is None else msgspec.to_builtins(found[1])
            done.append({"start": zulu(window.start), "end": zulu(window.end), "counts": counts, **more})
    except KeyboardInterrupt:
        session.note(_advise(session.command, windows[len(done) - first]))
        raise
    finally:
        if done[first:]:
            _show(session, done[first:], **more)


def _advise(command: str, window: Window) -> str:
    if command == "extract":
        return (
            f"Stopped in window {window}. The same command with --missing continues there. What has landed of this "
            "window is not requested again."
        )
    return f"Stopped in window {window}, which is as it was. Run the same command again."


def _show(session: Session, done: Sequence[dict[str, Any]], **more: str) -> None:
    names = SHOWN[session.command]
    rows = [(_label(one), *_format_counts(one["counts"], names)) for one in done]
    session.show_table(("window", *names), rows, title=more.get("table"))


def _format_counts(counts: dict[str, int] | None, names: Sequence[str]) -> list[str]:
    return ["in the lake already"] if counts is None else [f"{counts[name]:,}" for name in names]


def _label(one: dict[str, Any]) -> str:
    return _name(Window.of(one["start"], one["end"]))


def _name(window: Window) -> str:
    """A window in short: a day by its date."""
    return f"{window.start:%Y-%m-%d}" if window == Window.day(window.start.date()) else str(window)


def _exists(lake: Lake, path: str) -> bool:
    return lake.read(path, Manifest) is not None


def _require_manifest(lake: Lake, path: str, window: Window, step: str) -> Manifest:
    found = lake.read(path, Manifest)
    if found is None:
        msg = f"Window {window} is not in the lake. Run: interactions {step}, with the same options."
        raise ConfigError(msg)
    return found
