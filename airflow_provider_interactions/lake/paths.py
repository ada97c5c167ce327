"""Paths in the lake. Every path is a function of vendor, account, window and batch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, unquote

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.window import Window

#: A part of the names of files with records whose time cannot be read. They are next to the raw files.
UNDATED = "undated"


@dataclass(frozen=True, slots=True, order=True)
class AccountPaths:
    """The folders of one account."""

    vendor: str
    account: str

    def folder(self, layer: str) -> str:
        """The account's folder in a layer: ``raw/vendor=…/account=…``."""
        return _join_account(layer, self.vendor, self.account)


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
    def checkpoints(self) -> str:
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


def name_pending(place: WindowPaths, extracted_at: datetime) -> str:
    """The mark of a raw window that is not normalized yet, one for each of its versions."""
    return f"{place.of_account('pending')}/window={place.window.slug}-{timestamp(extracted_at)}.json"


def name_index(vendor: str, account: str) -> str:
    """The account's index of manifests."""
    return f"{_join_account('index', vendor, account)}.bin"


def name_seen(vendor: str, account: str) -> str:
    """The file with the native types and fields that the account's windows had."""
    return f"{_join_account('seen', vendor, account)}.json"


class Listing(Protocol):
    """What can list the names in a folder."""

    def list_names(self, folder: str) -> list[str]:
        """The names in a folder, sorted; empty if the folder does not exist."""


def list_accounts(lake: Listing, layers: Iterable[str]) -> list[AccountPaths]:
    """The accounts that have a folder in one of some layers, sorted."""
    found = set()
    for layer in layers:
        for vendor in _read_values(lake.list_names(layer), "vendor"):
            accounts = lake.list_names(f"{layer}/vendor={escape_segment(vendor)}")
            found |= {AccountPaths(vendor, account) for account in _read_values(accounts, "account")}
    return sorted(found)


def read_account(path: str) -> AccountPaths | None:
    """The account of a path ``<layer>/vendor=…/account=…/…``; None if the path is another one."""
    parts = [part.partition("=") for part in path.split("/")[1:3]]
    if [name for name, _, _ in parts] != ["vendor", "account"]:
        return None
    return AccountPaths(*(unquote(value) for _, _, value in parts))


def _read_values(names: Iterable[str], key: str) -> list[str]:
    return [unquote(name.removeprefix(f"{key}=")) for name in names if name.startswith(f"{key}=")]


def read_window(name: str) -> Window | None:
    """The window of a folder or file that is named ``window=<slug>``; None if the name is another one."""
    start, _, end = name.removeprefix("window=").removesuffix(".json").partition("-")
    try:
        return Window(datetime.fromisoformat(start), datetime.fromisoformat(end))
    except (ValueError, ConfigError):
        return None


def name_shares(vendor: str, account: str) -> str:
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


def begin_step_name(ended_at: datetime) -> str:
    """How the name of a row of the ledger begins, for a try that ended at an instant (UTC). So names sort by it."""
    return f"date={ended_at.date()}/{timestamp(ended_at)}"


def read_step_end(name: str) -> datetime:
    """When the try ended whose row in the ledger has this name. Raises ValueError for a name of another kind."""
    stamp = name.partition("/")[2].partition("-")[0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
