"""An erasure through Airflow: planned, approved and done; what is refused; what is left to find in Airflow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from packaging.version import Version

from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import read_suppression
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize.policy import Action, Policy
from airflow_provider_interactions.normalize.policy_rules import read_key
from airflow_provider_interactions.normalize.window import normalize_run
from airflow_provider_interactions.operators import EraseContactOperator, PlanErasureOperator
from airflow_provider_interactions.person.erasure import read_kept_people
from airflow_provider_interactions.person.receipt import Receipt
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.shell.connections import Connection
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

DAGS = Path(__file__).parents[2] / "dags"
VENDOR = "dynamics_marketing"
WINDOW = Window.of("2026-01-01", "2026-01-08")
SECRET = "the-key-of-hashes-has-thirty-two-bytes-or-more"
KEY = HashKey(SECRET.encode())
KEYS = {"keys_of_hashes": {"conn_type": "generic", "password": SECRET, "extra": {}}}
WAITS = "awaiting_input" if Version(version("apache-airflow")) >= Version("3.3.0a0") else "deferred"
ADA = {"id": "1", "name": "ada"}


@pytest.fixture(scope="module")
def dags():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS, bundle_name="test")
    return {name: bag.dags[name] for name in ("erase_contact", "erase_gone")}


@pytest.fixture
def settings(monkeypatch, lake):
    """The lake and the key, as a deployment has them."""
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__LAKE", lake)
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__SUPPRESSION_CONN_ID", "keys_of_hashes")


def fill(sandbox, lake, vendor, policy=None, **extra):
    """A window of one vendor in the lake, and in its DuckDB file; returns the contacts."""
    known, store = sandbox.connections[vendor], replace(Lake.at(lake), keys=lambda: [KEY])
    credentials = build_credentials(
        VENDORS[vendor], known["host"], known.get("login", ""), known.get("password", ""), {**known["extra"], **extra}
    )
    people = [VENDORS[vendor].contact(text) for text in sandbox.contacts(vendor)]
    options = build_options(VENDORS[vendor], {"types": ["EmailSent", "EmailClicked"]} if vendor == VENDOR else {})
    job = Job(VENDORS[vendor], credentials, store, WINDOW, people, options)
    raw = commit_window(store, [extract(job)])
    done = normalize_run(store, [raw], **({"policy": policy} if policy else {}))
    DuckDBTable(f"{lake}/interactions.duckdb").load(store, done)
    return people


@pytest.fixture
def run(dags, sandbox, execution_api, settings):  # noqa: ARG001 - of the environment
    """Run tasks of an erasure as workers would, with what the form sends; the API and the last result."""

    def start(*tasks, dag="erase_contact", connections=(), approval=ADA, api=None, **conf):
        tree = deepcopy(dags[dag])
        known = {f"{name}_default": connection for name, connection in sandbox.connections.items()}
        given = {**known, **KEYS, **dict(connections)}
        api = api or execution_api(conf={**tree.params.dump(), **conf}, connections=given)
        result = None
        for name in tasks:
            result = api.run(tree.task_dict[name])
            if name == "approve" and result.error is None:
                assert result.state == WAITS
                api.xcom["approve", "return_value", -1] = answer(tree.task_dict[name], approval)
        return api, result

    return start


def answer(task, user):
    """What Airflow's operator returns when a user has answered."""
    event = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": user,
    }
    said = task.execute_complete({}, event)
    return {**said, "responded_at": said["responded_at"].isoformat()}


ALL = ("plan", "approve", "erase")


def find_in(lake, *texts):
    """The files that hold one of some texts, Parquet unpacked; and whether the table does."""
    found = []
    for path in sorted(Path(lake).rglob("*")):
        if path.is_file() and path.suffix != ".duckdb":
            held = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else str(path.read_bytes())
            found += [path.name for text in texts if text in held]
    with duckdb.connect(f"{lake}/interactions.duckdb", read_only=True) as table:
        found += [one for one in texts if one in str(table.execute("FROM interactions").fetchall())]
    return found


