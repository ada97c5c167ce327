"""What a sandbox is started with."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``requests`` per ``seconds``, counted per vendor; more are refused with 429.

    A refusal starts a pause; its length is in Retry-After (whole seconds, rounded up).
    """

    requests: int
    seconds: float = 1.0
    #: "sliding_window": at most ``requests`` in any ``seconds``; "token_bucket": each request takes a token, and
    #: ``requests`` tokens flow in evenly over ``seconds``
    kind: Literal["sliding_window", "token_bucket"] = "sliding_window"
    #: the most tokens in a bucket, which is full at first; None: as many as ``requests``
    burst: int | None = None
    #: refused requests use up the limit as well; they take tokens that are not there yet, at most a bucketful
    refused_count: bool = False
    #: all requests sent during a pause are refused, and each makes the pause longer by this many seconds
    #: (as Microsoft says about its limits: "Service protection API limits", learn.microsoft.com, read 2026-11)
    lengthen_seconds: float = 0.0
    #: seconds until a client's other tasks can know of a refusal; requests that they send before that do not count as
    #: sent during the pause
    news_seconds: float = 0.0


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides what a sandbox holds and how it behaves; equal configs give equal worlds."""

    #: address to listen on; 0.0.0.0 lets other machines in, for containers. Nothing here is secret or safe
    host: str = "127.0.0.1"
    #: TCP port; 0 takes any free one
    port: int = 0
    seed: int = 7
    contacts: int = 20
    #: first day of the world, YYYY-MM-DD, from midnight UTC
    start: str = "2026-01-01"
    #: the world's interactions lie in [start, start + days)
    days: int = 7
    #: interactions of each contact; None: 0 to about 60, with boundary cases
    per_contact: int | None = None
    #: contacts share this many histories and differ in their ids only: a million interactions then cost
    #: no more memory than a few thousand; None: 16 if ``per_contact`` is set, else one per contact
    shapes: int | None = None
    #: seconds by which each response is delayed, as by a network
    latency: float = 0.0
    rate_limit: RateLimit | None = None
    #: requests in flight per vendor before 429
    concurrency: int | None = None
    #: names, texts and times like those of an organisation, for people to look at; False: difficult ones, for tests
    realistic: bool = False
    #: per vendor: the fields of that vendor module's ``Options``
    options: dict[str, dict[str, Any]] = {}


def parse_rate_limit(text: str) -> RateLimit:
    """Read ``N/SECONDS`` of the command line, e.g. ``6000/300``; ``N`` alone is per second."""
    requests, _, seconds = text.partition("/")
    return RateLimit(requests=int(requests), seconds=float(seconds or 1))
