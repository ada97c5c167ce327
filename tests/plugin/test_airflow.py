"""The page inside of a real API server of Airflow: found by its entry point, and behind Airflow's own users."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import airflow
import pytest
import requests

from airflow_provider_interactions.window import zulu
from tests.coverage_lake import ACCOUNTS, PERSON, RECEIPT, STATES, VENDOR, day

ROOT = Path(__file__).parents[2]
USERS = "admin:admin,viewer:viewer"


@pytest.fixture(scope="module")
def environment(lake, tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": USERS,
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API__WORKERS": "1",
        "INTERACTIONS__LAKE": lake.root,
    }
    own = {f"AIRFLOW__{name}": value for name, value in settings.items()}
    return {**os.environ, **own, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(ROOT)}


def run(environment, *arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def server(environment):
    """The address of the API server."""
    assert run(environment, "-m", "airflow", "db", "migrate").returncode == 0
    url = environment["AIRFLOW__API__BASE_URL"]
    log = Path(environment["AIRFLOW_HOME"], "server.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "api-server"], env=environment, stdout=output, stderr=output
        )
        try:
            for _ in range(600):
                assert process.poll() is None, log.read_text()
                if _answers(url):
                    break
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _answers(url):
    try:
        return requests.get(f"{url}/api/v2/version", timeout=10).ok
    except requests.ConnectionError:
        return False


@pytest.fixture
def log_in(server, environment):
    """Makes headers of a user."""
    passwords = json.loads(
        Path(environment["AIRFLOW_HOME"], "simple_auth_manager_passwords.json.generated").read_text()
    )

    def make(user):
        answer = requests.post(f"{server}/auth/token", json={"username": user, "password": passwords[user]}, timeout=30)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return make


ABOUT = {"vendor": VENDOR, "account": "https://acme.example", "start": zulu(day(6).start), "end": zulu(day(6).end)}
ROUTES = [
    ("GET", "coverage"),
    ("GET", "static/coverage.js"),
    ("GET", "static/coverage.css"),
    ("GET", "static/overview.js"),
    ("GET", "api/coverage"),
    ("GET", "api/dags"),
    ("GET", "api/plan"),
    ("GET", "api/usage"),
    ("GET", "api/window"),
    ("GET", "manifest"),
    ("GET", "receipt"),
    ("POST", "api/rejected"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_only_users_of_airflow_get_anything(server, log_in, method, path):
    url, params = (
        f"{server}/interactions/{path}",
        {
            **ABOUT,
            "reason": "Timestamp is missing",
            "windows": 1,
            "last": "2026-01-31",
            "days": 31,
            "name": RECEIPT.name,
        },
    )
    assert requests.request(method, url, params=params, timeout=60).status_code == 401
    forged = {"Authorization": "Bearer forged"}
    assert requests.request(method, url, params=params, headers=forged, timeout=60).status_code in (401, 403)
    answer = requests.request(method, url, params=params, headers=log_in("admin"), timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert (PERSON in answer.text) == (path == "api/rejected")


def test_records_need_the_right_to_edit_dags_in_general(server, log_in):
    url, params = f"{server}/interactions/api/rejected", {**ABOUT, "reason": "Timestamp is missing"}
    for more in ({}, {"dag_id": "a_dag_that_the_viewer_may_edit"}):
        answer = requests.post(url, params={**params, **more}, headers=log_in("viewer"), timeout=60)
        assert answer.status_code == 403
        assert PERSON not in answer.text


def test_it_shows_the_configured_lake_and_knows_airflows_api(server, log_in):
    headers = log_in("viewer")
    span = {"start": zulu(day(8).start), "end": zulu(day(1).end)}
    found = requests.get(f"{server}/interactions/api/coverage", span, headers=headers, timeout=60).json()
    [mine] = [one for one in found["accounts"] if one["account"] == ACCOUNTS[0]]
    assert [cell[2] for cell in mine["cells"]] == STATES
    page = requests.get(f"{server}/interactions/coverage", headers=headers, timeout=60).text
    assert '<meta name="airflow-api" content="../api/v2">' in page


def test_airflow_knows_its_places(server, log_in):
    plugins = requests.get(f"{server}/api/v2/plugins", headers=log_in("admin"), timeout=60).json()["plugins"]
    [ours] = [plugin for plugin in plugins if plugin["name"] == "interactions"]
    assert {view["destination"]: view["url_route"] for view in ours["external_views"]} == {
        "nav": "interactions-coverage",
        "dag": "interactions-coverage-dag",
    }
    has_overview = tuple(map(int, airflow.__version__.split(".")[:2])) >= (3, 4)
    overviews = [app["url_route"] for app in ours["react_apps"] if app["destination"] == "dag_overview"]
    assert overviews == ["interactions-coverage-overview"] * has_overview
    errors = requests.get(f"{server}/api/v2/plugins/importErrors", headers=log_in("admin"), timeout=60).json()
    assert errors["import_errors"] == []


COST = """
import sys, time
import airflow.sdk.plugins_manager
before, start = set(sys.modules), time.perf_counter()
import airflow_provider_interactions.plugin.interactions
seconds = time.perf_counter() - start
print(seconds)
print(*(set(sys.modules) - before))
"""


def test_its_import_costs_a_millisecond_or_two(environment):
    done = run(environment, "-c", COST)
    seconds, modules = done.stdout.strip().splitlines()[-2:]
    assert set(modules.split()) <= {
        "airflow_provider_interactions",
        "airflow_provider_interactions.plugin",
        "airflow_provider_interactions.plugin.interactions",
    }
    assert float(seconds) < 0.05, "a busy machine may take longer than the two milliseconds of a free one"