def test_a_planned_and_approved_erasure_is_done_and_has_a_receipt(run, sandbox, lake, capfd):
    people = fill(sandbox, lake, VENDOR)
    gone, stays = people[0].id, people[1].id
    assert find_in(lake, gone)
    api, result = run(*ALL, vendor=VENDOR, contacts=[gone])
    assert result.state == "success", result.error
    (question,) = api.questions
    assert f"{VENDOR}: 1 contact_id." in question["body"]
    assert f"Tables: duckdb://{lake}/interactions.duckdb.interactions." in question["body"]
    said = api.xcom["erase", "return_value", -1]
    assert (said["state"], said["approved_by"], said["found"]) == ("complete", "ada", {})
    assert said["erased"]["raw"] > 0
    assert said["tables"][0]["rows"] > 0
    assert find_in(lake, gone) == []
    assert find_in(lake, stays)
    receipt = Lake.at(lake).read(said["receipt"], Receipt)
    assert receipt.approved_by == "ada"
    page = Path(lake, said["receipt"].replace(".json", ".html")).read_text()
    assert "<bdi>ada</bdi>" in page
    assert receipt.people[0].hash in page
    assert not list(Path(lake).glob("erasures/*"))
    told = json.dumps([list(api.xcom.values()), api.rendered, api.labels, api.questions]) + "".join(capfd.readouterr())
    assert gone not in told
    assert receipt.people[0].hash not in told
    assert SECRET not in told


@pytest.mark.parametrize("served", [True, False])
def test_the_task_links_to_the_receipt(run, sandbox, lake, monkeypatch, served):
    """To the plugin's page, if Airflow's configuration says where that is; else to the file."""
    people = fill(sandbox, lake, VENDOR)
    if served:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/a")
    api, _ = run(*ALL, vendor=VENDOR, contacts=[people[0].id])
    name = api.xcom["erase", "return_value", -1]["name"]
    file, page = (
        f"file://{lake}/receipts/{name}.html",
        f"https://airflow.example.com/a/interactions/receipt?name={name}",
    )
    assert api.xcom["erase", "_link_ReceiptLink", -1] == (page if served else file)


@pytest.fixture
def two_persons(sandbox, write_map):
    """The map's rows of two persons, who have one identifier at each vendor."""
    rows = [(f"person-{n}-of-the-map", name, "", "", sandbox.contacts(name)[n]) for n in range(2) for name in VENDORS]
    write_map(rows)
    return rows


@pytest.mark.parametrize("by", ["person_id", "identifier"])
def test_a_person_of_the_map_is_erased_from_all_systems(run, sandbox, lake, two_persons, capfd, by):
    for name in VENDORS:
        fill(sandbox, lake, name)
    mine = [row for row in two_persons if row[0] == two_persons[0][0]]
    api, result = run(*ALL, **{by: mine[0][0] if by == "person_id" else mine[1][4]})
    assert result.state == "success", result.error
    said = api.xcom["erase", "return_value", -1]
    assert said["state"] in ("complete", "found")
    store = replace(Lake.at(lake), keys=lambda: [KEY])
    for row in two_persons:
        contact = VENDORS[row[1]].contact(row[4])
        assert read_suppression(store, row[1]).covers(contact.kind, contact.id) == (row in mine)
        if row in mine and len(row[4]) > 8:
            assert find_in(lake, row[4]) == []
    told = json.dumps([list(api.xcom.values()), api.rendered, api.questions]) + "".join(capfd.readouterr())
    assert not [text for row in two_persons for text in (row[0], row[4]) if len(text) > 8 and text in told]


def test_who_is_erased_is_no_template_field():
    for operator in (PlanErasureOperator, EraseContactOperator):
        assert not {"contacts", "person_id", "identifier"} & set(operator.template_fields)


