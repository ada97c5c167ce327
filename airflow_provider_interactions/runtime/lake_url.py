"""Open the lake at any address that Airflow supports."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook, ObjectStoragePath, conf

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.hooks.base import mask
from airflow_provider_interactions.lake.file_systems import clone_client
from airflow_provider_interactions.lake.keys import HashKey, read_hash_keys
from airflow_provider_interactions.lake.storage import NO_LAKE, Lake


def open_lake(url: str | None, encrypt_raw: str | None = None) -> Lake:
    """Open an object-storage URL (``s3://connection@bucket/prefix``) or a local path.

    The default is ``[interactions] lake`` in the configuration. Schemes that only fsspec supports work, too; fsspec
    then finds the credentials. ``encrypt_raw`` is the address of the key store by which raw rows are encrypted, by
    default ``[interactions] encrypt_raw``. Raises ConfigError without an address, or without a driver for it.
    """
    url = url or conf.get("interactions", "lake", fallback="")
    if not url:
        raise ConfigError(NO_LAKE)
    fs, path = open_url(url, "The lake")
    lake = Lake(clone_client(fs), path, read_keys)
    keys = encrypt_raw or conf.get("interactions", "encrypt_raw", fallback="")
    return _add_key_ring(lake, keys) if keys else lake


def _add_key_ring(lake: Lake, address: str) -> Lake:
    from airflow_provider_interactions.lake.key_ring import add_key_ring

    fs, path = open_url(address, "The key store")
    return add_key_ring(lake, Lake(clone_client(fs), path), lambda: _read_connection("encryption_conn_id"))


def read_keys() -> list[HashKey]:
    """The keys for hashes of erased people, from the connection ``[interactions] suppression_conn_id``.

    Raises ConfigError if a key is too short, and AirflowNotFoundException if the connection does not exist.
    """
    return _read_connection("suppression_conn_id")


def _read_connection(option: str) -> list[HashKey]:
    """The keys in the connection that an option of ``[interactions]`` names; none if it is not set."""
    conn_id = conf.get("interactions", option, fallback="")
    if not conn_id:
        return []
    keys = read_hash_keys(BaseHook.get_connection(conn_id))
    mask(*(key.secret.decode() for key in keys))
    return keys


def open_url(url: str, what: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it. Raises ConfigError; its message begins with ``what``."""
    try:
        return _open_by_airflow(url) if "://" in url else _open_by_fsspec(url)
    except (ImportError, ValueError) as error:
        scheme = url.partition("://")[0]
        msg = (
            f"{what} at {scheme}:// cannot be opened ({type(error).__name__}). Check the scheme, and install its "
            "driver. An address with a connection (@) also needs Airflow's provider for that scheme."
        )
        raise ConfigError(msg) from error


def _open_by_airflow(url: str) -> tuple[Any, str]:
    try:
        path = ObjectStoragePath(url)
        return path.fs, path.path.rstrip("/")
    except (ImportError, ValueError):
        if "@" in url:
            raise
        return _open_by_fsspec(url)  # only fsspec supports the scheme; it finds credentials by itself


def _open_by_fsspec(url: str) -> tuple[Any, str]:
    import fsspec

    fs, path = fsspec.url_to_fs(url)
    return fs, path.rstrip("/")
