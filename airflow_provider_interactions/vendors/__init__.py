"""The registry: every vendor this package can read, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.vendors import capillary, dynamics_marketing, luminate_online, which50

VENDORS: Mapping[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        dynamics_marketing.VENDOR,
        luminate_online.VENDOR,
        which50.VENDOR,
        capillary.VENDOR,
    )
}


def vendor(name: str) -> Vendor:
    """Look up a vendor by its registry name; raises ConfigError that lists the known names."""
    try:
        return VENDORS[name]
    except KeyError:
        msg = f"There is no vendor {name!r}. Known are: {', '.join(VENDORS)}."
        raise ConfigError(msg) from None
