"""Map the core's errors to Airflow's decisions, in one place: fail now, or let the task retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from airflow_provider_interactions.errors import InteractionsError


@contextmanager
def raise_for_airflow(*facts: str) -> Iterator[None]:
    """Raise AirflowFailException if a retry cannot help. Errors with ``retry`` pass, so that Airflow retries.

    Messages stay unchanged. Each of ``facts`` (connection, window) is added to a message that lacks it.
    """
    try:
        yield
    except InteractionsError as error:
        if error.retry:
            raise
        raise AirflowFailException(_add_facts(str(error), facts)) from error
    except AirflowNotFoundException as error:
        msg = f"{error}. Add it under Admin, Connections, or as the environment variable AIRFLOW_CONN_…"
        raise AirflowFailException(_add_facts(msg, facts)) from error


def _add_facts(message: str, facts: tuple[str, ...]) -> str:
    missing = [fact for fact in facts if fact and fact not in message]
    return f"{message} ({', '.join(missing)})" if missing else message
