"""What Airflow reads without importing a hook, checked by Airflow's own schema and against what it describes."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import airflow
import jsonschema
import msgspec
import pytest

from airflow_provider_interactions.provider_info import get_provider_info
from airflow_provider_interactions.vendors import VENDORS

INFO = get_provider_info()
TYPES = {entry["connection-type"]: entry for entry in INFO["connection-types"]}
STANDARD = {"description", "host", "port", "login", "password", "schema", "extra"}


@pytest.mark.parametrize("name", ["provider_info.schema.json"])
def test_metadata_fits_airflows_schema(name):
    schema = json.loads((Path(airflow.__file__).parent / name).read_text())
    jsonschema.Draft7Validator(schema).validate(INFO)


def test_schema_check_can_fail():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate({**INFO, "connection-types": [{"hook-name": "nameless"}]})


def test_every_vendor_has_a_connection_type():
    assert set(TYPES) == set(VENDORS)


@pytest.mark.parametrize("name", TYPES)
def test_hook_is_what_the_metadata_says(name):
    entry = TYPES[name]
    module, _, cls = entry["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), cls)
    assert (hook.conn_type, hook.hook_name) == (name, entry["hook-name"])
    assert hook.default_conn_name == f"{name}_default"
    assert hook(**{hook.conn_name_attr: "mine"}).conn_id == "mine"


@pytest.mark.parametrize("name", TYPES)
def test_form_has_a_field_for_every_setting_and_no_other(name):
    known = {field.name for field in msgspec.structs.fields(VENDORS[name].settings)}
    assert set(TYPES[name]["conn-fields"]) == known


@pytest.mark.parametrize("name", TYPES)
def test_form_fields_may_be_left_empty_and_explain_themselves(name):
    for field in TYPES[name]["conn-fields"].values():
        assert "null" in field["schema"]["type"]
        assert field["label"]
        assert field["description"].endswith(".")


@pytest.mark.parametrize("name", TYPES)
def test_form_shows_the_port_because_the_test_button_needs_it(name):
    behaviour = TYPES[name]["ui-field-behaviour"]
    assert set(behaviour["hidden-fields"]) <= STANDARD - {"port", "host"}
    assert behaviour["placeholders"]["port"] == "443"


def test_listed_modules_exist():
    for kind in ("hooks", "operators"):
        for entry in INFO[kind]:
            for module in entry["python-modules"]:
                import_module(module)


def test_lake_has_a_configured_default():
    from airflow.sdk import conf

    assert conf.get("interactions", "lake", fallback="") == INFO["config"]["interactions"]["options"]["lake"]["default"]


@pytest.mark.parametrize("name", TYPES)
def test_airflow_finds_the_hook_of_the_connection_type(name):
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    assert ProvidersManagerTaskRuntime().hooks[name].hook_class_name == TYPES[name]["hook-class-name"]
