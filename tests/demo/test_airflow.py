"""What Airflow is told."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from airflow_provider_interactions.demo.airflow import build_environment, describe_connection, find_free_port
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.sandbox_process import read_connections

MINE = {
    "PATH": "/bin",
    "HTTPS_PROXY": "http://proxy.example",
    "AIRFLOW_HOME": "/mine",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW_CONN_DYNAMICS_MARKETING_DEFAULT": "{}",
    "_AIRFLOW__AS_LIBRARY": "1",
}


@pytest.fixture
def environment(tmp_path):
    return build_environment(Paths(tmp_path / ".demo"), 1234, {"AIRFLOW_CONN_X_DEFAULT": "x"}, MINE)


def test_a_persons_own_airflow_stays_out_of_it(environment):
    assert environment["PATH"] == "/bin"
    own = [
        name for name in MINE if name.removeprefix("_").startswith("AIRFLOW") and environment.get(name) == MINE[name]
    ]
    assert own == []
    assert environment["AIRFLOW_CONN_X_DEFAULT"] == "x"


def test_everything_lies_in_the_home(environment, tmp_path):
    for name in (
        "AIRFLOW_HOME",
        "AIRFLOW__INTERACTIONS__LAKE",
        "INTERACTIONS_DUCKDB",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    ):
        assert environment[name].startswith(f"{tmp_path}/.demo/")
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/.demo/airflow/airflow.db"


def test_it_is_reachable_from_this_machine_only_and_by_no_proxy(environment):
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:1234"
    tasks = urlsplit(environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"])
    assert (tasks.hostname, tasks.path) == ("127.0.0.1", "/execution/")
    assert tasks.port != 1234
    assert environment["AIRFLOW__API__PORT"] == "1234"
    assert environment["NO_PROXY"] == environment["no_proxy"] == "127.0.0.1,localhost"


def test_secrets_are_new_every_time_and_long_enough(environment, tmp_path):
    again = build_environment(Paths(tmp_path), 1234, {}, {})
    for name in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY"):
        assert environment[name] != again[name]
    assert len(environment["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64  # HS512


def test_all_values_are_text(environment):
    assert {type(value) for value in environment.values()} == {str}


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=f"Port {port} is in use.*--port"):
            find_free_port(port)
    assert find_free_port(port) == port
    assert find_free_port() > 1023


def test_connections_are_read_as_a_shell_would(tmp_path):
    value = json.dumps({"password": 'it\'s a "secret" with $igns & more=yes'})
    quoted = value.replace("'", "'\"'\"'")
    log = tmp_path / "log"
    log.write_text(f"sandbox at http://127.0.0.1:1\n\nexport AIRFLOW_CONN_X_DEFAULT='{quoted}'\n\nwhat exists:\n")
    assert read_connections(log) == {"AIRFLOW_CONN_X_DEFAULT": value}


def test_a_connection_for_airflows_database_says_what_the_variable_says():
    fields = {"conn_type": "x", "host": "http://127.0.0.1:8123/x", "password": "p%", "extra": {"allow_http": True}}
    described = describe_connection("AIRFLOW_CONN_X_DEFAULT", json.dumps(fields))
    assert json.loads(described["extra"]) == {"allow_http": True, "account": "museum"}
    assert {**described, "extra": fields["extra"]} == {
        **fields,
        "connection_id": "x_default",
        "port": 8123,
        "description": "A vendor of the sandbox",
    }
