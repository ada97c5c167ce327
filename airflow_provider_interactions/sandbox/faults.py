"""Faults on request: rules, and which of them fire on a request.

Set them with ``sandbox.faults([...])`` or ``PUT /_sandbox/faults`` (a JSON list). A rule without ``rate``,
``times`` and ``after`` fires on every request it matches. `wire_faults.py` plays most kinds; those of
`VENDOR_KINDS` are played by the vendor's module, which asks `get_fault`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from hashlib import blake2b
from typing import Literal

import msgspec

Kind = Literal[
    "status", "throttle", "reset", "truncate", "slow", "delay", "garbage", "html", "empty", "redirect",
    "expire_tokens", "reject_tokens", "repeat_cursor", "duplicate", "foreign_next_link", "removed",
    "earlier_status", "endless_pages", "mutate", "replace",
]  # fmt: skip

#: kinds that the framework only marks on the request
VENDOR_KINDS = frozenset(
    {
        "expire_tokens",
        "reject_tokens",
        "repeat_cursor",
        "endless_pages",
        "duplicate",
        "foreign_next_link",
        "removed",
        "earlier_status",
    }
)

_TOKEN_KINDS = frozenset({"expire_tokens", "reject_tokens"})


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: what to do, to which requests, and how often.

    Counts are of matching requests, including those on which a fault cannot show: the first page of a query has no
    record to ``duplicate``, so that ``after=1`` is wanted there. Odd answers that last a moment (``times=2``), of a
    vendor or, with a part of its ``path``, of a token host: ``empty`` (a 200 without a body), ``html`` with
    ``status=200``, ``redirect``, ``status`` with a ``body`` of any shape. ``endless_pages``: every page is empty and
    has a fresh cursor, of the action and the contacts of Dynamics (no other vendor hands out cursors).
    """

    kind: Kind
    #: vendor name; empty matches all
    vendor: str = ""
    #: part of the path (without query string); empty matches all
    path: str = ""
    #: text that must occur in path, query or body, letters in either case; meant for a contact's id
    contact: str = ""
    #: share of the matching requests, 0 to 1; decided by seed and request number, not by a clock
    rate: float = 1.0
    #: skip the first matching requests
    after: int = 0
    #: fire on at most this many requests
    times: int | None = None
    #: status, html, empty, redirect: the HTTP status (500, 502, 200, 302 if unset)
    status: int | None = None
    #: status, throttle, removed: the vendor's error code; throttle also takes a cause such as "concurrency"
    code: str | None = None
    #: status: the error's text
    message: str | None = None
    #: status: the shape of the error body ("plain" or "html"; Dynamics: "no_code", "inner"; Capillary: "body", "item");
    #: throttle: "bare" has no Retry-After; truncate: "length" or "chunked"; garbage: "gzip" or "encoding"
    variant: str = "plain"
    #: status: this exact body instead of the vendor's
    body: str | None = None
    content_type: str = "application/json"
    #: status, throttle: Retry-After in seconds, also 0 or less, or any text, sent unchanged
    retry_after: int | str | None = None
    #: write Retry-After as an HTTP date, which is in the past if the seconds are below 0
    retry_after_date: bool = False
    #: delay: seconds before the answer; slow: seconds that the body takes to arrive
    seconds: float = 1.0
    #: expire_tokens: how often a token can be used; 0 makes the presented token invalid at once
    uses: int = 0
    #: mutate: which change of the body; the same seed changes the same body in the same way (see ``mutations.py``)
    seed: int = 0
    #: replace: a regular expression over the body's bytes, each written as the character of its number (Latin-1)
    find: str = ""
    #: replace: what to put for each match, as in Python's ``re.sub``; ``content_type`` and ``status`` count if set
    put: str = ""
    #: redirect, foreign_next_link: where to; unset is the same server by its other name, ``localhost``
    location: str | None = None


class RequestOutline(msgspec.Struct, frozen=True):
    """What rules are matched against."""

    vendor: str
    path: str
    #: path, query and body in lower case
    everything: str
    #: the request asks for a token, so that faults of presented tokens are not about it
    for_token: bool = False


def read_rules(rules: Sequence[FaultRule | dict[str, object]]) -> list[FaultRule]:
    """Rules from Python or JSON values; an unknown field or kind is an error."""
    return [rule if isinstance(rule, FaultRule) else msgspec.convert(rule, FaultRule) for rule in rules]


def matches(rule: FaultRule, asked: RequestOutline) -> bool:
    """Whether a rule is about this request, whatever its counts."""
    if asked.for_token and rule.kind in _TOKEN_KINDS:
        return False
    named = rule.vendor in {"", asked.vendor} and rule.path in asked.path
    return named and rule.contact.lower() in asked.everything


def is_due(rule: FaultRule, seed: int, position: int, number: int, fired: int) -> bool:
    """Whether a rule fires on its ``number``-th matching request (from 0), after it has fired ``fired`` times."""
    if number < rule.after or (rule.times is not None and fired >= rule.times):
        return False
    drawn = blake2b(f"{seed}/{position}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big") < rule.rate * 2**64


class Rules:
    """The rules in force and how often each has matched and fired."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.replace([])

    def replace(self, rules: Sequence[FaultRule]) -> None:
        """Put these rules in force; all counts start at zero."""
        self.rules = list(rules)
        self.matched = [0] * len(rules)
        self.fired = [0] * len(rules)

    def need_bodies(self) -> bool:
        """Whether any rule looks for a contact, so that the body must be read first."""
        return any(rule.contact for rule in self.rules)

    def select(self, asked: RequestOutline) -> list[FaultRule]:
        """Count the request and return the rules that fire on it, in their order."""
        return [rule for position, rule in enumerate(self.rules) if matches(rule, asked) and self._count(position)]

    def _count(self, position: int) -> bool:
        number, fired = self.matched[position], self.fired[position]
        hit = is_due(self.rules[position], self._seed, position, number, fired)
        self.matched[position] += 1
        self.fired[position] += hit
        return hit


# A context variable: the keys aiohttp wants for values kept on a request differ between its versions.
_ACTIVE: ContextVar[Mapping[str, FaultRule]] = ContextVar("sandbox_active_faults")


def activate(rules: Iterable[FaultRule]) -> None:
    """Note the rules that fire on the present request and that its vendor plays itself."""
    _ACTIVE.set({rule.kind: rule for rule in rules if rule.kind in VENDOR_KINDS})


def get_fault(kind: str) -> FaultRule | None:
    """The rule of this kind that fires on the present request, for kinds a vendor plays itself."""
    return _ACTIVE.get({}).get(kind)
