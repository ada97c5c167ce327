"""The vendors the sandbox behaves like: one folder beside this file each, named like the vendor in the package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

from airflow_provider_interactions.sandbox.vendor import Vendor

_NAMES = sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py"))

_ALL: Mapping[str, Vendor] = {name: import_module(f"{__package__}.{name}").VENDOR for name in _NAMES}
#: vendors that the package does not have yet: served where a config has options of theirs, even an empty mapping
PENDING = frozenset({"dynamics_journeys"})

VENDORS: dict[str, Vendor] = {name: vendor for name, vendor in _ALL.items() if name not in PENDING}


def choose_vendors(named: Iterable[str]) -> Mapping[str, Vendor]:
    """The vendors to serve: all but the pending ones, and those of them that are named."""
    return VENDORS | {name: _ALL[name] for name in PENDING.intersection(named)}
