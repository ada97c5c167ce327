"""What a deployment sees of a task: metrics, a link to what it left, lineage for OpenLineage."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, suppress
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.observability.stats import Stats
from fastapi.testclient import TestClient

from airflow_provider_interactions.coverage.ledger import read_ledger
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.observability import links
from airflow_provider_interactions.observability.lineage import FLOW, build_lineage
from airflow_provider_interactions.observability.links import LinesLink, ManifestLink, PageLink, ParquetLink
from airflow_provider_interactions.observability.summary import Summary
from airflow_provider_interactions.operators import (
    ExtractInteractionsOperator,
    ListContactsOperator,
    LoadInteractionsOperator,
    NormalizeInteractionsOperator,
)
from airflow_provider_interactions.operators.base import LakeOperator, VendorOperator
from airflow_provider_interactions.operators.person import ContactInteractionsOperator
from airflow_provider_interactions.operators.publish import PublishInteractionsOperator
from airflow_provider_interactions.plugin import interactions
from airflow_provider_interactions.plugin.app import build_app
from airflow_provider_interactions.schema import CANONICAL, RAW

VENDOR = "dynamics_marketing"
FEW = {"types": ["EmailSent", "EmailOpened", "FormVisited"]}
#: Requests that may be on their way when one of them fails.
IN_FLIGHT = 16
STAGES = ("list", "extract", "publish", "normalize", "load", "request")


@pytest.fixture
def tasks(lake, people):
    """One task of each kind, in the order of their work."""
    with DAG("d", schedule=None):
        contacts = ListContactsOperator(task_id="list", vendor=VENDOR, lake=lake)
        extracted = ExtractInteractionsOperator(
            task_id="extract", vendor=VENDOR, lake=lake, contacts=people, options=FEW
        )
        published = PublishInteractionsOperator(task_id="publish", lake=lake, manifests=extracted.output)
        normalized = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=published.output)
        loaded = LoadInteractionsOperator(task_id="load", lake=lake, manifest=normalized.output)
        asked = ContactInteractionsOperator(task_id="request", vendor=VENDOR, lake=lake, contacts=people, options=FEW)
    return contacts, extracted, published, normalized, loaded, asked


@pytest.fixture
def run(tasks, execution_api, sandbox):
    """Run them all as a worker would; returns the fake API."""
    api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})

    def whole():
        for task in tasks:
            result = api.run(task)
            assert result.state == "success", result.error
        return api

    return whole


class Server:
    """A StatsD server on this machine: what it was sent, as ``name -> (value, type)``, values of one name added up."""

    def __init__(self, socket):
        self.socket = socket

    @property
    def metrics(self):
        self.socket.setblocking(False)
        values = {}
        with suppress(BlockingIOError):
            while True:
                for line in self.socket.recv(65536).decode().splitlines():
                    name, _, value = line.removeprefix("airflow.").partition(":")
                    amount, _, kind = value.partition("|")
                    values[name] = (values.get(name, (0, kind))[0] + float(amount), kind)
        return values

    def ours(self):
        """Counters and timers of this package, which are not mixed up with those of Airflow."""
        return {name: value for name, value in self.metrics.items() if name.startswith("interactions.")}


@pytest.fixture
def statsd(monkeypatch):
    """Makes a server, and sets Airflow's statistics up for it as its task runner does."""
    import airflow.sdk.serde  # noqa: F401 - it sets them up once more when it is first imported

    with ExitStack() as opened:

        def start(**settings):
            server = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            server.bind(("127.0.0.1", 0))
            host, port = server.getsockname()
            for name, value in {"statsd_on": True, "statsd_host": host, "statsd_port": port, **settings}.items():
                monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", str(value))
            initialize_stats(logger)
            return Server(server)

        def logger():
            found = stats_utils.get_stats_factory(*([] if LEGACY_NAMES else [Stats]))()
            opened.callback(found.statsd.close)  # Airflow leaves that to the end of the process
            return found

        yield start
        initialize_stats(NoStatsLogger)


#: Airflow 3.2 keeps the two kinds of names apart elsewhere.
LEGACY_NAMES = "export_legacy_names" in signature(Stats.initialize).parameters


def initialize_stats(factory):
    Stats.initialize(factory=factory, **({"export_legacy_names": True} if LEGACY_NAMES else {}))


