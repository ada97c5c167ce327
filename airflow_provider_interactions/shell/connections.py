"""Connections as Airflow's environment variables hold them, in both forms, read as Airflow reads them.

https://airflow.apache.org/docs/apache-airflow/stable/howto/connection.html, read 2026-11. ``tests/airflow`` compares
the result with that of ``airflow.sdk.Connection``. Error messages never hold a value, which may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from airflow_provider_interactions.errors import ConfigError

#: How Airflow names the variable of a connection: this, and the id in capitals.
PREFIX = "AIRFLOW_CONN_"

#: The key of a URI's query whose value is the whole extra.
EXTRA_KEY = "__extra__"

#: What a URI may hold of ``://``: its own, and one of the host.
MOST_SCHEMES = 2


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a connection. ``extra`` is JSON text. The repr shows no secret."""

    conn_id: str
    conn_type: str | None = None
    description: str | None = None
    host: str | None = None
    login: str | None = None
    password: str | None = None
    schema: str | None = None
    port: int | None = None
    extra: str | None = None

    def __repr__(self) -> str:
        return f"Connection({self.conn_id}, {self.conn_type})"

    @property
    def extra_dejson(self) -> Any:
        """The extra's value; an empty dict if there is none, or it is not JSON."""
        try:
            return json.loads(self.extra) if self.extra else {}
        except ValueError:
            return {}


def parse_connection(conn_id: str, value: str) -> Connection:
    """Read a connection from the value of its variable: JSON, or a URI. Raises ConfigError that shows no value."""
    text = value.strip()
    try:
        return _parse_json(conn_id, text) if text.startswith("{") else _parse_uri(conn_id, text)
    except ValueError:
        pass  # its message may quote the value
    msg = f"Connection {conn_id} is neither JSON nor a URI that Airflow can read. Check {PREFIX}{conn_id.upper()}."
    raise ConfigError(msg)


def build_connection(conn_id: str, fields: Mapping[str, Any]) -> Connection:
    """A connection from the fields of its JSON form. Raises ConfigError that names a wrong field."""
    known = {name: value for name, value in fields.items() if name not in {"extra", "conn_type", "port"}}
    extra, kind = fields.get("extra"), fields.get("conn_type")
    if extra:
        known["extra"] = extra if isinstance(extra, str) else json.dumps(extra)
    if kind:
        known["conn_type"] = _spell_type(str(kind))
    if fields.get("port"):
        known["port"] = _read_port(conn_id, fields["port"])
    unknown = sorted(known.keys() - set(Connection.__struct_fields__) | known.keys() & {"conn_id"})
    if unknown:
        names = ", ".join(name for name in Connection.__struct_fields__ if name != "conn_id")
        msg = f"Connection {conn_id} has unknown fields. Known are: {names}."
        raise ConfigError(msg)
    try:
        return msgspec.convert({"conn_id": conn_id, **known}, Connection)
    except msgspec.ValidationError as error:
        msg = f"Connection {conn_id} cannot be used: {error}."
        raise ConfigError(msg) from None


def _parse_json(conn_id: str, text: str) -> Connection:
    return build_connection(conn_id, json.loads(text))


def _read_port(conn_id: str, port: Any) -> int:
    try:
        return int(port)
    except (TypeError, ValueError):
        msg = f"The port of connection {conn_id} is not a whole number."
        raise ConfigError(msg) from None


def _parse_uri(conn_id: str, uri: str) -> Connection:
    kind = urlsplit(uri).scheme
    schemes = uri.count("://")
    if schemes > MOST_SCHEMES:
        raise ValueError
    rest = uri.replace(f"{kind}://", "" if schemes == MOST_SCHEMES else "//")
    before = rest.split("://", 1)[0]
    if schemes == MOST_SCHEMES and ("@" in before or ":" in before):
        raise ValueError
    parts = urlsplit(rest)
    host = _read_host(parts)
    return Connection(
        conn_id=conn_id,
        conn_type=_spell_type(kind),
        host=f"{parts.scheme}://{host}" if schemes == MOST_SCHEMES and parts.scheme and host else host,
        login=parts.username and unquote(parts.username),
        password=parts.password and unquote(parts.password),
        schema=unquote(parts.path[1:]),
        port=parts.port,
        extra=_read_query(parts.query),
    )


def _read_host(parts: SplitResult) -> str:
    """The host, which may be a path, escaped. Python would write that in lower case."""
    host = unquote(parts.hostname or "")
    if "/" not in host:
        return host
    return unquote(parts.netloc.rsplit("@", 1)[-1].split(":", 1)[0])


def _read_query(text: str) -> str | None:
    query = dict(parse_qsl(text, keep_blank_values=True))
    if not text:
        return None
    return query[EXTRA_KEY] if EXTRA_KEY in query else json.dumps(query)


def _spell_type(kind: str) -> str:
    """Airflow writes types with underscores, and PostgreSQL's short."""
    return "postgres" if kind == "postgresql" else kind.replace("-", "_")
