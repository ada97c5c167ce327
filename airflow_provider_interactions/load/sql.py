"""What the SQL of several targets has in common: quoting, and the conditions of the merge."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from airflow_provider_interactions.schema import CANONICAL, KEY, NEWEST, READING

#: Stands for no revision in comparisons: less than any other. Some databases have no literal for the least integer.
NO_REVISION = -(2**63) + 1


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

    Its revision is greater, or the same and it was read at the same time or later; and it differs. A row that was only
    read again is left as it is, because rewriting all rows of a window for each re-run is what makes a load expensive.
    ``quote`` and ``distinct`` are those of the database.
    """
    content = [field for field in columns if field.name not in (*KEY, *READING)]
    differs = " OR ".join(
        distinct(f"new.{quote(field.name)}", f"old.{quote(field.name)}", null=field.nullable) for field in content
    )
    return f"{_build_later(columns, quote)} AND ({differs})"


def _build_later(columns: pa.Schema, quote: Callable[[str], str]) -> str:
    read, revision = quote("extracted_at"), quote("revision")
    read_later = f"new.{read} >= old.{read}"
    if "revision" not in columns.names:  # a version of the schema before it
        return read_later
    new, old = (f"coalesce({row}.{revision}, {NO_REVISION})" for row in ("new", "old"))
    return f"({new} > {old} OR ({new} = {old} AND {read_later}))"


def build_order(columns: pa.Schema = CANONICAL, quote: Callable[[str], str] = quote_name) -> str:
    """The order in which the first of several rows of one key is kept: the newest.

    All columns take part, so that the choice does not depend on the order of the rows.
    """
    newest = (f"{quote(name)} DESC NULLS LAST" for name in NEWEST if name in columns.names)
    rest = (quote(name) for name in columns.names if name not in (*NEWEST, *KEY))
    return ", ".join((*newest, *rest))
