"""Choose how many contacts a task gets, and make the small reference to a batch that XCom holds.

A mapped task costs about a second of the scheduler's time, and Airflow maps at most 1,024 tasks. One task already uses
all the requests that a vendor allows. So there are few tasks. Each is long enough to be worth its cost, and short
enough that a retry loses little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import msgspec
from airflow.sdk import conf

from airflow_provider_interactions.connection import choose_pace
from airflow_provider_interactions.contacts import Batch
from airflow_provider_interactions.contract import Contact, Options, Settings, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.plan import requests
from airflow_provider_interactions.plan.requests import MOST_TASKS, estimate_rate
from airflow_provider_interactions.window import Window


class Reference(Batch, frozen=True, kw_only=True):
    """A batch of contacts and the run's window, so that all tasks of a run use the same window.

    ``width`` is the length of the windows that a longer window is split into, None for one window. The first ``late``
    of them are older than the run's own window. ``source`` is the same as in a Job.
    """

    window_start: datetime
    window_end: datetime
    width: timedelta | None = None
    late: int = 0
    source: str = ""

    @property
    def window(self) -> Window:
        """The window of the run that made the list."""
        return Window(self.window_start, self.window_end)

    @property
    def label(self) -> str:
        """What Airflow's UI shows instead of a map index."""
        return f"{self.batch + 1} of {self.batches}: contacts {self.first + 1:,}-{self.first + self.count:,}"


def make_reference(
    batch: Batch, window: Window, width: timedelta | None = None, late: int = 0, *, source: str = ""
) -> dict[str, Any]:
    """A reference to a batch, as plain JSON values."""
    values = {**msgspec.structs.asdict(batch), "width": width, "late": late, "source": source}
    reference = Reference(**values, window_start=window.start, window_end=window.end)
    return dict(msgspec.to_builtins(reference))


def read_reference(value: Mapping[str, Any]) -> Reference:
    """Read a reference that ``make_reference`` made; raises ConfigError for anything else."""
    try:
        return msgspec.convert(dict(value), Reference)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        msg = f"This is not a batch of contacts: {error}. Pass the output of ListContactsOperator to .expand(batch=…)."
        raise ConfigError(msg) from None


def choose_batch_size(
    vendor: Vendor, settings: Settings, options: Options, contacts: int, sample: Sequence[Contact]
) -> int:
    """Contacts per task: as many as take about five minutes at the vendor's rate; more if there were too many tasks.

    ``contacts`` is the number of contacts. ``sample`` holds some of them: it shows how many requests one contact needs
    at least.
    """
    queries = sum(1 for contact in sample for _ in vendor.queries(contact, settings, options))
    rate = estimate_rate(choose_pace(vendor, settings))
    most = min(MOST_TASKS, _read_max_tasks())
    return requests.choose_batch_size(contacts, contacts * queries // max(1, len(sample)), rate, most)


def check_size(size: int, contacts: int) -> int:
    """The batch size that the DAG's author chose; raises ConfigError if it is below 1 or makes too many tasks."""
    most = _read_max_tasks()
    if size < 1:
        msg = f"batch_size is {size}. It must be at least 1. Leave it out to have it computed."
        raise ConfigError(msg)
    if ceil(contacts / size) > most:
        msg = (
            f"batch_size {size} cuts {contacts} contacts into {ceil(contacts / size)} tasks, more than the {most} that "
            f"Airflow maps ([core] max_map_length). Use at least {ceil(contacts / most)}, or leave it out."
        )
        raise ConfigError(msg)
    return size


def _read_max_tasks() -> int:
    """The most tasks that Airflow maps."""
    return conf.getint("core", "max_map_length", fallback=1024)
