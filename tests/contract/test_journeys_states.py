"""What Customer Insights - Journeys may be like: each state gives its rows, or an error that says what to do."""

import pytest

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.errors import AuthRejected, BadResponse, RequestRejected, Unavailable, VendorError
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.extract.table_probe import probe_tables
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors.dynamics_journeys.vendor import EVERYONE, VENDOR, Options
from airflow_provider_interactions.window import Window

TYPES = ("EmailSent", "EmailClicked", "SmsSent")
WEEK = Window.of("2026-01-01", "2026-01-08")


def open_world(**options):
    world = {"types": TYPES, **options}
    return serve(SandboxConfig(contacts=6, options={"dynamics_journeys": world}))


def connect(sandbox):
    known = sandbox.connections["dynamics_journeys"]
    return build_credentials(VENDOR, known["host"], known["login"], known["password"], {**known["extra"]})


def read(sandbox, lake):
    """The canonical rows of the week."""
    job = Job(VENDOR, connect(sandbox), lake, WEEK, [EVERYONE], Options(types=TYPES))
    raw = commit_window(lake, [extract(job)])
    return normalize(lake, raw, rejects_share=1).counts.canonical


@pytest.fixture
def lake(tmp_path):
    return Lake.at(str(tmp_path / "lake"))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"role": False}, AuthRejected, "no access to the Fabric workspace"),
        ({"shortcut": False}, RequestRejected, "no tables of interactions"),
        ({"route": "dataverse", "folder": False}, RequestRejected, "no data lake folder"),
        ({"route": "dataverse", "folder": False, "link": "copying"}, Unavailable, "still copies its first data"),
        ({"route": "dataverse", "may_read_lake": False}, AuthRejected, "may not read the managed data lake"),
    ],
)
def test_each_step_has_its_error(lake, options, kind, message):
    with open_world(**options) as sandbox:
        with pytest.raises(kind, match=message):
            probe_tables(VENDOR, connect(sandbox))
        with pytest.raises(kind, match=message):
            read(sandbox, lake)
    assert not lake.list_names("raw")


@pytest.mark.parametrize(
    "options",
    [
        {"schemas": True},
        {"lower_case": True},
        {"page_size": 2},
        {"token_seconds": 2.0},
        {"route": "dataverse", "sas_seconds": 4.0},
        {"route": "dataverse", "location": "path"},
        {"route": "dataverse", "location": "deltalake"},
        {"damage": (("EmailSent", "other_type"),)},
    ],
)
def test_every_layout_gives_the_rows_that_are_there(lake, options):
    with open_world(**options) as sandbox:
        expected = sandbox.oracle("dynamics_journeys", "2026-01-01", "2026-01-08").interactions
        assert read(sandbox, lake) == expected > 0


def test_rows_without_a_known_column_are_rejected_and_counted(lake):
    """The sandbox's table has a row that has none of the published columns, so nobody knows when it happened."""
    with open_world(damage=(("EmailSent", "unknown_columns"),)) as sandbox:
        job = Job(VENDOR, connect(sandbox), lake, WEEK, [EVERYONE], Options(types=TYPES))
        counts = normalize(lake, commit_window(lake, [extract(job)]), rejects_share=1).counts
    assert counts.undated == 1
    assert counts.received == counts.undated + counts.fetched
    assert counts.canonical > 10


def test_a_lake_without_rows_is_an_empty_window(lake):
    with open_world(route="dataverse", empty=True) as sandbox:
        assert "no interactions yet" in probe_tables(VENDOR, connect(sandbox))
        assert read(sandbox, lake) == 0


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("truncated_parquet", BadResponse),
        ("missing_file", BadResponse),
        ("broken_log", VendorError),
        ("unknown_reader_feature", RequestRejected),
    ],
)
def test_a_damaged_table_fails_by_its_name_and_nothing_is_published(lake, damage, kind):
    with open_world(damage=(("EmailClicked", damage),)) as sandbox, pytest.raises(kind, match="the table EmailClicked"):
        read(sandbox, lake)
    assert not lake.list_names("raw")
