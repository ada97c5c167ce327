"""Every error of this package, ordered by what to do next.

::

    InteractionsError
    ├── ConfigError              fix the connection or the DAG        fail now
    ├── VendorError              carries vendor, path, status, code
    │   ├── AuthRejected         after one refresh                    fail now
    │   ├── RequestRejected      other 4xx: the call itself is wrong  fail now
    │   ├── ServiceRemoved       the endpoint is gone for good        fail now
    │   ├── ContactError         one contact, the others go on        recorded, or failed by policy
    │   │   ├── ContactNotFound  the vendor does not know it
    │   │   ├── ContactDeleted   it was erased there
    │   │   └── ContactFailed    it cannot be answered for
    │   │       └── ContactUnanswered   it alone gets no answer
    │   ├── Throttled            carries retry_after                  wait here, then let the task retry
    │   ├── Unavailable          5xx, time-outs, broken reads         retry here, then let the task retry
    │   ├── BadResponse          not the documented shape             fail after a few tries
    │   ├── Stalled              pages without an end                 fail now
    │   └── Incomplete           fewer records than declared          fail now
    ├── RecordRejected           one record, quarantined              fail above a threshold
    │   └── TooManyRejects       too little can be read               fail now, with the reasons
    ├── Unreconciled             counts that do not add up            fail now
    │   └── WindowSuperseded     another run replaced this window     go on with it, or fail now
    ├── LakeUnavailable          object storage or a disk, for now    let the task retry
    └── LoadError                rolled back                          let the task retry

Messages say which vendor, which window and what to do. They never hold a body, a query string, a credential
or anything about a person.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class InteractionsError(Exception):
    """Root of the tree. ``retry`` says whether trying the task again later can help."""

    retry: ClassVar[bool] = False


class ConfigError(InteractionsError):
    """The connection, the operator's arguments or the lake's address are wrong. Fix them; a retry cannot help."""


class VendorError(InteractionsError):
    """A vendor answered with something other than interactions.

    ``vendor`` is the registry name, ``path`` the request's path without its query, ``status`` the HTTP status
    (None when there was no answer), ``code`` the vendor's own code, ``window`` what was being read, and ``place``
    the contact's place in the list, from 1, where the error is about one (the engine fills both in).
    """

    def __init__(
        self, message: str, *, vendor: str = "", path: str = "", status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.vendor = vendor
        self.path = path
        self.status = status
        self.code = code
        self.window = ""
        self.place = 0

    def __str__(self) -> str:
        """``vendor: message (contact … of the list, window …, HTTP status, code, path)``, as far as known."""
        facts = [
            f"contact {self.place} of the list" if self.place else "",
            f"window {self.window}" if self.window else "",
            f"HTTP {self.status}" if self.status else "",
            f"code {self.code}" if self.code else "",
            self.path,
        ]
        shown = ", ".join(fact for fact in facts if fact)
        return f"{self.vendor}: {self.message}" + (f" ({shown})" if shown else "")


class AuthRejected(VendorError):
    """The credentials were refused, after one fresh token. Nothing else is sent with them in this run."""


class RequestRejected(VendorError):
    """The vendor says that the call is wrong. Sending it again would be answered the same."""


class ServiceRemoved(VendorError):
    """The vendor no longer offers the endpoint there."""


class ContactError(VendorError):
    """One contact has no answer; the others are not affected. ``outcome`` is what the outcomes file says of it."""

    outcome: ClassVar[str] = "failed"


class ContactNotFound(ContactError):
    """The vendor does not know this contact."""

    outcome = "not_found"


class ContactDeleted(ContactError):
    """The vendor erased this contact."""

    outcome = "deleted"


class ContactFailed(ContactError):
    """The vendor cannot answer for this contact, for example because its identifier fits several people."""


class ContactUnanswered(ContactFailed):
    """The vendor never answered for this contact, while it answered for others. Its cause is the last failure."""


class Throttled(VendorError):
    """The vendor asks to slow down. ``retry_after`` is in seconds, None when the vendor did not say.

    ``limit`` says which limit was refused: ``rate``, or ``concurrency`` for too many requests in flight.
    """

    retry = True

    def __init__(self, message: str, *, retry_after: float | None = None, limit: str = "rate", **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the same four keywords as VendorError
        self.retry_after = retry_after
        self.limit = limit


class Unavailable(VendorError):
    """A server fault, a time-out or a broken read. ``retry_after`` in seconds where the vendor named one."""

    retry = True

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the same four keywords as VendorError
        self.retry_after = retry_after


class BadResponse(VendorError):
    """The answer does not have the documented shape.

    Raised after a few tries, because a body may be cut off for a moment. ``lasting`` ones are raised at once: another
    try would be answered the same.
    """

    def __init__(self, message: str, *, lasting: bool = False, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the same four keywords as VendorError
        self.lasting = lasting


class Stalled(VendorError):
    """The vendor sent a page cursor for the second time, or endless empty pages. Reading on would never end."""


class Incomplete(VendorError):
    """Fewer records arrived than the vendor declared."""


class RecordRejected(InteractionsError):
    """One record cannot be read. ``reason`` is a short phrase that names the field, never its value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooManyRejects(RecordRejected):
    """So many records cannot be read that the vendor's format must have changed. They are kept in ``rejects/``."""


class Unreconciled(InteractionsError):
    """Counts that must be equal are not. Rows would be lost or doubled, so nothing is published."""


class LakeUnavailable(InteractionsError):
    """The lake does not take a file at the moment, for a reason that may pass."""

    retry = True


class LoadError(InteractionsError):
    """The target refused the rows. The transaction was rolled back, so trying again is safe."""

    retry = True


class WindowSuperseded(Unreconciled):
    """Files of a window are gone: another extraction of the same window has been published since."""


#: What decoding raises on bytes that are no JSON of the wanted type, too deeply nested ones included.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