def test_metrics_are_what_the_manifests_say(run, statsd):
    server = statsd(statsd_influxdb_enabled=True, metrics_allow_list="interactions", legacy_names_on=False)
    counts = (xcom := run().xcom)["normalize", "return_value", -1]["counts"]
    found = server.ours()
    durations = [found.pop(f"interactions.duration,vendor={VENDOR},stage={stage}") for stage in STAGES]
    assert all(0 < milliseconds < 60_000 for milliseconds, _ in durations)
    assert {kind for _, kind in durations} == {"ms"}
    assert found.pop(f"interactions.requests,vendor={VENDOR},stage=list")[0] > 0
    expected = {
        ("rows", "list"): 5,
        **{("rows", stage): counts["landed"] for stage in ("extract", "normalize", "load")},
        ("rows", "request"): xcom["request", "return_value", -1]["counts"]["canonical"],
        **{("requests", stage): counts["requests"] for stage in ("extract", "request")},
    }
    assert found == {
        f"interactions.{name},vendor={VENDOR},stage={stage}": (count, "c") for (name, stage), count in expected.items()
    }


def test_a_server_without_tags_tells_vendors_and_stages_apart_by_name(run, statsd):
    server = statsd()
    counts = run().xcom["normalize", "return_value", -1]["counts"]
    found = server.ours()
    assert found[f"interactions.rows.{VENDOR}.extract"] == (counts["landed"], "c")
    assert found[f"interactions.rows.{VENDOR}.list"] == (5, "c")
    assert found[f"interactions.requests.{VENDOR}.extract"] == (counts["requests"], "c")
    assert f"interactions.duration.{VENDOR}.load" in found
    assert found["interactions.rows"][0] == sum(
        count for name, (count, _) in found.items() if name.startswith("interactions.rows.")
    )


def test_throttles_retries_and_rejects_are_counted(sandbox, connection, lake, people, statsd):
    bad = json.dumps({"NextSkipToken": None, "Data": '[{"InteractionId": "1", "InteractionType": "EmailSent"}]'})
    sandbox.faults(
        [
            {"kind": "throttle", "retry_after": 0, "path": "LoadInteractions", "times": 1},
            {"kind": "status", "status": 503, "path": "LoadInteractions", "after": 1, "times": 1},
            {"kind": "status", "status": 200, "path": "LoadInteractions", "after": 2, "body": bad},
        ]
    )
    task = ContactInteractionsOperator(
        task_id="t", conn_id=connection, lake=lake, contacts=people[:1], options={"types": ["EmailSent"]}
    )
    server = statsd(statsd_influxdb_enabled=True, legacy_names_on=False)
    told = task.execute({"params": {}})["counts"]
    assert (told["rejected"], told["throttled"], told["retries"]) == (1, 1, 1)
    found = server.ours()
    found.pop(f"interactions.duration,vendor={VENDOR},stage=request")
    assert found == {
        f"interactions.{name},vendor={VENDOR},stage=request": (count, "c")
        for name, count in {"requests": told["requests"], "rejects": 1, "throttles": 1, "retries": 1}.items()
    }


def test_a_failed_try_sends_what_it_did_and_the_next_one_only_its_own(sandbox, execution_api, lake, people, statsd):
    sandbox.faults([{"kind": "status", "status": 400, "path": "LoadInteractions", "after": 6, "times": 1}])
    with DAG("d", schedule=None):
        task = ExtractInteractionsOperator(task_id="t", vendor=VENDOR, lake=lake, contacts=people, options=FEW)
    api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})
    server = statsd(statsd_influxdb_enabled=True, legacy_names_on=False)
    assert api.run(task).state == "failed"
    tags = f",vendor={VENDOR},stage=extract"
    found = server.ours()
    assert set(found) == {f"interactions.{name}{tags}" for name in ("requests", "failures")}
    before = found[f"interactions.requests{tags}"][0]
    assert api.run(task).state == "success"
    counts = api.xcom["t", "return_value", -1]["counts"]
    found = server.ours()
    sent = before + found[f"interactions.requests{tags}"][0]
    assert 0 <= sent - sandbox.stats()[VENDOR]["requests"] < IN_FLIGHT, "some were on their way when one failed"
    assert sent >= counts["requests"], "the manifest knows of those before the last checkpoint"
    assert f"interactions.failures{tags}" not in found


