"""Run the services of a Compose file as processes of this machine, each with a folder of its own as its file system.

What the file says is what runs: command, environment, volumes, order and health checks. In all of these texts the same
things are exchanged, because one machine is not many: names of services and ``0.0.0.0`` by the loopback address, each
port by a free one, and each path of a container by a folder. The rest is stood in for as the images do it:

- the image of Airflow puts ``airflow`` before a command, and copies what its Dockerfile says;
- the image of PostgreSQL makes the user and the database of its environment; tests/servers.py starts the server;
- ``curl`` and ``wget`` of a health check are a request from here, ``pg_isready`` is a connection.

Users of containers and memory are not looked at. Each container is a session of processes, and ends as one.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from tests import servers

#: Seconds until a service must be healthy, or have ended, on a busy machine.
PATIENCE = 180.0

#: SeaweedFS talks between its parts on its ports plus this.
SECOND_PORT = 10_000

#: What one machine needs beside the file's settings. In a container, each may listen on all of its own addresses.
ALONE = {"AIRFLOW__API__HOST": servers.LOOPBACK, "AIRFLOW__API__WORKERS": "1", "NO_PROXY": "*", "no_proxy": "*"}


def read_compose(file):
    """The file as Compose reads it: merged, and with dollars that are written twice."""
    return yaml.safe_load(file.read_text().replace("$$", "$"))


def read_copies(service):
    """Which files of the repository the image has where: pairs of sources and a folder."""
    lines = re.findall(r"^COPY (?:--\S+ )*(.+)$", service.get("build", {}).get("dockerfile_inline", ""), re.MULTILINE)
    return [(words[:-1], words[-1]) for words in map(str.split, lines)]


@dataclass
class Container:
    """One service at work, or one of its replicas."""

    name: str
    service: dict
    folder: Path
    paths: dict
    process: subprocess.Popen | None = None
    command: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)

    @property
    def processes(self):
        """Ids and titles of those that live, also of tasks, which have process groups of their own."""
        mine = [pid for pid in psutil.pids() if self.process and _find_session(pid) == self.process.pid]
        titles = {pid: _read_title(pid) for pid in mine}
        return {pid: title for pid, title in titles.items() if title}


class Stack:
    """The services of a Compose file. Enter it, start them, and leave it: all of its processes have ended."""

    def __init__(self, file, folder):
        self.repository, self.folder = file.parent, folder
        self.services = read_compose(file)["services"]
        self.containers = {}
        self.ports = dict(zip(sorted(find_ports(file.read_text())), choose_ports(), strict=False))
        hosts = "|".join(map(re.escape, self.services))
        self._host = re.compile(rf"\b(?:{hosts}|localhost)(?=:\d)|\b0\.0\.0\.0\b")
        self._port = re.compile(rf"(?<![\w.])(?:{'|'.join(self.ports)})(?![\w.])")
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for container in self.containers.values():
            _terminate(container)
        for container in reversed(self.containers.values()):
            stop(container)
        self._stack.close()

    def up(self, **scale):
        """Start all services in the file's order, and wait for the conditions that they name and until all are well."""
        for name in self.services:
            self._start(name, scale)
        for container in self.containers.values():
            self.wait(container.name)

    def _start(self, name, scale):
        if any(container.service is self.services[name] for container in self.containers.values()):
            return
        for other in self.services[name].get("depends_on", {}):
            self._start(other, scale)
            for container in [one for one in self.containers.values() if one.service is self.services[other]]:
                self.wait(container.name)
        number = scale.get(name, 1)
        for index in range(number):
            self.create(name, f"{name}-{index + 1}" if number > 1 else name)

    def create(self, name, called, *, command=None):
        """A new container of a service, in an empty folder of its own; with another command, if given."""
        service, folder = self.services[name], self.folder / "containers" / called
        folder.mkdir(parents=True)
        container = self.containers[called] = Container(called, service, folder, self._place(service, folder))
        container.environment = {
            **ALONE,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "HOSTNAME": called,
            "AIRFLOW_HOME": container.paths["/opt/airflow"],
            **{key: self.exchange(str(value), container) for key, value in (service.get("environment") or {}).items()},
        }
        self._copy_image(container)
        if service["image"].startswith("postgres:"):
            self._start_postgres(container)
        else:
            self._launch(container, command or build_command(service))
        return container

    def _place(self, service, folder):
        paths = {"/opt/airflow": str(folder / "airflow"), "/opt/interactions": str(self.repository)}
        for volume in service.get("volumes") or ():
            name, target = volume.split(":")[:2]
            place = self.folder / "volumes" / name
            place.mkdir(parents=True, exist_ok=True)
            paths[target] = str(place)
            if target.startswith("/opt/airflow/"):  # Airflow finds it below its home, too
                link = folder / "airflow" / Path(target).name
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(place)
        return paths

    def exchange(self, text, container):
        """A text of the file with this machine's addresses, ports and folders in it."""
        longest = sorted(container.paths, key=len, reverse=True)
        paths = re.compile(rf"(?<![\w/])(?:{'|'.join(map(re.escape, longest))})(?![\w])")
        text = self._port.sub(lambda found: str(self.ports[found[0]]), self._host.sub(servers.LOOPBACK, text))
        return paths.sub(lambda found: container.paths[found[0]], text)

    def _copy_image(self, container):
        for sources, target in read_copies(container.service):
            place = Path(self.exchange(target, container))
            if place == self.repository:
                continue
            place.mkdir(parents=True, exist_ok=True)
            for source in (self.repository / source for source in sources):
                if source.is_dir():
                    shutil.copytree(source, place, dirs_exist_ok=True)
                else:
                    shutil.copy(source, place)

    def _start_postgres(self, container):
        given = container.environment
        password = Path(given["POSTGRES_PASSWORD_FILE"]).read_text()
        server = servers.postgres(user=given["POSTGRES_USER"], password=password, port=self.ports["5432"])
        container.environment["url"] = url = self._stack.enter_context(server)
        servers.execute(url, f"CREATE DATABASE {given['POSTGRES_DB']}")

    def _launch(self, container, command):
        command = [self.exchange(word, container) for word in command]
        if command[1:3] == ["celery", "worker"]:
            command += ["--celery-hostname", f"celery@{container.name}"]  # a container's own name for its machine
        container.command = command
        self._run(container)

    def _run(self, container):
        command = container.command
        with (container.folder / "log").open("a") as log:
            container.process = subprocess.Popen(
                [shutil.which(command[0], path=container.environment["PATH"]), *command[1:]],
                cwd=container.folder,
                env=container.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name):
        """End a container as its host does when it loses power."""
        _kill(self.containers[name])

    def restart(self, name):
        """Stop a container, start it again with what it had, and wait until it is well."""
        stop(self.containers[name])
        self._run(self.containers[name])
        self.wait(name)

    def wait(self, name):
        """Until a container is healthy, or has succeeded if it has no health check. Raises RuntimeError."""
        container, end = self.containers[name], time.monotonic() + PATIENCE
        check = container.service.get("healthcheck")
        while not (self.is_healthy(container) if check else container.process.poll() == 0):
            ended = container.process and container.process.poll() is not None
            if ended or time.monotonic() > end:
                status = container.process and container.process.poll()
                message = f"{name} is not well ({status}):\n{self.read_log(name)[-6000:]}"
                raise RuntimeError(message)
            time.sleep(1)

    def is_healthy(self, container):
        """What the health check of the file says now."""
        kind, *words = container.service["healthcheck"]["test"]
        words = [self.exchange(word, container) for word in words]
        if words[0] in ("curl", "wget"):
            return answers(words[-1])
        if words[0] == "pg_isready":
            return servers.execute(container.environment["url"], "SELECT 1") is None
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        done = subprocess.run(command, env=container.environment, capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    def read_log(self, name):
        """What a container has written."""
        return (self.containers[name].folder / "log").read_text(errors="replace")


def build_command(service):
    """The command line of a container, with what its image adds."""
    command = [*service.get("entrypoint", ()), *service.get("command", ())]
    is_airflow = "apache/airflow" in service.get("build", {}).get("dockerfile_inline", "")
    return command if not is_airflow or command[0] in ("python", "bash") else ["airflow", *command]


def find_ports(text):
    """The ports that a file names: numbers of four digits which no word, path or version holds."""
    return {port for port in re.findall(r"(?<=[:=\"])(\d{4})(?=[\"/:\s,\]])", text) if int(port) > 5000}


def choose_ports():
    """Ports that are free now, and free again 10,000 higher."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in (port, port + SECOND_PORT):
                stack.enter_context(socket.socket()).bind((servers.LOOPBACK, number))
            yield port


def answers(url):
    """Whether an address answers with success."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
            return response.status < 400
    except OSError:
        return False


def stop(container):
    """End a container: politely, then for certain."""
    if container.process is None:
        return
    _terminate(container)
    with contextlib.suppress(subprocess.TimeoutExpired):
        container.process.wait(20)
    _kill(container)


def _terminate(container):
    if container.process is not None and container.process.poll() is None:
        os.killpg(container.process.pid, signal.SIGTERM)


def _kill(container):
    while living := container.processes:
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        container.process.poll()
        time.sleep(0.05)
    container.process.wait(20)


def _find_session(pid):
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)


def _read_title(pid):
    """A process's command line, which programs may change; nothing if it has ended."""
    with contextlib.suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline())
