"""How the tasks of one account divide its limit: plain rules over one small ledger, without I/O and without a clock.

The ledger names who is at work and what each of them may use: ``places`` are requests in flight, ``share`` is a part of
the account's requests per second. What all entries hold together never exceeds the limit, because each change of the
ledger is one compare and swap, and nobody uses more than its own entry says:

- A task that must give something up stops using it first, and writes the smaller number when it is free.
- A task that may have more writes the larger number first, out of what nobody holds, and uses it when that is written.
- A newcomer therefore waits until the others have made room.

Clocks of machines may differ. Each task counts the time since it saw another entry change, on its own clock. An entry
that does not change for `EXPIRY` seconds is dropped. Its task has then sent nothing for a while, because it stops by
itself `FENCE` seconds after it began its last renewal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

#: Seconds after which a task that could not renew its entry stops sending, and after which others drop its entry. The
#: time between the two is for requests in flight to end, and for timers that are late.
FENCE, EXPIRY = 8.0, 14.0

#: Up to so many seconds of period, a part of the rate changes hands only when the vendor no longer counts what the last
#: task sent by it. Over longer periods, requests go out evenly, so that the parts fit together at once.
LONGEST_HANDOVER = 10.0

#: An entry whose last renewal was so many seconds ago belongs to an earlier run, however much two clocks differ.
ABANDONED = 3600.0

#: One in so many places, and this part of the rate, stay free for a request about one person.
PLACES_PER_RESERVED, RESERVED_SHARE = 20, 0.01

#: The part of the limit that requests about people get together, as long as there are any.
AHEAD_SHARE = 0.5


class Report(msgspec.Struct, frozen=True):
    """What a task saw since the gate opened: requests accepted and refused, seconds open, and the pause in seconds.

    ``last`` is how many it sent in the last second, and in the last ten, until no limit was known any more.
    """

    accepted: int = 0
    refused: int = 0
    open_for: float = 0.0
    retry_after: float = 0.0
    last: tuple[int, int] = (0, 0)


class Learned(msgspec.Struct, frozen=True):
    """A rate that refusals taught, for the whole account; the fields are those of ``rate_limit.LearnedRate``.

    ``seconds`` is the period of the limit; 0 means that none is known yet. ``grow_in`` is how many seconds the rate
    holds until more is tried, ``refused`` how many requests were refused, ``refused_ago`` how many seconds before the
    end of the pause the first of them went out.
    """

    per_second: float
    seconds: float
    grow_in: float
    refused: int
    refused_ago: float
    lower_share: float
    growth_share: float
    proven: float
    hold_factor: float
    seen_rate: float
    agreements: int
    flow: float
    counted: int
    counted_for: float


class Entry(msgspec.Struct, frozen=True):
    """One task: how often it renewed, what it may use, and whether it goes ``ahead`` of others.

    ``at`` is the Unix time of the renewal by the task's own clock. ``lesson`` is the lesson that its report follows.
    """

    beat: int
    places: int
    share: float
    ahead: bool = False
    at: float = 0.0
    lesson: int = 0
    report: Report = Report()


class Ledger(msgspec.Struct, frozen=True):
    """Who is at work for one account, in the order in which they came, and what refusals taught all of them.

    ``lesson`` counts what was learned. Nobody sends before ``paused_until`` (Unix time), at most ``pause`` seconds.
    """

    entries: dict[str, Entry] = {}
    lesson: int = 0
    learned: Learned | None = None
    paused_until: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class AccountLimit:
    """The account's requests in flight, and the most that this task may have of them."""

    places: int
    most: int

    @property
    def reserved_places(self) -> int:
        """Requests in flight that stay free for requests about people."""
        return self.places // PLACES_PER_RESERVED


@dataclass(frozen=True, slots=True)
class Grant:
    """What a task may use: requests in flight, and a part of the account's rate."""

    places: int = 0
    share: float = 0.0


