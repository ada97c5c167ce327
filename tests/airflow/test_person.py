"""A request about given people through Airflow: the form, what is refused, what comes back, and who learns of whom."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from airflow_provider_interactions import params
from airflow_provider_interactions.errors import Unavailable
from airflow_provider_interactions.operators.person import ContactInteractionsOperator
from airflow_provider_interactions.person.request import split_identifiers
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.capillary import vocabulary as capillary
from airflow_provider_interactions.vendors.dynamics_journeys import vocabulary as dynamics_journeys
from airflow_provider_interactions.vendors.dynamics_marketing import vocabulary as dynamics_marketing
from airflow_provider_interactions.vendors.which50 import vocabulary as which50

DAGS = Path(__file__).parents[2] / "dags"
VENDOR = "dynamics_marketing"
START, END = "1970-01-01", "2100-01-01"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS / "contact_interactions.py", bundle_name="test")
    assert bag.import_errors == {}
    return bag.dags["contact_interactions"]


@pytest.fixture
def run(dag, sandbox, lake, monkeypatch, execution_api):
    """Trigger the DAG with what a form sends; returns the fake API and what the task runner says."""
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", lake)

    class Api(execution_api):
        results = ()

        def _xcom(self, request, path, body):
            if request.url.params.get("dag_result") == "true":
                self.results = (*self.results, path.split("/")[-2:])
            return super()._xcom(request, path, body)

    def trigger(**conf):
        known = {f"{name}_default": connection for name, connection in sandbox.connections.items()}
        api = Api(conf={**dag.params.dump(), **conf}, connections={**known, "mine": known[f"{VENDOR}_default"]})
        api.dag_run |= {
            "logical_date": None,
            "data_interval_start": None,
            "data_interval_end": None,
            "triggering_user_name": "ann",
        }
        return api, api.run(dag.task_dict["answer"])

    return trigger


class TestForm:
    """What people can choose is what the vendors' modules understand."""

    def test_vendors(self):
        assert {name: vendor.title for name, vendor in VENDORS.items()} == params.VENDORS

    def test_kinds(self):
        known = {kind for vendor in VENDORS.values() for kind in vendor.contact_kinds} - {"everyone"}
        assert set(params.KINDS) == known
        for kind, shown in params.KINDS.items():
            vendors = {name for name, vendor in VENDORS.items() if kind in vendor.contact_kinds}
            assert {name for name, title in params.VENDORS.items() if title in shown} == vendors

    def test_types(self):
        words = {
            VENDOR: dynamics_marketing.TYPES,
            "dynamics_journeys": dynamics_journeys.TYPES,
            "which50": which50.KINDS,
            "capillary": capillary.CHANNELS,
        }
        assert {name: set(types) for name, types in params.TYPES.items() if types} == {
            name: set(types) for name, types in words.items()
        }

    def test_form_as_it_opens_lacks_only_the_identifiers(self, dag):
        with pytest.raises(ParamValidationError, match="should be non-empty"):
            dag.params.validate()
        dag.params["contacts"] = ["x"]
        assert dag.params.validate()["vendor"] == VENDOR

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("vendor", "nobody"), ("kind", "shoe_size"), ("contacts", "x"), ("types", [1])),
            *(("start", text) for text in ("yesterday", "1", "2026-01-02T00:00:00", "2026-01-02 noon")),
        ],
    )
    def test_airflow_refuses_what_does_not_fit_the_form(self, dag, name, value):
        from airflow.sdk.exceptions import ParamValidationError

        with pytest.raises(ParamValidationError):
            copy(dag.params.get_param(name)).resolve(value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(
                ("start", text)
                for text in ("2026-01-02", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00.000+05:30", None)
            ),
            *(("kind", kind) for kind in (None, *params.KINDS)),
            *(("types", types) for types in ([], None, ["EmailSent"])),
        ],
    )
    def test_airflow_takes_what_the_form_sends(self, dag, name, value):
        assert copy(dag.params.get_param(name)).resolve(value) == value

    def test_the_kind_nobody_chose_has_a_name(self, dag):
        shown = dag.params.get_param("kind").schema["values_display"]
        assert shown["None"].startswith("The vendor's own id")


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_one_task_answers_for_a_person_of_every_vendor(run, sandbox, lake, name):
    who = sandbox.contacts(name)[0]
    api, result = run(vendor=name, contacts=[who])
    assert result.state == "success", result.error
    told = api.xcom["answer", "return_value", -1]
    expected = sandbox.oracle(name, START, END, contact=who).interactions
    assert told["counts"]["canonical"] == expected > 0
    assert pq.read_metadata(f"{lake}/{told['parquet']['path']}").num_rows == expected
    assert told["addresses"]["page"] == f"file://{lake}/{told['page']['path']}"
    assert "<bdi>ann</bdi>" in Path(lake, told["page"]["path"]).read_text()
    assert told["addresses"]["lines"] == f"file://{lake}/{told['lines']['path']}"
    lines = Path(lake, told["lines"]["path"]).read_text().splitlines()
    assert {json.loads(line)["contact_id"] for line in lines} == {who}


