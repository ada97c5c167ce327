"""Blackbaud Luminate Online (formerly Convio). Start reading at ``vendor.py``."""
