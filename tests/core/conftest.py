"""One sandbox for the whole run, and the few words most tests of the core need.

Nothing below this folder imports Airflow; see ``tests/no_airflow.py`` for how CI proves it.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings

from airflow_provider_interactions import contacts, contract
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract import commit, raw_writer
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.outcomes import Outcome, judge_rows
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.client import connect
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.sandbox import Sandbox, SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

# The same examples in every run: what fails in CI fails at a desk. No folder is left in the checkout.
settings.register_profile("core", max_examples=40, deadline=None, derandomize=True, database=None)
settings.load_profile("core")

NAME = "dynamics_marketing"
VENDOR = VENDORS[NAME]
TYPES = ("EmailSent", "EmailClicked", "FormVisited")
WEEK = Window.of("2026-01-01", "2026-01-08")
DAY = Window.of("2026-01-02", "2026-01-03")

#: No careful start: a run of twenty requests would spend its time waiting. Refusals slow it down as ever.
FULL_SPEED = RateTuning(first_rate=UNLIMITED)

#: Waits of milliseconds instead of seconds.
QUICK = Limits(timeout=5.0, tries=4, patience=20.0, first_wait=0.01, last_wait=0.02, rate=FULL_SPEED)


@dataclass(frozen=True)
class Rig:
    """A sandbox and how to talk to it through the core."""

    sandbox: Sandbox
    folder: Path
    limits: Limits = QUICK
    options: dict[str, Any] = field(default_factory=lambda: {"types": TYPES})

    def credentials(self, **changed: Any) -> contract.Credentials:
        """The sandbox's connection, with fields or keys of the extra changed."""
        known = self.sandbox.connections[NAME]
        fields = {name: changed.pop(name, known[name]) for name in ("host", "login", "password")}
        return build_credentials(VENDOR, **fields, extra={**known["extra"], "account": "test", **changed})

    def contacts(self, number: int | None = None) -> list[contract.Contact]:
        """The first contacts of the sandbox."""
        return [VENDOR.contact(text, "contact_id") for text in self.sandbox.contacts(NAME)[:number]]

    def job(self, **changed: Any) -> Job:
        """An extraction of the whole week into this test's lake."""
        known = {
            "vendor": VENDOR,
            "credentials": self.credentials(),
            "lake": Lake.at(str(self.folder)),
            "window": WEEK,
            "contacts": self.contacts(),
            "options": build_options(VENDOR, self.options),
            "limits": self.limits,
        }
        return Job(**{**known, **changed})

    def fetch(
        self,
        *requests: contract.Request,
        limits: Limits | None = None,
        concurrency: int | None = None,
        decode: Callable[[contract.Response], Any] = lambda response: response,
        **changed: Any,
    ) -> list[contract.Response | Exception]:
        """Send requests side by side; answers and errors in their order."""

        async def send() -> list[contract.Response | Exception]:
            client = connect(VENDOR, self.credentials(**changed), limits=limits or self.limits, concurrency=concurrency)
            async with client as opened:
                sent = (opened.fetch(request, decode) for request in requests)
                return await asyncio.gather(*sent, return_exceptions=True)

        return asyncio.run(send())

    def list_contacts(self, options: contract.Options) -> list[contract.Contact]:
        """The contacts the vendor itself lists."""
        pages = contacts.list_from_vendor(VENDOR, self.credentials(), options, self.limits)
        return [contact for page in pages for contact in page]

    @property
    def stats(self) -> dict[str, Any]:
        """The sandbox's counters."""
        return self.sandbox.stats()[NAME]

    def faults(self, **rule: Any) -> None:
        """One rule, for the action only unless it says otherwise."""
        self.sandbox.faults([{"path": "LoadInteractions", **rule}])


@pytest.fixture(scope="session")
def running():
    """The one sandbox of the run."""
    with serve(SandboxConfig(contacts=6, options={NAME: {"types": TYPES}})) as sandbox:
        yield sandbox


@pytest.fixture
def rig(running, tmp_path):
    """The sandbox with nothing counted and no fault set, and an empty lake."""
    running.reset()
    yield Rig(running, tmp_path / "lake")
    running.reset()


@pytest.fixture
def sandbox(running):
    """The module's running sandbox with nothing counted and no fault set, before and after."""
    running.reset()
    yield running
    running.reset()


@pytest.fixture
def lake(tmp_path):
    """An empty lake on the disk."""
    return Lake.at(str(tmp_path / "lake"))


#: Options of a week of every vendor: few types, because Dynamics asks for each on its own, and tables take seconds.
WEEK_TYPES = ["EmailSent", "EmailClicked", "FormSubmitted"]
WEEK_OPTIONS = {NAME: {"types": WEEK_TYPES}, "dynamics_journeys": {"types": [*WEEK_TYPES, "EmailOpened", "SmsSent"]}}


@pytest.fixture(scope="module")
def week_sandbox():
    """A sandbox of one week of six people."""
    with serve(SandboxConfig(contacts=6, days=7, options=WEEK_OPTIONS)) as sandbox:
        yield sandbox


