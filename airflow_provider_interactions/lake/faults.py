"""Errors of the lake's file system, and of the drivers of object stores, as errors of this package."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import NamedTuple

from airflow_provider_interactions.errors import ConfigError, InteractionsError, LakeUnavailable

#: Errors of the file system that a retry does not cure.
_LASTING = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG))
_REFUSED = (PermissionError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_REFUSED_STATUS = frozenset((400, 401, 403, 404))

#: The drivers of object stores raise errors of these packages where a disk raises OSError.
_DRIVERS = frozenset(("aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "urllib3"))

#: How Google's driver begins the text of a plain OSError or ValueError for what the store refused.
_REFUSED_TEXTS = ("Forbidden: ", "Bad Request: ")

#: What a driver calls its error if it has no credentials, or if the store does not accept them.
_UNKNOWN_USER = frozenset(
    ("ClientAuthenticationError", "DefaultCredentialsError", "NoCredentialsError", "PartialCredentialsError")
)


#: Azure's code for a blob that went away while it was read. A missing container has another one.
_ABSENT = "BlobNotFound"


class Purpose(NamedTuple):
    """What failed, and what for. ``check`` says what to look at; ``absent``, that a missing file has a meaning."""

    failed: str
    refused: str
    check: str = "its address and your permissions"
    absent: bool = True
    owner: str = "the lake"


WRITING = Purpose(
    "The lake did not accept a file",
    "The lake cannot be written",
    "its address, its free space and your permissions",
    absent=False,
)
READING = Purpose("The lake did not hand out a file or a listing", "The lake cannot be read")
REMOVING = Purpose("The lake did not remove a file", "Files of the lake cannot be removed")
READING_CONTACTS = Purpose(
    "The storage did not hand out the file of contacts", "The file of contacts cannot be read", owner="the storage"
)
READING_MAP = Purpose(
    "The storage did not hand out the map of identities", "The map of identities cannot be read", owner="the storage"
)


def is_storage_fault(fault: BaseException) -> bool:
    """Whether an error is a file system's own: an OSError, or one that an object store's driver raised or wrapped."""
    return not isinstance(fault, InteractionsError) and any(map(_is_own_fault, _list_causes(fault)))


def _is_own_fault(fault: BaseException) -> bool:
    packages = {kind.__module__.partition(".")[0] for kind in type(fault).__mro__}
    return isinstance(fault, OSError) or not _DRIVERS.isdisjoint(packages) or _has_refused_text(fault)


def _has_refused_text(fault: BaseException) -> bool:
    return type(fault) in {OSError, ValueError} and str(fault).startswith(_REFUSED_TEXTS)


def _list_causes(fault: BaseException) -> Iterator[BaseException]:
    """An error and what it was made of: Azure's driver wraps errors of an upload in a RuntimeError."""
    cause: BaseException | None = fault
    while cause is not None:
        yield cause
        cause = cause.__cause__


@contextlib.contextmanager
def translate_faults(purpose: Purpose = WRITING) -> Iterator[None]:
    """Raise what ``describe_fault`` makes of a file system's own error. Other errors pass.

    FileNotFoundError passes, too, where a missing file has a meaning of its own.
    """
    try:
        yield
    except Exception as fault:
        if not is_storage_fault(fault) or (purpose.absent and isinstance(fault, FileNotFoundError)):
            raise
        if purpose.absent and any(getattr(cause, "error_code", None) == _ABSENT for cause in _list_causes(fault)):
            raise FileNotFoundError(errno.ENOENT, "There is no such file") from fault
        raise describe_fault(fault, purpose) from fault


def describe_fault(fault: Exception, purpose: Purpose = WRITING) -> ConfigError | LakeUnavailable:
    """The error for what the file system refuses: ConfigError if a retry cannot help, else LakeUnavailable.

    The message holds no text of the driver's, which may name keys and people.
    """
    why = getattr(fault, "strerror", None) or type(next(filter(_is_own_fault, _list_causes(fault)))).__name__
    if any(map(_is_lasting, _list_causes(fault))):
        return ConfigError(f"{purpose.refused} ({why}). Check {purpose.check}.")
    return LakeUnavailable(f"{purpose.failed} ({why}). If a retry does not help, ask the operators of {purpose.owner}.")


def _is_lasting(fault: BaseException) -> bool:
    status = getattr(fault, "status_code", getattr(fault, "code", None))  # of Azure's driver, of Google's
    if type(fault).__module__.startswith("aiohttp."):
        status = None  # there the code is one that a server should send to a client whose message ends early
    lasting = getattr(fault, "errno", None) in _LASTING or status in _REFUSED_STATUS
    refused = isinstance(fault, _REFUSED) or _has_refused_text(fault)
    return lasting or refused or type(fault).__name__ in _UNKNOWN_USER