@pytest.mark.parametrize("shared", [True, False])
def test_it_shares_the_limit_of_its_account_if_that_is_switched_on(run, lake, people, monkeypatch, shared):
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__SHARED_LIMIT", str(shared))
    _, result = run(contacts=people[:1])
    assert result.state == "success", result.error
    ledgers = [json.loads(path.read_text()) for path in Path(lake, "limits").rglob("*.json")]
    assert [ledger["entries"] for ledger in ledgers] == ([{}] if shared else [])


def test_its_value_is_the_result_of_the_run(run, people):
    api, _ = run(contacts=people[:1])
    # Airflow 3.2 knows no results, and is told of none.
    known = hasattr(BaseOperator, "returns_dag_result")
    assert api.results == ((["answer", "return_value"],) if known else ())


def test_a_list_of_people_in_one_run(run, sandbox, people):
    api, _ = run(contacts=people, conn_id="mine", start="2026-01-02T00:00:00Z", end="2026-01-04T00:00:00Z")
    told = api.xcom["answer", "return_value", -1]
    expected = [sandbox.oracle(VENDOR, "2026-01-02", "2026-01-04", contact=person).interactions for person in people]
    assert [one["interactions"] for one in told["people"]] == expected
    assert (told["window_start"], told["window_end"]) == ("2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z")


def test_only_some_types(run, sandbox, people):
    chosen = ["EmailSent", "FormVisited"]
    api, _ = run(contacts=people, types=chosen)
    expected = sum(sandbox.oracle(VENDOR, START, END, type=one).interactions for one in chosen)
    assert api.xcom["answer", "return_value", -1]["counts"]["canonical"] == expected > 0


def test_summary_is_in_sentences_with_every_count(run, people, capfd):
    api, _ = run(contacts=[people[0], "00000000-0000-0000-0000-000000000001"])
    told = api.xcom["answer", "return_value", -1]
    text = told["text"].splitlines()
    one = told["people"][0]
    assert text[0] == f"{VENDOR}, all time: {one['interactions']} interactions of 2 contacts."
    assert text[1] == (
        f"contact 1: ok, {one['records']} records: {one['interactions']} interactions, from {one['first']} to "
        f"{one['last']}."
    )
    assert text[2] == "contact 2: not_found (there is no such contact), 0 records: 0 interactions."
    logged = "".join(capfd.readouterr())
    assert all(sentence in logged for sentence in text)
    assert told["addresses"]["parquet"] in logged


def test_nobody_is_named_in_log_xcom_or_rendered_template(run, people, capfd):
    api, result = run(contacts=people)
    assert result.state == "success"
    told = json.dumps([list(api.xcom.values()), api.rendered, api.labels]) + "".join(capfd.readouterr())
    assert not [person for person in people if person in told.lower()]


def test_times_on_the_page_are_in_the_chosen_zone(run, lake, people):
    api, result = run(contacts=people[:1], time_zone="Asia/Kolkata")
    assert result.state == "success", result.error
    page = Path(lake, api.xcom["answer", "return_value", -1]["page"]["path"]).read_text()
    assert "in the time zone Asia/Kolkata" in page
    assert " IST<" in page


