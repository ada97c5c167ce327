"""Which50. Start reading at ``vendor.py``."""
