"""What follows from the code is up to date, and what is written by hand names only what the code knows."""

import re
from pathlib import Path
from typing import get_args, get_type_hints
from xml.etree import ElementTree as ET

import msgspec
import pytest

from airflow_provider_interactions import contract
from airflow_provider_interactions.lake import storage
from airflow_provider_interactions.provider_info import COMMON
from airflow_provider_interactions.sandbox import LIMITS, FaultRule
from airflow_provider_interactions.schema import ACTIONS, CANONICAL, CHANNELS
from airflow_provider_interactions.vendors import VENDORS

STALE = ("a", "<!-- made: words ACTIONS -->", "<!-- end -->", "b", "<!-- made: limits -->", "x", "<!-- end -->", "c")


def read_field_names(kind):
    return {field.name for field in msgspec.structs.fields(kind)}


def test_nothing_is_out_of_date(tools, capsys):
    assert tools.make.main(["--check"]) == 0, capsys.readouterr().out


def test_what_is_out_of_date_is_noticed_and_mended(tools, monkeypatch, tmp_path, capsys):
    (tmp_path / "page.md").write_text("\n".join(STALE))
    monkeypatch.setattr(tools.make, "DOCS", tmp_path)
    assert tools.make.main(["page", "--check"]) == 1
    assert tools.make.main(["page"]) == 0
    assert tools.make.main(["page", "--check"]) == 0
    page = (tmp_path / "page.md").read_text()
    assert page.startswith("a\n<!-- made: words ACTIONS -->\n\n`blocked`, ")
    assert "\n<!-- end -->\nb\n<!-- made: limits -->\n\n## Limits" in page
    assert page.endswith("<!-- end -->\nc")
    assert "out of date: docs/page.md" in capsys.readouterr().out


def test_every_mark_has_its_maker_and_its_end(tools):
    for name, page in tools.pages.items():
        marks = re.findall(r"<!-- made: ([^>]+) -->", page)
        assert len(marks) == page.count("<!-- end -->") == len(tools.make.PART.findall(page)), name


def test_pictures_are_svg_that_needs_nothing_else(tools):
    for name in tools.make.picture.PICTURES:
        text = (tools.docs / name).read_text()
        root = ET.fromstring(text)
        assert root.tag.endswith("svg")
        assert int(root.get("width")) <= 900
        assert not re.search(r"(href|src|url\((?!#))", text)


def test_a_records_walk_enters_at_most_twelve_files_and_each_exists(tools):
    files = [file for steps in tools.walk.values() for file, _ in steps]
    assert len(files) == len(set(files)) <= 12
    package = tools.repository / "airflow_provider_interactions"
    # Of the vendors that filter by date, this one has every file that the walk names.
    assert [file for file in files if not (package / file.replace("<name>", "luminate_online")).exists()] == []
    assert all(f"`{file}`" in tools.pages["how-it-works.md"] for file in files)


def test_the_data_dictionary_is_whole(tools):
    page = tools.pages["table.md"]
    for word in {*CANONICAL.names, *CHANNELS, *ACTIONS}:
        assert f"`{word}`" in page
    assert LIMITS.rstrip() in tools.pages["sandbox-reference.md"]


@pytest.mark.parametrize("name", VENDORS)
def test_a_page_explains_every_setting_option_and_kind_and_no_other(tools, name):
    vendor, page = VENDORS[name], tools.pages[f"{name}.md"]
    assert (
        set(re.findall(r"^\| extra `(\w+)` \|", page, re.MULTILINE)) == read_field_names(vendor.settings) >= set(COMMON)
    )
    assert read_first_cells(page, "option") == read_field_names(vendor.options)
    if len(vendor.contact_kinds) > 1:
        assert read_first_cells(page, "kind") == set(vendor.contact_kinds)
    assert all(f"`{kind}`" in page for kind in vendor.contact_kinds)
    assert {cell for row in read_first_cells(page, "column") for cell in row.split()} <= set(CANONICAL.names)


