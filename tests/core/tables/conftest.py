"""Bulk vendors: their tables lie on a disk here; tests/contract reads the sandbox's over HTTP."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the module with the vendor and its disk


@pytest.fixture
def rig(tmp_path):
    from tables_rig import make_rig

    return make_rig(tmp_path)
