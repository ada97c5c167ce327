"""A lake on Azurite behind a proxy that throttles, fails and cuts: whole or not at all. See also test_stores.py."""

import gc
import os
from itertools import count

import pyarrow as pa
import pytest
import rig

from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.extract import raw_table
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.storage import Lake
from tests import servers
from tests.fault_proxy import fault_proxy

VENDOR = "dynamics_marketing"
SCHEMA = pa.schema([("payload", pa.binary())])
BLOCK = 2**20
NOT_ACCEPTED = "did not accept a file"


@pytest.fixture
def proxy(azure, monkeypatch):
    """A proxy before Azurite, where the lake's client finds it."""
    with fault_proxy(azure.server) as running:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", servers.azure_connection(running.url))
        yield running


@pytest.fixture
def place(azure, request):
    """A folder for each test."""
    return azure.folder(request.node.name)


@pytest.fixture
def lake(proxy, place):
    """A lake whose client soon gives up."""
    return impatient(Lake.at(place))


def impatient(lake):
    """By itself Azure's client waits 15 seconds before its second try."""
    policy = lake.fs.service_client._config.retry_policy
    policy.initial_backoff = policy.increment_base = policy.random_jitter_range = 0
    return lake


def write_large(lake, path="raw/large.parquet"):
    """A file of several blocks, with names of their own before it has one."""
    writer = Writer(lake, path, SCHEMA)
    writer._file.stream.blocksize = BLOCK
    for _ in range(3):
        writer.write(pa.record_batch({"payload": pa.array([os.urandom(BLOCK)])}, schema=SCHEMA))
    return writer.close()


def is_write(method, _path):
    return method in {"PUT", "POST"}


@pytest.mark.parametrize("harm", ["slow", "cut", "mute"])
def test_one_harm_is_made_good_by_the_client(azure, lake, place, proxy, harm):
    for path in ("m/a.json", "m/b.json"):
        once = count()
        proxy.choose = lambda method, path, once=once: harm if is_write(method, path) and next(once) == 0 else None
        lake.publish(path, {"rows": path})
        assert lake.read(path, dict) == {"rows": path}
    assert proxy.count(harm) == 2
    assert azure.keys(place) == {"m/a.json", "m/b.json"}


@pytest.mark.parametrize("harm", ["slow", "cut"])
def test_lasting_harm_leaves_the_former_blob(azure, lake, place, proxy, harm):
    lake.publish("m/a.json", {"rows": 1})
    write_large(lake)
    before, size = azure.keys(place), lake.size("raw/large.parquet")
    proxy.choose = lambda method, path: harm if is_write(method, path) else None
    with pytest.raises(LakeUnavailable, match=NOT_ACCEPTED):
        lake.publish("m/a.json", {"rows": 2, "more": "x" * 10_000})
    for path in ("raw/new.parquet", "raw/large.parquet"):
        with pytest.raises(LakeUnavailable, match=NOT_ACCEPTED):
            write_large(lake, path)
    assert proxy.count(harm) >= 3
    assert lake.read("m/a.json", dict) == {"rows": 1}
    assert lake.size("raw/large.parquet") == size
    assert azure.keys(place) == before


@pytest.mark.parametrize("harm", ["slow", "cut"])
@pytest.mark.parametrize("step", ["comp=block&", "comp=blocklist"])
def test_a_large_file_that_fails_at_a_block_or_at_the_end_is_not_there(azure, lake, place, proxy, harm, step):
    proxy.choose = lambda method, path: harm if method == "PUT" and step in f"{path}&" else None
    with pytest.raises(LakeUnavailable, match=NOT_ACCEPTED):
        write_large(lake)
    assert proxy.count(harm) >= 1
    assert azure.keys(place) == set()


def test_a_large_file_is_nowhere_until_it_is_complete(azure, lake, place):
    """One that is given up leaves no blob, also when it is collected."""
    for whole in (False, True):
        stream = lake.fs.open(lake.full("large"), "wb", block_size=BLOCK)
        for n in range(3):
            stream.write(bytes([n]) * 2 * BLOCK)
        assert azure.keys(place) == set()
        stream.close() if whole else lake.abandon(stream)
        del stream
        gc.collect()
        assert azure.keys(place) == ({"large"} if whole else set())
    assert lake.size("large") == 6 * BLOCK


def test_a_window_through_a_store_that_fails_every_fifth_request(proxy, sandbox, place, monkeypatch):
    """Extraction, publication and normalization; what the client does not make good, the next try does."""
    monkeypatch.setattr(raw_table, "PART_ROWS", 100)
    monkeypatch.setattr(rig, "lake_of", lambda spec, *_: impatient(Lake.at(spec["lake"])))
    number, harms = count(1), ["slow", "cut", "mute"]

    def choose(method, _path):
        n = next(number)
        return harms[n // 5 % 3] if n % 5 == 0 and method == "PUT" else None

    proxy.choose = choose
    spec = rig.spec(sandbox, VENDOR, place, disk="azure", resume="run")
    rig.run(spec)
    proxy.choose = lambda *_: None
    assert sum(proxy.count(harm) for harm in harms) >= 3
    assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, VENDOR)


def test_a_container_that_is_not_there_is_not_made(azure):
    with pytest.raises(ConfigError, match=r"The lake cannot be written .*Check its address"):
        Lake.at("abfs://no-such-lake/x").publish("m.json", {})
    assert Lake.at("abfs://no-such-lake/x").read("m.json", dict) is None


def test_a_key_that_azure_refuses(azure, monkeypatch):
    wrong = servers.azure_connection(azure.server).replace("AccountKey=E", "AccountKey=F")
    lake = Lake.at("abfs://lakes/x", connection_string=wrong)
    for step, what in (
        (lambda: lake.publish("m.json", {}), "written"),
        (lambda: lake.read("m.json", dict), "read"),
        (lambda: write_large(lake), "written"),
    ):
        with pytest.raises(ConfigError, match=f"The lake cannot be {what} .*your permissions"):
            step()
