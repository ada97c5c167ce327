"""dbt's own tests and its check of freshness fail on what they are for, on each database."""

import json
import re

import pytest

from airflow_provider_interactions.schema import CANONICAL
from tests.models.conftest import PROJECT, Dbt


def copy_row(**changed):
    """A statement that inserts one row again, with other values."""
    names = ", ".join(f'"{name}"' for name in CANONICAL.names)
    values = ", ".join(changed.get(name, f'"{name}"') for name in CANONICAL.names)
    return f"INSERT INTO interactions ({names}) SELECT {values} FROM interactions LIMIT 1"


#: A statement that breaks a table, and the beginnings of the names of the tests that must notice it.
STAGING, TIMELINE, CAMPAIGNS = (
    "stg_interactions__interactions",
    "interactions__person_timeline",
    "interactions__campaigns",
)
UNIQUE = "unique_combination_of_columns"
BROKEN_ROWS = {
    copy_row(): (f"{UNIQUE}_{STAGING}", f"{UNIQUE}_interactions__events"),
    copy_row(interaction_id="'new-1'", channel="'fax'"): (f"accepted_values_{STAGING}_channel",),
    copy_row(interaction_id="'new-2'", action="'teleported'"): (f"accepted_values_{STAGING}_action",),
    copy_row(interaction_id="'new-3'", contact_id="NULL"): (
        f"not_null_{STAGING}_contact_id",
        f"not_null_{STAGING}_person_id",
        f"not_null_{TIMELINE}_person_id",
    ),
}
BROKEN_MODELS = {
    f"INSERT INTO {CAMPAIGNS} SELECT * FROM {CAMPAIGNS}": (f"{UNIQUE}_{CAMPAIGNS}",),
    f"UPDATE {CAMPAIGNS} SET open_rate = 1.5": (f"between_zero_and_one_{CAMPAIGNS}_open_rate",),
    "UPDATE interactions__daily_engagement SET sent = sent + 1": ("funnel_counts_every_message",),
}


def test_broken_rows_and_models_fail_the_tests_that_are_for_them(loaded, tmp_path):
    dbt = Dbt(loaded.copy("broken"), tmp_path)
    for name in CANONICAL.names:  # DuckDB's table would refuse a null by itself
        dbt.engine.query(f'ALTER TABLE interactions ALTER COLUMN "{name}" DROP NOT NULL')
    for statement in BROKEN_ROWS:
        dbt.engine.query(statement)
    done = dbt.run("run")
    assert done.returncode == 0, done.stdout
    for statement in BROKEN_MODELS:
        dbt.engine.query(statement)
    assert dbt.run("test").returncode == 1
    failed = sorted(name for name, status in dbt.read_statuses().items() if status != "pass")
    expected = sorted(name for names in (BROKEN_ROWS | BROKEN_MODELS).values() for name in names)
    assert [next((one for one in expected if name.startswith(one)), name) for name in failed] == expected


def test_freshness_is_judged_by_the_newest_extraction(loaded, tmp_path):
    dbt = Dbt(loaded.copy("fresh"), tmp_path)
    newest = "interaction_id IN (SELECT max(interaction_id) FROM interactions)"
    # What is too old is the same on each database: only the newest extraction is asked for in its own SQL.
    states = {96: "error", 48: "warn", 1: "pass"} if dbt.engine.name == "duckdb" else {48: "warn"}
    for hours, status in states.items():
        dbt.engine.query(f"UPDATE interactions SET extracted_at = now() - interval '{hours} hours' WHERE {newest}")
        assert (dbt.run("source", "freshness").returncode == 0) == (status != "error")
        [found] = json.loads((tmp_path / "target/sources.json").read_text())["results"]
        assert found["status"] == status


@pytest.mark.parametrize(("loaded", "is_named"), [("duckdb", False), ("postgres", True)], indirect=["loaded"])
def test_a_person_over_vendors_is_named_by_the_column_or_a_variable(loaded, tmp_path, is_named):
    dbt = Dbt(loaded.copy(f"persons{int(is_named)}"), tmp_path)
    if is_named:
        dbt.engine.query("ALTER TABLE interactions ADD COLUMN customer VARCHAR")
        text = (PROJECT / "dbt_project.yml").read_text()
        given = [
            "--vars",
            json.dumps({"interactions_person_id": re.search(r"(coalesce\(customer.*\))$", text, re.MULTILINE)[1]}),
        ]
    column = "customer" if is_named else "person_id"
    dbt.engine.query(f"UPDATE interactions SET {column} = 'P-1' WHERE vendor IN ('which50', 'capillary')")
    done = dbt.run("run", *(given if is_named else ()))
    assert done.returncode == 0, done.stdout
    [row] = dbt.engine.query("""
        SELECT count(DISTINCT vendor) AS vendors, count(*) AS events, max(event_number) AS last
        FROM interactions__person_timeline WHERE person_id = 'P-1'
    """)
    assert row["vendors"] == 2
    assert row["events"] == row["last"] > 0
    [others] = dbt.engine.query("SELECT count(DISTINCT person_id) AS n FROM interactions__person_timeline")
    assert others["n"] > 2
