"""The coverage page over a lake with a window in each state."""

import pytest

from airflow_provider_interactions.plugin.app import build_app
from tests.coverage_lake import build_lake, require, serve


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    """The lake; tests only read it."""
    return build_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="session")
def page(lake):
    """The address of the page."""
    with serve(build_app(lambda: lake, require("viewer"), require("editor"))) as url:
        yield url
