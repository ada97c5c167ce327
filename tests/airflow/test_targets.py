"""Which table a load writes: a path, a connection by its type, several at once."""

import json

import pytest

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.operators import LoadInteractionsOperator
from airflow_provider_interactions.runtime.targets import open_targets


@pytest.fixture
def local(tmp_path):
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def define(monkeypatch):
    """Define an Airflow connection by its fields."""

    def set_variable(conn_id, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        return conn_id

    return set_variable


def test_no_target_is_a_file_in_the_lake(local):
    assert open_targets(None, "t", local) == [DuckDBTable(local.full("interactions.duckdb"), "t")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/data/x.duckdb", DuckDBTable("/data/x.duckdb", "t")),
        ("x.db", DuckDBTable("x.db", "t")),
        ("duckdb:///data/a%20b.db?storage_version=v1.2.0", DuckDBTable("/data/a b.db", "t", storage_version="v1.2.0")),
        ("md:crm", DuckDBTable("md:crm", "t")),
    ],
)
def test_a_path_is_a_duckdb_file(local, name, expected):
    assert open_targets(name, "t", local) == [expected]


def test_a_duckdb_connection_names_a_file_or_motherduck(local, define):
    define("local_file", conn_type="duckdb", host="/data/x.duckdb", extra={"storage_version": "v1.2.0"})
    define("cloud", conn_type="duckdb", schema="crm", password="a-secret-token")
    [file, cloud] = open_targets(["local_file", "cloud"], "t", local)
    assert file == DuckDBTable("/data/x.duckdb", "t", storage_version="v1.2.0")
    assert cloud == DuckDBTable("md:crm", "t", token="a-secret-token")
    assert "secret" not in repr(cloud) + str(cloud.describe())


def test_a_duckdb_connection_without_a_path_is_explained(local, define):
    with pytest.raises(ConfigError, match="Connection bare names no DuckDB file"):
        open_targets(define("bare", conn_type="duckdb"), "t", local)


def test_a_connection_of_another_type_is_explained(local, define):
    with pytest.raises(ConfigError, match=r"Connection web is of type http, which is not a target.*duckdb"):
        open_targets(define("web", conn_type="http"), "t", local)


def test_a_dict_gives_each_target_its_table(local):
    targets = open_targets({"a.duckdb": "crm.one", "b.duckdb": "two"}, "unused", local)
    assert [(one.database, one.table) for one in targets] == [("a.duckdb", "crm.one"), ("b.duckdb", "two")]


def test_target_and_database_are_not_given_together():
    with pytest.raises(ValueError, match="give target or database, not both"):
        LoadInteractionsOperator(task_id="load", manifest={}, target="a.duckdb", database="b.duckdb")


@pytest.mark.parametrize(
    ("kind", "package"),
    [
        ("snowflake", "apache-airflow-providers-snowflake"),
        ("gcpbigquery", "apache-airflow-providers-google"),
        ("google_cloud_platform", "apache-airflow-providers-google"),
        ("redshift", "apache-airflow-providers-amazon redshift-connector"),
        ("databricks", "apache-airflow-providers-databricks"),
    ],
)
def test_a_warehouse_needs_airflows_provider_for_it(local, define, kind, package):
    with pytest.raises(ConfigError, match=rf"pip install {package}\.$"):
        open_targets(define("warehouse", conn_type=kind), "crm.t", local)


def test_an_iceberg_target_is_a_folder_or_a_connection_as_airflows_own_hook_reads_it(local, define, tmp_path):
    from airflow_provider_interactions.load.iceberg import IcebergTable

    extra = {"warehouse": "s3://w/", "s3.path-style-access": True}
    define("rest", conn_type="iceberg", host="https://c.test/v1/", login="id", password="a-secret", extra=extra)
    define("glue", conn_type="iceberg", login="id", password="a-secret", extra={"type": "glue"})
    [beside, folder, rest, glue] = open_targets(["iceberg:", f"{tmp_path}/x.iceberg", "rest", "glue"], "crm.t", local)
    assert beside.properties["warehouse"] == f"file://{local.root}/interactions.iceberg"
    assert folder.properties["uri"] == f"sqlite:///{tmp_path}/x.iceberg/catalog.db?timeout=60"
    known = {"type": "rest", "uri": "https://c.test/v1", "credential": "id:a-secret"}
    assert rest == IcebergTable({"warehouse": "s3://w/", "s3.path-style-access": "true", **known}, "crm.t", name="rest")
    assert glue == IcebergTable({"type": "glue"}, "crm.t", name="glue")
    assert "secret" not in repr(rest) + str(rest.describe())
    with pytest.raises(ConfigError, match="give a connection of type iceberg"):
        open_targets("iceberg:", "t", Lake.at("memory://lake"))


def test_a_ducklake_is_a_file_or_a_database_of_a_connection(local, define, tmp_path):
    from airflow_provider_interactions.load.ducklake import DuckLakeTable

    define("crm", conn_type="postgres", host="db.test", login="me", password="a-secret", schema="lakes", port=5433)
    [beside, file, shared] = open_targets(["ducklake:", f"ducklake:{tmp_path}/x.ducklake", "ducklake:crm"], "t", local)
    known = f"{local.root}/interactions.ducklake"
    assert beside == DuckLakeTable(known, f"{known}.files", "t")
    assert file == DuckLakeTable(f"{tmp_path}/x.ducklake", f"{tmp_path}/x.ducklake.files", "t")
    assert shared.catalogue.startswith("postgresql://me:a-secret@db.test:5433/lakes")
    assert shared.files == f"{known}.files"
    assert shared.describe() == ("ducklake://db.test:5433", "lakes.t")
    assert "secret" not in repr(shared) + str(shared.describe())


def test_a_ducklake_that_cannot_be_is_explained(local, define):
    define("web", conn_type="http")
    define("crm", conn_type="postgres", host="db.test")
    with pytest.raises(ConfigError, match=r"Connection web is of type http\. For the catalogue .* type postgres"):
        open_targets("ducklake:web", "t", local)
    with pytest.raises(ConfigError, match=r"a catalogue in a file must be\. Give ducklake: and the id of a postgres"):
        open_targets("ducklake:", "t", Lake.at("memory://lake"))
    with pytest.raises(ConfigError, match="cannot have its files on memory"):
        open_targets("ducklake:crm", "t", Lake.at("memory://lake"))


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_ducklake_has_its_files_in_the_lakes_bucket(define, scheme):
    define("crm", conn_type="postgres", host="db.test", password="a-secret", schema="lakes")
    lake = Lake.at(f"{scheme}://bucket/crm", **({"token": "anon"} if scheme == "gs" else {}))
    [target] = open_targets("ducklake:crm", "t", lake)
    assert (target.files, target.store) == (f"{scheme}://bucket/crm/interactions.ducklake.files", lake.fs)
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("name", "more"), [("ducklake:", ""), ("ducklake:crm", " duckdb-extension-postgres-scanner==.*")]
)
def test_a_duckdb_without_the_extension_says_what_to_install(local, define, name, more):
    define("crm", conn_type="postgres", host="127.0.0.1")
    [target] = open_targets(name, "t", local)
    with pytest.raises(ConfigError, match=rf"pip install duckdb==(\S+) duckdb-extension-ducklake==\1{more}\.$"):
        target.prepare()
