"""Snowflake by an Airflow connection: the hook of Airflow's provider, the real driver, and a double of the service."""

import fsspec
import pytest
import snowflake.connector

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded, load_window
from airflow_provider_interactions.runtime.targets import open_targets
from tests.targets.windows import ACCOUNT, VENDOR, row, write

EXTRA = {"account": "acme-main", "database": "LAKE", "warehouse": "SMALL", "session_parameters": {"QUERY_TAG": "mine"}}


@pytest.fixture(params=["file", "memory"])
def lake(request, tmp_path):
    """A lake on the disk, and one that the driver cannot open by itself."""
    root = str(tmp_path / "lake") if request.param == "file" else f"/{tmp_path.name}"
    return Lake(fsspec.filesystem(request.param), root)


def test_a_connection_of_airflow_is_loaded_into(define, opened, lake):
    database = f"LAKE_{lake.local}"
    extra = {**EXTRA, "database": database}
    define("warehouse", conn_type="snowflake", login="user", password="secret", schema="CRM", extra=extra)
    [target] = open_targets("warehouse", "interactions", lake)
    assert not opened
    assert target.describe() == ("snowflake://acme-main", f"{database}.CRM.interactions")
    manifest = write(lake, [row(1, subject="a"), row(2)])
    assert load_window(lake, manifest, target) == (manifest, Loaded(2, 2, 0, 0, 0))
    assert opened[0]["session_parameters"] == {"QUERY_TAG": "mine", "TIMEZONE": "UTC"}
    assert target.erase(VENDOR, ACCOUNT, [Contact("c1")]) == 2
    with snowflake.connector.connect(user="u", password="p", account="a", database=database) as connection:
        assert connection.cursor().execute("SELECT count(*) FROM CRM.INTERACTIONS").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("table", "name"),
    [("crm.events", "LAKE.crm.events"), ("other.crm.events", "other.crm.events"), ("events", "LAKE.CRM.events")],
)
def test_a_table_is_named_in_full(define, lake, table, name):
    define("warehouse", conn_type="snowflake", schema="CRM", extra=EXTRA)
    [target] = open_targets("warehouse", table, lake)
    assert target.describe()[1] == name
