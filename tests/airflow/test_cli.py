"""What ``airflow providers`` says of this package: Airflow's own commands, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_provider_interactions import __version__
from airflow_provider_interactions.provider_info import PACKAGE, get_provider_info

INFO = get_provider_info()
TYPES = {entry["connection-type"]: entry for entry in INFO["connection-types"]}

COMMANDS = {
    "list": ["list"],
    "get": ["get", PACKAGE, "--full"],
    "hooks": ["hooks"],
    "behaviours": ["behaviours"],
    "widgets": ["widgets"],
    "links": ["links"],
    "configs": ["configs"],
}

# All in one process: most of what a command takes is Airflow's start.
CLI = """
import contextlib, io, json, sys
from airflow.cli.cli_parser import get_parser
found = {}
for name, words in json.loads(sys.argv[1]).items():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        arguments = get_parser().parse_args(["providers", *words, "--output", "json"])
        arguments.func(arguments)
    found[name] = out.getvalue()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def outputs():
    command = [sys.executable, "-c", CLI, json.dumps(COMMANDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: json.loads(text[text.index("[") :]) for name, text in found.items()}


def test_it_is_a_provider(outputs):
    (mine,) = (entry for entry in outputs["list"] if entry["package_name"] == PACKAGE)
    assert mine["version"] == __version__
    assert mine["description"] in INFO["description"]


def test_all_of_its_metadata_is_known(outputs):
    (whole,) = outputs["get"]
    text = json.dumps(whole)
    assert not [name for name in TYPES if name not in text]
    assert not [name for entry in INFO["operators"] for name in entry["python-modules"] if name not in text]


def test_every_vendor_has_a_hook(outputs):
    mine = {entry["connection_type"]: entry for entry in outputs["hooks"] if entry["package_name"] == PACKAGE}
    assert set(mine) == set(TYPES)
    for name, entry in mine.items():
        assert (entry["class"], entry["hook_name"]) == (TYPES[name]["hook-class-name"], TYPES[name]["hook-name"])
        assert entry["conn_id_attribute_name"] == "conn_id"


def test_forms_have_their_labels_and_fields(outputs):
    assert set(TYPES) <= {entry["field_behaviours"] for entry in outputs["behaviours"]}
    fields = {entry["connection_parameter_name"] for entry in outputs["widgets"]}
    expected = {f"extra__{name}__{field}" for name, entry in TYPES.items() for field in entry["conn-fields"]}
    assert expected <= fields


def test_links_and_configuration(outputs):
    assert set(INFO["extra-links"]) <= {entry["extra_link_class_name"] for entry in outputs["links"]}
    configured = dict(entry["provider_config"] for entry in outputs["configs"])
    assert set(configured[PACKAGE]["interactions"]["options"]) == set(INFO["config"]["interactions"]["options"])
