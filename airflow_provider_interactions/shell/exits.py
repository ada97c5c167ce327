"""How a command ends: its exit code by the kind of error, so that a script knows what to do next."""

from __future__ import annotations

from enum import IntEnum

from airflow_provider_interactions.errors import (
    AlertRaised,
    AuthRejected,
    BadResponse,
    ConfigError,
    ContactError,
    Incomplete,
    InteractionsError,
    RecordRejected,
    RequestRejected,
    ServiceRemoved,
    Stalled,
    Unreconciled,
)
from airflow_provider_interactions.lake.faults import Purpose, describe_fault, is_storage_fault


class Exit(IntEnum):
    """The exit codes. 2 is what the shell's parser of options uses."""

    OK = 0
    DEFECT = 1
    USAGE = 2
    CONFIG = 3
    REFUSED = 4
    RETRY = 5
    RESPONSE = 6
    DATA = 7
    INTERRUPTED = 130
    #: The reader of the output has gone, as with ``| head``.
    CLOSED = 141


#: What each code means, for the documentation.
MEANINGS = {
    Exit.OK: "Done.",
    Exit.DEFECT: "A defect of this program. `--debug` shows the traceback. Please report it.",
    Exit.USAGE: "The command line is wrong.",
    Exit.CONFIG: "A connection, an option or an address is wrong. Correct it.",
    Exit.REFUSED: "The vendor refused the credentials, the request or the contact, or has removed the service.",
    Exit.RETRY: "The vendor, the lake or the database is busy or away. Run the command again later.",
    Exit.RESPONSE: "A response of the vendor is incomplete, or not of the documented shape.",
    Exit.DATA: "Too few records can be read, or counts do not add up. Nothing was replaced.",
    Exit.INTERRUPTED: "Stopped with Ctrl-C. The same command continues.",
    Exit.CLOSED: "The program that read the output has ended.",
}

#: For what is not read or written by the lake's own functions.
ANY_FILE = Purpose("The lake or a file does not answer", "The lake or a file cannot be used", absent=False)

_KINDS: tuple[tuple[tuple[type[InteractionsError], ...], Exit], ...] = (
    ((ConfigError,), Exit.CONFIG),
    ((AuthRejected, RequestRejected, ServiceRemoved, ContactError), Exit.REFUSED),
    ((BadResponse, Stalled, Incomplete), Exit.RESPONSE),
    ((RecordRejected, Unreconciled, AlertRaised), Exit.DATA),
)


def explain(error: BaseException) -> str:
    """What is wrong and what to do, in a sentence or two that hold no person's data and no secret."""
    if isinstance(error, InteractionsError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, Exception) and is_storage_fault(error):
        return str(describe_fault(error, ANY_FILE))
    # The message of any other error may hold a person's data.
    return f"This is a defect ({type(error).__name__}). Run the command with --debug, and report what it prints."


def choose_exit(error: BaseException) -> Exit:
    """The exit code of an error."""
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, Exception) and is_storage_fault(error):
        error = describe_fault(error, ANY_FILE)
    if isinstance(error, InteractionsError) and error.retry:
        return Exit.RETRY
    return next((code for kinds, code in _KINDS if isinstance(error, kinds)), Exit.DEFECT)
