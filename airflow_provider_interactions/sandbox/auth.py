"""Logins of the sandbox: Basic, and tokens that are issued, counted, expire and can be made to fail."""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import blake2b
from time import monotonic

from airflow_provider_interactions.sandbox.faults import get_fault


class Tokens:
    """The tokens one vendor has issued since the last reset."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._expiry: dict[str, float] = {}
        self._audience: dict[str, str] = {}
        self._uses: dict[str, int] = {}
        self.issued = 0

    def issue(self, seconds: float, audience: str = "") -> str:
        """Return a new token that is accepted for ``seconds``; ``audience`` says what for."""
        self.issued += 1
        token = blake2b(f"{self._seed}/{self.issued}/{monotonic()}".encode(), digest_size=24).hexdigest()
        self._expiry[token] = monotonic() + seconds
        self._audience[token] = audience
        return token

    def accept(self, token: str) -> bool:
        """Count a use of the token and return whether it is good; plays the token faults."""
        self._uses[token] = self._uses.get(token, 0) + 1
        expire = get_fault("expire_tokens")
        if expire is not None and self._uses[token] > expire.uses:
            self._expiry.pop(token, None)
        return get_fault("reject_tokens") is None and monotonic() < self._expiry.get(token, 0.0)

    def get_audience(self, token: str) -> str | None:
        """What a token was issued for, None where it was not issued here."""
        return self._audience.get(token)

    def forget(self) -> None:
        """Forget every token."""
        self._expiry.clear()
        self._audience.clear()
        self._uses.clear()
        self.issued = 0


def read_basic(header: str) -> tuple[str, str]:
    """User and password of a Basic ``Authorization`` header, both empty if it is none."""
    scheme, _, encoded = header.partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if scheme.lower() == "basic" else ("", "")


def is_same(given: tuple[str, ...], expected: tuple[str, ...]) -> bool:
    """Whether two logins are equal; takes the same time for any difference."""
    return hmac.compare_digest("\0".join(given).encode(), "\0".join(expected).encode())
