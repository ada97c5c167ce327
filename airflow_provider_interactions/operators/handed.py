"""What extraction has handed over by XCom: the manifests of a window's batches, and how errors name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def batches_of(manifests: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Any]:
    """One manifest, or those of all mapped tasks."""
    from airflow_provider_interactions import manifest  # noqa: PLC0415 - as light as what it is used with is heavy

    # A slice asks Airflow once for all; iterating asks once for each, and logs an error at the end of the list.
    parts = [manifests] if isinstance(manifests, Mapping) else manifests[:]
    return [manifest.unpacked(part) for part in parts]


def named(batches: Sequence[Any]) -> Sequence[str]:
    """Vendor and window, for messages."""
    return (f"vendor {batches[0].vendor}", f"window {batches[0].window}") if batches else ()
