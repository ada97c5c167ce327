"""Prepare the stack of docker-compose.yaml: databases, bucket, pools, connections and variables. Safe to repeat.

What exists stays as it is, so changes made in the UI survive a restart. Addresses come from the environment, passwords
from the folder of the secrets.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import fsspec
import psycopg2
import requests

DATABASE = "interactions"
BUCKET = "lake"


def create_database(host: str, password: str) -> None:
    """The second database, for the table; the first one, for Airflow, is made by the image of PostgreSQL."""
    server, _, port = host.partition(":")
    connection = psycopg2.connect(host=server, port=port, user="airflow", password=password, dbname="airflow")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if not cursor.fetchone():
            cursor.execute(f"CREATE DATABASE {DATABASE}")
    connection.close()


def create_bucket(endpoint: str, secret: str) -> Any:
    """The bucket of the lake and of the logs; a file system that writes to it."""
    files = fsspec.filesystem("s3", key="airflow", secret=secret, client_kwargs={"endpoint_url": endpoint})
    if not files.exists(BUCKET):
        files.mkdir(BUCKET)
    return files


def read_sandbox(path: str) -> Any:
    """What the sandbox says of itself."""
    response = requests.get(f"{os.environ['SANDBOX']}/_sandbox{path}", timeout=30)
    response.raise_for_status()
    return response.json()


def list_connections(secrets: Path) -> dict[str, dict[str, Any]]:
    """All connections: the vendors', as the sandbox gives them, and those of the lake and of the table."""
    server, _, port = os.environ["POSTGRES"].partition(":")
    table = {"host": server, "port": int(port), "login": "airflow", "schema": DATABASE}
    store = {"login": "airflow", "extra": {"endpoint_url": os.environ["S3"], "region_name": "us-east-1"}}
    return {
        **{f"{vendor}_default": connection for vendor, connection in read_sandbox("")["connections"].items()},
        "table": {"conn_type": "postgres", **table, "password": (secrets / "postgres_password").read_text()},
        "lake": {"conn_type": "aws", **store, "password": (secrets / "s3_secret").read_text()},
    }


def run_airflow(*arguments: str) -> None:
    """A command of Airflow's command line."""
    subprocess.run([sys.executable, "-m", "airflow", *arguments], check=True)


def list_pools() -> set[str]:
    """The names of the pools that exist."""
    command = [sys.executable, "-m", "airflow", "pools", "list", "--output", "json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return {pool["pool"] for pool in json.loads(done.stdout)}


def import_file(kind: str, content: Any, *more: str) -> None:
    """Let Airflow import connections, variables or pools from a file, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{kind}.json")
        file.write_text(json.dumps(content), encoding="utf-8")
        run_airflow(kind, "import", *more, str(file))


def main(secrets: Path) -> None:
    """Prepare everything."""
    create_database(os.environ["POSTGRES"], (secrets / "postgres_password").read_text())
    files = create_bucket(os.environ["S3"], (secrets / "s3_secret").read_text())
    # Capillary has no list of its customers: a pipeline reads them from a file.
    files.pipe(f"{BUCKET}/capillary.txt", "\n".join(read_sandbox("/contacts/capillary")).encode())
    run_airflow("db", "migrate")
    connections = list_connections(secrets)
    import_file("connections", connections)
    variables = {"capillary_contacts": f"s3://lake@{BUCKET}/capillary.txt", "luminate_online_group": "1001"}
    import_file("variables", variables, "--action-on-existing-key", "skip")
    # One task at a time asks an account.
    pools = {name for name in connections if name.endswith("_default")} - list_pools()
    one = {"slots": 1, "description": "Tasks that ask this account at a time", "include_deferred": True}
    import_file("pools", dict.fromkeys(sorted(pools), one))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
