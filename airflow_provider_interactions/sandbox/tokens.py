"""Bearer tokens that are issued, counted, expire and can be made to fail; for every vendor that has such a thing."""

from __future__ import annotations

from hashlib import blake2b
from time import monotonic

from airflow_provider_interactions.sandbox.faults import active_fault


class Tokens:
    """The tokens one vendor has issued since the last reset."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._expiry: dict[str, float] = {}
        self._uses: dict[str, int] = {}
        self.issued = 0

    def issue(self, seconds: float) -> str:
        """Return a new token that is accepted for ``seconds``."""
        self.issued += 1
        token = blake2b(f"{self._seed}/{self.issued}/{monotonic()}".encode(), digest_size=24).hexdigest()
        self._expiry[token] = monotonic() + seconds
        return token

    def accepts(self, token: str) -> bool:
        """Tell whether the token is good now; counts a use and carries out the token faults."""
        self._uses[token] = self._uses.get(token, 0) + 1
        expire = active_fault("expire_tokens")
        if expire is not None and self._uses[token] > expire.uses:
            self._expiry.pop(token, None)
        if active_fault("reject_tokens") is not None:
            return False
        return monotonic() < self._expiry.get(token, 0.0)

    def forget(self) -> None:
        """Forget every token."""
        self._expiry.clear()
        self._uses.clear()
        self.issued = 0
