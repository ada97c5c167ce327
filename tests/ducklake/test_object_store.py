"""A DuckLake with its files on S3: nothing of an erasure is left there, and faults of the store are explained."""

import json

import pytest

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load import ducklake_catalogue
from tests.targets.cases import DuckLakeS3
from tests.targets.conftest import bucket, database, ducklake_bucket, lake, postgres, seaweedfs  # noqa: F401 - fixtures
from tests.targets.windows import ACCOUNT, VENDOR, row, write

PERSON = "person-to-erase"


class Objects:
    """The objects of the DuckLake in its bucket."""

    def __init__(self, client, name):
        self.client, self.bucket = client, name

    def read(self):
        """The bytes of all objects, by name."""
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix="lake/files/").get("Contents", ())
        return {one["Key"]: self.client.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read() for one in found}

    def put_beside(self, name):
        """An object that no snapshot has, beside the others; its name."""
        path = f"{next(iter(self.read())).rpartition('/')[0]}/{name}"
        self.client.put_object(Bucket=self.bucket, Key=path, Body=b"half a file")
        return path


@pytest.fixture
def objects(seaweedfs, bucket):  # noqa: F811 - fixtures
    """The objects of this test's DuckLake."""
    return Objects(seaweedfs.client, bucket)


def test_an_erasure_leaves_nothing_in_the_bucket(ducklake_bucket, lake, objects):  # noqa: F811 - fixtures
    target = DuckLakeS3.open(ducklake_bucket)
    people = [row(1, contact_id=PERSON, subject=PERSON), row(2, contact_id="m")]
    target.load(lake, write(lake, people))
    target.load(lake, write(lake, [{**people[0], "subject": f"again {PERSON}"}, people[1]], 1))
    assert PERSON.encode() in b"".join(objects.read().values())
    assert target.erase(VENDOR, ACCOUNT, [Contact(PERSON)]) == 1
    assert PERSON.encode() not in b"".join(objects.read().values())
    assert [one["contact_id"] for one in DuckLakeS3.read(ducklake_bucket)] == ["m"]


@pytest.mark.parametrize("old", [False, True])
def test_an_erasure_removes_old_files_of_killed_loads(ducklake_bucket, lake, objects, old, monkeypatch):  # noqa: F811 - fixtures
    target = DuckLakeS3.open(ducklake_bucket)
    target.load(lake, write(lake, [row(1)]))
    left = objects.put_beside("left.parquet")
    if old:
        monkeypatch.setattr(ducklake_catalogue, "AGE", 0 * ducklake_catalogue.AGE)
    assert target.erase(VENDOR, ACCOUNT, [Contact("nobody")]) == 0
    assert (left in objects.read()) is not old
    assert len(DuckLakeS3.read(ducklake_bucket)) == 1


def test_a_store_that_refuses_is_explained(ducklake_bucket, lake):  # noqa: F811 - fixtures
    DuckLakeS3.open(ducklake_bucket).prepare()
    catalogue, files, options = json.loads(ducklake_bucket)
    target = DuckLakeS3.open(json.dumps([catalogue, files, {**options, "secret": "another-secret"}]))
    with pytest.raises(LoadError, match="object store") as refused:
        target.load(lake, write(lake, [row(1)]))
    assert "secret" not in str(refused.value) + repr(target)
    assert DuckLakeS3.read(ducklake_bucket) == []
