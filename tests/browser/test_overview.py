"""The coverage page on the overview of our DAGs: Airflow 3.4 has a place for it there, 3.3 has none."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import airflow
import pytest
import requests
from playwright.sync_api import expect

from airflow_provider_interactions.demo.airflow import find_free_port
from tests.browser.conftest import PATIENCE, look
from tests.browser.sight import find_flaws

ROOT = Path(__file__).parents[2]

#: Seconds until a command of Airflow has ended, on a busy machine.
PATIENT = 300

#: The page is there since this version.
HAS_OVERVIEW = tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 4)

DAGS = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for name, tags in (("a_dag", ["interactions"]), ("other", [])):
    with DAG(name, schedule=None, tags=tags):
        EmptyOperator(task_id="nothing")
"""


@pytest.fixture(scope="module")
def ui(lake, tmp_path_factory):
    """The address of an API server that knows one of our DAGs and one of somebody else."""
    home, url = tmp_path_factory.mktemp("overview"), f"http://127.0.0.1:{(port := find_free_port())}"
    (home / "dags").mkdir()
    (home / "dags" / "dags.py").write_text(DAGS)
    own = {
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "INTERACTIONS__LAKE": lake.root,
    }
    settings = {f"AIRFLOW__{name}": value for name, value in own.items()}
    environment = {**os.environ, **settings, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT)}
    for command in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run([sys.executable, "-m", "airflow", *command], env=environment, check=True, timeout=PATIENT)
    with serve(environment, url, home / "log"):
        yield url


@contextmanager
def serve(environment, url, log):
    """An API server, from when it answers."""
    command = [sys.executable, "-m", "airflow", "api-server"]
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        end = time.monotonic() + PATIENT
        while not answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.5)
        yield
        process.terminate()


def answers(url):
    """Whether Airflow says its version."""
    with suppress(requests.ConnectionError):
        return requests.get(f"{url}/api/v2/version", timeout=10).ok
    return False


def test_it_is_on_our_dags_only(chromium, ui):
    with look(chromium, ui, 1280, "light") as page:
        page.goto(f"{ui}/auth/login")
        frame = page.locator("iframe[title=Coverage]")
        for dag_id, is_there in (("other", False), ("a_dag", HAS_OVERVIEW)):
            page.goto(f"{ui}/dags/{dag_id}")
            expect(page.get_by_text("Last 24 hours").first).to_be_visible(timeout=PATIENCE)
            page.wait_for_load_state("networkidle")
            expect(frame).to_have_count(int(is_there))
        if HAS_OVERVIEW:
            frame.scroll_into_view_if_needed()
            expect(frame.content_frame.locator(".account").first).to_be_visible(timeout=PATIENCE)
            assert find_flaws(page.frames[-1]) == []
