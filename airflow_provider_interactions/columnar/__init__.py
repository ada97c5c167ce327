"""Readers of many JSON records at once, to be replaced by one mapping a vendor."""
