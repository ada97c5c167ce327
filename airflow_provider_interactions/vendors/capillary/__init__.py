"""Capillary. Start reading at ``vendor.py``."""

from airflow_provider_interactions.vendors.capillary.vendor import VENDOR

__all__ = ["VENDOR"]
