"""Clients of object stores that soon give up, and how they find a proxy before their store."""

import asyncio
import os
from types import SimpleNamespace

from airflow_provider_interactions.lake.storage import Lake
from tests import servers


def find_variables(store, url):
    """The environment in which clients of a store find a proxy of it."""
    return {
        "s3": {"AWS_ENDPOINT_URL": url},
        "azure": {"AZURE_STORAGE_CONNECTION_STRING": servers.azure_connection(url)},
        "gcs": {"STORAGE_EMULATOR_HOST": url},
    }[store.disk]


def stop_waiting(store, patch):
    """Google's client waits for seconds between its tries. How often it tries stays."""
    if store.disk == "gcs":
        import gcsfs.retry

        patch.setattr(gcsfs.retry, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": lambda _: asyncio.sleep(0)}))


def open_lake(store, url):
    """A lake whose client soon gives up."""
    if store.disk == "s3":
        lake = Lake.at(url, config_kwargs={"retries": {"max_attempts": 0}}, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        lake.fs.retries = 2
        return lake
    lake = Lake.at(url)
    if store.disk == "azure":
        policy = lake.fs.service_client._config.retry_policy
        policy.initial_backoff = policy.increment_base = policy.random_jitter_range = 0
    return lake
