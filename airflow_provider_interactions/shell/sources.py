"""Which vendor, with which credentials, and which contacts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from airflow_provider_interactions import contact_files, contacts, vendors
from airflow_provider_interactions.connection import build_options, read_credentials
from airflow_provider_interactions.contract import Contact, Credentials, Options, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.shell.session import Session

#: Means standard input, in place of an identifier or a file.
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """A vendor and how to ask it. ``given`` are the options as they were given, before defaults."""

    vendor: Vendor
    credentials: Credentials
    given: Mapping[str, Any]

    @property
    def options(self) -> Options:
        """The options, checked. Raises ConfigError that names a wrong one."""
        options: Options = build_options(self.vendor, self.given)
        return options


@dataclass(frozen=True, slots=True)
class ContactChoice:
    """Which contacts were chosen on the command line; without any, the vendor's own list."""

    ids: Sequence[str] = ()
    file: str | None = None
    column: str | None = None
    kind: str | None = None

    @property
    def source(self) -> str:
        """The hash that a pipeline in Airflow with the same choice has, for ``Job.source``."""
        return contacts.hash_source(self.file, self.column, kind=self.kind, listed=bool(self.ids))


def open_source(session: Session, vendor: str, conn_id: str | None, options: Iterable[str] = ()) -> Source:
    """The vendor of a name, and its connection. Raises ConfigError that names what is wrong."""
    found = vendors.find_vendor(vendor)
    connection = session.config.find_connection(conn_id or f"{vendor}_default")
    vendors.require_type(found, connection.conn_id, connection.conn_type)
    return Source(found, read_credentials(found, connection), read_options(options))


def read_options(settings: Iterable[str]) -> dict[str, Any]:
    """Options from ``name=value``; a value is JSON where it reads as such, else text. Raises ConfigError."""
    chosen: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            msg = f"An option must be written as name=value, not {setting}."
            raise ConfigError(msg)
        chosen[name] = _parse_value(value)
    return chosen


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def list_contacts(source: Source, choice: ContactChoice) -> Iterator[Contact]:
    """The chosen contacts, each once, as a stream. Raises ConfigError that names a wrong one by its place."""
    seen = set[Contact]()
    for page in _list_pages(source, choice):
        for contact in page:
            if contact not in seen:
                seen.add(contact)
                yield contact


def require_contacts(source: Source, choice: ContactChoice) -> list[Contact]:
    """All chosen contacts. Raises ConfigError if there are none: they would replace a window by nothing."""
    found = list(list_contacts(source, choice))
    if not found:
        raise ConfigError("The list of contacts is empty. Check where it comes from.")
    return found


def _list_pages(source: Source, choice: ContactChoice) -> Iterable[Sequence[Contact]]:
    ids = _read_identifiers(source.vendor, choice)
    if ids is None:
        if source.vendor.contacts is None:
            msg = f"{source.vendor.name} offers no list of its contacts. Give --contact or --contacts-file."
            raise ConfigError(msg)
        return contacts.list_from_vendor(source.vendor, source.credentials, source.options)
    return contacts.check_identifiers(source.vendor, ids, choice.kind)


def _read_identifiers(vendor: Vendor, choice: ContactChoice) -> Iterable[object] | None:
    if choice.ids and choice.file:
        raise ConfigError("--contact and --contacts-file are given. Give one of them.")
    if choice.ids:
        return read_ids(choice.ids)
    if choice.file is None:
        return None
    if choice.file == STDIN:
        return read_ids([STDIN])
    fs, path = fsspec.url_to_fs(choice.file)
    return contact_files.read_file(fs, path, choice.column, contact_files.make_accepter(vendor, choice.kind))


def read_ids(ids: Iterable[str]) -> list[str]:
    """Identifiers; ``-`` stands for those on standard input, one on each line."""
    return [line.strip() for one in ids for line in (sys.stdin if one == STDIN else [one])]
