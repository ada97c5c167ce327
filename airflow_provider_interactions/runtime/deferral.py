"""Give up a task's slot while the vendor asks for a long pause: a trigger waits instead, then the task continues.

Airflow's own trigger waits, so the triggerer needs nothing of this package. All that it gets is an instant.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import conf

from airflow_provider_interactions.runtime.retry import find_delay

if TYPE_CHECKING:
    from airflow_provider_interactions.http.retry import Limits

#: Whether tasks are deferred unless the DAG says otherwise. Airflow's default is no, since a triggerer may be absent.
DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)

#: Seconds of a pause that a task still waits in its slot. To leave it and to start again takes a few seconds of a slot
#: (a new process, imports, the list of contacts, the checkpoint), so shorter pauses would save little.
LONGEST_PAUSE = 60.0


def choose_limits(*, deferrable: bool) -> Limits | None:
    """The limits of a run that ends at once if the vendor asks for a long pause; None for the usual ones."""
    from airflow_provider_interactions.http.retry import Limits

    return Limits(longest_pause=LONGEST_PAUSE) if deferrable else None


def find_resume_time(error: BaseException) -> datetime | None:
    """When to continue (aware) after a pause that is too long for a slot; None for any other error."""
    delay = find_delay(error)
    return datetime.now(UTC) + delay if delay and delay.total_seconds() > LONGEST_PAUSE else None
