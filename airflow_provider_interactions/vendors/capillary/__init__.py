"""Capillary. Start reading at ``vendor.py``."""
