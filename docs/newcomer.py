"""The first steps of a newcomer, before any page is open: install the package, preview interactions, start the demo."""

from __future__ import annotations

import os
import re
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from shown import CONTACTS, DAYS

from airflow_provider_interactions.demo.rest import Api
from airflow_provider_interactions.demo.sandbox_process import SandboxProcess
from airflow_provider_interactions.demo.supervisor import Supervisor

CHECKOUT = Path(__file__).parents[1]


def install(folder: Path) -> str:
    """Install this checkout into a new virtual environment, as the README does. Returns its Python.

    From then on, processes of this one do not find the package in the present folder or in that of ``PYTHONPATH``.
    """
    os.environ.pop("PYTHONPATH", None)
    os.environ["PYTHONSAFEPATH"] = "1"
    venv.create(folder, with_pip=True, symlinks=True)
    python = str(folder / "bin" / "python")
    package = f"{CHECKOUT}[demo]"
    run((python, "-m", "pip", "install", "--quiet", package))
    assert run((python, "-c", "import airflow_provider_interactions as it; print(it.__file__)")).startswith(str(folder))
    return python


def run(command: Sequence[str]) -> str:
    """Run a command to its end. Returns what it prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603


def preview(python: str) -> None:
    """Twenty interactions in a terminal, by the installed command."""
    command = (str(Path(python).with_name("interactions")), "preview", "which50", "--sandbox", "--limit", "20")
    shown = run(command)
    assert shown.count("interaction_id:") == 20, shown


def start_demo(processes: Supervisor, home: Path, python: str) -> tuple[Api, SandboxProcess]:
    """The demo with its UI, as soon as it says that it keeps running."""
    log = home.with_suffix(".log")
    arguments = ("--ui", "--home", str(home), "--days", str(DAYS), "--contacts", str(CONTACTS))
    command = (python, "-m", "airflow_provider_interactions.demo", *arguments)
    processes.start("The demo", command, os.environ, log)
    processes.wait_until(lambda: "keep running" in log.read_text(), "The demo did not finish", patience=600)
    text = log.read_text()
    assert "each once and unchanged" in text, text
    found = re.search(r"^Airflow +(\S+).*^sandbox +(\S+)/_sandbox$", text, re.MULTILINE | re.DOTALL)
    assert found, text
    api = Api(found[1])
    api.login()
    return api, SandboxProcess(found[2], {})
