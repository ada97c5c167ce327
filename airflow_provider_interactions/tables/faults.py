"""What the errors of object storage and of table formats mean, as errors of a vendor.

The libraries' own messages quote addresses, which may hold a signature, and bodies. So only the kind of an error is
kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from airflow_provider_interactions.errors import AuthRejected, BadResponse, RequestRejected, Unavailable, VendorError
from airflow_provider_interactions.status import build_error, judge

#: A status line, as object_store writes it into its messages.
_STATUS = re.compile(r"\b([345]\d\d) [A-Z][A-Za-z]")

#: What deltalake 1.6.6 says of a table whose protocol it does not know.
_UNKNOWN_FORM = re.compile(r"Unsupported: |Invalid protocol action|[Rr]eader (?:features?|version)")

#: What the libraries say of a file that is not there, and of one that is not whole.
_MISSING = re.compile(r"[Nn]ot ?[Ff]ound|No such file|does not exist")
_BROKEN = re.compile(r"Parquet error|EOF|Json error|[Cc]orrupt|magic bytes|[Rr]ange was invalid|CSV|[Pp]arquet")


@contextmanager
def translate_faults(what: str) -> Iterator[None]:
    """Raise a VendorError for an error of a library. ``what`` is what was read, as the subject of a sentence."""
    try:
        yield
    except VendorError:
        raise
    except Exception as fault:
        if not is_library_fault(fault):
            raise
        raise judge_fault(str(fault), what) from None


def is_library_fault(fault: Exception) -> bool:
    """Whether an error comes from a library that reads tables. deltalake raises plain ``Exception``, too."""
    modules = "deltalake", "_internal", "obstore", "arro3"
    return (
        type(fault) is Exception
        or isinstance(fault, OSError | pa.ArrowException)
        or type(fault).__module__.partition(".")[0] in modules
    )


def judge_fault(text: str, what: str) -> VendorError:
    """The error for what a library says about ``what``."""
    status = _STATUS.search(text)
    if status:
        return _judge_status(int(status.group(1)), what)
    if _UNKNOWN_FORM.search(text):
        msg = f"{what} is written in a form that the installed deltalake cannot read. Install a newer deltalake"
        return RequestRejected(msg)
    if _MISSING.search(text):
        return BadResponse(f"{what} lacks a file that belongs to it")
    if _BROKEN.search(text):
        return BadResponse(f"{what} has a file that is damaged or was cut off")
    return Unavailable(f"{what} could not be read to its end")


def _judge_status(code: int, what: str) -> VendorError:
    if code in (401, 403):
        msg = f"the storage refuses access to {what}. Check the roles of the connection's identity"
        return AuthRejected(msg, status=code)
    if code == 404:
        return BadResponse(f"{what} lacks a file that belongs to it", status=code)
    if code == 416:  # a range beyond the end of a file
        return BadResponse(f"{what} has a file that is damaged or was cut off", status=code)
    return build_error(judge(code), code) or Unavailable(f"{what} could not be read", status=code)
