"""When a failed task is tried again: after the delay the vendor itself asked for, where it asked for one.

What cannot succeed never comes here: ``errors.judged`` has made an AirflowFailException of it. Airflow 3.2 has no retry
policies; there the task's own ``retry_delay`` counts. A vendor that wants more is asked too early, and says so again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import conf
from airflow.sdk.bases.operator import get_merged_defaults
from airflow.sdk.definitions.mappedoperator import OperatorPartial

from airflow_provider_interactions.errors import InteractionsError

#: Retries of every task unless the DAG or ``[core] default_task_retries`` says otherwise: what waits here mostly waits
#: for a vendor, and a try goes on where the last one ended.
RETRIES = conf.getint("core", "default_task_retries", fallback=0) or 3

#: A vendor's clock may be wrong. A task comes back after a day at the latest, and is told again.
LONGEST = timedelta(days=1)


def walk_causes(exception: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from, each once."""
    found: BaseException | None = exception
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def find_delay(exception: BaseException) -> timedelta | None:
    """How long the vendor wants to be left alone; None where nothing in the chain of causes says so."""
    for error in walk_causes(exception):
        seconds = getattr(error, "retry_after", None)
        if isinstance(error, InteractionsError) and seconds is not None and seconds > 0:
            return timedelta(seconds=min(seconds, LONGEST.total_seconds()))
    return None


try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:  # Airflow 3.2
    POLICY: Any = None
else:

    class InteractionsRetryPolicy(RetryPolicy):
        """Retry after the vendor's own delay; everything else is left to the task's settings."""

        def evaluate(
            self,
            exception: BaseException,
            try_number: int,  # noqa: ARG002 - Airflow counts the tries
            max_tries: int,  # noqa: ARG002 - as above
            context: Any = None,  # noqa: ARG002 - the exception says it all
        ) -> RetryDecision:
            """Decide; Airflow shows the reason at the task instance."""
            delay = find_delay(exception)
            if delay is None:
                return RetryDecision.default()
            reason = f"the vendor asked to be left alone for {delay.total_seconds():,.0f} s"
            return RetryDecision.retry(delay=delay, reason=reason)

    #: The default of every operator of this package; None on Airflow 3.2.
    POLICY = InteractionsRetryPolicy()

#: What the operators' constructors take where nobody says anything.
DEFAULTS = {"retries": RETRIES, **({} if POLICY is None else {"retry_policy": POLICY})}


def keep_defaults(mapped: OperatorPartial, said: Mapping[str, Any]) -> OperatorPartial:
    """Give a mapped task the same defaults as one that is not mapped; before 3.3.2 Airflow forgets them.

    ``said`` are the arguments of ``.partial``. What the DAG, a task group or their ``default_args`` say stays.
    """
    above, _ = get_merged_defaults(mapped.kwargs["dag"], mapped.kwargs["task_group"], None, said.get("default_args"))
    mapped.kwargs.update({name: value for name, value in DEFAULTS.items() if name not in {**above, **said}})
    return mapped
