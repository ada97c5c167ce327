"""How each vendor is met, and the three steps of a window, from plain values: for tests and their processes."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from disks import Bucket, Disk

from airflow_provider_interactions import contacts
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.extract import run as extract_run
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake import reader
from airflow_provider_interactions.lake.key_ring import add_key_ring
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize import pipeline as normalize_pipeline
from airflow_provider_interactions.sandbox import Fact, digest
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

START, DAYS = "2026-01-01", 3
WHOLE = Window.of(START, "2026-01-04")
FIRST = datetime(2026, 6, 1, tzinfo=UTC)
QUICK = {"timeout": 10.0, "tries": 6, "first_wait": 0.005, "last_wait": 0.02}
TYPES = ["EmailSent", "EmailClicked", "FormSubmitted"]


@dataclass(frozen=True)
class Case:
    """One vendor: where its interactions are asked for, who does not exist there, and its own options."""

    calls: str
    unknown: str
    pages: bool = False
    tokens: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    world: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


CASES = {
    "dynamics_marketing": Case(
        "LoadInteractions",
        "00000000-0000-0000-0000-000000000000",
        pages=True,
        tokens=True,
        options={"types": TYPES},
        world={"types": TYPES},
    ),
    "luminate_online": Case("SRConsAPI", "999999999", pages=True),
    "which50": Case(
        "/communications",
        "nobody",
        tokens=True,
        world={"auth": "client_credentials"},
        extra={"grant_type": None, "grant": "client_credentials"},  # the sandbox's name for it is another one
    ),
    "capillary": Case("/interaction", "15550000000", pages=True, tokens=True, world={"api": "v1.1", "auth": "oauth"}),
}

#: Vendors that have tables instead of pages; ``test_tables.py`` is about them.
BULK = {"dynamics_journeys": Case("/onelake/", "00000000-0000-0000-0000-000000000000", tokens=True)}

#: The vendors that are asked page by page.
PAGED = list(CASES)

#: What the sandbox is told of each vendor.
WORLDS = {name: case.world for name, case in CASES.items()}


def spec(sandbox, vendor, lake, **changed) -> dict[str, Any]:
    """An extraction as plain values, which travel to another process."""
    known = {
        "vendor": vendor,
        "connection": sandbox.connections[vendor],
        "lake": str(lake),
        "disk": "local",
        "contacts": sandbox.contacts(vendor),
        "kind": None,
        "options": (CASES | BULK)[vendor].options,
        "extra": {},
        "limits": QUICK,
        "first_rate": UNLIMITED,  # no careful start: a run of twenty requests would spend its time waiting
        "extracted_at": FIRST.isoformat(),
        "resume": None,
    }
    assert (
        not changed.keys()
        - known.keys()
        - {"concurrency", "window", "history_age", "on_missing", "password", "key", "ring"}
    )
    return {**known, **changed}


def lake_of(spec, fate=None) -> Lake:
    """The lake of an extraction; ``fate`` is of the process that uses it."""
    kinds = {"local": Disk, "bucket": Bucket}
    lake = Lake.at(spec["lake"], kinds[spec["disk"]](fate)) if spec["disk"] in kinds else Lake.at(spec["lake"])
    lake = replace(lake, keys=lambda: [HashKey(spec["key"].encode())]) if "key" in spec else lake
    return add_key_ring(lake, Lake.at(spec["ring"]), lambda: [HashKey(b"m" * 32)]) if "ring" in spec else lake


def job_of(spec, fate=None) -> Job:
    """The job that the values describe."""
    vendor, connection = VENDORS[spec["vendor"]], spec["connection"]
    extra = {**connection["extra"], **(CASES | BULK)[vendor.name].extra, "account": "acme", "requests_per_minute": 1e9}
    password = spec.get("password", connection.get("password"))
    credentials = build_credentials(
        vendor, connection["host"], connection.get("login"), password, {**extra, **spec["extra"]}
    )
    more = {name: spec[name] for name in ("concurrency", "on_missing") if name in spec}
    if "history_age" in spec:
        more["history_age"] = timedelta(seconds=spec["history_age"])
    return Job(
        vendor=vendor,
        credentials=credentials,
        lake=lake_of(spec, fate),
        window=Window.of(*spec["window"]) if "window" in spec else WHOLE,
        contacts=contacts.check_contacts(vendor, spec["contacts"], spec["kind"]),
        options=build_options(vendor, spec["options"]),
        limits=Limits(**spec["limits"], rate=RateTuning(first_rate=spec["first_rate"])),
        resume=spec["resume"],
        extracted_at=datetime.fromisoformat(spec["extracted_at"]),
        **more,
    )


def run(spec, fate=None):
    """All three steps; returns the raw manifest and the normalized one."""
    job = job_of(spec, fate)
    raw = commit.commit_window(job.lake, [extract_run.extract(job)])
    return raw, normalize_pipeline.normalize(job.lake, raw)


def place(spec) -> WindowPaths:
    """Where a window lies."""
    return job_of(spec).place


def seen(spec, layer="manifest"):
    """What a reader sees of a window: its manifest and rows; None when there is none."""
    where = place(spec)
    return reader.read_published(lake_of(spec), where.manifest if layer == "manifest" else where.raw_manifest)


def rows(lake, files) -> pa.Table:
    """What data files hold, read without the help of what is tested."""
    tables = []
    for file in files:
        with lake.fs.open(lake.full(file.path), "rb") as stream:
            tables.append(pq.ParquetFile(stream).read())
    return pa.concat_tables(tables) if tables else pa.table({})


def describe_rows(table) -> tuple[int, str, int]:
    """Canonical rows in the oracle's words: how many, their digest, of how many contacts."""
    facts = [fact_of(row) for row in table.to_pylist()]
    return len(facts), digest(facts), len({fact.contact_id for fact in facts})


def fact_of(row) -> Fact:
    """A row in the oracle's words. A float for attributes is right: the oracle reads its own numbers the same way."""
    names = set(Fact.__struct_fields__) - {"occurred_at", "attributes"}
    since = row["occurred_at"] - datetime(1970, 1, 1, tzinfo=UTC)
    return Fact(
        **{name: row[name] for name in names},
        occurred_at=since // timedelta(microseconds=1),
        attributes=json.loads(row["attributes"]),
    )


def ask_oracle(sandbox, vendor) -> tuple[int, str, int]:
    """What the oracle tells of the whole window."""
    return tuple(sandbox.oracle(vendor, WHOLE.start, WHOLE.end))
