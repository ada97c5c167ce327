"""What the two vendors of Dynamics have in common: headers of calls of Dataverse's Web API, and times."""

from __future__ import annotations

from datetime import datetime

import msgspec

#: Headers of every call ("Compose HTTP requests and handle errors", learn.microsoft.com, read 2026-11).
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json; charset=utf-8",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}


def read_time(text: str) -> datetime:
    """An ISO 8601 time; without a zone it is in UTC. Raises ValueError."""
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError as wrong:
        msg = "no ISO 8601 time"
        raise ValueError(msg) from wrong
