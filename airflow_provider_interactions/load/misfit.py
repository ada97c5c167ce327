"""Say which columns of a table do not fit, the same for every target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping


def describe_misfit(
    wanted: Mapping[str, object],
    found: Mapping[str, object],
    needed: Iterable[str] = (),
    later: Collection[str] = (),
) -> str:
    """The columns that do not fit, with their names and types; empty if all fit.

    ``wanted`` and ``found`` are types by the name of the column. ``needed`` are other columns of the table that must
    have a value. Columns in ``later`` may be missing.
    """
    problems = {
        "missing columns:": [one for one in wanted if one not in found and one not in later],
        "columns of another type:": [
            f"{one} {found[one]}, not {kind}" for one, kind in wanted.items() if found.get(one, kind) != kind
        ],
        "other columns that need a value:": list(needed),
    }
    return "; ".join(f"{what} {', '.join(names)}" for what, names in problems.items() if names)
