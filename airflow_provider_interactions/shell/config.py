"""Where the shell finds connections and the lake: Airflow's environment variables, then a TOML file."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.key_ring import add_key_ring
from airflow_provider_interactions.lake.keys import HashKey, read_hash_keys
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.shell.connections import PREFIX, Connection, build_connection, parse_connection

#: The file that is read if none is given.
FILE = "interactions.toml"

#: Airflow's variables of this package's configuration.
LAKE = "AIRFLOW__INTERACTIONS__LAKE"
ENCRYPT_RAW = "AIRFLOW__INTERACTIONS__ENCRYPT_RAW"
ENCRYPTION = "AIRFLOW__INTERACTIONS__ENCRYPTION_CONN_ID"
SHARED_LIMIT = "AIRFLOW__INTERACTIONS__SHARED_LIMIT"
SUPPRESSION = "AIRFLOW__INTERACTIONS__SUPPRESSION_CONN_ID"
IDENTITIES = "AIRFLOW__INTERACTIONS__IDENTITIES"

NO_LAKE = f"No lake is set. Give --lake, a folder or a URL, or set {LAKE}."


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a TOML file. A connection is a table of the fields of its JSON form, or its URI."""

    lake: str = ""
    suppression_conn_id: str = ""
    encrypt_raw: str = ""
    encryption_conn_id: str = ""
    identities: str = ""
    connections: dict[str, str | dict[str, Any]] = {}

    def find_connection(self, conn_id: str) -> Connection:
        """A connection by its id: from the environment, else from the file. Raises ConfigError if there is none."""
        found = self._find_value(conn_id)
        if not found:
            msg = (
                f"Connection {conn_id} does not exist. Set the environment variable {PREFIX}{conn_id.upper()}, or add "
                f"[connections.{conn_id}] to {FILE}."
            )
            raise ConfigError(msg)
        return parse_connection(conn_id, found) if isinstance(found, str) else build_connection(conn_id, found)

    def export_connection(self, conn_id: str) -> None:
        """Put a connection of the file into the environment of this process, where Airflow's hooks look for it."""
        found = self._find_value(conn_id)
        if found:
            os.environ[f"{PREFIX}{conn_id.upper()}"] = found if isinstance(found, str) else json.dumps(found)

    def has_connection(self, conn_id: str) -> bool:
        """Whether there is a connection of this id."""
        return bool(self._find_value(conn_id))

    def _find_value(self, conn_id: str) -> str | dict[str, Any] | None:
        return os.environ.get(f"{PREFIX}{conn_id.upper()}") or self.connections.get(conn_id)

    def find_lake(self, url: str | None) -> str:
        """The address of the lake: the given one, else the environment's, else the file's; may be empty."""
        return url or os.environ.get(LAKE) or self.lake

    def open_lake(self, url: str | None) -> Lake:
        """The lake at an address, with its key store; default: the environment, else the file. Raises ConfigError."""
        address = self.find_lake(url)
        if not address:
            raise ConfigError(NO_LAKE)
        lake = replace(_open_folder(address, "The lake"), keys=self.read_keys)
        keys = os.environ.get(ENCRYPT_RAW) or self.encrypt_raw
        return add_key_ring(lake, _open_folder(keys, "The key store"), self._read_master_keys) if keys else lake

    def read_keys(self) -> list[HashKey]:
        """The keys for hashes of erased people, from the connection that the environment or the file names.

        Raises ConfigError if the connection does not exist, or a key is too short.
        """
        return self._read_connection(os.environ.get(SUPPRESSION) or self.suppression_conn_id)

    def _read_master_keys(self) -> list[HashKey]:
        return self._read_connection(os.environ.get(ENCRYPTION) or self.encryption_conn_id)

    def _read_connection(self, conn_id: str) -> list[HashKey]:
        return read_hash_keys(self.find_connection(conn_id)) if conn_id else []


def _open_folder(address: str, what: str) -> Lake:
    if "@" in address.partition("://")[2].partition("/")[0]:
        msg = (
            f"{what}'s address holds a connection (@), which only Airflow can open. Leave it out, and let the "
            "storage's own driver find its credentials."
        )
        raise ConfigError(msg)
    return Lake.at(address)


def read_config(path: Path | None) -> Config:
    """Read a TOML file; default: ``interactions.toml`` in this folder, if it exists. Raises ConfigError."""
    file = path or Path(FILE)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is None:
            return Config()
        raise ConfigError(f"The file {file} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__}).") from None
    return _convert(file, text)


def _convert(file: Path, text: str) -> Config:
    try:
        return msgspec.convert(tomllib.loads(text), Config)
    except tomllib.TOMLDecodeError:
        msg = f"{file} is not valid TOML."
    except msgspec.ValidationError as error:
        msg = f"{file} cannot be used: {error}."
    raise ConfigError(msg)


def is_open_to_others(path: Path | None, config: Config) -> bool:
    """Whether other users of this machine can read a file that holds connections."""
    file = path or Path(FILE)
    return bool(config.connections) and os.name == "posix" and bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def read_switch(environment: Mapping[str, str], name: str) -> bool:
    """A switch of Airflow's configuration, as Airflow reads its words. Raises ConfigError for another word."""
    word = environment.get(name, "false").strip().lower()
    if word in {"t", "true", "1"}:
        return True
    if word in {"f", "false", "0"}:
        return False
    raise ConfigError(f"{name} is neither true nor false.")
