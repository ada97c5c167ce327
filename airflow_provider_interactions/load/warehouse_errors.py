"""Read the errors of warehouses' drivers, which share no base class."""

from __future__ import annotations


def is_defect(wrong: Exception) -> bool:
    """Whether an error is one of Python itself, which neither a driver nor a file system raises."""
    return type(wrong).__module__ == "builtins" and not isinstance(wrong, OSError)


def read_error(wrong: Exception) -> str:
    """All that an error says, to look for its kind in it. It can hold a value of a person's: never show it."""
    return " ".join(str(part) for part in (type(wrong).__name__, getattr(wrong, "sqlstate", ""), wrong))


def name_error(wrong: Exception) -> str:
    """The class of an error, with its code where the driver has one."""
    code = getattr(wrong, "sqlstate", None) or getattr(wrong, "errno", None) or getattr(wrong, "code", None)
    name = type(wrong).__name__
    return f"{name} {code}" if isinstance(code, int | str) and str(code).isalnum() else name
