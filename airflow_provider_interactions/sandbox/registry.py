"""The vendors of the sandbox: one folder next to this file for each, with the vendor's name in the package."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from airflow_provider_interactions.sandbox.vendor import Vendor

_NAMES = sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py"))

VENDORS: dict[str, Vendor] = {name: import_module(f"{__package__}.{name}").VENDOR for name in _NAMES}
