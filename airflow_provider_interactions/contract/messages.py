"""A request to a vendor, its response, and how requests are signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a vendor. ``url`` is a path on the connection's host, or an absolute URL on the same host.

    The client encodes ``query`` and ``form``. It sends an absolute URL without ``query`` byte for byte. The repr shows
    only method and path.
    """

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The path alone, for logs and errors. Empty if the link is not a valid URL."""
        try:
            return urlsplit(self.url).path
        except ValueError:
            return ""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path})"


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response: status, header names in lower case, the whole decoded body. The repr shows only the status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Fetch(Protocol):
    """Sends a request until there is a response, and returns the result of ``decode`` for it.

    ``decode`` is a part of the retried call. If it raises BadResponse, the fault may pass, for example a body that was
    cut off. So the client sends the request again a few times before it raises the error.
    """

    async def __call__(self, request: Request, decode: Callable[[Response], T], /) -> T:
        """Send a request. Raises VendorError that says what to do."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its lifetime in seconds from now."""

    value: str = field(repr=False)
    expires_in: float


@dataclass(frozen=True, slots=True)
class Auth:
    """How to sign a vendor's requests. The functions are pure, so that two HTTP clients can share them.

    ``apply(request, token)`` returns the request with the credentials in it. A vendor with tokens has either ``ask``
    and ``read``, or ``acquire``. ``ask`` is an absolute request for a token. ``read`` makes a Token of its response, or
    raises AuthRejected, Unavailable, Throttled or BadResponse. ``acquire`` blocks: it calls a library that gets tokens
    itself. ``secrets`` are texts to mask in logs.
    """

    apply: Callable[[Request, str], Request]
    ask: Request | None = None
    read: Callable[[Response], Token] | None = None
    acquire: Callable[[], Token] | None = None
    secrets: Sequence[str] = field(default=(), repr=False)

    @property
    def has_tokens(self) -> bool:
        """Whether requests need a token that expires."""
        return self.ask is not None or self.acquire is not None
