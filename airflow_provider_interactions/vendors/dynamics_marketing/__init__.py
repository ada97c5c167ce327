"""Microsoft Dynamics 365 Marketing. Start reading at ``vendor.py``."""

from airflow_provider_interactions.vendors.dynamics_marketing.vendor import VENDOR

__all__ = ["VENDOR"]
