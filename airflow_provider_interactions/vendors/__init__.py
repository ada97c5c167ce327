"""The registry: every vendor this package can read, one line each. Importing it imports no vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from airflow_provider_interactions.about import About

if TYPE_CHECKING:
    from airflow_provider_interactions.contract import Vendor

#: Each is a package in this folder with the modules ``about`` and ``vendor``, or one module that is both.
NAMES = (
    "dynamics_journeys",
    "dynamics_marketing",
    "luminate_online",
    "which50",
    "capillary",
)


class _Registry(Mapping[str, "Vendor"]):
    """Vendors by name. A run is about one of them, so the others, and what they build on, are not imported."""

    def __getitem__(self, name: str) -> Vendor:
        if name not in NAMES:
            raise KeyError(name)
        found: Vendor = _import_part(name, "vendor").VENDOR
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


VENDORS: Mapping[str, Vendor] = _Registry()


def find_vendor(name: str) -> Vendor:
    """Look up a vendor by its registry name; raises ConfigError that lists the known names."""
    from airflow_provider_interactions.errors import ConfigError

    try:
        return VENDORS[name]
    except KeyError:
        msg = f"There is no vendor {name!r}. Known are: {', '.join(VENDORS)}."
        raise ConfigError(msg) from None


def require_type(vendor: Vendor, conn_id: str, conn_type: str | None) -> None:
    """Raise ConfigError if a connection is of another vendor's type.

    Other types pass: connections in secrets backends often have the type "generic" or "http".
    """
    from airflow_provider_interactions.errors import ConfigError

    if conn_type in NAMES and conn_type != vendor.name:
        msg = f"{vendor.name}: connection {conn_id} is of type {conn_type}. Name another one."
        raise ConfigError(msg)


def read_about(name: str) -> About:
    """The facts about a vendor, without its code."""
    found: About = _import_part(name, "about").ABOUT
    return found


def list_abouts() -> list[About]:
    """The facts about all vendors, in the order of the registry."""
    return [read_about(name) for name in NAMES]


def _import_part(name: str, part: str) -> ModuleType:
    module = import_module(f"{__name__}.{name}")
    return import_module(f"{module.__name__}.{part}") if hasattr(module, "__path__") else module
