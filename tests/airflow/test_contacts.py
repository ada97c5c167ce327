"""Where contacts may come from: a list, a file, a query, the vendor itself; and one of them at a time."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_interactions.operators import ListContactsOperator
from airflow_provider_interactions.runtime import sources

VENDOR = "dynamics_marketing"
pytestmark = pytest.mark.usefixtures("connection")
DAY = {"params": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}}


@pytest.fixture
def read_list(lake):
    """List contacts; returns what is kept in the lake, read back."""

    def run(**arguments):
        batches = ListContactsOperator(task_id="list", **{"vendor": VENDOR, "lake": lake, **arguments}).execute(DAY)
        kept = pq.read_table(f"{lake}/{batches[0]['path']}").to_pylist()
        assert sum(batch["count"] for batch in batches) == len(kept)
        # Whole words: four digits of an identifier may stand by chance within a digest, a port or an instant.
        told = set(re.findall(r"[\w-]+", json.dumps(batches)))
        assert not told & {row["contact_id"] for row in kept}
        return [(row["contact_id_kind"], row["contact_id"]) for row in kept]

    return run


def read_refusal(run, **arguments):
    with pytest.raises(AirflowFailException) as failure:
        run(**arguments)
    return str(failure.value)


@pytest.fixture
def expected_rows(people):
    return [("contact_id", person) for person in people]


@pytest.fixture
def table(people):
    return pa.table({"number": range(len(people)), "contact": people})


def test_list(read_list, people, expected_rows):
    assert read_list(contacts=[*people, people[0].upper()]) == expected_rows


def test_vendors_own_list(read_list, expected_rows):
    assert sorted(read_list()) == sorted(expected_rows)


@pytest.mark.parametrize("lines", ["\n".join, "\r\n".join, "\n\n".join])
def test_text_file(read_list, people, expected_rows, tmp_path, lines):
    (tmp_path / "people.txt").write_text(lines(people), newline="")
    assert read_list(contacts_file=f"{tmp_path}/people.txt") == expected_rows


@pytest.mark.parametrize("address", ["{}/people.parquet", "file://{}/people.parquet"])
def test_parquet_file(read_list, table, expected_rows, tmp_path, address):
    pq.write_table(table, tmp_path / "people.parquet")
    assert read_list(contacts_file=address.format(tmp_path), column="contact") == expected_rows


def test_csv_file_in_object_storage(read_list, table, expected_rows):
    with fsspec.open("memory://bucket/people.csv", "wb") as file:
        pyarrow.csv.write_csv(table.select(["contact", "number"]), file)
    assert read_list(contacts_file="memory://bucket/people.csv") == expected_rows


@pytest.mark.parametrize(
    ("url", "column", "what"),
    [
        ("{}/none.csv", None, "The file of contacts does not exist"),
        ("{}", None, "The file of contacts cannot be read (Is a directory)"),
        ("{}/people.parquet", "who", "Check format and column"),
        ("nonsense://x/people.csv", None, "The file of contacts at nonsense:// cannot be opened"),
        ("s3://aws_default@x/people.csv", None, "needs Airflow's provider for that scheme"),
    ],
)
def test_file_that_cannot_be_read(read_list, table, tmp_path, url, column, what):
    pq.write_table(table, tmp_path / "people.parquet")
    message = read_refusal(read_list, contacts_file=url.format(tmp_path), column=column)
    assert what in message
    assert "window [2026-01-02T00:00:00Z" in message


@pytest.fixture
def database(tmp_path, people, monkeypatch):
    """A connection to a SQLite file with a table of people."""
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("CREATE TABLE people (contact, number, share)")
        rows = [(person, number, number / 2) for number, person in enumerate(people)]
        opened.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return "crm"


def test_query(read_list, database, expected_rows):
    sql = "SELECT contact, number FROM people UNION ALL SELECT NULL, 9"
    assert sorted(read_list(contacts_sql=sql, contacts_conn_id=database)) == sorted(expected_rows)


def test_query_of_numbers_for_a_vendor_that_has_such(read_list, database, connect, sandbox):
    connect(sandbox.connections["luminate_online"], "luminate_online_default")
    sql = "SELECT 1000 + number FROM people ORDER BY 1"
    found = read_list(vendor="luminate_online", contacts_sql=sql, contacts_conn_id=database, kind="cons_id")
    assert found == [("cons_id", str(1000 + number)) for number in range(5)]


def test_query_is_read_as_a_stream(database):
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000) SELECT i FROM n"
    found = sources.read_sql(many, database)
    assert [next(found) for _ in range(3)] == [1, 2, 3]  # ten million would take seconds
    found.close()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"contacts_sql": "SELECT 1"}, "contacts_sql needs contacts_conn_id"),
        ({"contacts_sql": "SELECT 1", "contacts_conn_id": "nobody"}, "The conn_id `nobody` isn't defined"),
        ({"contacts_sql": "SELECT 1", "contacts_conn_id": f"{VENDOR}_default"}, "which is not an SQL database"),
        ({"contacts_sql": "SELECT 1", "contacts_conn_id": "odd"}, "of type odd. Install the provider of that type"),
        ({"contacts_sql": "SELECT share + 0.5 FROM people"}, "but of type float"),
        ({"contacts_sql": "CREATE TABLE other (x)"}, "contacts_sql returned no result set"),
        ({"contacts_sql": "SELECT 'ann@example.org'"}, "Contact 1 of the list cannot be used"),
    ],
)
def test_query_that_cannot_be_used(read_list, database, monkeypatch, arguments, what):
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": "odd"}))
    if arguments["contacts_sql"] != "SELECT 1":
        arguments = {**arguments, "contacts_conn_id": database}
    message = read_refusal(read_list, **arguments)
    assert what in message
    assert "ann@" not in message


@pytest.mark.parametrize(
    "two",
    [
        {"contacts": [], "contacts_file": "x.csv"},
        {"contacts": [], "contacts_sql": "SELECT 1"},
        {"contacts_file": "x.csv", "contacts_sql": "SELECT 1"},
    ],
)
def test_two_sources(read_list, two):
    assert f"{' and '.join(two)} are given. Give one source of contacts" in read_refusal(read_list, **two)


def test_source_that_a_template_left_empty_is_none(read_list, expected_rows):
    found = read_list(contacts_file="None", contacts_sql="", column="None", kind="None", contacts_conn_id="None")
    assert sorted(found) == sorted(expected_rows)


def test_list_that_a_template_made_a_text(read_list):
    assert "render_template_as_native_obj" in read_refusal(read_list, contacts="['a', 'b']")


def test_vendor_that_lists_nobody(read_list, connect, sandbox):
    connect(sandbox.connections["capillary"], "capillary_default")
    message = read_refusal(read_list, vendor="capillary")
    assert "capillary offers no list of its contacts. Give them to the operator: a list, a file or a query." in message


def test_group_larger_than_the_vendor_lists(read_list, connect):
    from airflow_provider_interactions.sandbox import SandboxConfig, serve

    with serve(SandboxConfig(contacts=4, options={"luminate_online": {"group_cap": 3}})) as small:
        connect(small.connections["luminate_online"], "luminate_online_default")
        message = read_refusal(read_list, vendor="luminate_online", options={"group_id": 1001})
    assert "Split the group, or give the contacts as a list or a file" in message


def test_templates_are_rendered_also_from_sql_files(execution_api, sandbox, lake, people, database, tmp_path):
    from airflow.sdk import DAG

    (tmp_path / "people.sql").write_text("SELECT contact FROM people WHERE number < {{ params.most }}")
    api = execution_api(
        connections={f"{VENDOR}_default": sandbox.connections[VENDOR]},
        window=("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
    )
    with DAG("d", schedule=None, params={"most": 2}, template_searchpath=str(tmp_path)):
        task = ListContactsOperator(
            task_id="list_contacts", vendor=VENDOR, lake=lake, contacts_sql="people.sql", contacts_conn_id=database
        )
    assert api.run(task).error is None
    (batch,) = api.xcom["list_contacts", "return_value", -1]
    assert batch["count"] == 2
    assert not [person for person in people if person in json.dumps([list(api.xcom.values()), api.rendered])]
