"""What the package index and Airflow's page of providers show: the wheel's metadata."""

import re
from configparser import ConfigParser
from email import message_from_bytes
from importlib.metadata import EntryPoint
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def wheel(tools, tmp_path_factory):
    """The wheel that the README's command builds."""
    builder = WheelBuilder(str(tools.repository))
    [built] = builder.build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    with ZipFile(built) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel):
    """Its metadata: headers, and the long description as the body."""
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(wheel.read(name))


@pytest.fixture(scope="module")
def urls(metadata):
    """The project's addresses by their labels."""
    return dict(line.split(", ", 1) for line in metadata.get_all("Project-URL"))


def test_the_readme_installs_the_wheel_that_it_builds(tools, wheel):
    [named] = re.findall(r"dist/([\w.-]+\.whl)", tools.pages["../README.md"])
    assert wheel.filename.endswith(f"/{named}")


def test_the_long_description_has_no_relative_links(metadata):
    targets = LINK.findall(metadata.get_payload())
    assert len(targets) > 10
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_links_into_the_repository_lead_to_files(tools, metadata, urls):
    targets = [*LINK.findall(metadata.get_payload()), urls["Documentation"], urls["Changelog"]]
    inside = [target.removeprefix(urls["Source"]) for target in targets if target.startswith(urls["Source"])]
    paths = [re.fullmatch(r"/(?:blob|raw)/main/([^#]+)(?:#.*)?", target)[1] for target in inside]
    assert [path for path in paths if not (tools.repository / path).exists()] == []
    assert any(path.endswith(".png") for path in paths)
    others = {target for target in targets if not target.startswith(urls["Source"])}
    assert others == {"https://airflow.apache.org"}


def test_the_project_names_documentation_source_and_changelog(urls):
    assert set(urls) == {"Documentation", "Source", "Changelog"}


def test_the_console_commands_are_installed(wheel):
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    scripts = ConfigParser()
    scripts.read_string(wheel.read(name).decode())
    commands = {command: EntryPoint(command, place, "") for command, place in scripts["console_scripts"].items()}
    assert set(commands) == {"interactions", "interactions-sandbox"}
    assert all(callable(command.load()) for command in commands.values())


def test_the_readmes_figures_are_those_of_the_page_about_speed(tools):
    figures = re.findall(r"(\d[\d,]*) (?:rows/s|rows a CPU second|MB)", tools.pages["../README.md"])
    assert len(figures) == 3
    assert all(re.search(rf"\b{number}\b", tools.pages["speed.md"]) for number in figures)


def test_ci_finds_the_readmes_two_commands(tools):
    script = (tools.repository / ".ci" / "run").read_text()
    wanted = set(re.findall(r"\$\(command_of (\w+)\)", script))
    marks = {block.mark for block in tools.blocks("bash") if block.page == "../README.md" and block.mark}
    assert marks == {f"command: {name}" for name in wanted} == {"command: demo", "command: tests"}


def test_the_readme_lists_every_extra(tools, metadata):
    table = tools.pages["../README.md"].partition("| extra | for |")[2].partition("\n\n")[0]
    first_cells = " ".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE))
    listed = set(re.findall(r"`([\w-]+)`", first_cells))
    assert listed == set(metadata.get_all("Provides-Extra"))
