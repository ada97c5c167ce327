"""The lake by any address Airflow understands."""

from __future__ import annotations

from typing import Any

from airflow.sdk import ObjectStoragePath, conf

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import NO_LAKE, Lake, clone_client


def open_lake(url: str | None) -> Lake:
    """Open an object-storage URL (``s3://connection@bucket/prefix``) or a local path.

    Without one, the configuration's ``[interactions] lake``. A scheme that only fsspec knows works too, with its own
    way to find credentials. Raises ConfigError when there is no address, or no driver for it.
    """
    url = url or conf.get("interactions", "lake", fallback="")
    if not url:
        raise ConfigError(NO_LAKE)
    fs, path = open_url(url, "The lake")
    return Lake(clone_client(fs), path)


def open_url(url: str, what: str) -> tuple[Any, str]:
    """The file system of an address and the path there; raises ConfigError that says what cannot be opened."""
    try:
        return _open_by_airflow(url) if "://" in url else _open_by_fsspec(url)
    except (ImportError, ValueError) as wrong:
        scheme = url.partition("://")[0]
        msg = (
            f"{what} at {scheme}:// cannot be opened ({type(wrong).__name__}). Is the scheme right, and its driver "
            "installed? An address with a connection (@) needs Airflow's provider for it, too."
        )
        raise ConfigError(msg) from wrong


def _open_by_airflow(url: str) -> tuple[Any, str]:
    try:
        path = ObjectStoragePath(url)
        return path.fs, path.path.rstrip("/")
    except (ImportError, ValueError):
        if "@" in url:
            raise
        return _open_by_fsspec(url)  # a scheme that only fsspec knows, with its own way to find credentials


def _open_by_fsspec(url: str) -> tuple[Any, str]:
    import fsspec

    fs, path = fsspec.url_to_fs(url)
    return fs, path.rstrip("/")
