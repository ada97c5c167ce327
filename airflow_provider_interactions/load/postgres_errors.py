"""What an error of PostgreSQL means for the user. Its own message can quote a person's value or a password."""

from __future__ import annotations

from typing import Any

import adbc_driver_manager as adbc

from airflow_provider_interactions.load.postgres_schema import explain_misfit, split_name
from airflow_provider_interactions.load.sql import quote_name, quote_text

#: By SQLSTATE.
_STATES = {
    "55P03": "Another load, erasure or program has had the table for {wait:.0f} s. Look for it in pg_stat_activity.",
    "53100": "The server's disk is full. Free some space.",
    "25006": "The server is a read-only standby. Name the primary in the connection.",
    "57014": "The server's statement_timeout, or somebody, ended the load. Raise it for this user: ALTER ROLE … SET.",
    "54000": "An identifier is longer than an index of PostgreSQL can hold (about 2,700 bytes).",
    "22P05": "The database's encoding cannot hold a character of the rows. Create the database with ENCODING 'UTF8'.",
    "23505": "The table has two rows of one key, or another program added one during the load. Look for duplicates.",
}

#: Parts of libpq's messages that say why it could not connect, and hold nothing secret.
_REASONS = (
    *("password authentication failed", "no password supplied", "no pg_hba.conf entry", "Connection refused"),
    *("could not translate host name", "timeout expired", "does not support SSL", "certificate verify failed"),
    *("too many clients", "starting up", "shutting down", "does not exist", "invalid URI query parameter"),
)

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def explain_connection(place: str, wrong: adbc.Error) -> str:
    """The message for a server that cannot be reached, or refuses the user."""
    text = str(wrong)
    reason = next((one for one in _REASONS if one in text), type(wrong).__name__)
    return (
        f"Cannot connect to PostgreSQL at {place} ({reason}). Check host, port, database, user, password and the "
        "extra options of the connection, and that the server runs."
    )


def explain(connection: Any, table: str, wrong: adbc.Error, wait: float) -> str:
    """The message for a refused operation, whose transaction is over. ``wait`` is the lock's time-out in seconds."""
    state = wrong.sqlstate
    if state is None or state.startswith(("08", "57P")):
        return (
            f"The connection to PostgreSQL broke while table {table} was written ({state or 'no reply'}). The server "
            "keeps a load as a whole or not at all. Clear the task to load again; it adds nothing twice."
        )
    if state == "42501":
        return _explain_grants(connection, table)
    if state in _STATES:
        return f"{_STATES[state].format(wait=wait)} Table {table} is unchanged; SQLSTATE {state}."
    return explain_misfit(table, f"SQLSTATE {state}")


def _explain_grants(connection: Any, table: str) -> str:
    with connection.cursor() as cursor:
        grants = _list_grants(cursor, table)
    owner = f"ALTER TABLE {quote_name(table)} OWNER TO … (only the owner may add columns, keys and comments)"
    what = f"The user of the connection may not write table {table}; it is unchanged."
    return f"{what} Let an administrator run: {'; '.join(grants) or owner}"


def _list_grants(cursor: Any, table: str) -> list[str]:
    """The statements that grant what the user lacks."""
    given, _ = split_name(table)
    cursor.execute(
        "SELECT quote_ident(current_user), quote_ident(current_database()),"
        " coalesce(nullif($1, ''), current_schema(), 'public'),"
        " has_database_privilege(current_database(), 'TEMP'), has_database_privilege(current_database(), 'CREATE'),"
        " to_regnamespace(quote_ident(coalesce(nullif($1, ''), current_schema(), 'public'))) IS NOT NULL",
        (given or "",),
    )
    user, database, schema, temporary, create, there = cursor.fetchone()
    place = quote_name(schema)
    grants = [] if temporary else [f"GRANT TEMPORARY ON DATABASE {database} TO {user}"]
    if not there:
        return grants if create else [*grants, f"GRANT CREATE ON DATABASE {database} TO {user}"]
    cursor.execute(f"SELECT {', '.join(_has('schema', schema, right) for right in ('USAGE', 'CREATE'))}")
    usage, create = cursor.fetchone()
    grants += [] if usage else [f"GRANT USAGE ON SCHEMA {place} TO {user}"]
    cursor.execute("SELECT to_regclass($1) IS NOT NULL", (quote_name(table),))
    [there] = cursor.fetchone()
    if not there:
        return grants if create else [*grants, f"GRANT CREATE ON SCHEMA {place} TO {user}"]
    cursor.execute(f"SELECT {', '.join(_has('table', quote_name(table), right) for right in _RIGHTS)}")
    lacking = [right for right, has in zip(_RIGHTS, cursor.fetchone(), strict=True) if not has]
    return [*grants, f"GRANT {', '.join(lacking)} ON {quote_name(table)} TO {user}"] if lacking else grants


def _has(kind: str, name: str, right: str) -> str:
    return f"has_{kind}_privilege({quote_text(name)}, {quote_text(right)})"
