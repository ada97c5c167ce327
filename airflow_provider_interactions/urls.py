"""Addresses in one spelling: letters of the host in either case, and a default port, say the same (RFC 3986, 6.2)."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address in one spelling; all empty where it is none, or holds a login."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", None
    if not parts.hostname or "@" in parts.netloc:
        return "", "", None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)


def spell_host(parts: SplitResult) -> str:
    """Host and port of an address: the host in lower case, no port that its scheme implies."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
