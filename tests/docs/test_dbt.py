"""The dbt package says of the table what the schema says; ``.ci/test-models`` runs it."""

import re
from pathlib import Path

import pytest
import yaml

from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS, KEY

PROJECT = Path(__file__).parents[2] / "docs/dbt"
DOC = re.compile(r"{% docs (\w+) %} (.+) {% enddocs %}")
MEANINGS = dict(DOC.findall((PROJECT / "models/docs.md").read_text()))
MODELS = sorted((PROJECT / "models").rglob("*.sql"))


def read(path):
    return yaml.safe_load((PROJECT / path).read_text())


def name_tests(column):
    """The tests of a column: their names, and what they are given."""
    tests = (test if isinstance(test, dict) else {test: {}} for test in column.get("data_tests", ()))
    return {name: given.get("arguments", {}) for test in tests for name, given in test.items()}


def list_meanings(table):
    return [(column["name"], column["description"]) for column in table["columns"]]


def test_every_column_of_the_table_has_the_meaning_of_the_schema():
    assert {name: MEANINGS[name] for name in CANONICAL.names} == {
        field.name: field.metadata[b"meaning"].decode() for field in CANONICAL
    }


def test_source_and_staging_have_the_columns_of_the_table_in_its_order():
    [source] = read("models/staging/src_interactions.yml")["sources"]
    [table] = source["tables"]
    [staging] = read("models/staging/stg_interactions.yml")["models"]
    meanings = [(name, f"{{{{ doc('{name}') }}}}") for name in CANONICAL.names]
    assert list_meanings(table) == meanings
    own = {"person_id": "{{ doc('person') }}"}
    assert list_meanings(staging) == [(name, own.get(name, meaning)) for name, meaning in meanings]
    sql = (PROJECT / "models/staging/stg_interactions__interactions.sql").read_text()
    selected = sql.replace("{{ interactions_person_id() }} as person_id", "person_id")
    assert selected != sql
    assert re.findall(r"^    (\w+),?$", selected, re.MULTILINE) == CANONICAL.names


def test_staging_tests_the_key_the_words_and_what_may_not_be_null():
    [staging] = read("models/staging/stg_interactions.yml")["models"]
    assert name_tests(staging) == {"unique_combination_of_columns": {"combination_of_columns": list(KEY)}}
    words = {"channel": CHANNELS, "action": ACTIONS}
    for column, field in zip(staging["columns"], CANONICAL, strict=True):
        expected = {} if field.nullable and field.name != "person_id" else {"not_null": {}}
        if field.name in words:
            expected["accepted_values"] = {"values": sorted(words[field.name])}
        assert name_tests(column) == expected, field.name


@pytest.mark.parametrize("path", MODELS, ids=[path.stem for path in MODELS])
def test_every_model_and_column_is_described(path):
    described = {
        model["name"]: model
        for file in PROJECT.rglob("*.yml")
        for model in (read(file).get("models") or ())
        if "name" in model
    }
    model = described[path.stem]
    assert model["description"]
    for column in model.get("columns", ()):
        found = re.fullmatch(r"{{ doc\('(\w+)'\) }}", column["description"])
        assert column["description"], column["name"]
        assert found is None or found[1] in MEANINGS, column["name"]


def test_the_project_calls_nobody_and_needs_no_package():
    assert read("dbt_project.yml")["flags"]["send_anonymous_usage_stats"] is False
    assert not [path for path in PROJECT.rglob("*") if path.name in {"packages.yml", "dependencies.yml"}]
