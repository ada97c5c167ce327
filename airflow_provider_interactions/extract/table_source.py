"""The connection to a bulk vendor: gets access to its storage, renews it in time, opens tables."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

import stamina

from airflow_provider_interactions.contract.bulk import Access, Bulk, TableAddress
from airflow_provider_interactions.errors import AuthRejected, BadResponse, Throttled, Unavailable, VendorError
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.table_facts import FactReader
from airflow_provider_interactions.http.client import Client, connect
from airflow_provider_interactions.tables.open import find_version, open_table
from airflow_provider_interactions.tables.store import Store
from airflow_provider_interactions.tables.table import Table

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Access is renewed when less than this share of its time is left.
LEFT = 0.25

#: How often a table is read before the task fails, and seconds before the second time; each further pause doubles.
TRIES, PAUSE = 3, 1.0


@dataclass(slots=True)
class TableSource:
    """The tables of one connection. Use it as a context manager, outside of an event loop."""

    job: Job
    bulk: Bulk
    tries: int = TRIES
    facts: FactReader = field(default_factory=FactReader)
    files: int = 0
    retries: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    _client: Client = field(init=False)
    _store: Store | None = None
    _renew_at: float = 0.0

    def __enter__(self) -> Self:
        job = self.job
        connection = connect(
            job.vendor, job.credentials, concurrency=job.concurrency, limits=job.limits, sharing=job.sharing
        )
        self._stack.enter_context(self.facts)
        runner = self._stack.enter_context(self._runner)
        self._client = runner.run(connection.__aenter__())
        self._stack.callback(lambda: runner.run(connection.__aexit__(None, None, None)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if isinstance(error, VendorError):
            error.vendor, error.window = error.vendor or self.job.vendor.name, error.window or str(self.job.window)

    @property
    def request_counts(self) -> tuple[int, int, int]:
        """Requests, retries and refusals so far. A data file that was opened counts as a request."""
        counters = self._client.counters
        return counters.requests + self.files, counters.retries + self.retries, counters.throttled

    def find_tables(self) -> Sequence[TableAddress]:
        """The tables that the job reads, sorted by type."""

        def find() -> list[TableAddress]:
            found = self.bulk.find_tables(self.store(), self.job.credentials, self.job.options)
            return sorted(found, key=lambda address: address.native_type)

        return self.keep_trying(find)

    def find_version(self, address: TableAddress) -> str:
        """What changes with each commit to a table; empty for a table without commits."""
        return self.keep_trying(lambda: find_version(self.store(), address))

    def read_table(self, address: TableAddress, read: Callable[[Table], T], undo: Callable[[], None]) -> T:
        """Open a table and read it, again a few times if that fails; ``undo`` drops what the failed try has done."""

        def attempt() -> T:
            table = open_table(self.store(), address, self.bulk)
            try:
                found = read(table)
            except BaseException:
                undo()
                raise
            self.files += 1 + table.count_files(self.job.window)
            return found

        return self.keep_trying(attempt)

    def keep_trying(self, call: Callable[[], T]) -> T:
        """Call a function again after a fault that may pass; after a refusal once, with new access."""
        refused = False

        def may_pass(error: Exception) -> bool:
            nonlocal refused
            again = _may_pass(error) or (isinstance(error, AuthRejected) and not refused)
            refused = refused or isinstance(error, AuthRejected)
            self._store = None if again else self._store
            self.retries += again
            return again

        for attempt in stamina.retry_context(
            on=may_pass, attempts=self.tries, timeout=None, wait_initial=PAUSE, wait_jitter=PAUSE
        ):
            with attempt:
                return call()
        raise AssertionError  # unreachable: the last attempt returns or raises

    def store(self) -> Store:
        """The storage, with access that lasts for a while."""
        if self._store is None or time.monotonic() >= self._renew_at:
            access, lasts = self._runner.run(self._open_access())
            self._renew_at = time.monotonic() + lasts * (1 - LEFT)
            self._store = Store(access)
        return self._store

    async def _open_access(self) -> tuple[Access, float]:
        """New access with a new token, and the seconds that it lasts."""
        tokens = self._client.tokens
        async with tokens.use(alone=self._client.auth.has_tokens) as token:
            pass
        access = await self.bulk.open_access(self._client.fetch, token, self.job.credentials)
        token_lasts = tokens.cache.renew_at - asyncio.get_running_loop().time()
        return access, token_lasts if access.expires_in is None else access.expires_in


def _may_pass(error: Exception) -> bool:
    return isinstance(error, Unavailable | Throttled) or (isinstance(error, BadResponse) and not error.lasting)
