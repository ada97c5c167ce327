"""One access token for a whole connection: requested once, renewed before it expires, replaced once when refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from airflow_provider_interactions.contract import Auth, Response, Token
from airflow_provider_interactions.errors import AuthRejected, Throttled, Unavailable
from airflow_provider_interactions.http.retry import read_retry_after

#: Renew this share of a token's life before its end, but never more than so many seconds.
EARLY_SHARE, EARLY_SECONDS = 0.1, 300.0

#: So many tokens refused in a row prove that another one will not help.
REFUSED_IN_A_ROW = 2


@dataclass(slots=True)
class TokenCache:
    """The current token of a connection, and when to renew it. Times are of one monotonic clock, in seconds."""

    auth: Auth
    token: str = field(default="", repr=False)
    renew_at: float = 0.0

    def is_usable(self, now: float) -> bool:
        """Whether the token can be sent now; always true for a vendor without tokens, whose token is empty."""
        return not self.auth.has_tokens or (bool(self.token) and now < self.renew_at)

    def store(self, token: Token, now: float) -> str:
        """Keep a new token; returns its value."""
        self.token = token.value
        self.renew_at = now + token.expires_in - min(EARLY_SECONDS, token.expires_in * EARLY_SHARE)
        return self.token

    def drop(self, refused: str) -> bool:
        """Forget a refused token. False if another request has done so already."""
        if refused != self.token:
            return False
        self.token = ""
        return True


@dataclass(slots=True)
class Tokens:
    """The tokens of one connection inside one event loop; ``request`` sends a request for one."""

    cache: TokenCache
    request: Callable[[], Awaitable[Token]]
    refusals: int = 0
    verdict: AuthRejected | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def use(self, *, alone: bool = False) -> AsyncIterator[str]:
        """A token for one request: that of all requests, or a new one that no other request uses before.

        Raises the token host's error; after a refusal always, without another request.
        """
        if alone:
            async with self.lock:
                self._has_usable()  # raises the verdict
                self.cache.token = ""
                token = await self._request()
                yield token.value
                self._store(token)
            return
        if not self._has_usable():
            async with self.lock:
                if not self._has_usable():
                    self._store(await self._request())
        yield self.cache.token

    def accept(self, token: str) -> None:
        """Note that the vendor accepted this token."""
        if token == self.cache.token:
            self.refusals = 0

    def refuse(self, token: str, error: AuthRejected) -> None:
        """Forget a token that the vendor refused; raises the error if another one cannot help."""
        renewable = self.cache.auth.has_tokens and error.status == 401
        if renewable:
            self.refusals += self.cache.drop(token)
        if not renewable or self.refusals >= REFUSED_IN_A_ROW:
            self.verdict = error
            raise error

    def _has_usable(self) -> bool:
        if self.verdict is not None:
            raise self.verdict
        return self.cache.is_usable(asyncio.get_running_loop().time())

    def _store(self, token: Token) -> None:
        self.cache.store(token, asyncio.get_running_loop().time())

    async def _request(self) -> Token:
        acquire = self.cache.auth.acquire
        try:
            return await (asyncio.to_thread(acquire) if acquire is not None else self.request())
        except AuthRejected as error:
            self.verdict = error
            raise


def read_token(auth: Auth, response: Response) -> Token:
    """The token in a response of the token host; an error that allows a retry carries its Retry-After."""
    assert auth.read is not None  # noqa: S101 - auth.ask comes with it
    try:
        return auth.read(response)
    except (Throttled, Unavailable) as error:
        error.retry_after = read_retry_after(response)
        raise