HASH = "a" * 64


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "Nobody is given. Give one of contacts, person_id, identifier and outcomes"),
        ({"person_id": "a", "identifier": "b"}, "person_id and identifier are given. Give one of"),
        ({"contacts": ["secret-person"]}, "No vendor is given"),
        ({"vendor": VENDOR, "contacts": ["secret-person"]}, "Contact 1 "),
        ({"vendor": "capillary", "contacts": ["secret-person"], "kind": "email"}, "Contact 1 "),
        ({"vendor": VENDOR, "contacts": ["x"], "kind": "email"}, "cannot look contacts up by email"),
        ({"vendor": "which50", "contacts": ["a@b.example", HASH]}, "Contact 2 looks like a hash"),
        ({"vendor": "which50", "contacts": [f"hmac:2026:{HASH}"]}, "Contact 1 looks like a hash"),
        ({"person_id": "secret-person"}, "has no row of this person_id"),
        ({"identifier": "secret-person"}, "Nobody in the map of identities"),
        ({"identifier": HASH}, "looks like a digest"),
        ({"vendor": VENDOR, "contacts": ["secret-person"], "target": ["nobody"]}, "Contact 1 "),
    ],
)
@pytest.mark.usefixtures("two_persons")
def test_bad_input_is_an_error_of_the_plan_that_names_nobody(run, lake, capfd, conf, message):
    _, result = run("plan", **conf)
    assert result.state == "failed"
    assert message in str(result.error)
    assert "secret-person" not in str(result.error) + "".join(capfd.readouterr())
    assert not list(Path(lake).glob("receipts/*"))


def test_an_identifier_of_two_persons_is_refused(run, two_persons, write_map):
    shared = two_persons[0][4]
    write_map([*two_persons, (two_persons[-1][0], *two_persons[0][1:])])
    _, result = run("plan", person_id=two_persons[0][0])
    assert f"in rows of another person in the map of identities, too ({two_persons[0][1]} 1)" in str(result.error)
    assert shared not in str(result.error)
    _, result = run("plan", identifier=shared)
    assert "in rows of more than one person" in str(result.error)


def test_a_map_that_is_missing(run, monkeypatch):
    _, result = run("plan", person_id="a")
    assert "No map of identities is set" in str(result.error)
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__IDENTITIES", "/nowhere/map.parquet")
    _, result = run("plan", person_id="a")
    assert "The map of identities does not exist" in str(result.error)


def test_an_account_of_the_map_is_not_every_account(run, sandbox, lake, two_persons, write_map):
    """The same identifier may be another person's in another account, so the form must say that it is not."""
    for account in ("mine", "another"):
        fill(sandbox, lake, VENDOR, account=account)
    person, gone = two_persons[0][0], two_persons[0][4]
    write_map([(person, VENDOR, "mine", "", gone)])
    _, result = run("plan", person_id=person)
    assert "the lake has 1 other account of that vendor" in str(result.error)
    _, result = run(*ALL, person_id=person, all_accounts=True)
    assert result.state == "success", result.error
    assert find_in(lake, gone) == []


def test_a_key_that_is_absent_or_another_one(run, sandbox, lake, monkeypatch):
    people = fill(sandbox, lake, VENDOR)
    conf = {"vendor": VENDOR, "contacts": [people[0].id]}
    run(*ALL, **conf)
    for connections, message in (
        ({"keys_of_hashes": {**KEYS["keys_of_hashes"], "password": "x" * 40}}, f"with the key of id {KEY.id}, but"),
        ({"keys_of_hashes": {**KEYS["keys_of_hashes"], "password": "short"}}, "Give at least 32 random bytes"),
    ):
        _, result = run("plan", connections=connections, **conf)
        assert message in str(result.error)
    monkeypatch.setenv("AIRFLOW__INTERACTIONS__SUPPRESSION_CONN_ID", "")
    _, result = run("plan", **conf)
    assert "Name a connection that holds one in [interactions] suppression_conn_id" in str(result.error)


