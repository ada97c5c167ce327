"""Real servers, each started once in a test session (with xdist: in a worker); see ``tests/servers.py``."""

import pytest

from tests import servers


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server: the URL of its first database, as its superuser."""
    with servers.postgres() as url:
        yield url


@pytest.fixture
def database(postgres):
    """The URL of a database that only this test uses."""
    with servers.database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def seaweedfs():
    """An S3 server: its endpoint and keys, and the variables in which clients find it (``servers.S3Server``)."""
    with servers.seaweedfs() as server:
        yield server


@pytest.fixture
def bucket(seaweedfs):
    """The name of a bucket on SeaweedFS that only this test uses."""
    with servers.bucket(seaweedfs) as name:
        yield name
