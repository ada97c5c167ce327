"""Sandboxes, and processes that can be killed.

Nothing below this folder imports Airflow; see ``tests/no_airflow.py`` for how CI proves it.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # for the modules that tests and their processes share

import rig

from airflow_provider_interactions.sandbox import SandboxConfig, serve
from tests import servers
from tests.fault_proxy import fault_proxy

# The same examples in every run: what fails in CI fails at a desk. No folder is left in the checkout.
settings.register_profile(
    "faults", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("faults")


class Process:
    """A process that runs steps in children of its own; see ``worker.py``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, str(Path(__file__).parent / "worker.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.commands, self.pids = [], []

    def start(self, *commands):
        """Start commands side by side; returns their process ids."""
        self.commands = [{**command, "out": str(self.folder / uuid.uuid4().hex)} for command in commands]
        self.process.stdin.write(json.dumps(self.commands) + "\n")
        self.process.stdin.flush()
        self.pids = json.loads(self.process.stdout.readline())
        return self.pids

    def wait(self):
        """How the commands ended: a signal's number below zero, or what was told."""
        codes = json.loads(self.process.stdout.readline())
        return [code or self._read_reply(one) for code, one in zip(codes, self.commands, strict=True)]

    def run(self, spec, *steps, **more):
        """One command, waited for."""
        self.start({"spec": spec, "steps": steps or ("extract",), **more})
        [told] = self.wait()
        assert told == -9 or told.get("error") != "unforeseen", told["message"]
        return told

    def _read_reply(self, command):
        out = Path(command["out"])
        found = json.loads(out.read_text())
        out.unlink()
        return found

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session", autouse=True)
def _uploads(tmp_path_factory):
    """Where the object store keeps what is not complete; in the environment, for other processes."""
    os.environ["UPLOADS"] = str(tmp_path_factory.mktemp("uploads"))


@pytest.fixture(scope="session")
def processes(_uploads, tmp_path_factory):
    """Two processes, so that one can be at work while another is."""
    found = [Process(tmp_path_factory.mktemp("told")) for _ in range(2)]
    yield found
    for process in found:
        process.close()


@dataclass(frozen=True)
class Store:
    """A server with a bucket or container for lakes: their URLs, how specs name its kind, and a client that lists it."""

    name: str
    server: str
    url: str
    disk: str
    client: Any
    find: Callable[[str], Iterable[str]]

    def folder(self, name):
        """A URL for a test."""
        return f"{self.url}/{re.sub(r'[^a-zA-Z0-9]+', '-', name)}"

    def keys(self, url):
        """Every object below a URL, as another client sees it, which remembers nothing."""
        folder = url.removeprefix(f"{self.url}/")
        return {key.removeprefix(f"{folder}/") for key in self.find(f"{folder}/")}


@contextmanager
def s3_store(name):
    """An S3 server, and the environment in which every S3 client finds it."""
    with servers.S3_SERVERS[name]() as server, pytest.MonkeyPatch.context() as patch:
        for variable, value in server.environment.items():
            patch.setenv(variable, value)
        client = server.client
        client.create_bucket(Bucket="lakes")

        def find(prefix):
            pages = client.get_paginator("list_objects_v2").paginate(Bucket="lakes", Prefix=prefix)
            return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

        yield Store(name, server.endpoint, "s3://lakes", "s3", client, find)


@contextmanager
def azure_store(name):
    """Azurite, and the environment in which adlfs finds it."""
    from azure.storage.blob import ContainerClient

    with servers.azurite("lakes") as server, pytest.MonkeyPatch.context() as patch:
        connection = servers.azure_connection(server)
        patch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        with ContainerClient.from_connection_string(connection, "lakes") as client:

            def find(prefix):
                return client.list_blob_names(name_starts_with=prefix)

            yield Store(name, server, "abfs://lakes", "azure", client, find)


@contextmanager
def gcs_store(name):
    """A server like Google's store, and the environment in which gcsfs finds it without keys."""
    import fsspec
    import requests

    with (
        servers.fake_gcs("lakes") as server,
        fault_proxy(server) as proxy,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Google's documentation: 499 to an upload that is given up. fake-gcs-server never answers so.
        proxy.choose = lambda method, path: "499" if method == "DELETE" and "upload_id" in path else None
        patch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        patch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
        # Else gcsfs asks by gRPC which kind of bucket this is, and waits a minute for a server that has none.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        with requests.Session() as client:

            def find(prefix):
                found = client.get(f"{server}/storage/v1/b/lakes/o", params={"prefix": prefix}, timeout=10).json()
                assert "nextPageToken" not in found
                return [item["name"] for item in found.get("items", ())]

            yield Store(name, proxy.url, "gs://lakes", "gcs", client, find)


STORES = {**dict.fromkeys(servers.S3_SERVERS, s3_store), "azurite": azure_store, "fake-gcs": gcs_store}

KINDS = {"s3": s3_store, "azure": azure_store, "gcs": gcs_store}


def pytest_generate_tests(metafunc):
    """Run what uses a store on those that its module names, and what uses ``s3``, ``azure`` or ``gcs`` on this kind.

    By default these are all but the server like Google's: test_stores.py passes on it, but takes long. A test with the mark ``one_of_each`` runs on one server for each client: what differs is not the server's.
    """
    if "store" in metafunc.fixturenames:
        wanted = {kind for name, kind in KINDS.items() if name in metafunc.fixturenames}
        wanted = wanted or {KINDS[name] for name in getattr(metafunc.module, "STORES", ("s3", "azure"))}
        names = [name for name, kind in STORES.items() if kind in wanted]
        if metafunc.definition.get_closest_marker("one_of_each"):
            names = list({STORES[name]: name for name in names}.values())
        metafunc.parametrize("store", names, indirect=True, scope="session")


def pytest_configure(config):
    """The marks of this folder."""
    config.addinivalue_line("markers", "one_of_each: run on one server for each client of object stores")


@pytest.fixture(scope="session")
def store(request):
    """An object store; one at a time, because its address is in the environment."""
    with STORES[request.param](request.param) as found:
        yield found


@pytest.fixture(scope="session")
def s3(store):
    """An S3 server."""
    return store


@pytest.fixture(scope="session")
def azure(store):
    """Azurite."""
    return store


@pytest.fixture(scope="session")
def gcs(store):
    """A server like Google's store."""
    return store


@pytest.fixture(scope="session")
def beside(store, tmp_path_factory):
    """A process that knows the store."""
    found = Process(tmp_path_factory.mktemp("told"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def beside_too(store, tmp_path_factory):
    """Another one."""
    found = Process(tmp_path_factory.mktemp("told"))
    yield found
    found.close()


@pytest.fixture
def process(processes):
    """The first of them."""
    return processes[0]


@pytest.fixture(scope="session")
def worlds():
    """Two sandboxes: the same organisation, before and after its history changed."""
    configs = [
        SandboxConfig(contacts=8, start=rig.START, days=rig.DAYS, seed=seed, options=rig.WORLDS) for seed in (7, 8)
    ]
    with serve(configs[0]) as before, serve(configs[1]) as after:
        yield before, after


@pytest.fixture
def sandbox(worlds):
    """The first of them, with nothing counted and no fault set."""
    worlds[0].reset()
    yield worlds[0]
    worlds[0].reset()


@pytest.fixture(params=rig.CASES)
def vendor(request):
    """Every vendor of the registry."""
    return request.param