@dataclass(slots=True)
class Observer:
    """What one task saw of the others: each one's last entry, and since when (own clock) it has stayed.

    ``left`` is what those that are gone had of the rate, and when (own clock) the vendor no longer counts it.
    """

    seen: dict[str, tuple[Entry, float]] = field(default_factory=dict)
    left: list[tuple[float, float]] = field(default_factory=list)

    def drop_expired(self, ledger: Ledger, asked: float, read: float, unix: float) -> Ledger:
        """The ledger without entries of tasks that ended. It was read between ``asked`` and ``read``, by own clock."""
        found = {}
        for name, entry in ledger.entries.items():
            known, since = self.seen.get(name, (None, 0.0))
            found[name] = (entry, since if known and known.beat == entry.beat else read)
        self._note_leavers(found.keys(), ledger.learned, read)
        self.seen = found
        alive = {
            name: entry
            for name, entry in ledger.entries.items()
            if asked - found[name][1] < EXPIRY and unix - entry.at < ABANDONED
        }
        return msgspec.structs.replace(ledger, entries=alive)

    def _note_leavers(self, present: Collection[str], learned: Learned | None, now: float) -> None:
        """The vendor still counts what they sent in the current period, if a limit of a short period is known."""
        period = learned.seconds if learned and learned.seconds <= LONGEST_HANDOVER else 0.0
        gone = [entry.share for name, (entry, _) in self.seen.items() if name not in present]
        self.left = [one for one in self.left if one[1] > now] + [(share, now + period) for share in gone]

    def held_by_leavers(self, now: float) -> float:
        """The part of the rate that no task may take yet."""
        return sum(share for share, until in self.left if until > now)


def find_fair_grant(entries: Mapping[str, Entry], name: str, limit: AccountLimit) -> Grant:
    """The part that a task should have among the running tasks, which include itself.

    Each has at least one place, even if there are more tasks than places: no run may wait for another one to end.
    """
    ahead = entries[name].ahead
    group = [other for other, entry in entries.items() if entry.ahead == ahead]
    places, share = limit.places, 1.0
    if len(group) < len(entries):
        for_people = max(1, round(limit.places * AHEAD_SHARE))
        places = for_people if ahead else limit.places - for_people
        share = AHEAD_SHARE if ahead else 1 - AHEAD_SHARE
    elif not ahead:
        places, share = places - limit.reserved_places, share - RESERVED_SHARE
    each, rest = divmod(places, len(group))
    return Grant(min(limit.most, max(1, each + (group.index(name) < rest))), share / len(group))


def find_free_grant(entries: Mapping[str, Entry], name: str, limit: AccountLimit, held: float = 0.0) -> Grant:
    """What nobody else holds. A reserve is free only for requests about people, and for nobody beside them.

    ``held`` is the part of the rate that tasks which are gone have just used.
    """
    others = [entry for other, entry in entries.items() if other != name]
    keeps = not any(entry.ahead for entry in entries.values())
    places = limit.places - limit.reserved_places * keeps - sum(entry.places for entry in others)
    share = 1 - held - RESERVED_SHARE * keeps - sum(entry.share for entry in others)
    return Grant(max(places, int(len(entries) > limit.places)), max(0.0, share))


def renew(
    ledger: Ledger, name: str, entry: Entry, limit: AccountLimit, used: Grant, held: float = 0.0
) -> tuple[Ledger, Grant]:
    """The ledger with a renewed entry, and what the task may use from when it is written.

    ``entry`` has what is new about the task, ``used`` what it still uses, however much less it should have now.
    ``held`` is as in `find_free_grant`.
    """
    entries = {**ledger.entries, name: entry}
    fair, free = find_fair_grant(entries, name, limit), find_free_grant(entries, name, limit, held)
    grant = Grant(min(fair.places, free.places), min(fair.share, free.share))
    places, share = max(grant.places, used.places), max(grant.share, used.share)
    entries[name] = msgspec.structs.replace(entry, places=places, share=share)
    return msgspec.structs.replace(ledger, entries=entries), grant


def leave(ledger: Ledger, name: str) -> Ledger:
    """The ledger without a task that has ended."""
    return msgspec.structs.replace(ledger, entries={key: one for key, one in ledger.entries.items() if key != name})


def add_reports(ledger: Ledger, name: str, own: Report) -> Report:
    """What all tasks saw together since the last lesson; ``own`` is the newest report of the named one."""
    reports = [entry.report for key, entry in ledger.entries.items() if key != name and entry.lesson == ledger.lesson]
    reports.append(own)
    return Report(
        sum(one.accepted for one in reports),
        sum(one.refused for one in reports),
        max(one.open_for for one in reports),
        max(one.retry_after for one in reports),
        (sum(one.last[0] for one in reports), sum(one.last[1] for one in reports)),
    )
