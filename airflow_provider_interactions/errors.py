"""All errors of this package, grouped by what to do next.

::

    InteractionsError
    ├── ConfigError              fix the connection or the DAG        fail now
    ├── VendorError              carries vendor, path, status, code
    │   ├── AuthRejected         refused, also with a fresh token     fail now
    │   ├── RequestRejected      other 4xx: the call itself is wrong  fail now
    │   ├── ServiceRemoved       the endpoint no longer exists        fail now
    │   ├── ContactError         one contact; the others continue     recorded, or failed by policy
    │   │   ├── ContactNotFound  the vendor does not know it
    │   │   ├── ContactDeleted   the vendor erased it
    │   │   └── ContactFailed    the vendor cannot answer for it
    │   │       └── ContactUnanswered   no response, but other contacts get one
    │   ├── Throttled            carries retry_after                  wait here, then let the task retry
    │   ├── Unavailable          5xx, time-outs, broken reads         retry here, then let the task retry
    │   ├── BadResponse          not the documented shape             fail after a few tries
    │   ├── Stalled              the pages do not end                 fail now
    │   └── Incomplete           fewer records than declared          fail now
    ├── RecordRejected           one record, quarantined              fail above a threshold
    │   └── TooManyRejects       too few records can be read          fail now, with the reasons
    ├── AlertRaised              a window looks unusual               fail now: look at it first
    ├── Unreconciled             the counts do not add up             fail now
    │   └── WindowSuperseded     another run replaced this window     continue with it, or fail now
    ├── LakeUnavailable          storage refuses files for now        let the task retry
    └── LoadError                the load was rolled back             let the task retry

Messages say which vendor, which window and what to do. They never hold a body, a query string, a credential or
personal data.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class InteractionsError(Exception):
    """The root of the tree. ``retry`` says whether a later retry of the task can help."""

    retry: ClassVar[bool] = False


class ConfigError(InteractionsError):
    """The connection, an operator's argument or the lake's address is wrong. Fix it; a retry cannot help."""


class VendorError(InteractionsError):
    """A request to a vendor failed.

    ``vendor`` is the registry name. ``path`` is the request's path without its query. ``status`` is the HTTP status,
    None if there was no response. ``code`` is the vendor's own code. The engine adds ``window``, the window of the
    query, and ``place``, the contact's place in the list: from 1, or 0 if the error is not about one contact.
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
        """``vendor: message (contact … of the list, window …, HTTP status, code, path)``, without what is unknown."""
        facts = [
            f"contact {self.place} of the list" if self.place else "",
            f"window {self.window}" if self.window else "",
            f"HTTP {self.status}" if self.status else "",
            f"code {self.code}" if self.code else "",
            self.path,
        ]
        details = ", ".join(fact for fact in facts if fact)
        return f"{self.vendor}: {self.message}" + (f" ({details})" if details else "")


class AuthRejected(VendorError):
    """The vendor refused the credentials, also with a fresh token. The run sends nothing else with them."""


class RequestRejected(VendorError):
    """The vendor says that the request is wrong. A second try would get the same response."""


class ServiceRemoved(VendorError):
    """The vendor has removed the endpoint."""


class ContactError(VendorError):
    """One contact has no answer; the others are not affected. ``outcome`` is its value in the outcomes file."""

    outcome: ClassVar[str] = "failed"


class ContactNotFound(ContactError):
    """The vendor does not know this contact."""

    outcome = "not_found"


class ContactDeleted(ContactError):
    """The vendor erased this contact."""

    outcome = "deleted"


class ContactFailed(ContactError):
    """The vendor cannot answer for this contact, for example because its identifier matches several people."""


class ContactUnanswered(ContactFailed):
    """The vendor never answered for this contact, but answered for others. Its cause is the last failure."""


class Throttled(VendorError):
    """The vendor asks to slow down. ``retry_after`` is in seconds, None if the vendor did not say.

    ``limit`` says which limit was exceeded: ``rate``, or ``concurrency`` for too many requests in flight.
    """

    retry = True

    def __init__(self, message: str, *, retry_after: float | None = None, limit: str = "rate", **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the same four keywords as VendorError
        self.retry_after = retry_after
        self.limit = limit


class Unavailable(VendorError):
    """A server fault, a time-out or a broken read. ``retry_after`` is in seconds, None if the vendor did not say."""

    retry = True

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the same four keywords as VendorError
        self.retry_after = retry_after


class BadResponse(VendorError):
    """The response does not have the documented shape.

    It is raised after a few tries, because a body may be cut off for a moment. If ``lasting`` is set, it is raised at
    once: another try would get the same response.
    """

    def __init__(self, message: str, *, lasting: bool = False, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the same four keywords as VendorError
        self.lasting = lasting


class Stalled(VendorError):
    """The vendor sent the same page cursor twice, or endless empty pages. The pages would never end."""


class Incomplete(VendorError):
    """Fewer records arrived than the vendor declared."""


class RecordRejected(InteractionsError):
    """One record cannot be read. ``reason`` is a short phrase that names the field, never its value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooManyRejects(RecordRejected):
    """So many records are unreadable that the vendor's format must have changed. ``rejects/`` holds them."""


class AlertRaised(InteractionsError):
    """A normalized window looks unusual, and its pipeline is to stop then. The window is in the lake."""


class Unreconciled(InteractionsError):
    """Counts that must be equal differ. Rows would be lost or doubled, so nothing is published."""


class LakeUnavailable(InteractionsError):
    """The lake refuses a file at the moment, for a reason that may pass."""

    retry = True


class LoadError(InteractionsError):
    """The database refused the rows. The transaction was rolled back, so a retry is safe."""

    retry = True


class WindowSuperseded(Unreconciled):
    """Files of a window are gone, because another extraction of the same window has replaced them."""


#: What a decoder raises for bytes that are not JSON of the expected type, or that nest too deeply.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
