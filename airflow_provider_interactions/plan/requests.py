"""Count requests, and divide them among tasks."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from airflow_provider_interactions.contract import Pace, PageRule
from airflow_provider_interactions.page_cap import TRUSTING_FROM, Budget

#: Seconds that a task should take at the vendor's documented rate.
TASK_SECONDS = 300.0

#: The most tasks that the computed batch size makes. For longer lists, batches grow instead.
MOST_TASKS = 200

#: Seconds that one response takes, as an estimate for vendors that publish no rate.
RESPONSE_SECONDS = 0.2


def count_requests(rule: PageRule, rows: Iterable[int], contacts: int) -> tuple[int, int]:
    """The fewest and the most requests of one task for queries with so many rows each, about ``contacts`` contacts."""
    pages = short = full = 0
    for number in rows:
        pages += rule.count_pages(number)
        if number and not rule.marks_end:
            is_full = rule.count_last_rows(number) == rule.rows
            full += is_full
            short += not is_full
    if contacts < TRUSTING_FROM:
        return pages + full + short, pages + full + short
    return pages + full, pages + full + count_confirmations(short)


def count_confirmations(short: int) -> int:
    """The most requests that confirm last pages, of so many short pages of one task; see ``page_cap``."""
    budget = Budget()
    during = max(budget.large + short // budget.large_every, budget.first + short // budget.first_every)
    at_end = min(during + budget.most_last, short // budget.every)
    return min(short, max(during + budget.last, at_end))


def choose_batch_size(contacts: int, requests: int, rate: float, most_tasks: int = MOST_TASKS) -> int:
    """Contacts per task: as many as take five minutes at ``rate`` requests a second; more if tasks were too many."""
    tasks = min(most_tasks, max(1, round(requests / rate / TASK_SECONDS)))
    return max(1, ceil(contacts / tasks))


def estimate_rate(pace: Pace) -> float:
    """Requests per second: the rate that a vendor allows or that its concurrency gives, whichever is less."""
    by_concurrency = pace.concurrency / RESPONSE_SECONDS
    if pace.requests is None or not pace.seconds:
        return by_concurrency
    return min(by_concurrency, pace.requests / pace.seconds)