class TestLedger:
    def test_every_try_of_every_step_is_a_row(self, run, lake, people):
        api = run()
        rows = read_ledger(Lake.at(lake)).to_pylist()
        assert [row["step"] for row in rows] == list(STAGES)
        for row in rows:
            assert (row["state"], row["error"], row["vendor"]) == ("success", None, VENDOR)
            assert (row["dag_id"], row["task_id"], row["map_index"], row["attempt"]) == ("d", row["step"], -1, 1)
            assert row["started_at"] < row["ended_at"]
            assert row["seconds"] > 0
        counts = api.xcom["normalize", "return_value", -1]["counts"]
        extracted = rows[STAGES.index("extract")]
        assert (extracted["requests"], extracted["rows"]) == (counts["requests"], counts["landed"])
        assert (extracted["contacts"], extracted["ok"]) == (counts["contacts"], counts["ok"])
        assert extracted["received_bytes"] > 0
        assert not [person for person in people if person in str(rows)]

    def test_a_run_leaves_an_index_for_the_coverage_page(self, run, lake):
        run()
        [index] = Path(lake, "index").rglob("*.bin")
        assert index.stat().st_size

    def test_a_failed_try_stays_beside_the_next_one(self, sandbox, execution_api, lake, people):
        sandbox.faults([{"kind": "status", "status": 400, "path": "LoadInteractions", "after": 6, "times": 1}])
        with DAG("d", schedule=None):
            task = ExtractInteractionsOperator(task_id="t", vendor=VENDOR, lake=lake, contacts=people, options=FEW)
        api = execution_api(connections={f"{VENDOR}_default": sandbox.connections[VENDOR]})
        api.run(task)
        api.run(task)
        rows = read_ledger(Lake.at(lake)).to_pylist()
        assert [(row["state"], row["error"]) for row in rows] == [("failed", "RequestRejected"), ("success", None)]
        assert rows[0]["window_start"] == rows[1]["window_start"] is not None
        assert rows[0]["rows"] is None
        assert min(row["requests"] for row in rows) > 0
        assert 0 <= sum(row["requests"] for row in rows) - sandbox.stats()[VENDOR]["requests"] < IN_FLIGHT

    def test_a_ledger_that_cannot_be_written_fails_nothing(self, connection, lake, caplog):
        Path(lake).mkdir()
        Path(lake, "ledger").write_text("a file where a folder belongs")
        ListContactsOperator(task_id="list", conn_id=connection, lake=lake).execute(
            {"params": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}}
        )
        assert "This try of the step is not in the ledger" in caplog.text

    def test_every_operator_performs_inside_of_it(self):
        for kind in (*LakeOperator.__subclasses__(), *VendorOperator.__subclasses__()):
            assert "execute" not in vars(kind), f"{kind.__name__}: write perform, which execute calls"


class TestLink:
    def test_it_leads_to_a_file_of_the_lake(self, run, lake):
        api = run()
        found = {stage: urlsplit(api.xcom[stage, "_link_ManifestLink", -1]) for stage in STAGES}
        assert all(
            url.scheme == "file" and url.path.startswith(lake) and Path(url.path).exists() for url in found.values()
        )
        normalized = json.loads(Path(found["normalize"].path).read_text())
        assert normalized["counts"] == api.xcom["load", "return_value", -1]["counts"]
        answer = json.loads(Path(found["request"].path).read_text())
        assert answer["counts"] == api.xcom["request", "return_value", -1]["counts"]

    def test_an_answer_has_its_files_linked(self, run):
        api = run()
        told = api.xcom["request", "return_value", -1]
        for name, kind in (("parquet", ParquetLink), ("lines", LinesLink), ("page", PageLink)):
            assert api.xcom["request", f"_link_{kind.__name__}", -1] == told["addresses"][name]

    def test_people_may_have_another_address_for_it(self, run, monkeypatch):
        monkeypatch.setenv("AIRFLOW__INTERACTIONS__BROWSE", "https://lake.example/{path}?view")
        link = run().xcom["normalize", "_link_ManifestLink", -1]
        assert link.startswith(f"https://lake.example/manifests/vendor={VENDOR}/account=")
        assert link.endswith("/window=20260102T000000Z-20260103T000000Z.json?view")

    def test_without_one_it_opens_the_page_of_the_plugin(self, run, lake, monkeypatch):
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/prefix/")
        api = run()
        assert links.PREFIX == interactions.PREFIX
        found = {stage: api.xcom[stage, "_link_ManifestLink", -1] for stage in STAGES}
        pages = TestClient(build_app(lambda: Lake.at(lake), lambda: None, lambda: None))
        for stage, link in found.items():
            if stage in ("list", "request"):
                assert link.startswith("file://")
                continue
            assert link.startswith("https://airflow.example/prefix/interactions/manifest?vendor=")
            response = pages.get(link.removeprefix("https://airflow.example/prefix/interactions"))
            assert response.status_code == 200, stage
            assert "2026-01-02T00:00:00Z" in response.text

    def test_a_task_that_failed_has_none(self, execution_api, lake):
        with DAG("d", schedule=None):
            task = ExtractInteractionsOperator(task_id="t", vendor=VENDOR, lake=lake, contacts=["no-guid"])
        api = execution_api()
        assert api.run(task).state == "failed"
        assert api.xcom["t", "_link_ManifestLink", -1] == ""

    def test_airflow_knows_it(self):
        from airflow.providers_manager import ProvidersManager

        for kind, name in ((ManifestLink, "Manifest"), (ParquetLink, "Parquet"), (LinesLink, "JSON lines")):
            assert f"{kind.__module__}.{kind.__name__}" in ProvidersManager().extra_links_class_names
            assert kind().name == name


