"""How contacts are cut into tasks, and the small reference to a batch that travels by XCom.

A mapped task costs about a second of the scheduler's time, and Airflow maps 1,024 at most; one task already uses all
the requests a vendor allows. So there are few tasks, each long enough to be worth its cost and short enough that a
retry loses little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import msgspec
from airflow.sdk import conf

from airflow_provider_interactions.contacts import Batch
from airflow_provider_interactions.contract import Contact, Options, Pace, Settings, Vendor, pace
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.window import Window

#: Seconds of requests a task should have at the vendor's own pace.
TASK_SECONDS = 300.0

#: More tasks than this are not made by themselves; batches grow instead.
MOST_TASKS = 200

#: Seconds an answer is taken to need where a vendor publishes no rate.
ANSWER_SECONDS = 0.2


class Reference(Batch, frozen=True, kw_only=True):
    """A batch of contacts and the window to ask for, so that all tasks of a run agree on it; ``source`` as of a Job.

    ``width`` is the length of the windows that a longer one is split into, None for one window.
    """

    window_start: datetime
    window_end: datetime
    width: timedelta | None = None
    source: str = ""

    @property
    def window(self) -> Window:
        """The window of the run that made the list."""
        return Window(self.window_start, self.window_end)

    @property
    def label(self) -> str:
        """What Airflow's UI shows instead of a map index."""
        return f"{self.batch + 1} of {self.batches}: contacts {self.first + 1:,}-{self.first + self.count:,}"


def make_reference(batch: Batch, window: Window, width: timedelta | None = None, source: str = "") -> dict[str, Any]:
    """A batch as plain JSON values."""
    values = msgspec.structs.asdict(batch)
    found = Reference(**values, window_start=window.start, window_end=window.end, width=width, source=source)
    return dict(msgspec.to_builtins(found))


def read_reference(value: Mapping[str, Any]) -> Reference:
    """Read back what ``reference`` made; raises ConfigError for anything else."""
    try:
        return msgspec.convert(dict(value), Reference)
    except (msgspec.ValidationError, TypeError, ValueError) as wrong:
        msg = f"This is no batch of contacts: {wrong}. Hand the output of ListContactsOperator to .expand(batch=…)."
        raise ConfigError(msg) from None


def choose_batch_size(
    vendor: Vendor, settings: Settings, options: Options, contacts: int, sample: Sequence[Contact]
) -> int:
    """Contacts per task: as many as take about five minutes at the vendor's pace, more when tasks would be too many.

    ``contacts`` is how many there are, ``sample`` some of them: they tell how many requests one costs at least.
    """
    queries = sum(1 for contact in sample for _ in vendor.queries(contact, settings, options))
    seconds = contacts * queries / max(1, len(sample)) / estimate_rate(pace(vendor, settings))
    tasks = min(MOST_TASKS, _read_max_tasks(), max(1, round(seconds / TASK_SECONDS)))
    return max(1, ceil(contacts / tasks))


def estimate_rate(allowed: Pace) -> float:
    """What a vendor allows, or what its concurrency gives, whichever is less."""
    in_flight = allowed.concurrency / ANSWER_SECONDS
    if allowed.requests is None or not allowed.seconds:
        return in_flight
    return min(in_flight, allowed.requests / allowed.seconds)


def check_size(size: int, contacts: int) -> int:
    """A batch size somebody chose; raises ConfigError when it is not positive or would map too many tasks."""
    most = _read_max_tasks()
    if size < 1:
        msg = f"batch_size is {size}. It must be at least 1; leave it out to have one computed."
        raise ConfigError(msg)
    if ceil(contacts / size) > most:
        msg = (
            f"batch_size {size} cuts {contacts} contacts into {ceil(contacts / size)} tasks, more than the {most} that "
            f"Airflow maps ([core] max_map_length). Take at least {ceil(contacts / most)}, or leave it out."
        )
        raise ConfigError(msg)
    return size


def _read_max_tasks() -> int:
    """How many tasks Airflow maps at most."""
    return conf.getint("core", "max_map_length", fallback=1024)
