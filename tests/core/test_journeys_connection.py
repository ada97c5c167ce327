"""Customer Insights - Journeys: settings, routes, tokens, and what each step of the Test says."""

import json
import sys
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions import provider_info
from airflow_provider_interactions.contract import Credentials, Response
from airflow_provider_interactions.errors import AuthRejected, ConfigError, RequestRejected, Unavailable, VendorError
from airflow_provider_interactions.schema import CANONICAL
from airflow_provider_interactions.vendors.dynamics_journeys import errors
from airflow_provider_interactions.vendors.dynamics_journeys.about import ABOUT
from airflow_provider_interactions.vendors.dynamics_journeys.auth import auth
from airflow_provider_interactions.vendors.dynamics_journeys.clients import CLIENTS
from airflow_provider_interactions.vendors.dynamics_journeys.columns import PERSON_KINDS
from airflow_provider_interactions.vendors.dynamics_journeys.settings import Settings, choose_scope, locate_tables
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import TYPES, read_published
from airflow_provider_interactions.vendors.dynamics_marketing.errors import PRIVILEGE_CODES

HOST = "https://contoso.crm4.dynamics.com"
GUIDS = {"workspace": "5d1f0a0c-2b64-4c7a-9f3e-0d6a51c2b701", "lakehouse": "9A3C77E261F54E0B8D173F2B6C40E802"}
NAMES = {"workspace": "Marketing", "lakehouse": "Journeys"}


def connect(**extra):
    return Credentials(HOST, "app", "hush", Settings(**{"tenant_id": "contoso.com", **extra}))


@pytest.mark.parametrize(
    ("extra", "route", "scope"),
    [
        ({}, "dataverse", f"{HOST}/.default"),
        ({"scope": "x/.default"}, "dataverse", "x/.default"),
        (GUIDS, "onelake", "https://storage.azure.com/.default"),
        ({**NAMES, "scope": "x/.default"}, "onelake", "https://storage.azure.com/.default"),
    ],
)
def test_the_route_follows_from_the_lakehouse_and_has_its_audience(extra, route, scope):
    credentials = connect(**extra)
    assert credentials.settings.route == route
    assert choose_scope(credentials) == scope
    assert auth(credentials).ask.form["scope"] == scope


@pytest.mark.parametrize(
    ("extra", "place"),
    [
        (GUIDS, ("5d1f0a0c-2b64-4c7a-9f3e-0d6a51c2b701", "9a3c77e2-61f5-4e0b-8d17-3f2b6c40e802/Tables")),
        (NAMES, ("Marketing", "Journeys.Lakehouse/Tables")),
        ({**NAMES, "lakehouse": "Journeys.Lakehouse", "schema": "dbo"}, ("Marketing", "Journeys.Lakehouse/Tables/dbo")),
    ],
)
def test_where_a_lakehouse_has_its_tables(extra, place):
    assert locate_tables(Settings(**extra)) == place


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"workspace": "Marketing"}, r"workspace and lakehouse.*Filled in: workspace\."),
        ({"lakehouse": "Journeys"}, r"Filled in: lakehouse\."),
        ({"schema": "dbo"}, r"Filled in: schema\."),
        ({**GUIDS, "lakehouse": "Journeys"}, "GUIDs for both"),
        ({**NAMES, "workspace": "My Marketing"}, "in workspace holds a character"),
        ({**NAMES, "lakehouse": "a/b"}, "in lakehouse holds a character"),
        ({"onelake_endpoint": "onelake.dfs.fabric.microsoft.com"}, "onelake_endpoint must be a full URL"),
        ({"storage_endpoint": "http://127.0.0.1"}, "storage_endpoint is plain http"),
    ],
)
def test_settings_that_are_not_one_whole_route_are_named(extra, message):
    with pytest.raises(ConfigError, match=message):
        Settings(**extra)


