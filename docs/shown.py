"""What the pictures of Airflow's pages say: docs/screenshots.py writes it down, a test compares it with the code."""

from __future__ import annotations

import re
from pathlib import Path

SHOWN = Path(__file__).with_name("pictures") / "shown.json"
#: the demo that is photographed
DAYS, CONTACTS = 4, 12
VENDOR = "dynamics_marketing"
#: what differs from run to run: an address of a file, a time, a number
_CHANGING = ((r"file://\S+", "file://…"), (r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?", "…"), (r"\d[\d,.:]*", "0"))
#: a date and time that a form proposes, or the date of a gap
_PROPOSED = re.compile(r"^[A-Z][a-z]{2} \d{1,2}, \d{4} \d\d:\d\d$|^\d{4}-\d\d-\d\d(?= )")


def mask_form(line: str) -> str:
    """A line of a form without the present time."""
    return _PROPOSED.sub("…", line.strip())


def mask_log(line: str) -> str:
    """A line of a log without what differs from run to run."""
    for changing, instead in _CHANGING:
        line = re.sub(changing, instead, line)
    return line
