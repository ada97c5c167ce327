"""Spell addresses in one way: the host's case and a default port make no difference (RFC 3986, section 6.2)."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from airflow_provider_interactions.errors import ConfigError

_DEFAULT_PORTS = {"http": 80, "https": 443}


def read_origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address, in one spelling. All are empty if it is not valid, or holds a login."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", None
    if not parts.hostname or "@" in parts.netloc:
        return "", "", None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)


def spell_host(parts: SplitResult) -> str:
    """Host and port of an address: the host in lower case, and the port unless it is the scheme's default."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def check_url(text: str, what: str, *, allow_http: bool | None) -> SplitResult:
    """The parts of a URL that may receive credentials. Raises ConfigError; its message begins with ``what``."""
    try:
        url = urlsplit(text.strip())
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0 and " " not in url.netloc
    except ValueError:  # for example brackets without an address, or a port that is not a number
        usable = False
    if not usable:
        msg = f"{what} must be a full URL that starts with https://."
        raise ConfigError(msg)
    if url.username or url.password or url.query or url.fragment:
        msg = f"{what} must not hold a user name, password, query or fragment."
        raise ConfigError(msg)
    if url.scheme == "http" and not allow_http:
        msg = (
            f"{what} is plain http://, which would send credentials unencrypted. "
            'Use https://, or set "allow_http": true in the extra for a sandbox.'
        )
        raise ConfigError(msg)
    return url
