"""Distinguish a contact that never gets a response from a vendor that is away.

A query that still fails after all its tries (Unavailable) may mean either. So the same query is asked about another
contact that was answered before. When that one is answered again, the fault is the contact's own: it is noted as
``failed``, and the others land. When it is not, or nobody was answered before, the vendor is taken to be away: the
error stands, and the task is tried again later. So it is above a bounded share of contacts.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.errors import ContactError, ContactUnanswered, Unavailable, VendorError
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.http.client import Client

#: Contacts that may go unanswered, whatever their share of all. Of fewer than twice as many it is half of them.
MOST_UNANSWERED = 3

#: The share of all contacts that may go unanswered, where that is more.
UNANSWERED_SHARE = 0.05

#: Tries of the request that shows whether another contact gets a response.
WITNESS_TRIES = 3


def are_too_many_unanswered(unanswered: int, contacts: int) -> bool:
    """Whether so many contacts got no response that the fault is the vendor's, not theirs."""
    return unanswered > max(min(MOST_UNANSWERED, contacts // 2), UNANSWERED_SHARE * contacts)


@dataclass(slots=True)
class Witnesses:
    """Who was answered, to be asked again when another contact is not."""

    job: Job
    writer: RawWriter
    client: Client
    _answered: list[Contact] = field(default_factory=list)
    _unanswered: set[Contact] = field(default_factory=set)
    _judging: asyncio.Lock = field(default_factory=asyncio.Lock)

    def note_answer(self, contact: Contact) -> None:
        """Remember the last two contacts with a response, so that one of them is not the contact in doubt."""
        if contact not in self._answered[-1:]:
            self._answered = [*self._answered[-1:], contact]

    async def judge_failure(self, query: Query, error: Unavailable) -> Unavailable | ContactUnanswered:
        """The error, or ContactUnanswered instead where another contact is answered now."""
        if self.job.on_missing == "fail" or self._asks_for_patience(error):
            return error
        async with self._judging:  # if many fail at once, the first one decides whether the vendor is away
            if query.contact not in self._unanswered and not await self._is_another_answered(query):
                return error
            self._unanswered.add(query.contact)
        return _make_unanswered(error)

    def _asks_for_patience(self, error: Unavailable) -> bool:
        """Whether the vendor asked for a pause that is longer than a try waits. The task is then retried after it."""
        return (error.retry_after or 0.0) > self.client.limits.most_pause

    def _find_witness(self, doubtful: Contact) -> Contact | None:
        """Another contact that was answered: in this try, or before."""
        before = (one.contact for one in self.writer.outcomes if one.is_answered)
        known = [*self.job.answered, *before, *self._answered]
        return next((contact for contact in reversed(known) if contact != doubtful), None)

    async def _is_another_answered(self, query: Query) -> bool:
        """Whether the vendor responds to the same query about another contact."""
        witness = self._find_witness(query.contact)
        if witness is None:
            return False
        limits = replace(self.client.limits, tries=min(WITNESS_TRIES, self.client.limits.tries))
        fetch, asked = replace(self.client, limits=limits).fetch, replace(query, contact=witness)
        try:
            async with aclosing(self.job.vendor.pages(fetch, asked, self.job.window)) as pages:
                await anext(pages, None)
        except ContactError:
            return True
        except VendorError:
            return False
        return True


def _make_unanswered(error: Unavailable) -> ContactUnanswered:
    status = f" (HTTP {error.status})" if error.status else ""
    msg = f"{error.message}{status} at every try for this contact, while others were answered"
    found = ContactUnanswered(msg, vendor=error.vendor, path=error.path, status=error.status, code=error.code)
    found.__cause__ = error
    return found
