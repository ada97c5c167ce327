"""What only S3 does, on two real servers over a socket: uploads in parts, keys and errors of its own."""

import gc
import logging
import traceback
from dataclasses import replace

import pytest
import rig

from airflow_provider_interactions import contacts, contract
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract import run
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake

VENDOR = "dynamics_marketing"


@pytest.fixture
def place(s3, request):
    """A folder for each test."""
    return s3.folder(request.node.name)


def test_a_large_file_is_nowhere_until_it_is_complete(s3, place):
    """It goes up in parts; one that is given up leaves no object, no part, and no error when it is collected."""
    lake = Lake.at(place, default_block_size=5 * 2**20)
    path = f"{place.removeprefix('s3://lakes/')}/large"

    def uploads():
        found = s3.client.list_multipart_uploads(Bucket="lakes").get("Uploads", [])
        return [upload["Key"] for upload in found if upload["Key"] == path]

    for whole in (False, True):
        stream = lake.fs.open(lake.full("large"), "wb")
        for n in range(3):
            stream.write(bytes([n]) * 6 * 2**20)
        assert (s3.keys(place), uploads()) == (set(), [path])
        stream.close() if whole else lake.abandon(stream)
        del stream
        gc.collect()
        assert (s3.keys(place), uploads()) == ({"large"} if whole else set(), [])
    assert lake.fs.size(lake.full("large")) == 18 * 2**20


def test_a_bucket_that_is_not_there_is_told_and_not_made(s3, sandbox):
    """Not even by the step that lists contacts, which is the first to write."""
    where = rig.place(rig.spec(sandbox, VENDOR, s3.url, disk="s3"))
    lake = Lake.at("s3://no-such-lake/x")
    with pytest.raises(ConfigError, match=r"The lake cannot be written .*Check its address"):
        contacts.write_list(lake, where, [[contract.Contact("c1")]], rig.FIRST)
    with pytest.raises(ConfigError, match=r"The lake cannot be written .*Check its address"):
        lake.publish(where.manifest, {})
    assert lake.read(where.manifest, Manifest) is None
    assert [bucket["Name"] for bucket in s3.client.list_buckets()["Buckets"]] == ["lakes"]


@pytest.mark.parametrize("away", [False, True])
def test_no_key_and_nobody_is_told_of_when_s3_fails(s3, sandbox, caplog, away):
    """The bucket is not there, or nothing listens on the server's port; by whatever step, in texts and logs."""
    caplog.set_level(logging.INFO)
    place = rig.place(rig.spec(sandbox, VENDOR, s3.url, disk="s3"))
    server = {"endpoint_url": "http://127.0.0.1:1"} if away else {}
    once = {"client_kwargs": server, "config_kwargs": {"retries": {"max_attempts": 0}}}
    lake = Lake.at("s3://no-such-lake/x", key="hush-key", secret="hush-secret", token="hush", **once)
    lake.fs.retries = 1
    spec = rig.spec(sandbox, VENDOR, s3.url, disk="s3")
    person = contacts.check_contacts(rig.job_of(spec).vendor, spec["contacts"][:1])
    texts = []
    for step in (
        lambda: lake.publish(place.manifest, {}),
        lambda: contacts.write_list(lake, place, [person], rig.FIRST),
        lambda: run.extract(replace(rig.job_of(spec), lake=lake, contacts=person)),
        lambda: contacts.read_batch(lake, contacts.Batch("contacts/x.parquet", 0, 1, 0, 1)),
    ):
        with pytest.raises(Exception, match=r".") as told:
            step()
        texts += [*traceback.format_exception(told.value), repr(told.value)]
    found = "".join([*texts, caplog.text])
    assert len(found) > 4_000
    assert not [secret for secret in ("hush", person[0].id) if secret in found]
