"""The vendors the sandbox behaves like: one line each."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_interactions.sandbox import capillary, dynamics_marketing, luminate_online, which50
from airflow_provider_interactions.sandbox.vendor import Vendor

VENDORS: Mapping[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        dynamics_marketing.VENDOR,
        capillary.VENDOR,
        which50.VENDOR,
        luminate_online.VENDOR,
    )
}  # fmt: skip
