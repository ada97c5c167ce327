"""What refusals teach the tasks of one account together: each reports what it saw, and one of them learns for all."""

from __future__ import annotations

from copy import deepcopy

import msgspec

from airflow_provider_interactions.http import shares
from airflow_provider_interactions.http.rate_limit import LearnedRate
from airflow_provider_interactions.http.shares import Learned, Ledger, Report
from airflow_provider_interactions.http.sliding_window import SlidingWindow
from airflow_provider_interactions.http.stretch import Stretch
from airflow_provider_interactions.http.throttle import Throttle


def publish_news(ledger: Ledger, name: str, throttle: Throttle, now: float, unix: float) -> Ledger:
    """The ledger with the pause of the task ``name``. Once it is over, also with what all tasks learn from it."""
    rate, pause = throttle.rate, throttle.paused_until - now
    until, seen = unix + pause, rate.stretch
    if not seen.refused:
        return ledger
    if pause > 0 and until > ledger.paused_until:
        ledger = msgspec.structs.replace(ledger, paused_until=until, pause=pause)
    if now < max(seen.reopens_at, throttle.paused_until):
        return ledger
    learned = find_lesson(rate, shares.add_reports(ledger, name, rate.report()))
    return msgspec.structs.replace(ledger, lesson=ledger.lesson + 1, learned=learned, paused_until=0.0, pause=0.0)


def find_lesson(rate: LearnedRate, total: Report) -> Learned:
    """What a task with this rate learns from what all tasks of the account saw. The rate stays as it is."""
    fresh, seen = deepcopy(rate), deepcopy(rate.stretch)
    # A report may be missing or old. Once a limit is known, all send at their parts of one rate.
    known = round(rate.tuning.least_reported * seen.accepted_by_all) if rate.quota else 0
    seen.accepted, seen.refused, seen.retry_after = max(total.accepted, known), total.refused, total.retry_after
    seen.opened_at, seen.last = seen.refused_at - total.open_for, total.last
    fresh.learn(seen)
    grow_in = max(0.0, fresh.grow_from - seen.reopens_at)
    values = {name: getattr(fresh, name) for name in Learned.__struct_fields__ if hasattr(fresh, name)}
    values |= {"seconds": fresh.period, "grow_in": grow_in, "refused": seen.refused}
    return msgspec.convert(values | {"refused_ago": seen.reopens_at - seen.refused_at}, Learned)


def follow_lesson(rate: LearnedRate, learned: Learned, now: float) -> None:
    """Change a task's rate to what the tasks of the account learned together."""
    for name in Learned.__struct_fields__:
        if hasattr(rate, name):
            setattr(rate, name, getattr(learned, name))
    if learned.seconds:
        rate.quota, rate.period = rate.quota or SlidingWindow(1, learned.seconds), learned.seconds
    rate.use_share(rate.share, now)
    rate.grow_from, rate.lesson_until = now + learned.grow_in, 0.0
    pause = rate.stretch.reopens_at
    opens_at = pause if now < pause < float("inf") else now
    refused_at = rate.stretch.refused_at or now - learned.refused_ago
    rate.earlier = Stretch(rate.stretch.opened_at, refused=learned.refused, refused_at=refused_at)
    rate.stretch = Stretch(opens_at)
