"""Paths in the lake. Every path is a function of vendor, account, window and batch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from airflow_provider_interactions.window import Window


@dataclass(frozen=True, slots=True)
class WindowPaths:
    """The paths of one vendor, account and window. Values are escaped, so no path can leave its folder."""

    vendor: str
    account: str
    window: Window

    def folder(self, layer: str) -> str:
        """The window's folder in a layer: ``raw/vendor=…/account=…/window=…``."""
        return f"{self.of_account(layer)}/window={self.window.slug}"

    def day_folder(self, day: str) -> str:
        """The folder of one UTC day in the canonical table."""
        return f"{self.of_account('interactions')}/date={day}"

    @property
    def raw_manifest(self) -> str:
        """The manifest of the raw window."""
        return f"{self.folder('raw')}/manifest.json"

    @property
    def manifest(self) -> str:
        """The manifest of the normalized window."""
        return f"{self.of_account('manifests')}/window={self.window.slug}.json"

    @property
    def unfinished(self) -> str:
        """The folder of the account's unfinished extractions."""
        return self.of_account("unfinished")

    @property
    def histories(self) -> str:
        """The folder of the account's full histories."""
        return self.of_account("history")

    @property
    def requests(self) -> str:
        """The folder of the results of data subject requests."""
        return self.of_account("requests")

    def of_account(self, layer: str) -> str:
        """The account's folder in a layer: ``raw/vendor=…/account=…``."""
        return _join_account(layer, self.vendor, self.account)


def name_ledger(vendor: str, account: str) -> str:
    """The file in which the tasks of an account divide its limit."""
    return f"{_join_account('limits', vendor, account)}.json"


def _join_account(layer: str, vendor: str, account: str) -> str:
    return f"{layer}/vendor={escape_segment(vendor)}/account={escape_segment(account)}"


def escape_segment(text: str) -> str:
    """Text as one path segment. Keeps letters, digits and ``_.-~``; percent-encodes the rest, and text of only dots."""
    escaped = quote(text, safe="")
    return escaped.replace(".", "%2E") if set(escaped) <= {"."} else escaped


_STAMP = re.compile(r"-(\d{8}T\d{12})Z(?=[-.])")


def read_timestamp(name: str) -> datetime | None:
    """The last timestamp in a file's name, in UTC; None if it has no valid one."""
    found = _STAMP.findall(name)
    try:
        return datetime.strptime(found[-1], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def timestamp(moment: datetime) -> str:
    """The instant of a run (UTC) as part of a file name, to the microsecond: ``20261123T154500123456Z``."""
    return f"{moment:%Y%m%dT%H%M%S%f}Z"
