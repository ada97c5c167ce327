"""The days that these tests fill; the examples' schedules begin before them."""

from datetime import date

FIRST = date(2026, 3, 1)
