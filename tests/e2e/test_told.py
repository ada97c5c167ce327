"""What a running Airflow tells others of a day's work: OpenLineage events to a collector, metrics to a StatsD server.

Both are real servers on this machine; tasks, listeners and statistics are set up by Airflow itself, in its own workers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import threading
import zlib
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions.demo import airflow, sandbox_process
from airflow_provider_interactions.demo.paths import DAGS, Paths, prepare_home
from airflow_provider_interactions.demo.rest import NotReady
from airflow_provider_interactions.demo.supervisor import supervise
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.sandbox.world import get_tag
from airflow_provider_interactions.schema import CANONICAL, RAW
from airflow_provider_interactions.window import Window, zulu
from tests.e2e.days import FIRST

VENDOR, DAG_ID = "luminate_online", "luminate_online_interactions"
OTHERS = [source.dag_id for source in SOURCES if source.dag_id != DAG_ID]
PEOPLE = 12

#: What in the lake is about people. Everything else must name nobody, and no path may.
ABOUT_PEOPLE = {"raw", "interactions", "history", "rejects", "contacts", "unfinished", "requests"}
DAY = Window.day(FIRST)
STEPS = ("list_contacts", "extract", "normalize", "load")


@contextmanager
def collector():
    """An OpenLineage backend: where to send events, and those that have come."""
    events = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            events.append(json.loads(body))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", events
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def statsd():
    """A StatsD server: its port, and the sum of all values of each name that have come."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        found = Counter()

        def read():
            while data := server.recv(65536):
                for line in data.decode().splitlines():
                    name, _, value = line.partition(":")
                    found[name] += float(value.partition("|")[0])

        reading = threading.Thread(target=read)
        reading.start()
        try:
            yield server.getsockname()[1], found
        finally:
            server.sendto(b"", server.getsockname())
            reading.join()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """One run of each vendor's example DAG about one day; what was told, and what the tasks of one returned."""
    home = tmp_path_factory.mktemp("told")
    (dags := home.with_name("told-dags")).mkdir()
    for source in SOURCES:
        shutil.copy(DAGS / f"{source.vendor}.py", dags)
    places = Paths(home, dags)
    with collector() as (url, events), statsd() as (port, metrics), prepare_home(places), supervise() as running:
        sandbox = sandbox_process.start(running, places, [DAY], PEOPLE)
        given = {
            **sandbox.connections,
            **sandbox_process.build_variables(sandbox, places),
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "here",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "http", "url": url, "endpoint": "api/v1/lineage"}),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(port),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }
        api = airflow.start(
            running, places, airflow.build_environment(places, airflow.find_free_port(), given, os.environ)
        )
        returned = ran(running, api)
        running.wait_until(lambda: set(STEPS) <= set(select_complete(events)), "An event did not come", patience=60)
        for dag_id in OTHERS:
            ran(running, api, dag_id)
        yield SimpleNamespace(
            places=places,
            sandbox=sandbox,
            returned=returned,
            events=select_complete(events),
            all=list(events),
            metrics=dict(metrics),
        )
        api.close()


def ran(running, api, dag_id=DAG_ID):
    """Run a DAG once; what its tasks returned."""
    made = []

    def trigger():
        try:
            api.patch(f"dags/{dag_id}", {"is_paused": False})
            conf = {"start": zulu(DAY.start), "end": zulu(DAY.end)}
            made.append(api.post(f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])
        except NotReady:
            return False
        return True

    def over():
        try:
            state = api.get(path)["state"]
        except NotReady:
            return False
        assert state != "failed"
        return state == "success"

    running.wait_until(trigger, "The DAG is not there", patience=60)
    path = f"dags/{dag_id}/dagRuns/{quote(made[0], safe='')}"
    running.wait_until(over, "The run has not ended", patience=120)
    return {step: result(api, path, step, 0 if step == "extract" else -1) for step in STEPS}


def result(api, path, step, map_index):
    more = {"deserialize": "true", "map_index": map_index}
    found = api.get(f"{path}/taskInstances/{step}/xcomEntries/return_value", **more)["value"]
    return json.loads(found) if isinstance(found, str) else found


def select_complete(events):
    """The COMPLETE event of each task."""
    found = (event for event in list(events) if event["eventType"] == "COMPLETE")
    return {event["job"]["name"].removeprefix(f"{DAG_ID}."): event for event in found if "." in event["job"]["name"]}


def one(datasets):
    (found,) = datasets
    return found


def columns(dataset):
    return [(field["name"], field["type"]) for field in dataset["facets"]["schema"]["fields"]]


def of(schema):
    return [(column.name, str(column.type)) for column in schema]


def test_every_task_tells_what_it_read_and_what_it_wrote(told):
    account = told.returned["extract"]["account"]
    below = f"vendor={VENDOR}/account={quote(account, safe='')}"
    lake = told.places.lake
    flow = {
        step: [(data["namespace"], data["name"]) for side in ("inputs", "outputs") for data in told.events[step][side]]
        for step in STEPS
    }
    vendor = (f"{VENDOR}://{account}", "interactions")
    raw, canonical = ("file", f"{lake}/raw/{below}"), ("file", f"{lake}/interactions/{below}")
    assert flow == {
        "list_contacts": [vendor, ("file", f"{lake}/contacts/{below}")],
        "extract": [vendor, raw],
        "normalize": [raw, canonical],
        "load": [canonical, (f"duckdb://{told.places.database}", "interactions")],
    }


