"""The Compose file, and its services as they run."""

from pathlib import Path

import pytest

from tests.deploy.native import Stack, read_compose

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def file():
    return REPOSITORY / "docker-compose.yaml"


@pytest.fixture(scope="session")
def compose(file):
    return read_compose(file)


@pytest.fixture(scope="module")
def stack(file, tmp_path_factory):
    """All services, with two workers."""
    with Stack(file, tmp_path_factory.mktemp("stack")) as stack:
        stack.up(worker=2)
        yield stack
