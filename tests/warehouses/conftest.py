"""Airflow's hooks for doubles of warehouses, which only ``.ci/test-warehouses`` installs."""

import copy
import json
import os
import tempfile

import fakesnow
import pytest
import snowflake.connector

HOME = tempfile.TemporaryDirectory(prefix="interactions-airflow-")
os.environ.update(
    {
        "AIRFLOW_HOME": HOME.name,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME.name}/airflow.db",
    }
)

start_server = fakesnow.server  # the module of that name, once imported, hides the function


@pytest.fixture
def define(monkeypatch):
    """Define an Airflow connection by its fields."""

    def set_variable(conn_id, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        return conn_id

    return set_variable


@pytest.fixture
def opened(monkeypatch):
    """Lets Snowflake's driver find the double under Snowflake's address; with what options it was opened."""
    connect, options = snowflake.connector.connect, []
    with start_server() as server:
        address = {name: server[name] for name in ("host", "port", "protocol")}

        def connect_there(**given):
            options.append(copy.deepcopy(given))
            return connect(**{**given, **address, "network_timeout": 5})

        monkeypatch.setattr(snowflake.connector, "connect", connect_there)
        yield options
