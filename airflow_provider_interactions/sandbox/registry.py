"""The vendors the sandbox behaves like: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import capillary, dynamics_marketing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .vendor import Vendor

__all__ = ["VENDORS"]

VENDORS: Mapping[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        dynamics_marketing.VENDOR,
        capillary.VENDOR,
    )
}  # fmt: skip
