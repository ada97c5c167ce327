"""The real command as a process of its own, where Airflow cannot be imported, and a sandbox for it to ask."""

from contextlib import ExitStack

import pytest
from hypothesis import settings

from airflow_provider_interactions.sandbox import SandboxConfig, serve
from tests.terminal import Shell

settings.register_profile("shell", max_examples=100, deadline=None, derandomize=True, database=None)
settings.load_profile("shell")

DYNAMICS = ["EmailSent", "FormSubmitted"]


@pytest.fixture(scope="session")
def running():
    """The one sandbox of the run."""
    with serve(SandboxConfig(contacts=4, days=3, options={"dynamics_marketing": {"types": DYNAMICS}})) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    """The sandbox with no fault set."""
    running.reset()
    yield running
    running.reset()


@pytest.fixture
def shell(sandbox, tmp_path):
    """The command in an empty folder."""
    return Shell(tmp_path, sandbox)


@pytest.fixture
def start_shell(tmp_path):
    """Makes shells with a sandbox of their own."""
    with ExitStack() as stack:
        yield lambda **config: Shell(tmp_path, stack.enter_context(serve(SandboxConfig(**config))))