def read_first_cells(page, head):
    """The words in the first column of the tables whose head begins like this."""
    tables = re.findall(rf"^\| {head} \|.*\n\|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert tables, head
    return {word for rows in tables for row in rows.splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("name", VENDORS)
def test_a_page_has_the_same_parts_and_says_what_is_unverified(tools, name):
    heads = re.findall(r"^## (.*)$", tools.pages[f"{name}.md"], re.MULTILINE)
    assert heads == [
        f"Connection `{name}`",
        "Contacts and options",
        "The window, and what it costs",
        "What a record becomes",
        "Errors",
        "Not verified",
        "The vendor's limits",
        "Sources",
    ]


def test_every_fault_and_endpoint_of_the_sandbox_is_explained(tools):
    page = tools.pages["sandbox-reference.md"]
    assert read_first_cells(page, "kind") == set(get_args(get_type_hints(FaultRule)["kind"]))
    source = (tools.repository / "airflow_provider_interactions/sandbox/control.py").read_text()
    routes = {
        (method.upper(), re.sub(r"{(\w+)}", r"<\1>", path))
        for method, path in re.findall(r'web\.(get|put|post)\("([^"]+)"', source)
    }
    assert set(re.findall(r"`(GET|PUT|POST) (/_sandbox[\w/<>]*)", page)) == routes


def test_the_fields_of_a_vendor_are_all_explained(tools):
    page = tools.pages["add-a-vendor.md"]
    explained = read_first_cells(page, "field")
    assert explained == set(contract.Vendor.__dataclass_fields__)


def test_every_layer_of_the_lake_is_explained(tools):
    layers = re.findall(r"^    (\w+/vendor=.*)$", storage.__doc__, re.MULTILINE)
    assert len(layers) > 5
    assert set(layers) == set(re.findall(r"^    (\w+/vendor=.*)$", tools.pages["how-it-works.md"], re.MULTILINE))


def test_the_reference_has_every_name_that_is_exported(tools):
    for module, page in (("operators", "operators"), ("hooks", "hooks"), ("sandbox", "sandbox-reference")):
        text = tools.pages[f"reference/{module}.md"] + tools.pages.get(f"{page}.md", "")
        exported = re.findall(r'"(\w+)"', re.search(r"__all__ = \[(.*?)\]", read_package(tools, module), re.DOTALL)[1])
        assert [name for name in exported if name not in text and name != "LIMITS"] == [], module
    classes = re.findall(r"^class (\w+)\(", read_package(tools, "errors"), re.MULTILINE)
    assert [name for name in classes if f"### `{name}`" not in tools.pages["reference/errors.md"]] == []


def read_package(tools, module):
    path = tools.repository / "airflow_provider_interactions" / module
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def test_links_lead_somewhere(tools):
    broken = []
    for name, page in tools.pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", page):
            path, _, anchor = target.partition("#")
            if path.startswith("https://"):
                continue
            file = Path(tools.docs, name).parent / path if path else Path(tools.docs, name)
            if not file.exists() or (anchor and anchor not in find_anchors(file.read_text())):
                broken.append((name, target))
    assert broken == []


def find_anchors(page):
    """The anchors GitHub gives to headings."""
    heads = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_pages_of_docs_are_linked_from_somewhere(tools):
    linked = {
        Path(tools.docs, name).parent.joinpath(target).resolve()
        for name, page in tools.pages.items()
        for target in re.findall(r"\]\(([^)#\s]+)", page)
    }
    assert {Path(tools.docs, name).resolve() for name in tools.pages} <= linked


def test_files_that_pages_name_exist(tools):
    named = re.compile(r"`(?:python )?((?:\.ci|dags|docs|tests)/[\w./-]+|docker-compose\.yaml|pyproject\.toml)`")
    found = {(name, path) for name, page in tools.pages.items() for path in named.findall(page)}
    assert len(found) > 10
    wished = {("add-a-vendor.md", "dags/acme_mail.py")}  # for the reader to write
    there = (tools.repository, tools.example.EXAMPLE)
    assert {one for one in found if not any((folder / one[1]).exists() for folder in there)} <= wished


def test_no_page_names_a_path_of_a_machine(tools):
    for name, page in tools.pages.items():
        assert not re.search(r"/(home|root|work|Users)/\w", page), name
