"""A PostgreSQL table by Airflow's own connection type: every field and extra reaches the driver, and no log."""

import json

import psycopg2.extensions
import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.runtime.targets import open_targets

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.fixture
def open_target(monkeypatch, tmp_path):
    def open_with(extra):
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "postgres", "extra": extra}))
        return open_targets("warehouse", "interactions", Lake.at(str(tmp_path)))[0]

    return open_with


@settings(deadline=None, derandomize=True, database=None, max_examples=50)
@given(password=TEXT, login=TEXT, schema=TEXT, application=TEXT)
@example(password="a b+c%20/@:?#&=", login="a@b", schema="d b", application="x y+z&sslmode=disable")
@example(password="0", login="0", schema="?0", application="0")
def test_every_field_and_extra_reaches_libpq(password, login, schema, application):
    with pytest.MonkeyPatch.context() as patch:
        extra = {"sslmode": "verify-full", "application_name": application, "keepalives_idle": 30, "cursor": "x"}
        fields = {"host": "db.example.org", "login": login, "password": password, "schema": schema, "port": 5433}
        value = {"conn_type": "postgres", "extra": extra, **fields}
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(value))
        [target] = open_targets("warehouse", "interactions", Lake.at("/nowhere"))
    assert psycopg2.extensions.parse_dsn(target.uri) == {
        "host": "db.example.org",
        "port": "5433",
        "user": login,
        "password": password,
        "dbname": schema,
        "sslmode": "verify-full",
        "application_name": application,
        "keepalives_idle": "30",
    }
    assert repr(target) == "PostgresTable(table='interactions', attributes='text')"
    assert target.describe()[0] == "postgres://db.example.org:5433"


def test_options_of_the_table_are_in_the_extra(open_target):
    assert open_target({"interactions": {"attributes": "jsonb"}}).attributes == "jsonb"
    for wrong in ({"attributes": "json"}, {"partitions": "month"}, "jsonb"):
        with pytest.raises(ConfigError, match="attributes"):
            open_target({"interactions": wrong})


def test_a_token_takes_the_place_of_the_password(open_target, monkeypatch):
    """The hook asks for it once. Its request would leave this machine, so it is not made here."""
    asked = []

    def get_token(_hook, connection):
        asked.append(connection.conn_id)
        return "lake", "db.example.org:5432/?Action=connect&X-Amz-Signature=a%2Fb+c==", 5439

    monkeypatch.setattr(PostgresHook, "get_iam_token", get_token)
    target = open_target({"iam": True, "aws_conn_id": "aws", "sslmode": "require"})
    assert asked == ["warehouse"]
    assert psycopg2.extensions.parse_dsn(target.uri) == {
        "user": "lake",
        "password": "db.example.org:5432/?Action=connect&X-Amz-Signature=a%2Fb+c==",
        "port": "5439",
        "sslmode": "require",
    }


def test_a_token_without_the_clouds_provider_is_explained(open_target):
    with pytest.raises(ConfigError, match=r"extra iam of connection warehouse.*providers-amazon not installed"):
        open_target({"iam": True})
