"""What the SQL of several targets has in common: quoting, and the conditions of the merge."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from airflow_provider_interactions.schema import CANONICAL, KEY, READING


def quote_name(table: str) -> str:
    """Quote a name as an SQL identifier. Dots separate schema and table."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))


def quote_text(text: str) -> str:
    """Quote a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def list_names(columns: pa.Schema = CANONICAL, prefix: str = "") -> str:
    """The quoted column names, by commas. Inserts go by name, because a table may have its columns in any order."""
    return ", ".join(f'{prefix}"{name}"' for name in columns.names)


def build_distinct(new: str, old: str, *, null: bool) -> str:  # noqa: ARG001 - other databases need to know
    """The condition that two values differ; two nulls are equal."""
    return f"{new} IS DISTINCT FROM {old}"


def build_newer(
    columns: pa.Schema = CANONICAL,
    quote: Callable[[str], str] = quote_name,
    distinct: Callable[..., str] = build_distinct,
) -> str:
    """The condition under which the row ``new`` replaces the row ``old`` of the same key.

    It was read at the same time or later, and it differs. A row that was only read again is left as it is, because
    rewriting all rows of a window for each re-run is what makes a load expensive. ``quote`` and ``distinct`` are those
    of the database.
    """
    content = [field for field in columns if field.name not in (*KEY, *READING)]
    differs = " OR ".join(
        distinct(f"new.{quote(field.name)}", f"old.{quote(field.name)}", null=field.nullable) for field in content
    )
    read = quote("extracted_at")
    return f"new.{read} >= old.{read} AND ({differs})"


def build_order(columns: pa.Schema = CANONICAL, quote: Callable[[str], str] = quote_name) -> str:
    """The order in which the first of several rows of one key is kept: the newest.

    All columns take part, so that the choice does not depend on the order of the rows.
    """
    rest = (quote(name) for name in columns.names if name not in ("extracted_at", "occurred_at", *KEY))
    return ", ".join((f"{quote('extracted_at')} DESC", f"{quote('occurred_at')} DESC", *rest))
