"""The lake by any address Airflow understands."""

from __future__ import annotations

from airflow.sdk import ObjectStoragePath, conf

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake import Lake


def open_lake(url: str | None) -> Lake:
    """Open an object-storage URL (``s3://connection@bucket/prefix``) or a local path.

    Without one, the configuration's ``[interactions] lake``. A scheme that only fsspec knows works too, with its own
    way to find credentials. Raises ConfigError when there is no address, or no driver for it.
    """
    url = url or conf.get("interactions", "lake", fallback="")
    if "://" not in url:
        return Lake.at(url)
    try:
        path = ObjectStoragePath(url)
        return Lake(path.fs, path.path.rstrip("/"))
    except (ImportError, ValueError) as wrong:
        if "@" not in url:
            return Lake.at(url)
        scheme = url.partition("://")[0]
        msg = f"Airflow cannot open a lake at {scheme}:// with a connection. Install its provider with the driver."
        raise ConfigError(msg) from wrong
