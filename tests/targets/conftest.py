"""Real servers, each started once in a test session (with xdist: in a worker); see ``tests/servers.py``."""

import json
import os
import time

import pytest
from hypothesis import settings

from airflow_provider_interactions.lake.storage import Lake
from tests import servers

# The same examples in every run: what fails in CI fails at a desk. No folder is left in the checkout.
settings.register_profile("targets", max_examples=25, deadline=None, derandomize=True, database=None)
settings.load_profile("targets")


@pytest.fixture
def lake(tmp_path):
    """An empty lake on the disk."""
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def duckdb_file(tmp_path):
    """The path of a DuckDB file that is not there yet."""
    return str(tmp_path / "all.duckdb")


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
def older_postgres():
    """The same of an older version."""
    with servers.postgres(package=servers.OLDER_PACKAGE) as url:
        yield url


@pytest.fixture
def older_database(older_postgres):
    """The URL of a database there that only this test uses."""
    with servers.database(older_postgres) as url:
        yield url


@pytest.fixture(scope="session")
def fakesnow_server():
    """The port of a double of Snowflake, in a thread of this process."""
    from fakesnow import server

    with server() as running:
        yield running["port"]


@pytest.fixture
def fakesnow(fakesnow_server):
    """The double's port and, after a slash, the name of a database that only this test uses."""
    return f"{fakesnow_server}/LAKE_{time.monotonic_ns()}"


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


@pytest.fixture(scope="session")
def catalogue():
    """A REST catalogue of Iceberg (``servers.S3Server.iceberg``)."""
    with servers.seaweedfs(iceberg=True) as server:
        yield server


@pytest.fixture
def rest_catalogue(catalogue):
    """The catalogue's properties, as JSON, with a namespace that only this test uses."""
    return json.dumps({**catalogue.iceberg, "namespace": f"test_{os.getpid()}_{time.monotonic_ns()}"})


@pytest.fixture
def iceberg_folder(tmp_path):
    """The folder of an Iceberg catalogue that only this test uses."""
    return str(tmp_path / "warehouse.iceberg")


@pytest.fixture
def ducklake_database(database, tmp_path):
    """A DuckLake's catalogue in a database that only this test uses, and the folder of its files, as JSON."""
    return json.dumps([database, str(tmp_path / "files")])


@pytest.fixture
def ducklake_bucket(database, seaweedfs, bucket):
    """The same with the files in a bucket, and the options of its file system."""
    options = {"key": seaweedfs.key, "secret": seaweedfs.secret, "endpoint_url": seaweedfs.endpoint}
    return json.dumps([database, f"s3://{bucket}/lake/files", options])


@pytest.fixture
def ducklake_file(tmp_path):
    """The same with the catalogue in a file."""
    return json.dumps([str(tmp_path / "all.ducklake"), str(tmp_path / "files")])