WRONG = {
    "no zone": (
        {"contacts": [f"{1:032x}"], "time_zone": "Vienna"},
        "time_zone 'Vienna' is not an IANA time zone. Write for example Europe/Vienna",
    ),
    "no GUID": ({"contacts": ["ann@example.org"]}, "Contact 1 of the list cannot be used"),
    "another vendor's kind": (
        {"contacts": ["1"], "kind": "email"},
        "dynamics_marketing cannot look contacts up by email. Use one of: contact_id (default: contact_id).",
    ),
    "no such day": ({"contacts": [f"{1:032x}"], "start": "2026-02-30"}, "The start cannot be read: '2026-02-30'"),
    "another vendor's type": (
        {"vendor": "which50", "contacts": ["x"], "types": ["EmailSent"]},
        "which50: EmailSent belong to other vendors. Types of which50: email, sms",
    ),
    "types of Luminate": ({"vendor": "luminate_online", "contacts": ["1"], "types": ["sms"]}, "the site's own numbers"),
    "reversed": (
        {"contacts": [f"{1:032x}"], "start": "2026-01-03T00:00:00Z", "end": "2026-01-02T00:00:00Z"},
        "Its end must be later than its start",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_fails_at_once_and_says_so(run, sandbox, lake, what, capfd):
    conf, message = WRONG[what]
    api, result = run(**conf)
    assert result.state == "failed"
    assert isinstance(result.error, AirflowFailException)
    assert message in str(result.error)
    assert "ann@example.org" not in "".join(capfd.readouterr())
    assert sum(vendor["requests"] for vendor in sandbox.stats().values()) == 0
    assert [path.name for path in Path(lake).iterdir()] == ["ledger"]
    assert ("answer", "return_value", -1) not in api.xcom


def test_missing_connection_says_what_to_add(run, people):
    _, result = run(contacts=people, conn_id="nobody")
    assert "The conn_id `nobody` isn't defined. Add it under Admin, Connections" in str(result.error)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"end": "yesterday"}, "The end cannot be read: 'yesterday' is not a valid ISO 8601 time. Write for example"),
        ({"start": "2026-01-02T00:00:00"}, "The start cannot be read: .* Write for example 2026-01-02T00:00:00Z"),
        (
            {"kind": "everyone"},
            r"look contacts up by everyone. Use one of: cons_id, member_id, email \(default: cons_id\)",
        ),
    ],
)
def test_what_no_form_has_checked_is_checked_before_anybody_is_asked(sandbox, connect, lake, given, message):
    connect(sandbox.connections["luminate_online"], "luminate_online_default")
    task = ContactInteractionsOperator(task_id="t", vendor="luminate_online", lake=lake, contacts=["*"], **given)
    with pytest.raises(AirflowFailException, match=message):
        task.execute({"params": {}})
    assert sandbox.stats()["luminate_online"]["requests"] == 0


def test_arguments_come_before_parameters(sandbox, connection, lake, people):
    task = ContactInteractionsOperator(
        task_id="t", vendor=VENDOR, conn_id=connection, lake=lake, contacts=f"{people[0]}\n\n {people[1]} \n"
    )
    told = task.execute({"params": {"vendor": "which50", "contacts": ["x"], "start": None, "types": ["EmailSent"]}})
    expected = sum(
        sandbox.oracle(VENDOR, START, END, contact=person, type="EmailSent").interactions for person in people[:2]
    )
    assert told["counts"] | {"canonical": expected, "contacts": 2} == told["counts"]


def test_what_time_can_cure_is_retried(connection, sandbox, lake, people):
    import stamina

    sandbox.faults([{"kind": "status", "status": 503, "path": "LoadInteractions"}])
    with stamina.set_testing(True, attempts=2), pytest.raises(Unavailable, match="all time"):
        ContactInteractionsOperator(task_id="t", conn_id=connection, lake=lake, contacts=people).execute({"params": {}})


def test_neither_vendor_nor_connection():
    with pytest.raises(AirflowFailException, match="Neither a vendor nor a connection is given"):
        ContactInteractionsOperator(task_id="t", contacts=["x"]).execute({"params": {}})


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, []), ("a\r\n b \n\n", ["a", "b", ""]), (["a", "", " b"], ["a", "", "b"]), ([12, "3"], ["12", "3"])],
)
def test_identifiers_come_as_a_list_or_as_lines(given, expected):
    assert split_identifiers(given) == expected


@pytest.mark.parametrize("given", [{"a": 1}, [None], [["a"]], 7])
def test_identifiers_of_another_shape_are_refused(given):
    with pytest.raises(AirflowFailException, match="contacts must be a list"):
        ContactInteractionsOperator(task_id="t", vendor=VENDOR, contacts=given).execute({"params": {}})


def test_identifiers_are_kept_nowhere_but_in_the_runs_configuration():
    assert "contacts" not in ContactInteractionsOperator.template_fields
