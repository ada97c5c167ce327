"""One access token for a whole connection: asked for once, renewed before it ends, replaced once when refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from airflow_provider_interactions.contract import Auth, Token
from airflow_provider_interactions.errors import AuthRejected

#: Renew this share of a token's life before its end, but never more than so many seconds.
EARLY_SHARE, EARLY_SECONDS = 0.1, 300.0

#: So many tokens refused in a row prove that another one will not help.
REFUSED_IN_A_ROW = 2


@dataclass(slots=True)
class Tokens:
    """The token of one connection, inside one event loop. Without tokens, ``current`` gives an empty text."""

    auth: Auth
    ask: Callable[[], Awaitable[Token]] | None = None
    token: str = field(default="", repr=False)
    renew_at: float = 0.0
    refusals: int = 0
    verdict: AuthRejected | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def current(self) -> str:
        """A token to use now. Raises what the token host said; once refused, always refused, without asking again."""
        if self.verdict is not None:
            raise self.verdict
        if not self.auth.has_tokens or self._fresh():
            return self.token
        async with self.lock:
            if self.verdict is not None:
                raise self.verdict
            if not self._fresh():
                await self._renew()
        return self.token

    def worked(self, token: str) -> None:
        """The vendor accepted this token."""
        if token == self.token:
            self.refusals = 0

    def refused(self, token: str, error: AuthRejected) -> None:
        """The vendor refused this token: forget it, or raise the error when another one cannot help."""
        if not self.auth.has_tokens or error.status != 401:
            self.verdict = error
            raise error
        if token != self.token:
            return  # another request was refused with it before, and cared for a fresh one
        self.token = ""
        self.refusals += 1
        if self.refusals >= REFUSED_IN_A_ROW:
            self.verdict = error
            raise error

    def _fresh(self) -> bool:
        return bool(self.token) and asyncio.get_running_loop().time() < self.renew_at

    async def _renew(self) -> None:
        try:
            token = await self._ask()
        except AuthRejected as error:
            self.verdict = error
            raise
        early = min(EARLY_SECONDS, token.expires_in * EARLY_SHARE)
        self.renew_at = asyncio.get_running_loop().time() + token.expires_in - early
        self.token = token.value

    async def _ask(self) -> Token:
        if self.auth.acquire is not None:
            return await asyncio.to_thread(self.auth.acquire)
        assert self.ask is not None  # noqa: S101 - whoever opens a connection sets it
        return await self.ask()