@pytest.fixture
def build_week_job(week_sandbox):
    """Build an extraction of that week of any vendor, into a lake."""
    week_sandbox.reset()

    def build(name: str, lake: Lake, **more: Any) -> Job:
        vendor, known = VENDORS[name], week_sandbox.connections[name]
        secrets = known["host"], known.get("login", ""), known.get("password", "")
        return Job(
            vendor=vendor,
            credentials=build_credentials(vendor, *secrets, {**known["extra"], "account": "acme"}),
            lake=lake,
            window=WEEK,
            contacts=[vendor.contact(text) for text in week_sandbox.contacts(name)],
            options=build_options(vendor, WEEK_OPTIONS.get(name, {})),
            limits=QUICK,
            resume="a run",
            **more,
        )

    return build


@pytest.fixture
def start_rig(tmp_path):
    """Makes rigs of a sandbox of their own, for limits that are set when it starts."""
    with ExitStack() as stack:

        def start(**config: Any) -> Rig:
            return Rig(stack.enter_context(serve(SandboxConfig(contacts=6, **config))), tmp_path / "lake")

        yield start


WHO = contract.Request("GET", "/api/data/v9.0/WhoAmI", headers={"Accept": "application/json"})


@pytest.fixture
def who():
    """A call that answers with a few bytes."""
    return WHO


def record(**fields: Any) -> bytes:
    """A Dynamics record as JSON bytes; None leaves a field out."""
    known = {"InteractionId": "A" * 32, "InteractionType": "EmailSent", "Timestamp": "2026-01-02T10:00:00Z"}
    return json.dumps({key: value for key, value in {**known, **fields}.items() if value is not None}).encode()


@dataclass(frozen=True)
class Desk:
    """A lake to which records are landed by hand, without any vendor's answer."""

    lake: Lake
    record: Callable[..., bytes] = record

    def land(self, *payloads: bytes, contact: str = "c1", **changed: Any):
        """One published raw window of one contact; ``payloads`` need not be readable."""
        known = {"vendor": NAME, "account": "acme", "window": DAY, "extracted_at": datetime(2026, 2, 1, tzinfo=UTC)}
        wanted = {**known, **changed}
        place = WindowPaths(wanted["vendor"], wanted["account"], wanted["window"])
        query = contract.Query(contract.Contact(contact), None, None, "EmailSent")
        with raw_writer.RawWriter(self.lake, place, Checkpoint(extracted_at=wanted["extracted_at"])) as landing:
            landing.add_page(PageRows(query, "", payloads, [None] * len(payloads)))
            landing.add_outcome(
                Outcome(query.contact.id, query.contact.kind, judge_rows(len(payloads)), len(payloads), 1, None)
            )
            ok = bool(payloads)
            counts = Counts(received=len(payloads), fetched=len(payloads), contacts=1, ok=ok, empty=not ok, requests=1)
            manifest = landing.finish(counts)
        return commit.commit_window(self.lake, [manifest])

    def normalize(self, *payloads: bytes, **changed: Any):
        """The same, normalized."""
        return pipeline.normalize(self.lake, self.land(*payloads, **changed))

    def rows(self, files) -> list[dict[str, Any]]:
        """What Parquet files of the lake hold."""
        tables = []
        for file in files:
            with self.lake.fs.open(self.lake.full(file.path), "rb") as stream:
                tables.append(pq.ParquetFile(stream).read())
        return pa.concat_tables(tables).to_pylist() if tables else []

    def files(self) -> list[str]:
        """Every file of the lake, relative to its root."""
        found = self.lake.fs.find(self.lake.root)
        root = self.lake.fs._strip_protocol(self.lake.root).rstrip("/")
        return sorted(path.removeprefix(root).removeprefix("/") for path in found)


@pytest.fixture
def desk(tmp_path):
    """A desk on a local folder."""
    return Desk(Lake.at(str(tmp_path / "lake")))


@pytest.fixture(params=["local", "memory"])
def any_desk(request, tmp_path):
    """A desk on a disk, and one on a file system that cannot rename: an object store."""
    if request.param == "local":
        yield Desk(Lake.at(str(tmp_path / "lake")))
        return
    yield from _in_memory(tmp_path.name)


@pytest.fixture(scope="module")
def memory_desk():
    """A desk in memory that many examples of a property share."""
    yield from _in_memory("shared")


def _in_memory(name):
    lake = Lake.at(f"memory://{name}/lake")
    yield Desk(lake)
    for path in lake.fs.find(lake.root):
        lake.fs.rm_file(path)


@pytest.fixture(scope="session")
def tools():
    """Names that tests of several modules use."""

    @dataclass(frozen=True)
    class Tools:
        name = NAME
        vendor = VENDOR
        types = TYPES
        week = WEEK
        day = DAY
        quick = QUICK

        @staticmethod
        def whole(job: Job, batches: int = 1):
            """Extract a job in batches and publish it."""
            cut = -(-len(job.contacts) // batches) or 1
            parts = [job.contacts[n * cut : (n + 1) * cut] for n in range(batches)]
            return commit.commit_window(
                job.lake,
                [extract(replace(job, contacts=part, batch=n, batches=batches)) for n, part in enumerate(parts)],
            )

    return Tools()
