"""Statistics of data files, as the ``stats`` of an add action has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def add_statistics(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The statistics of two parts of a file together."""

    def merge(name: str, choose: Callable[..., Any]) -> dict[str, Any]:
        sides = one[name], other[name]
        columns = sorted({column for side in sides for column in side})
        return {column: choose([side[column] for side in sides if column in side]) for column in columns}

    return {
        "numRecords": one["numRecords"] + other["numRecords"],
        "minValues": merge("minValues", min),
        "maxValues": merge("maxValues", max),
        "nullCount": merge("nullCount", sum),
    }


def show_value(value: Any) -> Any:
    """A least or greatest value; Spark cuts times to milliseconds, the greatest one too."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if hasattr(value, "strftime") else value
