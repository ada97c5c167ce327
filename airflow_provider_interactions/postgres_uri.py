"""Addresses of PostgreSQL databases, as libpq reads them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode


def quote_database(uri: str, database: str) -> str:
    """The same address with the database's name percent-encoded, which older providers of PostgreSQL do not do."""
    scheme, _, rest = uri.partition("://")
    server, _, path = rest.partition("/")
    quoted = quote(database, safe="")
    if path.partition("?")[0] == quoted or not (path == database or path.startswith(f"{database}?")):
        return uri
    return f"{scheme}://{server}/{quoted}{path.removeprefix(database)}"


def build_libpq_uri(uri: str, more: Mapping[str, object]) -> str:
    """SQLAlchemy's address of a PostgreSQL database as libpq reads it, with more of libpq's parameters.

    SQLAlchemy names its driver in the scheme, writes spaces as they are, and as plus signs behind the question mark.
    """
    address, _, query = uri.partition("?")
    scheme, _, rest = address.partition("://")
    parameters = [*parse_qsl(query, keep_blank_values=True), *((name, str(value)) for name, value in more.items())]
    return f"{scheme.partition('+')[0]}://{rest.replace(' ', '%20')}?{urlencode(parameters, quote_via=quote)}"
