"""The fifth vendor of add-a-vendor.md, in a copy of this repository."""

import re
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def passed_tests(in_copy):
    """The tests that passed on the example's vendor; none may have failed."""
    output = in_copy.wait_for_output()
    assert in_copy.process.returncode == 0, output
    return set(re.findall(r"^PASSED (\S+)", output, re.MULTILINE))


def test_every_interaction_arrives_as_the_oracle_says(passed_tests):
    suite = "tests/contract/test_vendors.py"
    assert f"{suite}::test_every_interaction_arrives_once_and_unchanged[acme_mail]" in passed_tests


def test_the_whole_contract_suite_passes(passed_tests, tools):
    wanted = set(re.findall(r"^def (test_\w+)\(subject[,)]", suite_of(tools), re.MULTILINE))
    needs_tokens = set(re.findall(r'needs\("tokens"\)\ndef (test_\w+)', suite_of(tools)))
    ran = {name for name in wanted if f"tests/contract/test_vendors.py::{name}[acme_mail]" in passed_tests}
    assert ran == wanted - needs_tokens  # a fixed token cannot expire
    assert len(ran) > 12


def suite_of(tools):
    return (tools.repository / "tests/contract/test_vendors.py").read_text()


def test_its_golden_record_and_its_connection_type_pass(passed_tests):
    assert "tests/contract/test_golden.py::test_golden_records[acme_mail]" in passed_tests
    about = {
        name
        for name in passed_tests
        if name.startswith("tests/airflow/test_provider_info.py") and "[acme_mail]" in name
    }
    assert len(about) >= 4


def test_it_is_three_new_files_and_three_changed_ones_and_the_page_links_to_them(tools):
    new = [f"examples/acme_mail/{path.as_posix()}" for path in tools.example.find_new_files()]
    changed = {f"../{edit.file}" for edit in tools.example.read_edits()}
    assert (len(new), len(changed)) == (3, 3)
    links = set(re.findall(r"\]\(([^)#]+)\)", tools.pages["add-a-vendor.md"]))
    assert links >= {*new, *changed, "examples/acme_mail/lines.toml"}


@pytest.mark.parametrize("how", [["check"], ["format", "--check"]])
def test_what_is_added_and_changed_is_in_the_projects_style(tools, in_copy, how):
    names = {path.as_posix() for path in tools.example.find_new_files()} | {
        edit.file for edit in tools.example.read_edits()
    }
    python = sorted(name for name in names if name.endswith(".py"))
    command = [sys.executable, "-m", "ruff", *how, "--no-cache", *python]
    found = subprocess.run(command, cwd=in_copy.folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_an_edit_that_does_not_fit_is_noticed(tools, monkeypatch, tmp_path):
    (tmp_path / "lines.toml").write_text('[[line]]\nfile = "README.md"\nfind = "no such line"\nwrite = ""\n')
    monkeypatch.setattr(tools.example, "EXAMPLE", tmp_path)
    with pytest.raises(ValueError, match="0 times, not once"):
        list(tools.example.read_edits())
