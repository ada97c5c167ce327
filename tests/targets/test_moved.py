"""Interactions that a vendor moves to another time: each window lands its rows, and the table has the newest ones.

Nothing published says that an update of Customer Insights - Journeys keeps the Timestamp, so the sandbox's world has
updates that do not.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.sandbox import SandboxConfig, digest, serve
from airflow_provider_interactions.vendors.dynamics_journeys.vendor import EVERYONE, VENDOR, Options
from airflow_provider_interactions.window import Window
from tests.contract.conftest import fact_of
from tests.targets.cases import CASES

TYPES = ("EmailSent", "EmailClicked")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = [Window(FIRST + timedelta(days=n), FIRST + timedelta(days=n + 1)) for n in range(3)]
WHOLE = Window(DAYS[0].start, DAYS[-1].end)
NUMBERS = range(len(DAYS))

MERGING = [case for case in CASES if case.__name__ in ("DuckDB", "Postgres")]

parametrize = pytest.mark.parametrize("case", MERGING, ids=lambda case: case.__name__)


@pytest.fixture
def place(request, case):
    return request.getfixturevalue(case.fixture)


@pytest.fixture(scope="module")
def sandbox():
    with serve(SandboxConfig(contacts=6, days=len(DAYS), options={VENDOR.name: {"types": TYPES}})) as running:
        yield running


@pytest.fixture(scope="module")
def lakes(sandbox, tmp_path_factory):
    """The days, each read twice: the first time in their order, the second time in the other one, as a look-back does.

    Returns a lake of each time with the manifest of every day. A day that was read later is the newer extraction.
    """
    known = sandbox.connections[VENDOR.name]
    credentials = build_credentials(VENDOR, known["host"], known["login"], known["password"], known["extra"])
    found = []
    for again, numbers in enumerate((NUMBERS, reversed(NUMBERS))):
        lake, manifests = Lake.at(str(tmp_path_factory.mktemp("lake"))), {}
        for place, number in enumerate(numbers):
            at = WHOLE.end + timedelta(days=10 * again + place)
            job = Job(VENDOR, credentials, lake, DAYS[number], [EVERYONE], Options(types=TYPES), extracted_at=at)
            manifests[number] = normalize(lake, commit_window(lake, [extract(job)]))
        found.append((lake, manifests))
    return found


def list_ids(lake, manifest):
    return {one for batch in read_rows(lake, manifest.files) for one in batch.column("interaction_id").to_pylist()}


def sum_up(rows):
    facts = [fact_of(row) for row in rows]
    return len(facts), digest(facts)


def test_each_day_lands_its_rows(lakes, sandbox):
    for lake, manifests in lakes:
        for number, window in enumerate(DAYS):
            expected = sandbox.oracle(VENDOR.name, window.start, window.end)
            rows = [row for batch in read_rows(lake, manifests[number].files) for row in batch.to_pylist()]
            assert sum_up(rows) == (expected.interactions, expected.digest)
        counts = Counter(chain.from_iterable(list_ids(lake, one) for one in manifests.values()))
        assert sum(count > 1 for count in counts.values()) > 3


@parametrize
@given(loads=st.lists(st.tuples(st.sampled_from((0, 1)), st.sampled_from(NUMBERS)), max_size=4), last=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_table_has_the_newest_versions_whatever_was_read_and_loaded_last(case, place, lakes, sandbox, loads, last):
    """Some loads in any order, and every day at least once, by either reading."""
    table = f"t{datetime.now(UTC).timestamp():.6f}".replace(".", "_")
    order = last.draw(st.permutations(NUMBERS))
    readings = last.draw(st.lists(st.sampled_from((0, 1)), min_size=len(DAYS), max_size=len(DAYS)))
    for reading, number in [*loads, *zip(readings, order, strict=True)]:
        lake, manifests = lakes[reading]
        case.open(place, table).load(lake, manifests[number])
    expected = sandbox.oracle(VENDOR.name, WHOLE.start, WHOLE.end)
    assert sum_up(case.read(place, table)) == (expected.interactions, expected.digest)


def test_the_view_and_the_compaction_of_an_iceberg_table_have_the_newest_versions(lakes, sandbox, tmp_path):
    import duckdb
    from pyiceberg.catalog import load_catalog

    from airflow_provider_interactions.load.iceberg import IcebergTable
    from airflow_provider_interactions.load.iceberg_catalog import build_local
    from airflow_provider_interactions.load.iceberg_newest import compact
    from airflow_provider_interactions.load.iceberg_view import build_newest_sql

    def read_all(target):
        with load_catalog(target.name, **target.properties) as catalog:
            return catalog.load_table(target.identifier).scan().to_arrow_batch_reader().read_all()

    expected = sandbox.oracle(VENDOR.name, WHOLE.start, WHOLE.end)
    for lake, manifests in lakes:
        target = IcebergTable(build_local(str(tmp_path / f"{len(list(tmp_path.iterdir()))}.iceberg")))
        for manifest in manifests.values():
            target.load(lake, manifest)
        versions = read_all(target)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            shown = connection.sql(build_newest_sql("versions")).to_arrow_table().to_pylist()
        assert sum_up(shown) == (expected.interactions, expected.digest)
        assert compact(target) == versions.num_rows - expected.interactions > 0
        assert sum_up(read_all(target).to_pylist()) == (expected.interactions, expected.digest)
