"""docs/models.md: its commands run in a project of a user's, its table of results is what the models give."""

import re
import subprocess

import pytest
import sqlglot
import yaml

from tests.models.conftest import BLOCKS, PAGE, PROJECT, REPOSITORY, Dbt, split_commands

COLUMNS = "vendor, channel, campaign_id, people, sent, delivered, opened, clicked, bounced, unsubscribed, open_rate"
EXCERPT = f"""
    SELECT {COLUMNS}
    FROM (
        SELECT *, row_number() OVER (PARTITION BY vendor ORDER BY people DESC, sent DESC, campaign_id) AS place
        FROM interactions__campaigns WHERE channel = 'email'
    ) AS ranked
    WHERE place <= 2
    ORDER BY vendor, place
"""


def test_the_table_of_results_is_what_the_models_give(built):
    head, rule, *rows = re.search(r"<!-- results: campaigns -->\n\n(.*?)\n\n", PAGE, re.DOTALL)[1].splitlines()
    assert [head, rule] == [f"| {COLUMNS.replace(', ', ' | ')} |", "|" + "---|" * len(COLUMNS.split(", "))]
    found = [
        "| " + " | ".join(spell(row[name]) for name in COLUMNS.split(", ")) + " |"
        for row in built.engine.query(EXCERPT)
    ]
    assert rows == found


def spell(value):
    return value if isinstance(value, str) and not re.fullmatch(r"\d\.\d+", value) else f"{float(value):.6g}"


@pytest.fixture
def project(tmp_path):
    """A dbt project of a user's that has the files as on the page, but the package of this commit."""
    packages = yaml.safe_load(BLOCKS["file: packages"])
    [package] = packages["packages"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    package |= {"git": str(REPOSITORY), "revision": head.stdout.strip()}
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "packages.yml").write_text(yaml.safe_dump(packages))
    mine = {"name": "mine", "profile": "interactions", **yaml.safe_load(BLOCKS["file: variables"])}
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(mine))
    (folder / "profiles.yml").write_text((PROJECT / "profiles.yml").read_text())
    return folder


def test_the_package_in_a_project_reads_the_table_that_variables_name(loaded, project, tmp_path):
    dbt = Dbt(loaded.copy("project"), tmp_path)
    named = yaml.safe_load(BLOCKS["file: variables"])["vars"]
    schema, table = named["interactions_schema"], named["interactions_identifier"]
    dbt.engine.query(f"CREATE SCHEMA {schema}")
    dbt.engine.query(f"CREATE TABLE {schema}.{table} AS SELECT * FROM interactions")
    dbt.engine.query("DROP TABLE interactions")
    dbt.engine.query(f"UPDATE {schema}.{table} SET extracted_at = now()")
    for command, *words in split_commands("project"):
        assert command == "dbt"
        done = dbt.run(*words, project=project, DO_NOT_TRACK="1")
        assert done.returncode == 0, done.stdout
    [channels] = dbt.engine.query("SELECT count(DISTINCT channel) AS n FROM int_interactions__messages")
    assert channels["n"] == len(named["interactions_message_channels"])


def test_the_dag_reads_the_variables_of_the_page():
    dag = (PROJECT / "dags/interactions_models.py").read_text()
    names = {word.partition("=")[0] for _, word in split_commands("airflow")}
    assert {name for name in names if name.startswith("INTERACTIONS")} == set(re.findall(r'get\("(\w+)"', dag))


#: The macro that differs by dialect, and the names under which dbt looks for it.
UTC_DATE = {"snowflake": "snowflake", "bigquery": "bigquery", "databricks": "spark", "redshift": "default"}


@pytest.mark.parametrize("dialect", UTC_DATE)
def test_a_parser_of_the_dialect_takes_the_sql_of_every_model(built, dialect):
    macro = (PROJECT / "macros/interactions_utc_date.sql").read_text()
    written = {
        name: before + "occurred_at" + after
        for name, before, after in re.findall(
            r'macro (\w+)__interactions_utc_date\(column\) %}\s*{{- "(.*?)" ~ column ~ "(.*?)" -}}', macro
        )
    }
    models = (built.folder / "target/compiled/interactions/models").rglob("*.sql")
    compiled = [path for path in models if ".yml" not in str(path)]  # those are tests
    assert len(compiled) == 6
    for path in compiled:
        sql = path.read_text().replace(written["default"], written[UTC_DATE[dialect]])
        sqlglot.parse_one(sql, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert any(written["default"] in path.read_text() for path in compiled)
