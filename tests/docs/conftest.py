"""The pages, cut into what can be checked; a table of all vendors; and two processes that start early.

Importing Airflow takes seconds, and so does the contract suite: both run beside the other tests.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
sys.path.insert(0, str(DOCS))

import example
import make

from airflow_provider_interactions.sandbox import Sandbox, SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS
from tests.vendor_week import load_week

#: Every page by its path from the folder docs: ``airflow.md``, ``reference/hooks.md``, ``../README.md``.
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in make.find_pages().values()} | {
    "../README.md": (REPOSITORY / "README.md").read_text(encoding="utf-8")
}
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>\w+: \w+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
#: These need a lake that is filled; other tests run them.
NO_AIRFLOW = ("snippet: digest", "snippet: result")
TYPES = ["EmailSent", "EmailOpened", "FormSubmitted"]


class Block(NamedTuple):
    """A fenced block of a page, and the mark before it."""

    page: str
    mark: str
    language: str
    text: str

    @property
    def name(self):
        """What a failing test shows."""
        return f"{self.page}: {self.mark or self.text.strip().splitlines()[0][:50]}"


def find_blocks(language):
    """Every block in a language; what ``docs/make.py`` wrote is checked by itself."""
    written = {name: make.PART.sub("", page) for name, page in PAGES.items()}
    found = [
        Block(name, block["mark"] or "", block["language"], block["text"])
        for name, page in written.items()
        for block in BLOCK.finditer(page)
    ]
    return [block for block in found if block.language == language]


def pytest_generate_tests(metafunc):
    """``block`` stands for every block of the language that ``@pytest.mark.language`` names."""
    for mark in metafunc.definition.iter_markers("language"):
        metafunc.parametrize("block", [pytest.param(block, id=block.name) for block in find_blocks(mark.args[0])])


def pytest_configure(config):
    """Declare the marker."""
    config.addinivalue_line("markers", "language(name): for every fenced block in this language")


@dataclass(frozen=True)
class Built:
    """A folder as a run leaves it: ``lake/`` and, in it, ``interactions.duckdb``."""

    folder: Path
    sandbox: Sandbox


@pytest.fixture(scope="session", autouse=True)
def in_copy(tmp_path_factory):
    """The contract suite and more, in a copy of the repository that has the example's vendor; one line a test."""
    copy = example.copy_with_example(tmp_path_factory.mktemp("copy"))
    tests = ["tests/contract", "tests/airflow/test_provider_info.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-k", "acme_mail", *tests]
    with run_beside(command, cwd=copy, env=make_environment(PYTHONPATH=str(copy))) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def in_airflow(tmp_path_factory):
    """What ``in_airflow.py`` found about the snippets and commands that need Airflow."""
    home = tmp_path_factory.mktemp("airflow")
    asked = {
        "snippets": {block.name: block.text for block in find_blocks("python") if block.mark not in NO_AIRFLOW},
        "commands": [
            line for block in find_blocks("bash") for line in split_commands(block.text) if line[0] == "airflow"
        ],
        "dags": str(REPOSITORY / "dags"),
    }
    (home / "asked.json").write_text(json.dumps(asked))
    settings = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(Path(__file__).with_name("in_airflow.py")), str(home / "asked.json")]
    with run_beside(command, cwd=home, env=make_environment(**settings)) as running:
        yield running


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A week of all vendors in one table, the third day loaded once more a day later."""
    folder = tmp_path_factory.mktemp("built")
    config = SandboxConfig(contacts=3, options={"dynamics_marketing": {"types": TYPES}})
    with serve(config) as sandbox:
        for name in VENDORS:
            options = {"types": TYPES} if name == "dynamics_marketing" else {}
            load_week(sandbox, name, folder / "lake", options)
        yield Built(folder, sandbox)


def make_environment(**more):
    """This process's environment without anything of Airflow, and more."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | more


class run_beside:  # noqa: N801 - used as a function
    """A process that runs beside the tests until one asks for what it wrote."""

    def __init__(self, command, **settings):
        self.folder = settings["cwd"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings
        )
        self.output = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def wait_for_output(self):
        """Everything it wrote, once it has ended."""
        if self.output is None:
            self.output, _ = self.process.communicate(timeout=120)
        return self.output


def split_commands(text):
    """The commands of a block as lists of words; one may go over several lines inside quotes."""
    import shlex

    found, pending = [], ""
    for line in text.splitlines():
        pending = f"{pending}\n{line}" if pending else line
        if pending.startswith("#"):
            pending = ""
            continue
        try:
            words = shlex.split(pending)
        except ValueError:
            continue  # a quote is still open
        if words:
            found.append(words)
        pending = ""
    assert not pending, f"a quote is never closed: {pending}"
    return found


@pytest.fixture(scope="session")
def tools():
    """What tests of several modules use."""

    class Tools:
        repository, docs, pages = REPOSITORY, DOCS, PAGES
        blocks, commands = staticmethod(find_blocks), staticmethod(split_commands)
        make_environment = staticmethod(make_environment)
        make, example, walk, no_airflow = make, example, make.walk.WALK, NO_AIRFLOW

    return Tools
