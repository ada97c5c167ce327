"""What goes wrong, as a user of Airflow meets it: fail at once or retry, and a message that says what to do."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pendulum
import pytest
import stamina
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from airflow_provider_interactions import errors
from airflow_provider_interactions.operators import (
    ExtractInteractionsOperator,
    ListContactsOperator,
    LoadInteractionsOperator,
    NormalizeInteractionsOperator,
)
from airflow_provider_interactions.runtime.failures import raise_for_airflow
from airflow_provider_interactions.vendors import VENDORS

VENDOR = "dynamics_marketing"
pytestmark = pytest.mark.usefixtures("connection")
DAY = {"params": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}}
WINDOW = "[2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z)"
SECRET = "not-the-secret"


@pytest.fixture(autouse=True)
def _no_waiting():
    stamina.set_testing(True, attempts=2)
    yield
    stamina.set_testing(False)


def every(cls):
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in every(child))]


@pytest.mark.parametrize("cls", every(errors.InteractionsError), ids=lambda cls: cls.__name__)
def test_every_error_fails_now_or_is_retried(cls, caplog):
    error = cls("what happened")
    with pytest.raises((AirflowFailException, errors.InteractionsError)) as raised, raise_for_airflow():
        raise error
    if cls.retry:
        assert raised.value is error
    else:
        assert type(raised.value) is AirflowFailException
        assert str(raised.value) == str(error)
        assert raised.value.__context__ is error
        assert raised.value.__suppress_context__  # a second traceback would hide the sentence
    assert [record.getMessage() for record in caplog.records] == [str(error)]


def test_retried_are_those_that_time_can_cure():
    assert {cls.__name__ for cls in every(errors.InteractionsError) if cls.retry} == {
        "Throttled",
        "Unavailable",
        "LakeUnavailable",
        "LoadError",
    }


def test_facts_are_added_unless_they_are_said_already():
    with (
        pytest.raises(AirflowFailException, match=r"^in window W: no \(connection c\)$"),
        raise_for_airflow("connection c", "window W"),
    ):
        raise errors.ConfigError("in window W: no")


def test_other_errors_pass_untouched():
    with pytest.raises(ZeroDivisionError), raise_for_airflow("x"):
        _ = 1 / 0


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def failing(task, context=DAY):
    with pytest.raises(AirflowFailException) as failure:
        task.execute(context)
    message = str(failure.value)
    assert SECRET not in message
    assert isinstance(failure.value.__context__, errors.InteractionsError | AirflowNotFoundException)
    return failure.value.__context__, message


def extraction(lake, people, **arguments):
    few = {"types": ["EmailSent", "EmailOpened"]}  # what goes wrong goes wrong with two requests a contact, too
    given = {"vendor": VENDOR, "lake": lake, "contacts": people, "options": few, **arguments}
    return ExtractInteractionsOperator(task_id="extract", **given)


CONNECTIONS = {
    "wrong secret": ({"password": SECRET}, {}, errors.AuthRejected, "Check client id and client secret"),
    "unknown tenant": ({}, {"tenant_id": "contoso.example"}, errors.AuthRejected, "Check tenant_id"),
    "unknown extra key": ({}, {"tenant": "x"}, errors.ConfigError, "unknown field `tenant`. Known keys: account,"),
    "no secret": ({"password": ""}, {}, errors.ConfigError, "client secret (password) is empty"),
    "plain http": ({}, {"allow_http": False}, errors.ConfigError, 'set "allow_http": true in the extra'),
}


@pytest.mark.parametrize("name", CONNECTIONS)
@pytest.mark.parametrize("task", ["list", "extract"])
def test_connection_that_cannot_work_fails_at_once(connect, sandbox, lake, people, name, task):
    fields, extra, cls, what = CONNECTIONS[name]
    connect(sandbox.connections[VENDOR], extra=extra, **fields)
    listing = ListContactsOperator(task_id="list", vendor=VENDOR, lake=lake)
    cause, message = failing(listing if task == "list" else extraction(lake, people))
    assert type(cause) is cls
    assert message.startswith("dynamics_marketing: ")
    assert what in message
    assert f"window {WINDOW}" in message
    assert "connection dynamics_marketing_default" in message
    assert sandbox.stats()[VENDOR]["requests"] <= 1  # a refused credential is not tried for every contact


def test_connection_that_is_not_there(lake, people):
    cause, message = failing(extraction(lake, people, conn_id="nobody"))
    assert type(cause) is AirflowNotFoundException
    assert "The conn_id `nobody` isn't defined. Add it under Admin, Connections" in message


def test_unknown_vendor(connection, lake, people):
    cause, message = failing(extraction(lake, people, vendor="nobody", conn_id=connection))
    assert type(cause) is errors.ConfigError
    assert f"There is no vendor 'nobody'. Known are: {', '.join(VENDORS)}" in message


@pytest.mark.parametrize("where", ["host", "authority"])
def test_unreachable_host_is_retried_by_airflow(connect, sandbox, lake, people, where):
    nowhere = f"http://127.0.0.1:{closed_port()}"
    given = sandbox.connections[VENDOR]
    connect(given, **({"host": nowhere} if where == "host" else {"extra": {"authority": nowhere}}))
    with pytest.raises(errors.Unavailable, match=r"cannot be reached\. Check the connection's host") as fault:
        extraction(lake, people).execute(DAY)
    assert str(fault.value).startswith("dynamics_marketing: ")
    assert f"window {WINDOW}" in str(fault.value)


def test_throttling_past_all_patience_is_retried_by_airflow(sandbox, lake, people):
    sandbox.faults([{"kind": "throttle", "retry_after": 100_000, "path": "LoadInteractions"}])
    with pytest.raises(errors.Throttled, match="asks to slow down") as fault:
        extraction(lake, people).execute(DAY)
    assert fault.value.retry_after == 100_000


def test_removed_service_fails_with_the_history_and_the_way_out(sandbox, lake, people):
    sandbox.faults([{"kind": "removed"}])
    cause, message = failing(extraction(lake, people))
    assert type(cause) is errors.ServiceRemoved
    assert "May 2026" in message
    assert "Customer Insights Journeys" in message


WINDOWS = {
    "empty": ("2026-01-02", "2026-01-02", "is empty. Its end must be later than its start."),
    "reversed": ("2026-01-03", "2026-01-02", "ends before it starts. Its end must be later than its start."),
    "naive": (
        "2026-01-02T00:00:00",
        "2026-01-03T00:00:00",
        "has no time zone. Write for example 2026-01-02T00:00:00Z.",
    ),
    "no end": ("2026-01-02", None, "Give start and end, or neither."),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("by", ["arguments", "params"])
def test_window_that_is_none(lake, people, name, by):
    start, end, what = WINDOWS[name]
    given = {"start": start, "end": end}
    task = extraction(lake, people, **(given if by == "arguments" else {}))
    cause, message = failing(task, {"params": given if by == "params" else {}})
    assert type(cause) is errors.ConfigError
    assert what in message


def test_bare_cron_string_says_what_to_write(lake):
    midnight = pendulum.datetime(2026, 1, 2, tz="UTC")
    context = {"params": {}, "data_interval_start": midnight, "data_interval_end": midnight}
    _, message = failing(ListContactsOperator(task_id="list", vendor=VENDOR, lake=lake), context)
    assert 'CronDataIntervalTimetable("@daily", timezone="UTC")' in message


def test_contact_that_is_no_guid_is_named_by_its_place_not_its_text(lake, people):
    cause, message = failing(extraction(lake, [people[0], "ann@example.org"]))
    assert type(cause) is errors.ConfigError
    assert message.startswith("Contact 2 of the list cannot be used. dynamics_marketing: ")
    assert "GUID" in message
    assert WINDOW in message
    assert "ann@" not in message


def test_unknown_option(lake, people):
    _, message = failing(extraction(lake, people, options={"colour": 1}))
    assert "dynamics_marketing: the options cannot be used" in message
    assert "unknown field `colour`" in message


@pytest.mark.parametrize("given", [{}, {"batch": {"path": "x"}}, {"batch": {"path": "x"}, "contacts": []}])
def test_extraction_without_a_batch_of_contacts(lake, given):
    task = ExtractInteractionsOperator(task_id="extract", vendor=VENDOR, lake=lake, **given)
    assert ".expand(batch=" in failing(task)[1]


def test_list_that_a_template_made_a_text(lake):
    assert "render_template_as_native_obj" in failing(extraction(lake, "['a', 'b']"))[1]


def test_list_of_contacts_that_is_gone(lake):
    import shutil

    (batch,) = ListContactsOperator(task_id="list", vendor=VENDOR, lake=lake).execute(DAY)
    shutil.rmtree(f"{lake}/contacts")
    assert "Run the step that lists contacts again" in failing(extraction(lake, None, batch=batch))[1]


def test_lake_that_cannot_be_written(people, tmp_path):
    (tmp_path / "file").write_text("no folder")
    cause, message = failing(extraction(f"{tmp_path}/file/lake", people))
    assert type(cause) is errors.ConfigError
    assert "The lake cannot be read" in message
    assert "Check its address" in message
    assert f"window {WINDOW}" in message
    assert "connection dynamics_marketing_default" in message


@pytest.mark.parametrize(
    ("lake", "what"),
    [
        (None, "set [interactions] lake"),
        ("", "set [interactions] lake"),
        ("nonsense://bucket/path", "The lake at nonsense:// cannot be opened (ValueError). Check the scheme"),
        (
            "oss://bucket/path",
            "The lake at oss:// cannot be opened (ImportError). Check the scheme, and install its driver",
        ),
        (
            "s3://aws_default@bucket/path",
            "An address with a connection (@) also needs Airflow's provider for that scheme.",
        ),
    ],
)
def test_lake_that_is_none(people, lake, what):
    cause, message = failing(extraction(lake, people))
    assert type(cause) is errors.ConfigError
    assert what in message


def test_normalize_without_a_batch(lake):
    cause, message = failing(NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=[]))
    assert type(cause) is errors.Unreconciled
    assert "Check that the step that lists contacts ran" in message


def test_normalize_with_a_batch_missing(lake):
    first, _ = ListContactsOperator(task_id="list", vendor=VENDOR, lake=lake, batch_size=4).execute(DAY)
    manifest = extraction(lake, None, batch=first).execute(DAY)
    _, message = failing(NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=[manifest]))
    assert "so the window is incomplete" in message
    assert f"window {WINDOW}" in message


def bad_records(count, bad, field="InteractionId"):
    """An answer of the action: some records, the first of them without a field."""
    records = [
        {"InteractionId": f"{n:032x}", "InteractionType": "EmailSent", "Timestamp": "2026-01-02T12:00:00Z"}
        for n in range(1, count + 1)
    ]
    for record in records[:bad]:
        del record[field]
    return json.dumps({"NextSkipToken": None, "Data": json.dumps(records)})


def test_records_that_cannot_be_read_are_kept_with_their_reason(sandbox, lake, people):
    import pyarrow.parquet as pq

    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": bad_records(20, 2)}])
    raw = extraction(lake, people[:1], options={"types": ["EmailSent"]}).execute(DAY)
    done = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=raw).execute({})
    assert [done["counts"][name] for name in ("landed", "canonical", "rejected", "repeated")] == [20, 18, 2, 0]
    rejects = pq.read_table(f"{lake}/{done['rejects'][0]['path']}").to_pylist()
    assert {row["reason"] for row in rejects} == {"InteractionId is missing"}
    assert all(b'"Timestamp"' in row["payload"] for row in rejects)


def test_too_many_of_them_fail_the_task(sandbox, lake, people):
    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": bad_records(20, 12)}])
    raw = extraction(lake, people[:1], options={"types": ["EmailSent"]}).execute(DAY)
    cause, message = failing(NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=raw))
    assert isinstance(cause, errors.RecordRejected)
    assert f"12 of 20 records of dynamics_marketing in window {WINDOW} cannot be read" in message
    accepted = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=raw, rejects_share=1.0)
    assert accepted.execute({})["counts"]["canonical"] == 8


def test_records_without_a_time_are_rejected_where_they_were_fetched(sandbox, lake, people):
    import pyarrow.parquet as pq

    body = bad_records(20, 2, "Timestamp")
    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": body}])
    raw = extraction(lake, people[:1], options={"types": ["EmailSent"]}).execute(DAY)
    done = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=raw).execute({})
    names = ("received", "outside", "undated", "fetched", "landed", "canonical", "rejected")
    assert [done["counts"][name] for name in names] == [20, 0, 2, 18, 18, 18, 0]
    rows = pq.read_table(f"{lake}/{done['undated'][0]['path']}").to_pylist()
    assert {row["reason"] for row in rows} == {"Timestamp is missing"}


@pytest.mark.parametrize(("count", "bad", "share"), [(20, 12, 0.9), (10, 10, 1.0)])
def test_too_many_without_a_time_fail_the_extraction(sandbox, lake, people, count, bad, share):
    body = bad_records(count, bad, "Timestamp")
    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": body}])
    chosen = {"options": {"types": ["EmailSent"]}}
    cause, message = failing(extraction(lake, people[:1], **chosen))
    assert type(cause) is errors.TooManyRejects
    assert f"{bad} of {count} records of dynamics_marketing, asked for window {WINDOW}, have no time" in message
    assert f"Timestamp is missing ({bad})" in message
    assert [name for _, _, names in os.walk(f"{lake}/raw") for name in names if "-undated-" in name]
    raw = extraction(lake, people[:1], rejects_share=share, **chosen).execute(DAY)
    assert (raw["counts"]["undated"], raw["counts"]["landed"]) == (bad, count - bad)


def test_malformed_answer_fails(sandbox, lake, people):
    sandbox.faults([{"kind": "status", "status": 200, "path": "LoadInteractions", "body": '{"Data": "[{"}'}])
    cause, message = failing(extraction(lake, people))
    assert type(cause) is errors.BadResponse
    assert message.startswith("dynamics_marketing: ")
    assert f"window {WINDOW}" in message
    assert [path.name for path in Path(lake).iterdir()] == ["ledger"]


def test_database_that_cannot_be_opened_is_retried(lake, people, tmp_path):
    (tmp_path / "not.duckdb").write_text("this is no database, but it is long enough to be taken for one " * 100)
    raw = extraction(lake, people[:1]).execute(DAY)
    manifest = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=raw).execute({})
    task = LoadInteractionsOperator(task_id="load", lake=lake, manifest=manifest, database=f"{tmp_path}/not.duckdb")
    with pytest.raises(errors.LoadError, match=r"DuckDB file.*not\.duckdb.*Check that it is a DuckDB database"):
        task.execute({})


def test_remote_lake_has_no_place_for_a_duckdb_file(people):
    lake = "memory://elsewhere"
    raw = extraction(lake, people[:1]).execute(DAY)
    manifest = NormalizeInteractionsOperator(task_id="normalize", lake=lake, manifests=raw).execute({})
    assert "Give a target" in failing(LoadInteractionsOperator(task_id="l", lake=lake, manifest=manifest))[1]


class TestInTheTaskRunner:
    """The same decisions as Airflow takes them, and what ends up in its logs."""

    @pytest.fixture(autouse=True)
    def _connection_by_the_api_only(self, connection, monkeypatch):
        monkeypatch.delenv(f"AIRFLOW_CONN_{connection.upper()}")

    def run(self, execution_api, given, lake, people, **fields):
        from airflow.sdk import DAG

        api = execution_api(connections={f"{VENDOR}_default": {**given, **fields}})
        with DAG("d", schedule=None):
            task = extraction(lake, people, retries=3)
        return api, api.run(task, max_tries=3)

    def test_what_cannot_succeed_is_not_retried(self, execution_api, sandbox, lake, people, capfd):
        given = sandbox.connections[VENDOR]
        _, result = self.run(execution_api, given, lake, people, password=SECRET)
        assert result.state == "failed"
        logged = "".join(capfd.readouterr())
        assert "Check client id and client secret" in logged
        assert SECRET not in logged

    def test_what_time_can_cure_is_retried(self, execution_api, sandbox, lake, people):
        given, nowhere = sandbox.connections[VENDOR], f"http://127.0.0.1:{closed_port()}"
        _, result = self.run(execution_api, given, lake, people, host=nowhere)
        assert result.state == "up_for_retry"

    def test_success_leaves_no_secret_and_no_person_in_the_log(self, execution_api, sandbox, lake, people, capfd):
        given = sandbox.connections[VENDOR]
        api, result = self.run(execution_api, given, lake, people)
        assert result.state == "success"
        logged = "".join(capfd.readouterr())
        assert "landed" in logged
        assert given["password"] not in logged
        assert not [person for person in people if person in logged]
        assert not [token for token in sandbox._state.sites[VENDOR].tokens._expiry if token in logged]
        assert api.xcom["extract", "return_value", -1]["vendor"] == VENDOR
