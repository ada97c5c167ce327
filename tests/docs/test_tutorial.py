"""The tutorial as a reader follows it: its commands in one shell, its files where it puts them, on a free port."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_interactions.sandbox import serve
from airflow_provider_interactions.sandbox.cli import build_parser, read_config

STEP = re.compile(r"^```(?P<language>bash|python)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SANDBOX = "python -m airflow_provider_interactions.sandbox "
#: A pip install would need an index, and the test asks the sandbox by itself.
LEFT_OUT = ("pip ", "curl ", SANDBOX)


@pytest.fixture(scope="module")
def sandbox(tools):
    """The sandbox that the tutorial starts, on another port."""
    [command] = re.findall(rf"^{SANDBOX}(.*)$", tools.pages["tutorial.md"], re.MULTILINE)
    with serve(read_config(build_parser().parse_args([*command.split(), "--port", "0"]))) as running:
        yield running


@pytest.fixture(scope="module")
def transcript(tools, sandbox, tmp_path_factory):
    """What the shell printed when the tutorial had been followed to its end."""
    home = tmp_path_factory.mktemp("tutorial")
    page = tools.pages["tutorial.md"].replace("http://127.0.0.1:8400", sandbox.url)
    script = "\n".join(write_step(home, **found.groupdict()) for found in STEP.finditer(page))
    environment = tools.make_environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    command = ["bash", "-euc", script.replace("/tmp/first-pipeline", str(home))]
    ended = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-3000:]
    return ended.stdout


def write_step(home, language, text):
    """A block of the page as lines of a shell script; Python is put into its file."""
    if language == "bash":
        return "\n".join(line for line in text.splitlines() if not line.startswith(LEFT_OUT))
    path = home / ("dags/first_pipeline.py" if "DAG(" in text else "result.py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace("/tmp/first-pipeline", str(home)))
    return f"python {path}" if path.name == "result.py" else ""


def test_the_table_holds_what_the_sandbox_says(transcript, sandbox):
    [rows] = re.findall(r"interactions │\n│\s+int64\s+│\n├─+┤\n│\s+(\d+) │", transcript)
    assert int(rows) == sandbox.oracle("which50", "2026-01-02", "2026-01-03").interactions > 0


def test_the_page_shows_the_connection_that_the_sandbox_prints(tools, sandbox):
    [line] = re.findall(r"^export AIRFLOW_CONN_WHICH50_DEFAULT='(.*)'$", tools.pages["tutorial.md"], re.MULTILINE)
    assert json.loads(line.replace("http://127.0.0.1:8400", sandbox.url)) == sandbox.connections["which50"]
