"""Microsoft Dynamics 365 Marketing. Start reading at ``vendor.py``."""
