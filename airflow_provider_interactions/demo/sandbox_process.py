"""The sandbox as a process of its own, and questions to it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import requests

from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.supervisor import Supervisor
from airflow_provider_interactions.sandbox import Expected, Fact
from airflow_provider_interactions.window import Window, zulu

_SECONDS = 600  # a world of millions is hashed anew for every question

#: the sandbox's group that every constituent of its Luminate Online is a member of
_EVERYBODY = "1001"


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A running sandbox: its address, and the environment variables by which Airflow knows its connections."""

    url: str
    connections: Mapping[str, str]

    def fetch_expected(self, vendor: str, window: Window, read: Window | None = None) -> Expected:
        """How many interactions exist in a window for who has read the other one, and their digest."""
        return Expected(**json.loads(self._ask(f"oracle/{vendor}", window, read)))

    def facts(self, vendor: str, window: Window, read: Window | None = None) -> Iterator[Fact]:
        """Every interaction that exists in a window."""
        lines = self._ask(f"facts/{vendor}", window, read).splitlines()
        return (msgspec.json.decode(line, type=Fact) for line in lines)

    def contacts(self, vendor: str) -> list[str]:
        """The vendor's ids of all contacts, by number."""
        return msgspec.json.decode(self._get(f"/contacts/{vendor}"), type=list[str])

    def _ask(self, path: str, window: Window, read: Window | None) -> bytes:
        more = {"read_start": zulu(read.start), "read_end": zulu(read.end)} if read else {}
        return self._get(f"/{path}", start=zulu(window.start), end=zulu(window.end), **more)

    def _get(self, path: str, **query: str) -> bytes:
        with requests.Session() as session:
            session.trust_env = False
            response = session.get(f"{self.url}/_sandbox{path}", params=query, timeout=_SECONDS)
        if not response.ok:
            raise DemoError(f"The sandbox refused /_sandbox{path}: {response.status_code} {response.text[:200]}")
        return response.content


def start(
    supervisor: Supervisor, paths: Paths, windows: Sequence[Window], contacts: int, *, realistic: bool = False
) -> SandboxProcess:
    """Start a sandbox whose world begins a day before the first window and ends a day after the last.

    The days around are there to be left out: what a vendor answers is wider than what was asked for. A realistic world
    ends with the last window, since that may be yesterday.
    """
    ready, log = paths.logs / "sandbox.json", paths.logs / "sandbox.log"
    start = windows[0].start.date() - timedelta(days=1)
    days = len(windows) + (1 if realistic else 2)
    world = {"--contacts": contacts, "--start": start, "--days": days, "--ready-file": ready}
    arguments = [str(part) for pair in world.items() for part in pair] + ["--realistic"] * realistic
    command = (sys.executable, "-m", "airflow_provider_interactions.sandbox", *arguments)
    supervisor.start("The sandbox", command, os.environ, log)
    supervisor.wait_until(ready.exists, "The sandbox did not start")
    return SandboxProcess(json.loads(ready.read_text())["url"], read_connections(log))


def build_variables(sandbox: SandboxProcess, paths: Paths) -> dict[str, str]:
    """The Airflow variables by which some DAGs know their contacts, as environment variables."""
    customers = paths.home / "capillary-contacts.txt"
    customers.write_text("\n".join(sandbox.contacts("capillary")), encoding="utf-8")
    return {"AIRFLOW_VAR_CAPILLARY_CONTACTS": str(customers), "AIRFLOW_VAR_LUMINATE_ONLINE_GROUP": _EVERYBODY}


def read_connections(log: Path) -> dict[str, str]:
    """The variables ``AIRFLOW_CONN_…`` that a sandbox printed for pasting."""
    lines = log.read_text(encoding="utf-8").splitlines()
    pasted = (shlex.split(line)[1] for line in lines if line.startswith("export AIRFLOW_CONN_"))
    return {name: value for name, _, value in (variable.partition("=") for variable in pasted)}