@pytest.mark.parametrize("changed", [None, {"chosen_options": ["Reject"]}, {"responded_by_user": None}])
def test_without_an_approval_by_a_user_nothing_happens(run, sandbox, lake, changed):
    """Also if the answer is a default after a timeout."""
    people = fill(sandbox, lake, VENDOR)
    api, _ = run("plan", "approve", vendor=VENDOR, contacts=[people[0].id])
    said = api.xcom.pop(("approve", "return_value", -1))
    if changed:
        api.xcom["approve", "return_value", -1] = said | changed
    _, result = run("erase", api=api)
    assert result.state == "failed"
    assert "Nobody approved this erasure, so nothing was changed" in str(result.error)
    assert find_in(lake, people[0].id)
    assert not Path(lake, "suppression").exists()


def test_others_than_those_of_the_plan_are_not_erased(run, sandbox, lake, two_persons, write_map):
    """The map changes between the approval and the erasure."""
    fill(sandbox, lake, VENDOR)
    person = two_persons[0][0]
    api, _ = run("plan", "approve", person_id=person)
    write_map([*two_persons, (person, VENDOR, "", "", sandbox.contacts(VENDOR)[3])])
    _, result = run("erase", api=api)
    assert "These are not the people of the plan that was approved" in str(result.error)
    assert not Path(lake, "suppression").exists()


def test_a_target_that_refuses_is_named_and_a_retry_ends_it(run, sandbox, lake, two_persons, write_map):
    """Also if the person was removed from the map meanwhile: an erasure that has begun keeps its list until its end."""
    for name in VENDORS:
        fill(sandbox, lake, name)
    database, gone = f"{lake}/interactions.duckdb", two_persons[0][4]
    with duckdb.connect(database) as table:
        table.execute("ALTER TABLE interactions RENAME COLUMN contact_id TO contact_id_kept")
        table.execute("ALTER TABLE interactions ADD COLUMN contact_id INTEGER")
    api, result = run(*ALL, person_id=two_persons[0][0])
    assert result.state == "failed"
    assert "refused the erasure" in str(result.error)
    [path] = Path(lake, "receipts").glob("*.json")
    receipt = Lake.at(lake).read(f"receipts/{path.name}", Receipt)
    assert receipt.state == "failed"
    assert "contact_id" in receipt.failures[0]
    assert receipt.path in str(result.error)
    assert receipt.page in api.xcom["erase", "_link_ReceiptLink", -1]
    assert receipt.failures[0].split(":")[0] in Path(lake, receipt.page).read_text()
    assert read_kept_people(Lake.at(lake), receipt.name)
    assert find_in(lake, gone)
    with duckdb.connect(database) as table:
        table.execute("ALTER TABLE interactions DROP COLUMN contact_id")
        table.execute("ALTER TABLE interactions RENAME COLUMN contact_id_kept TO contact_id")
    write_map(two_persons[len(VENDORS) :])
    api, result = run("erase", api=api)
    assert result.state == "success", result.error
    assert api.xcom["erase", "return_value", -1]["name"] == receipt.name
    assert find_in(lake, gone) == []
    assert read_kept_people(Lake.at(lake), receipt.name) is None


def test_a_file_that_cannot_be_written_again_is_in_the_receipt(run, sandbox, lake):
    people = fill(sandbox, lake, VENDOR)
    file = next(Path(lake, "interactions").rglob("*.parquet"))
    data = file.read_bytes()
    file.write_bytes(data[:-20])
    api, result = run(*ALL, vendor=VENDOR, contacts=[people[0].id])
    assert result.state == "failed"
    assert "The erasure is not complete" in str(result.error)
    file.write_bytes(data)
    api, result = run("erase", api=api)
    assert result.state == "success", result.error
    assert api.xcom["erase", "return_value", -1]["state"] == "complete"
    assert find_in(lake, people[0].id) == []


