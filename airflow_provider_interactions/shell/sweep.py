"""Remove what the lake has kept for long enough, as the retention of a pipeline does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.retention import Retention, read_retention, sweep
from airflow_provider_interactions.lake.paths import AccountPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.vendors import find_vendor

#: The word for a layer that stays.
FOREVER = "none"


def parse_keep(given: Sequence[str]) -> Retention:
    """A retention as options spell it: ``raw=400``, or ``requests=none``. Raises ConfigError."""
    days = dict[str, int | None]()
    for one in given:
        layer, _, text = one.partition("=")
        if text != FOREVER and not (text.isascii() and text.isdecimal()):
            msg = f"--keep {one} cannot be used. Give a layer and its days, such as raw=400, or {layer}={FOREVER}."
            raise ConfigError(msg)
        days[layer] = None if text == FOREVER else int(text)
    return read_retention(days)


def sweep_account(session: Session, lake: Lake, vendor: str, account: str, keep: Retention) -> None:
    """Remove old files of an account, and print how many of each layer."""
    place = AccountPaths(find_vendor(vendor).name, account)
    removed = sweep(lake, place, keep, datetime.now(UTC))
    session.result |= {"vendor": vendor, "account": account, "removed": removed}
    if removed:
        session.show_table(("layer", "files removed"), [(name, f"{n:,}") for name, n in sorted(removed.items())])
    else:
        session.say("No file is old enough. Nothing was removed.")
