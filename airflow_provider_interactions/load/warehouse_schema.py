"""Make the table in a warehouse, and bring its columns to the present version of the schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pyarrow as pa

from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load.dialects import Dialect
from airflow_provider_interactions.load.dialects.session import Session
from airflow_provider_interactions.load.warehouse_errors import read_error
from airflow_provider_interactions.schema import KEY, find_since, find_version, refuse_newer

#: The comments of the table and of the ledger's hold their schema versions.
COMMENT = "Contact interactions, schema version {}"
LEDGER_COMMENT = "Tries of steps of contact interactions, schema version {}"
_VERSION = re.compile(r"schema version (\d+)")


def prepare_table(
    session: Session,
    dialect: Dialect,
    table: str,
    columns: pa.Schema,
    key: Sequence[str] = KEY,
    comment: str = COMMENT,
) -> None:
    """Make the table if it is absent, and add the columns that it lacks. Columns are never dropped or retyped.

    Raises LoadError if it is another table, and ConfigError if its schema is newer than this code.
    """
    found = _find_columns(session, dialect, table)
    version = _find_table_version(session, dialect, table) if found else 0
    refuse_newer(version, columns, f"The table {table}")
    if not found:
        session.run(dialect.create_table(table, columns, key))
        found = _find_columns(session, dialect, table)
    added = [field for field in columns if find_since(field) > 1 and field.name not in found]
    # Before any change: another table must stay as it is.
    _refuse_other_columns(dialect, table, columns, found.keys() | {field.name for field in added}, found)
    for field in added:
        session.run(dialect.add_column(table, field))
    if version != find_version(columns):
        session.run(dialect.set_comment(table, comment.format(find_version(columns))))
    for sql in dialect.make_lock(table):
        session.run(sql)


def _find_columns(session: Session, dialect: Dialect, table: str) -> dict[str, str]:
    """The types of the table's columns by name; empty if the table does not exist."""
    try:
        rows = session.run(dialect.read_columns(table)).rows
    except Exception as wrong:
        if dialect.absent.search(read_error(wrong)):
            return {}
        raise
    return {str(row[0]).lower(): str(row[1]).upper() for row in rows}


def _find_table_version(session: Session, dialect: Dialect, table: str) -> int:
    """The schema version in the table's comment; 1 without one."""
    rows = session.run(dialect.read_comment(table)).rows
    found = _VERSION.search(str(rows[0][-1]) if rows else "")
    return int(found[1]) if found else 1


def _refuse_other_columns(
    dialect: Dialect, table: str, columns: pa.Schema, names: Iterable[str], types: dict[str, str]
) -> None:
    """Raise LoadError, with their names, for missing columns and wrong types. Further columns are allowed."""
    missing = [name for name in columns.names if name not in names]
    other = [
        f"{field.name} {types[field.name]}, not {dialect.find_type(field)}"
        for field in columns
        if field.name in types and not re.match(dialect.fits[dialect.find_kind(field)], types[field.name])
    ]
    problems = {"missing columns:": missing, "columns of another type:": other}
    found = "; ".join(f"{what} {', '.join(which)}" for what, which in problems.items() if which)
    if found:
        msg = (
            f"{dialect.title} has another table {table} ({found}); the table is unchanged. Name another table; the "
            "load makes it."
        )
        raise LoadError(msg)
