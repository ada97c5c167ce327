"""Blackbaud Luminate Online (formerly Convio). Start reading at ``vendor.py``."""

from airflow_provider_interactions.vendors.luminate_online.vendor import VENDOR

__all__ = ["VENDOR"]
