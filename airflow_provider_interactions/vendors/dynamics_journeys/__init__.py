"""Customer Insights - Journeys, in bulk from its data lake. Start reading at ``vendor.py``."""
