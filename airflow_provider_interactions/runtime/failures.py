"""Map the core's errors to Airflow's decisions, in one place: fail now, or let the task retry."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from airflow_provider_interactions.errors import InteractionsError

log = logging.getLogger(__name__)


@contextmanager
def raise_for_airflow(*facts: str) -> Iterator[None]:
    """Raise AirflowFailException if a retry cannot help. Errors with ``retry`` pass, so that Airflow retries.

    Messages stay unchanged. Each of ``facts`` (connection, window) is added to a message that lacks it. The message is
    logged alone, before the traceback that Airflow logs.
    """
    try:
        yield
    except InteractionsError as error:
        message = _add_facts(str(error), facts)
        log.error("%s", message)  # noqa: TRY400 - alone, without a traceback
        if error.retry:
            raise
        # Without the cause, which says the same: its traceback would hide the sentence in the task's log.
        log.debug("The error behind it", exc_info=error)
        raise AirflowFailException(message) from None
    except AirflowNotFoundException as error:
        msg = f"{error}. Add it under Admin, Connections, or as the environment variable AIRFLOW_CONN_…"
        message = _add_facts(msg, facts)
        log.error("%s", message)  # noqa: TRY400 - alone, without a traceback
        raise AirflowFailException(message) from None


def _add_facts(message: str, facts: tuple[str, ...]) -> str:
    missing = [fact for fact in facts if fact and fact not in message]
    return f"{message} ({', '.join(missing)})" if missing else message
