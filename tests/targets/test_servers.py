"""The servers that the other tests here rely on are there, and each test has a place of its own."""

from dataclasses import replace

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests import servers


@pytest.mark.parametrize("_again", range(2))
def test_each_test_has_an_empty_database(database, _again):
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE interactions (subject text)")
        connection.execute("INSERT INTO interactions VALUES ('é 🚀')")
        assert connection.execute("SELECT subject FROM interactions").fetchall() == [("é 🚀",)]


def test_postgres_wants_its_password(postgres):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.replace(":secret@", ":wrong@"))


@pytest.mark.parametrize("_again", range(2))
def test_each_test_has_an_empty_bucket(seaweedfs, bucket, _again):
    client = seaweedfs.client
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    client.put_object(Bucket=bucket, Key="a/b", Body=b"data")
    assert client.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"data"


def test_seaweedfs_wants_its_keys_and_makes_no_bucket(seaweedfs):
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        replace(seaweedfs, secret="wrong").client.list_buckets()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        seaweedfs.client.put_object(Bucket="no-such-lake", Key="a", Body=b"")


def test_a_server_that_does_not_start_says_why(tmp_path):
    def never():
        raise ConnectionError

    command = ["sh", "-c", "echo no room left; exit 3"]
    with (
        pytest.raises(RuntimeError, match=r"did not start \(3\):\nno room left"),
        servers.running(command, tmp_path, never),
    ):
        pass
