"""Check the fields of a connection and the options of an extraction, and give them their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import NoneType
from typing import Any, Literal, Protocol, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

from airflow_provider_interactions.contract import Credentials, OptionsT, Pace, Settings, SettingsT, T, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.urls import check_url, spell_host

#: Ports that do not change the host's address. Airflow's Test button sends 0 if the form's port is empty.
IMPLIED_PORTS = (None, 0, 443)


def build_credentials(
    vendor: Vendor[SettingsT, OptionsT],
    host: str,
    login: str = "",
    password: str = "",
    extra: Mapping[str, Any] | None = None,
) -> Credentials[SettingsT]:
    """Check a connection's fields and build its Credentials. Raises ConfigError that names the wrong field.

    Airflow's form stores an empty field as null, which counts as not given. In a connection written as a URI, every
    extra is a text. So ``"true"`` is read as a boolean and ``"2"`` as a number.
    """
    extras = {key: value for key, value in (extra or {}).items() if value is not None and value != ""}
    settings = _convert(vendor.settings, _read_texts(vendor.settings, extras), f"{vendor.name}: the connection's extra")
    url = check_url(host or "", f"{vendor.name}: the connection's host", allow_http=settings.allow_http)
    base = f"{url.scheme}://{spell_host(url)}{url.path}".rstrip("/")
    return Credentials(base, login or "", password or "", settings)


class ConnectionFields(Protocol):
    """The fields of a connection, as Airflow's own class has them. Outside of Airflow, ``shell`` has such a class."""

    @property
    def conn_id(self) -> str:
        """The connection's id."""

    @property
    def conn_type(self) -> str | None:
        """The connection's type."""

    @property
    def host(self) -> str | None:
        """The host, or a URL."""

    @property
    def login(self) -> str | None:
        """The login."""

    @property
    def password(self) -> str | None:
        """The password."""

    @property
    def schema(self) -> str | None:
        """The schema; for databases, the name of the database."""

    @property
    def port(self) -> int | None:
        """The port."""

    @property
    def extra(self) -> str | None:
        """The extra as it is stored: JSON."""

    @property
    def extra_dejson(self) -> Any:
        """The extra's value; an empty dict if it is not JSON."""


def read_credentials(vendor: Vendor[SettingsT, OptionsT], connection: ConnectionFields) -> Credentials[SettingsT]:
    """Check a connection and build its Credentials. Raises ConfigError that names the wrong field."""
    host = add_port(connection.host or "", connection.port)
    return build_credentials(vendor, host, connection.login or "", connection.password or "", read_extra(connection))


def add_port(host: str, port: int | None) -> str:
    """A host with the connection's port in it, unless the host has a port, or the port is 443, 0 or None."""
    try:
        parts = urlsplit(host.strip())
        if port in IMPLIED_PORTS or not parts.netloc or parts.port is not None:
            return host
    except ValueError:
        return host  # a malformed port: the check of the host raises the error
    return parts._replace(netloc=f"{parts.netloc}:{port}").geturl()


def read_extra(connection: ConnectionFields) -> Mapping[str, Any]:
    """The connection's extra as a mapping. Raises ConfigError if it is not a JSON object."""
    extra = connection.extra_dejson
    if not isinstance(extra, Mapping) or (not extra and (connection.extra or "{}").strip() not in ("{}", "null")):
        msg = f"{connection.conn_type}: the extra of connection {connection.conn_id} is not a JSON object."
        raise ConfigError(msg)
    return extra


def choose_pace(vendor: Vendor, settings: Settings, concurrency: int | None = None) -> Pace:
    """The limits to keep: the argument, else the connection's settings, else the vendor's documented limits."""
    default = vendor.pace
    in_flight = concurrency or settings.concurrency or default.concurrency
    if settings.requests_per_minute is None:
        return replace(default, concurrency=in_flight)
    requests = max(1, round(settings.requests_per_minute))
    return Pace(in_flight, requests, 60.0 * requests / settings.requests_per_minute, "the connection")


def build_options(vendor: Vendor[SettingsT, OptionsT], options: Mapping[str, Any] | None) -> OptionsT:
    """Check the options of an extraction. Raises ConfigError that names the wrong option."""
    return _convert(vendor.options, options or {}, f"{vendor.name}: the options")


def _read_texts(kind: type[Settings], extras: Mapping[str, Any]) -> dict[str, Any]:
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return {
        key: _read_text(types.get(key), value) if isinstance(value, str) else value for key, value in extras.items()
    }


def _read_text(kind: Any, text: str) -> Any:
    """The boolean or number that a text stands for; the text itself if there is neither, or if its key needs a text."""
    try:
        return msgspec.convert(text.strip().lower(), kind, strict=False) if not _wants_text(kind) else text
    except msgspec.ValidationError:
        return text  # _convert raises the error for it


def _wants_text(kind: Any) -> bool:
    """Whether a setting's type, or a part of a union, is text, a choice of words, or unknown."""
    return kind in (None, str) or get_origin(kind) is Literal or any(map(_wants_text, _list_parts(kind)))


def _list_parts(kind: Any) -> list[Any]:
    return [part for part in get_args(kind) if isinstance(part, type) and part is not NoneType]


def _convert(kind: type[T], values: Mapping[str, Any], what: str) -> T:
    try:
        return msgspec.convert(dict(values), kind)
    except msgspec.ValidationError as error:
        keys = ", ".join(field.name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]
        msg = f"{what} cannot be used: {error}. Known keys: {keys}."
        raise ConfigError(msg) from None
