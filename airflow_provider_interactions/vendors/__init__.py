"""The registry: every vendor this package can read, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.errors import ConfigError

#: Each is the name of a package beside this file, which holds its ``VENDOR``.
NAMES = (
    "dynamics_marketing",
    "luminate_online",
    "which50",
    "capillary",
)


class _Registry(Mapping[str, Vendor]):
    """Vendors by name. A run is about one of them, so the others, and what they build on, are not imported."""

    def __getitem__(self, name: str) -> Vendor:
        if name not in NAMES:
            raise KeyError(name)
        found: Vendor = import_module(f"{__name__}.{name}").VENDOR
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


VENDORS: Mapping[str, Vendor] = _Registry()


def vendor(name: str) -> Vendor:
    """Look up a vendor by its registry name; raises ConfigError that lists the known names."""
    try:
        return VENDORS[name]
    except KeyError:
        msg = f"There is no vendor {name!r}. Known are: {', '.join(VENDORS)}."
        raise ConfigError(msg) from None
