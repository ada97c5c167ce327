"""The coverage page over a lake with a window in each state."""

import pytest

from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.plugin.app import build_app
from tests.coverage_lake import ACCOUNTS, fill, require, serve


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    """The lake; tests only read it."""
    found = Lake.at(str(tmp_path_factory.mktemp("lake")))
    for account in ACCOUNTS:
        fill(found, account)
    return found


@pytest.fixture(scope="session")
def page(lake):
    """The address of the page."""
    with serve(build_app(lambda: lake, require("viewer"), require("editor"))) as url:
        yield url
