"""Look at the windows of a run for what is unusual, and say it in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import msgspec

from airflow_provider_interactions.alerts import Kind
from airflow_provider_interactions.coverage.bands import find_rising_rejects, find_unusual_count
from airflow_provider_interactions.coverage.drift import find_drift
from airflow_provider_interactions.coverage.index import Entry, read_entries
from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import AccountPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import ALWAYS

log = logging.getLogger(__name__)

#: Alerts of a run that are kept; a run can have a thousand windows.
MOST = 20

#: What looks at one window beside all of the account.
_BANDS: dict[Kind, Callable[[Entry, Iterable[Entry]], str | None]] = {
    "count": find_unusual_count,
    "rejects": find_rising_rejects,
}


class Alert(msgspec.Struct, frozen=True):
    """Something unusual about a window. ``message`` has counts and names, but no personal data."""

    kind: Kind
    message: str


def find_alerts(lake: Lake, manifest: Manifest, kinds: Iterable[Kind]) -> list[Alert]:
    """What is unusual about the normalized windows of a run, each logged as a warning.

    Windows that ``lookback`` read again count for drift only. A lake that cannot be read does not fail the step: that
    is logged, and there are no alerts.
    """
    chosen = frozenset(kinds)
    try:
        alerts = _find_all(lake, manifest, chosen) if chosen else []
    except InteractionsError as refused:
        log.warning("Window %s was not checked for alerts. %s", manifest.window, refused)
        return []
    for alert in alerts[:MOST]:
        log.warning("%s", alert.message)
    if len(alerts) > MOST:
        log.warning("%d further alerts of this run are left out", len(alerts) - MOST)
    return alerts[:MOST]


def _find_all(lake: Lake, manifest: Manifest, kinds: frozenset[Kind]) -> list[Alert]:
    found = [Alert("drift", message) for message in find_drift(lake, manifest)] if "drift" in kinds else []
    checks = {kind: check for kind, check in _BANDS.items() if kind in kinds}
    if checks:
        entries = _read_windows(lake, manifest)
        mine = _choose_own(manifest, entries)
        for kind, check in checks.items():
            found += [Alert(kind, message) for one in mine if (message := check(one, entries))]
    return found


def _choose_own(manifest: Manifest, entries: Iterable[Entry]) -> list[Entry]:
    own = manifest.part_late()[-1].window
    width = manifest.width or own.end - own.start
    mine = (one for one in entries if own.start <= one.start and one.end <= own.end)
    return [one for one in mine if one.end - one.start in (width, own.end - one.start)]  # the last may be shorter


def _read_windows(lake: Lake, manifest: Manifest) -> list[Entry]:
    entries = read_entries(lake, AccountPaths(manifest.vendor, manifest.account))
    return sorted((one for one in entries if one.span != (ALWAYS.start, ALWAYS.end)), key=lambda one: one.start)
