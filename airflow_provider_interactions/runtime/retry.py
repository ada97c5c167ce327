"""Decide when Airflow retries a failed task: after the delay that the vendor asked for, if it asked for one.

Errors that a retry cannot fix do not get here: ``failures.raise_for_airflow`` makes them an AirflowFailException.
Airflow 3.2 has no retry policies and uses the task's ``retry_delay``. If the vendor wants a longer delay, the retry
comes too early and is throttled again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import conf
from airflow.sdk.bases.operator import get_merged_defaults
from airflow.sdk.definitions.mappedoperator import OperatorPartial
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

from airflow_provider_interactions.errors import InteractionsError

#: Retries of every task unless the DAG or ``[core] default_task_retries`` sets another number. Most retries wait for a
#: vendor, and a retry continues where the last try ended.
RETRIES = conf.getint("core", "default_task_retries", fallback=0) or 3

#: The longest delay, because a vendor's clock may be wrong. After a day that was too short, the vendor throttles again.
LONGEST = timedelta(days=1)


def walk_causes(exception: BaseException) -> Iterator[BaseException]:
    """An exception and the chain of its causes, each exception once."""
    error: BaseException | None = exception
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def find_delay(exception: BaseException) -> timedelta | None:
    """The delay that the vendor asked for, at most a day; None if no error in the chain of causes has one."""
    for error in walk_causes(exception):
        seconds = getattr(error, "retry_after", None)
        if isinstance(error, InteractionsError) and seconds is not None and seconds > 0:
            return timedelta(seconds=min(seconds, LONGEST.total_seconds()))
    return None


def is_variable_missing(exception: BaseException) -> bool:
    """Whether a template names an Airflow variable that does not exist. Airflow renders it before the operator runs."""
    errors = (error.error for error in walk_causes(exception) if isinstance(error, AirflowRuntimeError))
    return any(error.error is ErrorType.VARIABLE_NOT_FOUND for error in errors)


try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:  # Airflow 3.2
    POLICY: Any = None
else:

    class InteractionsRetryPolicy(RetryPolicy):
        """Retry after the delay that the vendor asked for. Without one, the task's own settings apply.

        If a template names a variable that does not exist, the task fails at once.
        """

        def evaluate(
            self,
            exception: BaseException,
            try_number: int,  # noqa: ARG002 - Airflow counts the tries
            max_tries: int,  # noqa: ARG002 - as above
            context: Any = None,  # noqa: ARG002 - the exception is enough to decide
        ) -> RetryDecision:
            """Decide about a retry; Airflow shows the reason at the task instance."""
            if is_variable_missing(exception):
                return RetryDecision.fail(reason="an Airflow variable is missing; add it under Admin, Variables")
            delay = find_delay(exception)
            if delay is None:
                return RetryDecision.default()
            reason = f"rate limited: the vendor asked to retry after {delay.total_seconds():,.0f} s"
            return RetryDecision.retry(delay=delay, reason=reason)

    #: The default of every operator of this package; None on Airflow 3.2.
    POLICY = InteractionsRetryPolicy()

#: Default arguments of the operators' constructors.
DEFAULTS = {"retries": RETRIES, **({} if POLICY is None else {"retry_policy": POLICY})}


def keep_defaults(partial: OperatorPartial, arguments: Mapping[str, Any]) -> OperatorPartial:
    """Give a mapped task the same defaults as an unmapped one; before 3.3.2 Airflow ignores them.

    ``arguments`` are those of ``.partial``. They take precedence, and so do the ``default_args`` of the DAG and of a
    task group.
    """
    dag, group = partial.kwargs["dag"], partial.kwargs["task_group"]
    inherited, _ = get_merged_defaults(dag, group, None, arguments.get("default_args"))
    explicit = {**inherited, **arguments}
    partial.kwargs.update({name: value for name, value in DEFAULTS.items() if name not in explicit})
    return partial
