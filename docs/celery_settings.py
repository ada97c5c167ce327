"""What Airflow on Celery needs for this provider, each with its reason.

`deploy_parts.py` writes the table of docs/deploy.md from here. The tests below `tests/deploy` compare all of it with
docker-compose.yaml, and with what the processes of the distributed test ran with.
"""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """An option of Airflow's configuration. ``value`` is what to set, or the default that is right as it is."""

    section: str
    name: str
    value: str
    reason: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"AIRFLOW__{self.section}__{self.name}".upper()

    @property
    def title(self) -> str:
        """How people write it."""
        return f"`[{self.section}] {self.name}`"


#: Requirements for the environment of every component, and why.
PACKAGES = {
    "celery<5.7": "Celery 5.7.0 breaks version 3.26.0 of Airflow's provider at import, with misleading messages",
    "asyncpg": "a driver that Airflow needs for its database in PostgreSQL",
    "psycopg2-binary": "the other driver that Airflow needs for it",
}

#: One value for all components, from a place that they share. ``value`` says what it is.
SECRETS = (
    Option(
        "core",
        "fernet_key",
        "the same everywhere; never lose it",
        "else components cannot read the connections in the database",
    ),
    Option("api", "secret_key", "one everywhere", "else the API server cannot fetch the logs of workers"),
    Option(
        "api_auth", "jwt_secret", "one everywhere, at least 64 bytes", "else workers cannot report to the API server"
    ),
)

#: Options to set to another value than the default.
SET = (
    Option("core", "executor", "CeleryExecutor", "tasks run on all workers"),
    Option(
        "core",
        "execution_api_server_url",
        "http://api-server:8080/execution/",
        "the API server's address as workers see it; the default is the worker's own machine",
    ),
    Option(
        "interactions",
        "lake",
        "s3://lake@lake/interactions",
        "an object store or a shared folder: a task on one machine reads what another one wrote",
    ),
    Option(
        "interactions",
        "pools",
        "True",
        "a vendor limits an account, not a worker; make [the pools](airflow.md#how-many-tasks-at-once)",
    ),
    Option(
        "scheduler",
        "task_instance_heartbeat_timeout",
        "60",
        "the task of a lost worker comes back after about a minute; with the default of 300 it took 310 seconds",
    ),
    Option(
        "workers",
        "execution_api_retries",
        "20",
        "tasks wait for an API server that is restarted; with the default of 5, a task used up its tries in 80 seconds",
    ),
    Option(
        "workers",
        "execution_api_retry_wait_max",
        "10",
        "tasks notice sooner that the server is back; the default is 90",
    ),
    Option(
        "workers",
        "min_heartbeat_interval",
        "1",
        "in a chain of short tasks, a task took 7.1 seconds with the default, and 1.35 with this value",
    ),
)

#: Options whose default is right.
DEFAULTS = (
    Option("celery", "task_acks_late", "True", "the message of a lost worker is delivered again"),
    Option(
        "celery_broker_transport_options",
        "visibility_timeout",
        "86400",
        "a shorter one delivers the messages of long tasks twice; that did no harm, and nothing was faster",
    ),
    Option(
        "scheduler",
        "task_queued_timeout",
        "600",
        "if a message is lost, its task is queued again after that many seconds",
    ),
)

#: Arguments of each DAG's tasks (``default_args``).
ARGUMENTS = {
    "retries": (
        "3",
        "a task runs again if it is lost or its store is down for long; it continues from its checkpoint",
    ),
}

#: What is no setting of Airflow.
OTHERS = {
    "Redis": ("`appendonly yes`", "messages survive a restart"),
    "logs": ("a shared folder, or `[logging] remote_logging`", "else the logs of a worker are lost with it"),
}