class TestLineage:
    """With the real OpenLineage provider's classes."""

    @pytest.fixture
    def lines(self, connection, lake, people):
        """What OpenLineage's own extractor gets of each task after it ran."""
        from airflow.providers.openlineage.extractors.base import DefaultExtractor

        day = {"params": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}}
        made, found = {}, {}

        def done(task):
            made[task.task_id] = task.execute(day)
            found[task.task_id] = DefaultExtractor(task).extract_on_complete(None)

        done(ListContactsOperator(task_id="list", conn_id=connection, lake=lake))
        done(ExtractInteractionsOperator(task_id="extract", conn_id=connection, lake=lake, contacts=people))
        done(PublishInteractionsOperator(task_id="publish", lake=lake, manifests=made["extract"]))
        done(NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=made["publish"]))
        done(LoadInteractionsOperator(task_id="load", lake=lake, manifest=made["normalize"], table="main.events"))
        done(ContactInteractionsOperator(task_id="request", conn_id=connection, lake=lake, contacts=people))
        return made, found

    def test_every_step_names_what_it_read_and_wrote(self, lines, lake):
        made, found = lines
        account = made["extract"]["account"]
        below = f"vendor={VENDOR}/account={account.replace(':', '%3A').replace('/', '%2F')}"
        named = {
            stage: [(one.namespace, one.name) for one in (*line.inputs, *line.outputs)] for stage, line in found.items()
        }
        vendor = (f"{VENDOR}://{account}", "interactions")
        raw, canonical = ("file", f"{lake}/raw/{below}"), ("file", f"{lake}/interactions/{below}")
        assert named == {
            "list": [vendor, ("file", f"{lake}/contacts/{below}")],
            "extract": [vendor, raw],
            "publish": [raw, raw],
            "normalize": [raw, canonical],
            "load": [canonical, (f"duckdb://{lake}/interactions.duckdb", "main.events")],
            "request": [vendor, ("file", f"{lake}/requests/{below}")],
        }

    def test_schema_rows_and_bytes(self, lines):
        made, found = lines
        (raw,), (canonical,) = found["extract"].outputs, found["normalize"].outputs
        for dataset, arrow in ((raw, RAW), (canonical, CANONICAL)):
            fields = dataset.facets["schema"].fields
            assert [(field.name, field.type) for field in fields] == [(one.name, str(one.type)) for one in arrow]
            assert all(field.description for field in fields)
        counted = canonical.outputFacets["outputStatistics"]
        assert counted.rowCount == made["normalize"]["counts"]["canonical"] > 0
        assert counted.size == sum(file["bytes"] for file in made["normalize"]["files"])
        assert counted.fileCount == len(made["normalize"]["files"])
        assert found["load"].outputs[0].outputFacets["outputStatistics"].rowCount == counted.rowCount

    def test_a_collector_understands_it(self, lines, tmp_path):
        from datetime import UTC, datetime
        from uuid import uuid4

        from openlineage.client import OpenLineageClient
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
        from openlineage.client.transport.file import FileConfig, FileTransport

        client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=f"{tmp_path}/events", append=True)))
        for stage, line in lines[1].items():
            at, run = datetime.now(UTC).isoformat(), Run(runId=str(uuid4()))
            client.emit(
                RunEvent(
                    eventType=RunState.COMPLETE,
                    eventTime=at,
                    run=run,
                    job=Job("airflow", stage),
                    inputs=line.inputs,
                    outputs=line.outputs,
                )
            )
        events = [json.loads(text) for text in (tmp_path / "events").read_text().splitlines()]
        written = {event["job"]["name"]: event["outputs"][0] for event in events}
        assert set(written) == set(STAGES)
        assert written["normalize"]["outputFacets"]["outputStatistics"]["rowCount"] > 0
        assert written["normalize"]["facets"]["schema"]["fields"][0]["name"] == "vendor"

    def test_nobody_is_named(self, lines, people):
        assert not [person for person in people if person in str(lines[1])]

    def test_a_task_that_did_nothing_has_none(self):
        assert ListContactsOperator(task_id="t", vendor=VENDOR).get_openlineage_facets_on_complete(None) is None

    def test_a_bucket_is_a_namespace(self):
        facts = Summary("normalize", "which50", "a/b", None, None, 1, 2, 1, "x")
        store = SimpleNamespace(unstrip_protocol="s3://{}".format)
        (written,) = build_lineage(facts, Lake(store, "bucket/lake")).outputs
        assert (written.namespace, written.name) == (
            "s3://bucket",
            "lake/interactions/vendor=which50/account=a%2Fb",
        )

    def test_every_stage_has_a_flow(self):
        assert set(FLOW) == set(STAGES)
