"""Retention in object stores: what is old goes, whatever fails or is killed, and no manifest names what is gone."""

import signal
from datetime import timedelta
from itertools import count

import pytest
import rig
from clients import find_variables, open_lake, stop_waiting

from airflow_provider_interactions.errors import ConfigError, LakeUnavailable
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.retention import Retention, sweep
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import AccountPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from tests.fault_proxy import fault_proxy

STORES = ("s3", "azure", "gcs")

VENDOR = "which50"  # it cannot filter by date, so there are histories
ACCOUNT = AccountPaths(VENDOR, "acme")
NOW = rig.FIRST + timedelta(days=20)
ALL = Retention(raw=10, canonical=10, history=10, rejects=10, requests=10, contacts=10)
LAYERS = {"raw", "interactions", "history", "requests", "contacts"}

pytestmark = pytest.mark.one_of_each


@pytest.fixture(scope="module")
def whole(worlds, tmp_path_factory):
    """A lake on a disk of two windows, and of old and young answers and lists; its files, as they are and swept."""
    folder = tmp_path_factory.mktemp("whole")
    for days in (["2026-01-01", "2026-01-02"], ["2026-01-02", "2026-01-04"]):
        job = rig.job_of(rig.spec(worlds[0], VENDOR, folder, window=days))
        normalize(job.lake, commit_window(job.lake, [extract(job)]), now=rig.FIRST)
    lake = Lake.at(str(folder))
    for at in (rig.FIRST, NOW):
        lake.write(f"{ACCOUNT.folder('contacts')}/window=x/contacts-{timestamp(at)}.parquet", b"a list")
        lake.write(f"{ACCOUNT.folder('requests')}/{timestamp(at)}-12345678.html", b"an answer")
    before = read_all(lake)
    removed = sweep(lake, ACCOUNT, ALL, NOW)
    assert removed.keys() == LAYERS
    return before, read_all(lake)


def read_all(lake):
    """Every file but the marks, which have another content each time."""
    return {path: lake.read_bytes(path) for path in lake.list_files("") if not path.startswith("changes/")}


def fill(url, files):
    lake = Lake.at(url)
    lake.fs.pipe({lake.full(path): data for path, data in files.items()})
    return lake


def check_references(lake):
    """Whatever happened: what a manifest names is there."""
    for path in lake.list_files(""):
        if path.startswith(("raw/", "manifests/")) and path.endswith(".json"):
            assert all(lake.exists(one) for one in lake.read(path, Manifest).paths)


def test_the_same_goes_as_on_a_disk(store, whole, request):
    before, after = whole
    lake = fill(store.folder(request.node.name), before)
    assert sum(sweep(lake, ACCOUNT, ALL, NOW).values()) == len(before) - len(after) > 5
    assert read_all(lake) == after
    assert sweep(lake, ACCOUNT, ALL, NOW) == {}


def test_killed_at_any_operation_another_run_goes_on(store, whole, beside, worlds, request):
    before, after = whole
    place = store.folder(request.node.name)
    spec = rig.spec(worlds[0], VENDOR, place, disk=store.disk)
    fill(f"{place}/dry", before)
    steps = beside.run({**spec, "lake": f"{place}/dry"}, "sweep", now=NOW.isoformat())["steps"]
    assert steps > 20
    for at in range(
        1, steps + 1, 4 if store.disk == "s3" else 8
    ):  # there are about fifty, half of them before a change
        mine = {**spec, "lake": f"{place}/{at}"}
        lake = fill(mine["lake"], before)
        assert beside.run(mine, "sweep", now=NOW.isoformat(), die={"at": at}) == -signal.SIGKILL
        check_references(lake)
        sweep(lake, ACCOUNT, ALL, NOW)
        assert read_all(lake) == after


@pytest.fixture
def proxy(store, monkeypatch):
    """A proxy before the store, where clients find it that soon give up."""
    stop_waiting(store, monkeypatch)
    with fault_proxy(store.server) as running:
        for variable, value in find_variables(store, running.url).items():
            monkeypatch.setenv(variable, value)
        yield running


def is_change(method):
    return method in {"PUT", "POST", "DELETE"}


@pytest.mark.parametrize("harm", ["slow", "cut", "mute"])
def test_what_fails_once_is_made_good_by_the_client(store, whole, proxy, request, harm):
    """Also if the answer was lost: the store has done it, and refuses to do it again."""
    before, after = whole
    lake = fill(store.folder(request.node.name), before)
    lake, number = open_lake(store, store.folder(request.node.name)), count()
    proxy.choose = lambda method, _: harm if is_change(method) and next(number) % 3 == 0 else None
    sweep(lake, ACCOUNT, ALL, NOW)
    proxy.choose = lambda *_: None
    assert proxy.count(harm) > 5
    assert read_all(lake) == after


@pytest.mark.parametrize(("harm", "failing"), [("slow", "PUT"), ("403", "PUT"), ("403", "DELETE"), ("mute", "DELETE")])
def test_what_keeps_failing_is_an_error_and_the_next_run_goes_on(store, whole, proxy, request, harm, failing):
    before, after = whole
    lake = fill(store.folder(request.node.name), before)
    lake, number = open_lake(store, store.folder(request.node.name)), count()
    methods = {"PUT", "POST"} if failing == "PUT" else {"DELETE"}
    proxy.choose = lambda method, _: harm if method in methods and next(number) >= 2 else None
    with pytest.raises((LakeUnavailable, ConfigError), match=r"did not (accept|remove) a file|cannot be (written|rem)"):
        sweep(lake, ACCOUNT, ALL, NOW)
    proxy.choose = lambda *_: None
    check_references(lake)
    sweep(lake, ACCOUNT, ALL, NOW)
    assert read_all(lake) == after
