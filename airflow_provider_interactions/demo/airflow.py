"""A real Airflow on SQLite, configured by environment alone and reachable from this machine only."""

from __future__ import annotations

import json
import secrets
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_interactions.demo import sqlite
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.supervisor import Supervisor
from airflow_provider_interactions.demo.vendors import SOURCES, Source

HOST = "127.0.0.1"

#: the organisation's name in paths and in the table
ACCOUNT = "museum"

# Logs are read from disk, so nobody needs the servers for them, which would listen on every interface.
_COMPONENTS = {
    # Airflow 3.3 notes what people do by a commit on the server's event loop. On SQLite, which has one writer, it may
    # wait there for the end of a task to be written by the same server, which for its part waits for the loop; what
    # ends first is the waiting, and the task has failed, whatever retries it has. So people and tasks have one each.
    "api-server": ("api-server", "--apps", "core"),
    "api-server-of-tasks": ("api-server", "--apps", "execution"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
_CONNECT_ARGS = f"{sqlite.__name__}.CONNECT_ARGS"
_FOR_PEOPLE = {"triggerer": ("triggerer", "--skip-serve-logs")}


def find_free_port(wanted: int = 0) -> int:
    """The wanted port if nobody listens there, any free one for 0; raises DemoError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as taken:
            raise DemoError(
                f"Port {wanted} is in use. Choose another one with --port, or 0 for any free one."
            ) from taken
        return int(probe.getsockname()[1])


def build_environment(
    paths: Paths, port: int, given: Mapping[str, str], inherited: Mapping[str, str]
) -> dict[str, str]:
    """All of Airflow's settings. Those of the person's own Airflow are left out.

    ``given`` are variables and connections as environment variables, ``AIRFLOW_VAR_…`` and ``AIRFLOW_CONN_…``.
    """
    own = {name: value for name, value in inherited.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    # Tasks reach the API server and the sandbox on this machine, whatever proxy there is for the rest.
    direct = {"NO_PROXY": f"{HOST},localhost", "no_proxy": f"{HOST},localhost"}
    tasks = next(free for free in iter(find_free_port, None) if free != port)
    return {**own, **direct, **_build_settings(paths, port, tasks), **given}


def _build_settings(paths: Paths, port: int, tasks: int) -> dict[str, str]:
    suppression = {"conn_type": "generic", "password": secrets.token_hex(32)}
    return {
        "AIRFLOW_CONN_INTERACTIONS_SUPPRESSION": json.dumps(suppression),
        "AIRFLOW_HOME": str(paths.airflow),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        # Airflow 3.3 deletes runs again when their backfill meets a locked database, and a scheduler that has seen them
        # dies of it. Of a paused DAG it looks at no run; `backfill.release` lets them go.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__DAGS_FOLDER": str(paths.dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{tasks}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",  # SQLite has one writer
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",  # the button Test of the connections page
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{paths.airflow}/airflow.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": _CONNECT_ARGS,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC": _CONNECT_ARGS,
        "AIRFLOW__INTERACTIONS__LAKE": str(paths.lake),
        "AIRFLOW__INTERACTIONS__POOLS": "True",
        "AIRFLOW__INTERACTIONS__SUPPRESSION_CONN_ID": "interactions_suppression",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(paths.airflow / "logs"),
        # The backfill decides which days there are; without this, today would join in.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "40",  # longer than the database may keep the server waiting
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # the default of 5 seconds is added to many tasks
        "INTERACTIONS_DUCKDB": str(paths.database),
    }


def start(supervisor: Supervisor, paths: Paths, settings: Mapping[str, str], *, for_people: bool = False) -> Api:
    """Make the metadata database, start the components, wait until all of them are healthy, make the pools."""
    migration = _build_command("db", "migrate")
    supervisor.run("Airflow's database migration", migration, settings, paths.logs / "db-migrate.log")
    url = urlsplit(settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"])
    for name, arguments in (_COMPONENTS | (_FOR_PEOPLE if for_people else {})).items():
        own = {"AIRFLOW__API__PORT": str(url.port)} if "execution" in arguments else {}
        supervisor.start(
            f"Airflow's {name}", _build_command(*arguments), {**settings, **own}, paths.logs / f"{name}.log"
        )
    api = Api(settings["AIRFLOW__API__BASE_URL"])
    supervisor.wait_until(api.is_healthy, "Airflow did not get healthy")
    supervisor.wait_until(Api(f"http://{url.netloc}").serves_tasks, "Airflow's server of tasks did not get healthy")
    api.login()
    for pool in map(_describe_pool, SOURCES):
        create(supervisor, api, "pools", pool)
    return api


def create(supervisor: Supervisor, api: Api, path: str, body: Mapping[str, Any]) -> None:
    """Post an object, as soon as Airflow's database is free."""
    insist(supervisor, partial(api.post, path, body))


def insist(supervisor: Supervisor, call: Callable[[], Any]) -> None:
    """Call until SQLite's one writer is not busy with something else."""

    def succeeds() -> bool:
        try:
            call()
        except NotReady:
            return False
        return True

    supervisor.wait_until(succeeds, "Airflow's database was locked, and did not come free")


def describe_connection(variable: str, value: str) -> Mapping[str, Any]:
    """A connection for Airflow's database, out of a variable ``AIRFLOW_CONN_…`` and its JSON."""
    fields = json.loads(value)
    name = variable.removeprefix("AIRFLOW_CONN_").lower()
    # Airflow 3.3 refuses to test a stored connection without a port.
    own = {"connection_id": name, "port": urlsplit(fields["host"]).port, "description": "A vendor of the sandbox"}
    return {**fields, **own, "extra": json.dumps({**fields["extra"], "account": ACCOUNT})}


def _describe_pool(source: Source) -> Mapping[str, Any]:
    """The pool of a vendor's connection: one task at a time asks it."""
    return {"name": f"{source.vendor}_default", "slots": 1, "description": "Tasks that ask this account at a time"}


def _build_command(*arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", "airflow", *arguments)
