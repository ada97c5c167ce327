"""Markdown out of values: tables, words in the type of code, parts that the reader unfolds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Rows = Iterable[Sequence[object]]


def format_table(head: Sequence[str], rows: Rows) -> str:
    """A table; bars in its cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def format_code(words: Iterable[object]) -> str:
    """Words in the type of code, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)


def fold(summary: str, text: str) -> str:
    """Text that the reader unfolds."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
