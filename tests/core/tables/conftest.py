"""Bulk vendors: their tables lie on a disk here; tests/contract reads the sandbox's over HTTP."""

import sys
from pathlib import Path

import pytest

from airflow_provider_interactions.extract import table_source

sys.path.insert(0, str(Path(__file__).parent))  # for the module with the vendor and its disk


@pytest.fixture(autouse=True, scope="package")
def without_pauses():
    """Failed tries of a table follow each other soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_source, "PAUSE", 0.001)
        yield


@pytest.fixture
def rig(tmp_path):
    from tables_rig import make_rig

    return make_rig(tmp_path)
