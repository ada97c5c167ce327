"""A lake on two S3 servers behind a proxy that throttles, fails and cuts: whole or not at all, and nothing stays."""

import os
from datetime import UTC, datetime, timedelta
from itertools import count

import boto3
import pyarrow as pa
import pytest
import rig

from airflow_provider_interactions.errors import LakeUnavailable
from airflow_provider_interactions.extract import cleanup, raw_table
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.storage import Lake
from tests.fault_proxy import fault_proxy

VENDOR = "dynamics_marketing"
SCHEMA = pa.schema([("payload", pa.binary())])
PART = 5 * 2**20
QUICK = {"config_kwargs": {"retries": {"max_attempts": 0}}, "default_block_size": PART}


@pytest.fixture
def proxy(s3):
    """A proxy before the S3 server, where the lake's client finds it."""
    with fault_proxy(os.environ["AWS_ENDPOINT_URL"]) as running:
        yield running


@pytest.fixture
def place(s3, request):
    """A prefix for each test."""
    return s3.folder(request.node.name)


@pytest.fixture
def lake(proxy, place):
    """A lake whose client soon gives up."""
    found = Lake.at(place, endpoint_url=proxy.url, **QUICK)
    found.fs.retries = 2
    return found


def keys(lake):
    """Objects and uploads below the lake, as another client sees them without the proxy."""
    bucket, _, prefix = lake.root.partition("/")
    client = boto3.client("s3")
    found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", ())
    uploads = client.list_multipart_uploads(Bucket=bucket, Prefix=f"{prefix}/").get("Uploads", ())
    return {one["Key"].removeprefix(f"{prefix}/") for one in found}, [one["Key"] for one in uploads]


def write_large(lake, path="raw/large.parquet"):
    """A file of three parts."""
    writer = Writer(lake, path, SCHEMA)
    for _ in range(3):
        writer.write(pa.record_batch({"payload": pa.array([os.urandom(PART)])}, schema=SCHEMA))
    return writer.close()


def is_write(method, _path):
    return method in {"PUT", "POST"}


@pytest.mark.parametrize("harm", ["slow", "cut", "mute"])
def test_one_harm_is_made_good_by_the_client(lake, proxy, harm):
    for path in ("m/a.json", "m/b.json"):
        once = count()
        proxy.choose = lambda method, path, once=once: harm if is_write(method, path) and next(once) == 0 else None
        lake.publish(path, {"rows": path})
        assert lake.read(path, dict) == {"rows": path}
    assert proxy.count(harm) == 2
    assert keys(lake) == ({"m/a.json", "m/b.json"}, [])


@pytest.mark.parametrize("harm", ["slow", "cut"])
def test_lasting_harm_leaves_the_former_object(lake, proxy, harm):
    lake.publish("m/a.json", {"rows": 1})
    write_large(lake)
    before = keys(lake)
    size = lake.fs.size(lake.full("raw/large.parquet"))
    proxy.choose = lambda method, path: harm if is_write(method, path) else None
    with pytest.raises(LakeUnavailable, match="did not accept a file"):
        lake.publish("m/a.json", {"rows": 2, "more": "x" * 10_000})
    for path in ("raw/new.parquet", "raw/large.parquet"):
        with pytest.raises(LakeUnavailable, match="did not accept a file"):
            write_large(lake, path)
    assert proxy.count(harm) >= 3
    assert lake.read("m/a.json", dict) == {"rows": 1}
    assert lake.fs.size(lake.full("raw/large.parquet")) == size
    # An upload whose beginning was not answered has no name that the client could abort.
    assert keys(lake)[0] == before[0]
    assert bool(keys(lake)[1]) == (harm == "cut")
    proxy.choose = lambda *_: None
    lake.abort_uploads("raw", datetime.now(UTC) + timedelta(minutes=1))
    assert keys(lake) == before


@pytest.mark.parametrize("harm", ["slow", "cut"])
@pytest.mark.parametrize("step", ["partNumber=2", "uploadId="])
def test_a_large_file_that_fails_at_a_part_or_at_the_end_leaves_no_part(lake, proxy, harm, step):
    method = "PUT" if step.startswith("part") else "POST"
    proxy.choose = lambda sent, path: harm if sent == method and step in path else None
    with pytest.raises(LakeUnavailable, match="did not accept a file"):
        write_large(lake)
    assert proxy.count(harm) >= 1
    assert [one for one in proxy.seen if "uploads" in one[1]]  # it did begin in parts
    assert keys(lake) == (set(), [])


def test_uploads_of_killed_processes_are_aborted_after_a_day(s3, lake):
    """Those of this account only, and never one that may be under way."""
    place = rig.WindowPaths(VENDOR, "acme", rig.WHOLE)
    other = rig.WindowPaths(VENDOR, "acme2", rig.WHOLE)
    bucket, _, prefix = lake.root.partition("/")
    mine, theirs = (f"{prefix}/{one.folder('raw')}/part" for one in (place, other))
    for key in (mine, theirs):
        boto3.client("s3").create_multipart_upload(Bucket=bucket, Key=key)
    now = datetime.now(UTC)
    if s3.name == "seaweedfs":  # to moto every upload is of the year 2010
        cleanup.remove_orphan_files(lake, place, now + timedelta(hours=23))
        assert sorted(keys(lake)[1]) == sorted([mine, theirs])
    cleanup.remove_orphan_files(lake, place, now + timedelta(hours=25))
    assert keys(lake) == (set(), [theirs])


def test_a_window_through_a_store_that_fails_every_fifth_request(proxy, sandbox, place, monkeypatch):
    """Extraction, publication and normalization; what the client does not make good, the next try does."""
    monkeypatch.setattr(raw_table, "PART_ROWS", 100)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    number, harms = count(1), ["slow", "cut", "mute"]

    def choose(method, _path):
        n = next(number)
        return harms[n // 5 % 3] if n % 5 == 0 and method != "GET" else None

    proxy.choose = choose
    spec = rig.spec(sandbox, VENDOR, place, disk="s3", resume="run")
    rig.run(spec)
    proxy.choose = lambda *_: None
    assert sum(proxy.count(harm) for harm in harms) >= 3
    assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, VENDOR)
