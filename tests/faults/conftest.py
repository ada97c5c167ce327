"""Sandboxes, and processes that can be killed.

Nothing below this folder imports Airflow; see ``tests/no_airflow.py`` for how CI proves it.
"""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # for the modules that tests and their processes share

import rig

from airflow_provider_interactions.sandbox import SandboxConfig, serve
from tests import servers

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
        self.commands = []

    def start(self, *commands):
        """Start commands side by side; returns their process ids."""
        self.commands = [{**command, "out": str(self.folder / uuid.uuid4().hex)} for command in commands]
        self.process.stdin.write(json.dumps(self.commands) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def wait(self):
        """How the commands ended: a signal's number below zero, or what was told."""
        codes = json.loads(self.process.stdout.readline())
        return [code or self._told(one) for code, one in zip(codes, self.commands, strict=True)]

    def run(self, spec, *steps, **more):
        """One command, waited for."""
        self.start({"spec": spec, "steps": steps or ("extract",), **more})
        [told] = self.wait()
        assert told == -9 or told.get("error") != "unforeseen", told["message"]
        return told

    def _told(self, command):
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


@pytest.fixture(scope="session", params=servers.S3_SERVERS)
def s3(request):
    """Each S3 server with one bucket, and the environment in which every S3 client finds it; the bucket's URL."""
    with servers.S3_SERVERS[request.param]() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.setenv("INTERACTIONS_S3", request.param)
        server.client.create_bucket(Bucket="lakes")
        yield "s3://lakes"


@pytest.fixture(scope="session")
def beside_s3(s3, tmp_path_factory):
    """A process that knows the S3 server."""
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
