"""Both recipes of an image install every extra that their vendors, their lake and their table need.

Which extra is for what is read from the tables of the docs. The table of both is in PostgreSQL.
"""

import re

import pytest
import yaml

from airflow_provider_interactions.vendors import VENDORS


@pytest.fixture(scope="module")
def repository(file):
    return file.parent


@pytest.fixture(scope="module", params=["docker-compose.yaml", "docs/kubernetes/Dockerfile"])
def recipe_and_lake(request, repository, compose):
    """What an image is built of, and the address of the lake that its tasks write to."""
    if request.param == "docker-compose.yaml":
        worker = compose["services"]["worker"]
        return worker["build"]["dockerfile_inline"], worker["environment"]["AIRFLOW__INTERACTIONS__LAKE"]
    values = yaml.safe_load((repository / "docs/kubernetes/values.yaml").read_text())
    return (repository / request.param).read_text(), values["config"]["interactions"]["lake"]


def list_rows(page):
    """The cells of a page's tables, row by row, without the marks of code."""
    return [line.replace("`", "").split(" | ") for line in re.findall(r"^\| (.*) \|$", page.read_text(), re.MULTILINE)]


def find_for_vendors(repository):
    """Extras of the README that lead to a vendor's page."""
    pages = [f"(docs/{vendor}.md)" for vendor in VENDORS]
    rows = list_rows(repository / "README.md")
    return {cells[0] for cells in rows if any(page in cells[1] for page in pages)}


def find_for_lake(repository, lake):
    scheme = lake.partition("://")[0]
    rows = list_rows(repository / "docs/object-stores.md")
    return {cells[2] for cells in rows if cells[1].startswith(f"{scheme}://")}


def find_for_table(repository):
    rows = list_rows(repository / "docs/targets.md")
    return {cells[1] for cells in rows if cells[2] == "a connection of type postgres"}


def test_a_recipe_installs_the_extras_of_all_its_parts(repository, recipe_and_lake):
    recipe, lake = recipe_and_lake
    [extras] = re.findall(r'"/\S+\[([\w,-]+)\]"', recipe)
    parts = [find_for_vendors(repository), find_for_lake(repository, lake), find_for_table(repository)]
    assert all(parts), "the docs name no extra for one of them"
    assert set.union(*parts) <= set(extras.split(","))
