"""Each way to read from a lake, while its store throttles, fails, refuses or hangs up: the truth or an error of ours.

A driver's own error says nothing that helps, Airflow would not know whether to retry, and its text may name people.
"""

import uuid
from types import SimpleNamespace

import pytest
import rig
from clients import find_variables, open_lake, stop_waiting

from airflow_provider_interactions import contact_files, contacts
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, LakeUnavailable, LoadError, WindowSuperseded
from airflow_provider_interactions.lake import manifest as manifests
from airflow_provider_interactions.lake import reader
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.load import require_current
from airflow_provider_interactions.load.duckdb import DuckDBTable
from tests.fault_proxy import fault_proxy
from tests.targets.windows import DAY, VENDOR, row, write

STORES = ("s3", "azure", "gcs")

PEOPLE = [Contact("c1"), Contact("c2")]

#: What a store may answer, or do to an answer, and the errors that may come of it beside LakeUnavailable.
REFUSALS = ("400", "401", "403")
HARMS = (*REFUSALS, "404", "429", "500", "slow", "mute", "half")


@pytest.fixture(scope="module")
def proxy(store):
    """A proxy before the store, where clients find it."""
    with fault_proxy(store.server) as running, pytest.MonkeyPatch.context() as patch:
        for variable, value in find_variables(store, running.url).items():
            patch.setenv(variable, value)
        yield running


@pytest.fixture(scope="module", autouse=True)
def _impatient(store):
    with pytest.MonkeyPatch.context() as patch:
        stop_waiting(store, patch)
        yield


@pytest.fixture(scope="module")
def filled(store, proxy):
    """A lake with a window, a list of contacts and a text; what each operation is about."""
    lake = open_lake(store, store.folder("reading"))
    manifest = write(lake, [row(n, subject=f"subject {n}") for n in range(200)])
    place = WindowPaths(VENDOR, "acme", DAY)
    listed, _ = contacts.write_list(lake, place, [PEOPLE], rig.FIRST)
    lake.fs.pipe_file(lake.full("people.csv"), b"contact\nc1\nc2\n")
    return SimpleNamespace(lake=lake, manifest=manifest, place=place, listed=listed)


def read_rows(it):
    return [batch.to_pylist() for batch in reader.read_rows(it.lake, it.manifest.files)]


def load(it, folder):
    """Into a table of its own, so that each load has to read."""
    return DuckDBTable(f"{folder}/{uuid.uuid4().hex}.duckdb").load(it.lake, it.manifest).inserted


OPERATIONS = {
    "read": lambda it, _: it.lake.read(it.place.manifest, Manifest),
    "read bytes": lambda it, _: it.lake.read_bytes("people.csv"),
    "size": lambda it, _: it.lake.size("people.csv"),
    "exists": lambda it, _: it.lake.exists("people.csv"),
    "folder exists": lambda it, _: it.lake.exists("interactions"),
    "list names": lambda it, _: it.lake.list_names(it.place.manifest.rpartition("/")[0]),
    "list files": lambda it, _: sorted(it.lake.list_files("interactions")),
    "read rows": lambda it, _: read_rows(it),
    "read published": lambda it, _: reader.read_published(it.lake, it.place.manifest),
    "read window": lambda it, _: list(reader.read_window(it.lake, it.manifest, it.manifest.files)),
    "list referenced": lambda it, _: manifests.list_referenced(it.lake, it.place.manifest.rpartition("/")[0]),
    "require current": lambda it, _: require_current(it.lake, it.manifest),
    "read batch": lambda it, _: contacts.read_batch(it.lake, contacts.Batch(it.listed, 0, 2, 0, 1)),
    "read file": lambda it, _: list(contact_files.read_file(it.lake.fs, it.lake.full("people.csv"))),
    "load": load,
}


def attempt(operation, it, folder):
    """What an operation returns, or how it fails; any other error is a defect."""
    try:
        return operation(it, folder)
    except (ConfigError, LakeUnavailable, LoadError, WindowSuperseded, FileNotFoundError) as error:
        return error


def is_allowed(found, truth, harm):
    """Whether a result or an error is right, with this harm done to one request or more."""
    if isinstance(found, LakeUnavailable):
        return True
    if isinstance(found, Exception):
        kinds = {"404": (ConfigError, LoadError, WindowSuperseded, FileNotFoundError)}
        return isinstance(found, kinds.get(harm, ConfigError if harm in REFUSALS else ()))
    return found == truth or harm == "404"  # "there is none" is what 404 says


@pytest.mark.one_of_each  # the proxy does the harm
@pytest.mark.parametrize("name", OPERATIONS)
def test_reading_gives_the_truth_or_an_error_of_ours(name, filled, proxy, tmp_path):
    operation, wrong, met = OPERATIONS[name], [], 0
    proxy.choose = lambda *_: None
    truth = operation(filled, tmp_path)
    assert operation(filled, tmp_path) == truth
    for harm in HARMS:
        for first in (0, 1, 2):
            since = len(proxy.seen) + first
            proxy.choose = lambda *_, since=since, harm=harm: harm if len(proxy.seen) >= since else None
            found = attempt(operation, filled, tmp_path)
            proxy.choose = lambda *_: None
            hit = len(proxy.seen) > since
            met += hit
            if not is_allowed(found, truth, harm if hit else "none"):
                wrong.append((harm, first, found))
            if not hit:
                break  # it has no more requests
    assert not wrong
    assert met >= len(HARMS)
    assert operation(filled, tmp_path) == truth