@pytest.mark.usefixtures("settings")
def test_rows_under_a_policy_are_found_by_its_key(sandbox, lake, connect):
    pseudonyms = {"conn_type": "generic", "login": "2026-11", "password": "s" * 40}
    key = read_key(Connection(conn_id="a", **pseudonyms))
    for name, known in {**KEYS, "pseudonyms": {**pseudonyms, "extra": {}}}.items():
        connect(known, name)
    policy = Policy({"contact_id": Action.HMAC}, {}, key, "digest")
    people = fill(sandbox, lake, VENDOR, policy)
    given = {"vendor": VENDOR, "contacts": [people[0].id], "lake": lake}
    hashed = key.hash(people[0].id.encode())
    assert find_in(lake, hashed)
    with pytest.raises(Exception, match=r"with the key 2026-11"):
        EraseContactOperator(task_id="t", approved_by="ada", **given).execute({})
    done = EraseContactOperator(task_id="t", approved_by="ada", policy_keys=["pseudonyms"], **given).execute({})
    assert done["state"] == "complete"
    assert find_in(lake, hashed, people[0].id) == []


def test_an_erased_person_cannot_be_asked_for(run, sandbox, lake, two_persons, bag):
    for name in VENDORS:
        fill(sandbox, lake, name)
    person, gone = two_persons[0][0], two_persons[0][4]
    api, _ = run(*ALL, person_id=person)
    receipt = api.xcom["erase", "return_value", -1]["name"]
    for dag_id, conf in (
        ("contact_interactions", {"vendor": two_persons[0][1], "contacts": [two_persons[len(VENDORS)][4], gone]}),
        ("person_interactions", {"person_id": person}),
    ):
        dag = deepcopy(bag.dags[dag_id])
        sandbox.reset()
        api.dag_run["conf"] = {**dag.params.dump(), **conf}
        result = api.run(dag.task_dict["answer"])
        assert result.state == "failed"
        assert f"(receipt {receipt}) and is on the suppression list, so the vendor was not asked" in str(result.error)
        assert f"erased on {datetime.now(UTC):%Y-%m-%d} " in str(result.error)
        assert "interactions lift" in str(result.error)
        assert gone not in str(result.error)
        assert sum(vendor["requests"] for vendor in sandbox.stats().values()) == 0
        assert not Path(lake, "requests").exists()


MASK = """
import airflow.settings
from airflow.api_fastapi.logging import decorators
sent = {"contacts": ["a", "b"], "person_id": "c", "identifier": "d", "kind": "e"}
print(decorators.secrets_masker.redact(sent, "conf"))
"""


def test_the_audit_log_of_airflow_hides_the_form_if_it_is_told_so():
    """The page about erasure says so; without the setting, the log has the whole request."""
    name = "AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES"
    page = (DAGS.parent / "docs/erasure.md").read_text()
    words = re.search(rf"^export {name}=(\S+)$", page, re.MULTILINE)[1]
    done = subprocess.run(
        [sys.executable, "-c", MASK], env={**os.environ, name: words}, capture_output=True, text=True, check=True
    )
    hidden = {"contacts": ["***", "***"], "person_id": "***", "identifier": "***", "kind": "e"}
    assert done.stdout.splitlines()[-1] == str(hidden)


class TestGone:
    """Outcomes of a vendor open an erasure that waits."""

    @pytest.fixture
    def gone(self, lake):
        """A lake with one deleted customer of Capillary, one that is unknown there, and others."""
        with serve(SandboxConfig(contacts=8)) as sandbox:
            people = fill(sandbox, lake, "capillary", api="v2")
        return {"deleted": people[6].id, "not_found": people[2].id, "ok": people[0].id}

    def test_nobody_is_erased_before_somebody_approves(self, run, gone, lake):
        api, result = run("plan", "approve", dag="erase_gone")
        assert result.state == WAITS
        assert "capillary: 1 mobile." in api.questions[0]["body"]
        assert find_in(lake, gone["deleted"])
        api, result = run("erase", dag="erase_gone", api=api)
        assert result.state == "success", result.error
        assert find_in(lake, gone["deleted"]) == []
        assert find_in(lake, gone["not_found"])
        assert find_in(lake, gone["ok"])
        assert gone["deleted"] not in json.dumps([list(api.xcom.values()), api.rendered, api.questions])
        _, result = run("plan", dag="erase_gone")
        assert result.state == "skipped", "nobody is left"

    def test_the_example_is_off_until_somebody_switches_it_on(self, dags):
        assert dags["erase_gone"].is_paused_upon_creation