def test_extract_tells_schema_rows_and_bytes(told):
    written, manifest = one(told.events["extract"]["outputs"]), told.returned["extract"]
    assert columns(written) == of(RAW)
    facet = written["outputFacets"]["outputStatistics"]
    exist = told.sandbox.fetch_expected(VENDOR, DAY).interactions
    assert facet["rowCount"] == manifest["counts"]["landed"] == exist > 0
    files = [file.stat().st_size for file in (told.places.lake / "raw" / f"vendor={VENDOR}").rglob("*-part-*.parquet")]
    assert (facet["size"], facet["fileCount"]) == (sum(files), len(files))


def test_normalize_tells_schema_rows_and_bytes(told):
    event, manifest = told.events["normalize"], told.returned["normalize"]
    assert columns(one(event["inputs"])) == of(RAW)
    written = one(event["outputs"])
    assert columns(written) == of(CANONICAL)
    facet = written["outputFacets"]["outputStatistics"]
    files = list((told.places.lake / "interactions" / f"vendor={VENDOR}").rglob("*.parquet"))
    assert facet["rowCount"] == manifest["counts"]["canonical"] > 0
    assert (facet["size"], facet["fileCount"]) == (sum(file.stat().st_size for file in files), len(files))


def test_load_tells_schema_and_rows_and_no_bytes_which_nobody_knows(told):
    event = told.events["load"]
    assert columns(one(event["inputs"])) == columns(one(event["outputs"])) == of(CANONICAL)
    facet = one(event["outputs"])["outputFacets"]["outputStatistics"]
    assert facet["rowCount"] == told.returned["load"]["loaded"]["rows"] > 0
    assert facet.get("size") is None
    assert facet.get("fileCount") is None


def list_identifiers(sandbox):
    """Every identifier of every person at every vendor, in each spelling that could hide it."""
    people = {person for source in SOURCES for person in sandbox.contacts(source.vendor)}
    tags = [get_tag(number) for number in range(PEOPLE)]
    people |= {text for tag in tags for text in (tag, f"c.{tag}@example.org", f"+999{tag}")}
    return {spelling.encode() for person in people if len(person) > 5 for spelling in variants(person)}


def variants(text):
    raw = text.encode()
    return {
        text, text.upper(), text.lower(), text.replace("-", ""), quote(text, safe=""), quote_plus(text), raw.hex(),
        text.encode("unicode_escape").decode(), base64.b64encode(raw).decode().rstrip("="),
        *(hashlib.new(name, raw).hexdigest() for name in ("md5", "sha1", "sha256")),
    }  # fmt: skip


def find_people(identifiers, content):
    return sorted(one for one in identifiers if one in content)


def read_plain(path):
    """A file's bytes without compression: Parquet as JSON lines, the index as it was packed."""
    if path.suffix == ".parquet":
        return "\n".join(map(str, pq.read_table(path).to_pylist())).encode()
    return zlib.decompress(path.read_bytes()) if path.suffix == ".bin" else path.read_bytes()


def test_nothing_that_leaves_the_lake_names_anybody(told):
    """Log lines, XCom and all else in Airflow's database, events, metrics; by a byte search, of all vendors."""
    identifiers = list_identifiers(told.sandbox)
    assert len(identifiers) > 4 * PEOPLE
    logs = [path for folder in (told.places.airflow / "logs", told.places.logs) for path in folder.rglob("*")]
    logs = [path for path in logs if path.is_file() and path.name != "sandbox.log"]  # a vendor's own, with its paths
    database = list(told.places.airflow.glob("airflow.db*"))
    assert len([path for path in logs if "task_id=extract" in str(path)]) >= len(SOURCES)
    found = {path: find_people(identifiers, path.read_bytes()) for path in (*logs, *database)}
    found["events"] = find_people(identifiers, json.dumps(told.all).encode())
    found["metrics"] = find_people(identifiers, json.dumps(told.metrics).encode())
    assert len(told.all) >= 2 * len(STEPS) * len(SOURCES)
    assert {place: some for place, some in found.items() if some} == {}


def test_no_path_and_no_bookkeeping_of_the_lake_names_anybody(told):
    """File names of all layers, and the content of manifests, index, ledger and marks."""
    identifiers = list_identifiers(told.sandbox)
    paths = [path.relative_to(told.places.lake) for path in told.places.lake.rglob("*")]
    assert find_people(identifiers, "\n".join(map(str, paths)).encode()) == []
    files = [path for path in paths if (told.places.lake / path).is_file()]
    kept = [path for path in files if path.parts[0] not in ABOUT_PEOPLE or path.suffix == ".json"]
    assert {"manifests", "ledger", "raw"} <= {path.parts[0] for path in kept}
    found = {path: find_people(identifiers, read_plain(told.places.lake / path)) for path in kept}
    assert {path: some for path, some in found.items() if some} == {}
    # The search finds people where they are.
    rows = [path for path in files if path.parts[0] == "interactions"]
    assert all(find_people(identifiers, read_plain(told.places.lake / path)) for path in rows)


def test_workers_send_metrics(told):
    def metric(name, stage):
        return told.metrics.get(f"airflow.interactions.{name},vendor={VENDOR},stage={stage}")

    counts = told.returned["normalize"]["counts"]
    stages = ("list", "extract", "normalize", "load")
    assert [metric("rows", stage) for stage in stages] == [12, *[counts["landed"]] * 3]
    assert metric("requests", "extract") == counts["requests"] > 0
    assert all(metric("duration", stage) > 0 for stage in stages)
    assert told.metrics[f"airflow.interactions.rows.{VENDOR}.load"] == counts["canonical"]
