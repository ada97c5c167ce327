"""The shell reads connections as Airflow does, and works in one lake with the operators."""

import json
import string

import pytest
from airflow.sdk import Connection as AirflowConnection
from airflow.sdk.exceptions import AirflowException
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.operators import ExtractInteractionsOperator, ListContactsOperator
from airflow_provider_interactions.postgres_uri import build_libpq_uri
from airflow_provider_interactions.shell.config import Config
from airflow_provider_interactions.shell.connections import Connection, parse_connection
from airflow_provider_interactions.shell.policies import find_policy
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.shell.sources import ContactChoice, open_source, require_contacts
from airflow_provider_interactions.shell.steps import Normalization, extract_windows, normalize_windows
from airflow_provider_interactions.shell.targets import build_address
from airflow_provider_interactions.window import Window

FIELDS = ("conn_id", "conn_type", "host", "login", "password", "schema", "port", "extra")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORD = st.text(string.ascii_lowercase + "-_0123456789", min_size=1, max_size=8).map(lambda text: f"a{text}")
TYPES = st.sampled_from(["which50", "dynamics-marketing", "postgresql", "postgres", "http", "iceberg"]) | WORD
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
CONNECTIONS = st.fixed_dictionaries(
    {"conn_type": TYPES},
    optional={
        **dict.fromkeys(("host", "login", "password", "schema", "description"), TEXT | st.none()),
        "port": st.integers(0, 65_535) | st.integers(1, 9).map(str) | st.none(),
        "extra": st.dictionaries(TEXT, JSON, max_size=3) | st.dictionaries(TEXT, JSON).map(json.dumps) | st.none(),
    },
)
SMALL = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def pick(connection):
    return {name: getattr(connection, name) for name in FIELDS}


def read_by_airflow(value):
    """As Airflow's backend of environment variables reads it."""
    if value.strip().startswith("{"):
        return AirflowConnection.from_json(value.strip(), conn_id="mine")
    return AirflowConnection.from_uri(value.strip(), conn_id="mine")


@SMALL
@given(CONNECTIONS)
def test_json_is_read_as_airflow_reads_it(fields):
    text = json.dumps(fields)
    assert pick(parse_connection("mine", text)) == pick(read_by_airflow(text))


@SMALL
@given(CONNECTIONS)
def test_uris_of_airflow_are_read_as_airflow_reads_them(fields):
    try:
        uri = read_by_airflow(json.dumps(fields)).get_uri()
        expected = pick(read_by_airflow(uri))
    except (ValueError, AirflowException):
        assume(False)
    assert pick(parse_connection("mine", uri)) == expected


PARTS = st.sampled_from(
    ["a", "://", "http://", ":", "@", "/", "?", "#", "%2F", "%20", "__extra__=", "{}", "=", "&", "8", "[", "]", "-"]
)


@SMALL
@given(st.lists(PARTS, max_size=10).map("".join))
def test_any_other_text_is_read_or_refused_as_airflow_does(text):
    try:
        expected = pick(read_by_airflow(text))
    except (ValueError, AirflowException, TypeError):
        with pytest.raises(ConfigError):
            parse_connection("mine", text)
    else:
        assert pick(parse_connection("mine", text)) == expected


@pytest.mark.parametrize("value", ["which50://u:a-secret@h:port", '{"password": "a-secret"', '{"nosuch": "a-secret"}'])
def test_a_wrong_value_is_not_shown(value):
    with pytest.raises(ConfigError) as raised:
        parse_connection("mine", value)
    assert "a-secret" not in f"{raised.value!r} {raised.value.__cause__!r}"
    assert "secret" not in repr(Connection(conn_id="x", password="a-secret", extra="a-secret"))


LOGIN = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)
#: The oldest hook writes these characters of a database's name as they are, so they end the name.
DATABASE = LOGIN.filter(lambda name: not set(name) & set("?#"))


@SMALL
@given(LOGIN, LOGIN, DATABASE, st.none() | st.integers(1, 65_535))
def test_postgresql_is_addressed_as_by_airflows_hook(login, password, schema, port):
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    fields = {"login": login, "password": password, "schema": schema, "port": port, "host": "db.example.org"}
    hook = PostgresHook(connection=AirflowConnection(conn_id="mine", conn_type="postgres", **fields))
    theirs = split_uri(build_libpq_uri(hook.get_uri(), {}))
    assert split_uri(build_libpq_uri(build_address(Connection(conn_id="mine", **fields)), {})) == theirs


def split_uri(uri):
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(uri)
    return parts.scheme, *map(unquote, (parts.username, parts.password, parts.path)), parts.hostname, parts.port


def test_a_window_of_the_shell_and_one_of_the_operators_are_the_same(connection, sandbox, tmp_path):
    """Extracted by both, from the same list, with the same options: the second is no other pipeline's."""
    options, day = {"types": ["EmailSent"]}, Window.of("2026-01-02", "2026-01-03")
    lakes = [Lake.at(str(tmp_path / name)) for name in ("operators", "shell")]
    same = {
        "conn_id": connection,
        "lake": lakes[0].root,
        "start": "2026-01-02",
        "end": "2026-01-03",
        "options": options,
    }
    [batch] = ListContactsOperator(task_id="list", **same).execute({})
    raw = ExtractInteractionsOperator(task_id="extract", batch=batch, **same).execute({})

    session = Session("extract", as_json=True)
    config = Config(connections={connection: sandbox.connections["dynamics_marketing"]})
    session.__dict__["config"] = config
    source = open_source(session, "dynamics_marketing", connection, ['types=["EmailSent"]'])
    choice = ContactChoice()
    extract_windows(
        session,
        source,
        lakes[1],
        [day],
        require_contacts(source, choice),
        asked=choice.source,
        missing=False,
        refresh=False,
        on_missing="record",
    )
    policy = find_policy(session, "dynamics_marketing", connection, None)
    account = source.credentials.account
    chosen = Normalization(policy=policy)
    normalize_windows(session, lakes[1], "dynamics_marketing", account, [day], chosen, missing=False)
    mine = lakes[1].read(WindowPaths("dynamics_marketing", raw["account"], day).raw_manifest, dict)
    for name in ("vendor", "account", "window_start", "window_end", "asked", "digest"):
        assert mine[name] == raw[name], name
    assert {**mine["counts"], "requests": 0} == {**raw["counts"], "requests": 0}
