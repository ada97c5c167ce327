"""Every vendor of the registry, each against its sandbox. A vendor is described below in a few lines, and only there.

Nothing below this folder imports Airflow; see ``tests/no_airflow.py`` for how CI proves it.
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_interactions import contacts, contract
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract import commit, table_source
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize import pipeline
from airflow_provider_interactions.sandbox import Fact, Sandbox, SandboxConfig, digest, serve
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

#: No careful start: a run of twenty requests would spend its time waiting. Refusals slow it down as ever.
FULL_SPEED = RateTuning(first_rate=UNLIMITED)

START, DAYS = "2026-01-01", 3
WHOLE = Window.of(START, "2026-01-04")
LIMITS = Limits(timeout=10.0, tries=5, first_wait=0.005, last_wait=0.01, rate=FULL_SPEED)
FEW = ("EmailSent", "EmailClicked", "FormSubmitted")


@dataclass(frozen=True)
class Case:
    """How one vendor, in one of its variants, is met.

    ``calls`` is a part of the path of the calls that bring interactions, ``unknown`` a contact that does not exist.
    ``pages`` says if the vendor has them, ``tokens`` how many it issues before the first interaction, ``people`` if it
    is asked for each contact; a bulk vendor is asked for everyone. ``options`` go to the extraction, ``world`` to the
    sandbox, ``extra`` to the connection. A ``variant`` is the same vendor met differently: it runs where that may
    matter. ``calls_each`` is about how many calls one try makes: one for most vendors, a whole table for a bulk
    vendor.
    """

    vendor: str
    calls: str
    unknown: str = ""
    pages: bool = False
    tokens: int = 0
    people: bool = True
    calls_each: int = 1
    variant: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    world: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


#: Through OneLake.
JOURNEYS = Case(
    "dynamics_journeys",
    calls="/onelake/",
    tokens=1,
    people=False,
    calls_each=30,
    options={"types": FEW},
    world={"types": FEW},
)

CASES = {
    "dynamics_marketing": Case(
        "dynamics_marketing",
        calls="LoadInteractions",
        unknown="00000000-0000-0000-0000-000000000000",
        pages=True,
        tokens=1,
        options={"types": FEW},
        world={"types": FEW},
    ),
    "dynamics_journeys": JOURNEYS,
    **{
        f"dynamics_journeys {form}": replace(
            JOURNEYS, calls="/lake/", tokens=2, variant=True, world={"types": FEW, "route": "dataverse", "format": form}
        )
        for form in ("delta", "parquet", "csv")
    },
    "luminate_online": Case("luminate_online", calls="SRConsAPI", unknown="999999999", pages=True),
    "luminate_online json": Case(
        "luminate_online",
        calls="SRConsAPI",
        unknown="999999999",
        pages=True,
        variant=True,
        world={"response_format": "json"},
    ),
    "which50": Case("which50", calls="/communications", unknown="nobody"),
    "which50 oauth2": Case(
        "which50",
        calls="/communications",
        unknown="nobody",
        tokens=1,
        variant=True,
        world={"auth": "client_credentials"},
    ),
    "capillary": Case("capillary", calls="/interaction", unknown="15550000000"),
    "capillary v1.1": Case(
        "capillary",
        calls="/interaction",
        unknown="15550000000",
        pages=True,
        tokens=1,
        variant=True,
        world={"api": "v1.1", "auth": "oauth"},
    ),
}


@dataclass(frozen=True)
class Subject:
    """One case, running."""

    name: str
    case: Case
    sandbox: Sandbox
    folder: Path
    shared: Path
    kept: dict[str, "Outcome"]

    @property
    def vendor(self) -> contract.Vendor:
        """The vendor under test."""
        return VENDORS[self.case.vendor]

    def credentials(self, **changed: Any) -> contract.Credentials:
        """The sandbox's connection, with fields changed."""
        known = self.sandbox.connections[self.case.vendor]
        fields = {name: changed.pop(name, known.get(name)) for name in ("host", "login", "password")}
        extra = {**known["extra"], **self.case.extra, "account": "acme", **changed}
        return build_credentials(self.vendor, **fields, extra=extra)

    def contacts(self, *more: str) -> list[contract.Contact]:
        """All contacts of the sandbox, and some more; of a bulk vendor, everyone."""
        if not self.case.people:
            return [self.vendor.contact("*", "everyone")]
        return contacts.check_contacts(self.vendor, [*self.sandbox.contacts(self.case.vendor), *more])

    def job(self, run: str = "first", **changed: Any) -> Job:
        """An extraction of the whole world; each ``run`` has a lake of its own. ``page_size`` is an option."""
        options = {**self.case.options, **{key: changed.pop(key) for key in ("page_size",) if key in changed}}
        known = {
            "vendor": self.vendor,
            "credentials": self.credentials(),
            "lake": Lake.at(str(self.folder / run)),
            "window": WHOLE,
            "contacts": self.contacts(),
            "options": build_options(self.vendor, options),
            "limits": LIMITS,
            "extracted_at": datetime(2026, 6, 1, tzinfo=UTC),
        }
        return Job(**{**known, **changed})

    def run(self, run: str = "first", batches: int = 1, **changed: Any) -> "Outcome":
        """Extract, publish and normalize."""
        job = self.job(run, **changed)
        size = -(-len(job.contacts) // batches) or 1
        parts = [
            extract(replace(job, contacts=job.contacts[n * size : (n + 1) * size], batch=n, batches=batches))
            for n in range(batches)
        ]
        raw = commit.commit_window(job.lake, parts)
        return Outcome(job.lake, raw, pipeline.normalize(job.lake, raw))

    @property
    def baseline(self) -> "Outcome":
        """An undisturbed run, made once for all tests. It sends requests: ask for it before setting a fault."""
        if self.name not in self.kept:
            self.kept[self.name] = replace(self, folder=self.shared).run(self.name)
        return self.kept[self.name]

    def fault(self, **rule: Any) -> dict[str, Any]:
        """A rule about this vendor's interactions only."""
        return {"vendor": self.case.vendor, "path": self.case.calls, **rule}

    def faults(self, **rule: Any) -> None:
        """Put one rule in force."""
        self.sandbox.faults([self.fault(**rule)])

    def ask_oracle(self, window: Window = WHOLE) -> Any:
        """The oracle's answer."""
        return self.sandbox.oracle(self.case.vendor, window.start, window.end)

    @property
    def stats(self) -> dict[str, Any]:
        """The sandbox's counters for this vendor."""
        return self.sandbox.stats()[self.case.vendor]


@dataclass(frozen=True)
class Outcome:
    """A window in a lake."""

    lake: Lake
    raw: Manifest
    manifest: Manifest

    def rows(self, files: Any = None) -> list[dict[str, Any]]:
        """The canonical rows, or those of other files."""
        tables = []
        for file in self.manifest.files if files is None else files:
            with self.lake.fs.open(self.lake.full(file.path), "rb") as stream:
                tables.append(pq.ParquetFile(stream).read())
        return pa.concat_tables(tables).to_pylist() if tables else []

    @property
    def totals(self) -> tuple[int, str, int]:
        """What the oracle tells, told by the lake."""
        facts = [fact_of(row) for row in self.rows()]
        return len(facts), digest(facts), len({fact.contact_id for fact in facts})

    @property
    def outcomes(self) -> dict[str, str]:
        """How it went with each contact."""
        return {row["contact_id"]: row["outcome"] for row in self.rows(self.manifest.outcomes)}


def fact_of(row: Mapping[str, Any]) -> Fact:
    """A row in the oracle's words. A float for attributes is right: the oracle reads its own numbers the same way."""
    names = set(Fact.__struct_fields__) - {"occurred_at", "attributes"}
    since = row["occurred_at"] - datetime(1970, 1, 1, tzinfo=UTC)
    return Fact(
        **{name: row[name] for name in names},
        occurred_at=since // timedelta(microseconds=1),
        attributes=json.loads(row["attributes"]),
    )


def worlds() -> list[dict[str, Any]]:
    """As few sandboxes as hold all cases: each has one set of options a vendor."""
    found: list[dict[str, Any]] = []
    for name, case in CASES.items():
        free = next((world for world in found if case.vendor not in world["options"]), None)
        if free is None:
            found.append(free := {"options": {}, "names": []})
        free["options"][case.vendor] = dict(case.world)
        free["names"].append(name)
    return found


@pytest.fixture(scope="session")
def sandboxes():
    """The sandbox of each case, by name."""
    with ExitStack() as stack:
        running = {}
        for world in worlds():
            config = SandboxConfig(contacts=4, start=START, days=DAYS, options=world["options"])
            running |= dict.fromkeys(world["names"], stack.enter_context(serve(config)))
        yield running


@pytest.fixture(scope="session")
def undisturbed_runs(tmp_path_factory):
    """Where undisturbed runs are, and what is known of them."""
    return tmp_path_factory.mktemp("baselines"), {}


@pytest.fixture
def subjects(sandboxes, undisturbed_runs, tmp_path):
    """Every case, in a sandbox with nothing counted and no fault set, with an empty lake."""
    for sandbox in sandboxes.values():
        sandbox.reset()
    yield {
        name: Subject(name, case, sandboxes[name], tmp_path / name, *undisturbed_runs) for name, case in CASES.items()
    }
    for sandbox in sandboxes.values():
        sandbox.reset()


def pytest_generate_tests(metafunc):
    """One test for each vendor that has what the test is about; variants where that is what differs, or if asked."""
    if "subject" not in metafunc.fixturenames:
        return
    needs = [mark.args[0] for mark in metafunc.definition.iter_markers("needs")]
    variants = bool(needs) or metafunc.definition.get_closest_marker("variants") is not None
    names = [
        name
        for name, case in CASES.items()
        if all(getattr(case, need) for need in needs) and (variants or not case.variant)
    ]
    metafunc.parametrize("subject", names, indirect=True)


def pytest_configure(config):
    """Declare the markers."""
    config.addinivalue_line("markers", "variants: for every variant of every vendor")
    config.addinivalue_line(
        "markers", "needs(what): only for vendors that have pages or tokens, or are asked for people"
    )


@pytest.fixture(autouse=True, scope="session")
def _without_pauses():
    """Failed tries of a table follow each other as soon as those of a request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_source, "PAUSE", LIMITS.first_wait)
        yield


@pytest.fixture
def subject(request, subjects):
    """One case."""
    return subjects[request.param]
