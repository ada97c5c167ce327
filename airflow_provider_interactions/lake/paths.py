"""Where files lie in the lake: every path follows from vendor, account, window and batch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from airflow_provider_interactions.window import Window


@dataclass(frozen=True, slots=True)
class WindowPaths:
    """The paths of one vendor's account and window. Values are escaped, so none can leave its folder."""

    vendor: str
    account: str
    window: Window

    def folder(self, layer: str) -> str:
        """``raw/vendor=…/account=…/window=…`` for a layer."""
        return f"{self.of_account(layer)}/window={self.window.slug}"

    def dated(self, day: str) -> str:
        """The canonical table's folder of one UTC day."""
        return f"{self.of_account('interactions')}/date={day}"

    @property
    def raw_manifest(self) -> str:
        """Where the raw window is published."""
        return f"{self.folder('raw')}/manifest.json"

    @property
    def manifest(self) -> str:
        """Where the normalized window is published."""
        return f"{self.of_account('manifests')}/window={self.window.slug}.json"

    @property
    def unfinished(self) -> str:
        """Where unfinished extractions of the account are kept."""
        return self.of_account("unfinished")

    @property
    def histories(self) -> str:
        """Where whole histories are kept."""
        return self.of_account("history")

    @property
    def requests(self) -> str:
        """Where answers to requests about given people are kept."""
        return self.of_account("requests")

    def of_account(self, layer: str) -> str:
        """``raw/vendor=…/account=…`` for a layer: what all windows of the account have in common."""
        return f"{layer}/vendor={escape_segment(self.vendor)}/account={escape_segment(self.account)}"


def escape_segment(text: str) -> str:
    """Text as one path segment: letters, digits and ``_.-~`` stay, the rest is percent-encoded, dots alone too."""
    escaped = quote(text, safe="")
    return escaped.replace(".", "%2E") if set(escaped) <= {"."} else escaped


_STAMP = re.compile(r"-(\d{8}T\d{12})Z(?=[-.])")


def read_timestamp(name: str) -> datetime | None:
    """The instant of the last stamp in a file's name; None where there is none."""
    found = _STAMP.findall(name)
    try:
        return datetime.strptime(found[-1], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def timestamp(moment: datetime) -> str:
    """The instant of a run as a part of file names, to the microsecond: ``20261123T154500123456Z``."""
    return f"{moment:%Y%m%dT%H%M%S%f}Z"
