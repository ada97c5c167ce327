"""Which50. Start reading at ``vendor.py``."""

from airflow_provider_interactions.vendors.which50.vendor import VENDOR

__all__ = ["VENDOR"]