@pytest.mark.parametrize(
    ("extra", "missing"), [({"tenant_id": None}, "tenant_id"), ({"credential": "certificate"}, "certificate_path")]
)
@pytest.mark.parametrize("route", [{}, GUIDS])
def test_a_missing_field_is_named_on_either_route(route, extra, missing):
    with pytest.raises(ConfigError, match=missing) as error:
        auth(connect(**route, **extra))
    assert "hush" not in str(error.value)


def test_a_workload_identity_comes_from_the_platform(monkeypatch, tmp_path):
    for name in ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="AZURE_FEDERATED_TOKEN_FILE"):
        auth(connect(credential="workload_identity"))
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    found = auth(connect(credential="workload_identity"))
    assert (found.ask, found.has_tokens) == (None, True)


def test_a_workload_identity_whose_token_host_cannot_be_reached(monkeypatch, tmp_path):
    import socket

    (tmp_path / "token").write_text("hush")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    found = auth(connect(credential="workload_identity", authority=f"https://127.0.0.1:{port}"))
    with pytest.raises(Unavailable, match="could not reach the token host"):
        found.acquire()


@pytest.mark.parametrize("credential", ["certificate", "managed_identity", "workload_identity"])
def test_without_azure_identity_the_error_says_what_to_install(monkeypatch, credential):
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ConfigError, match=r"airflow-provider-interactions\[azure\]"):
        auth(connect(credential=credential, certificate_path="/x"))


def test_the_form_has_a_field_for_each_setting():
    fields = provider_info.describe_connection(ABOUT)["conn-fields"]
    assert set(fields) == set(Settings.__struct_fields__)
    assert tuple(ABOUT.person_kinds) == PERSON_KINDS
    assert ABOUT.types == TYPES


def test_personal_fields_are_columns_of_the_tables():
    columns = {one for columns in read_published().values() for one in columns} | {name for name, _ in CLIENTS.values()}
    names = {field.removeprefix("attributes.") for field in ABOUT.personal}
    assert names <= columns
    assert not names & set(CANONICAL.names)


@pytest.mark.parametrize(("step", "seen"), errors.VERDICTS)
def test_each_step_says_what_to_do(step, seen):
    sentence = errors.describe_step(step, seen)
    assert errors.judge_step(step, seen).message == sentence
    assert not sentence.endswith(".")
    assert step in get_args(errors.Step)
    assert seen in get_args(errors.Seen)


def test_the_steps_are_told_apart():
    sentences = {errors.describe_step(*one) for one in errors.VERDICTS}
    same = errors.describe_step("folder", "forbidden") == errors.describe_step("access", "forbidden")
    assert len(sentences) == len(errors.VERDICTS) - same
    assert errors.judge_step("link", "incomplete").retry
    assert not errors.judge_step("tables", "missing").retry


def answer(status, code="", message=""):
    return Response(status, {}, json.dumps({"error": {"code": code, "message": message}}).encode())


@pytest.mark.parametrize("code", sorted(PRIVILEGE_CODES))
def test_a_missing_privilege_is_one_for_the_lake(code):
    error = errors.classify(answer(403, code))
    assert (type(error), error.code, error.status) == (AuthRejected, code, 403)
    assert "Data Lake Folder" in error.message


@pytest.mark.parametrize("message", ["Resource not found for the segment", "no segment 'RetrieveAnalyticsStoreAccess'"])
def test_a_web_api_without_the_functions_is_not_a_service_that_was_removed(message):
    error = errors.classify(answer(404, "0x8006088a", message))
    assert type(error) is RequestRejected
    assert "msdyncrm" not in error.message


@given(st.sampled_from([200, 204, 400, 401, 403, 404, 409, 412, 429, 500, 503]), st.text(max_size=9), st.binary())
def test_no_answer_is_about_one_contact(status, code, body):
    for response in (answer(status, code), Response(status, {}, body)):
        error = errors.classify(response)
        assert error is None or type(error).__mro__[1] is VendorError
