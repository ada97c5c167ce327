"""The pictures of Airflow's forms show what the code says today.

docs/screenshots.py makes them and writes down what they show.
"""

import json
import re
from datetime import UTC, datetime

import pytest
import shown

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.errors import AuthRejected
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.receipt import HashedPerson, Receipt
from airflow_provider_interactions.person.receipt_page import write_receipt_page
from airflow_provider_interactions.person.report import describe_answer
from airflow_provider_interactions.person.request import answer_request, check_request
from airflow_provider_interactions.provider_info import describe_connection
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS, list_abouts
from tests.docs.conftest import DOCS, PAGES, REPOSITORY

SHOWN = json.loads(shown.SHOWN.read_text(encoding="utf-8"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAKE = "Run docs/screenshots.py (see its first lines), and look at each picture."


def list_missing(picture, texts):
    """The texts that a picture does not show, though the code has them."""
    return [text for text in texts if text and text not in SHOWN[picture]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """The request of the pictures, to the sandbox of the demo; returns the lines of its log."""
    vendor, lake = VENDORS[shown.VENDOR], Lake.at(str(tmp_path_factory.mktemp("lake")))
    with serve(SandboxConfig(contacts=shown.CONTACTS, days=shown.DAYS + 1, realistic=True)) as sandbox:

        def answer(**changed):
            known = sandbox.connections[vendor.name] | changed
            login = known["login"], known["password"]
            credentials = build_credentials(vendor, known["host"], *login, {**known["extra"], "account": "museum"})
            request = check_request(vendor, sandbox.contacts(vendor.name)[:1])
            return [shown.mask_log(line) for line in describe_answer(answer_request(lake, request, credentials))]

        yield answer


def test_the_log_of_an_answer(ask):
    assert [line for line in SHOWN["answer"] if "file://" not in line] == ask(), MAKE


def test_the_log_of_a_failure(ask):
    with pytest.raises(AuthRejected) as refused:
        ask(password="expired")
    assert SHOWN["failure"][0] == f"{shown.mask_log(str(refused.value))} (connection {shown.VENDOR}_expired)", MAKE


@pytest.mark.parametrize("about", list_abouts(), ids=lambda about: about.name)
def test_the_form_of_a_connection(about):
    described = describe_connection(about)
    form, behaviour = described["conn-fields"].values(), described["ui-field-behaviour"]
    texts = [*behaviour["relabeling"].values(), *(field[name] for field in form for name in ("label", "description"))]
    assert len(texts) > 10
    assert list_missing(f"connection-{about.name}", [about.title, *texts]) == [], MAKE


@pytest.mark.parametrize(
    ("picture", "dag_id"),
    [
        ("request", "contact_interactions"),
        ("erase-form", "erase_contact"),
        ("backfill-form", "dynamics_marketing_interactions"),
    ],
)
def test_the_form_of_a_run(picture, dag_id):
    from airflow.dag_processing.dagbag import DagBag

    params = [param for _, param in DagBag(REPOSITORY / "dags", bundle_name="test").dags[dag_id].params.items()]
    sections = [param.schema.get("section", "Run Parameters") for param in params]
    # The script unfolds all sections of a form, but none of the backfill's.
    open_ones = set(sections) if picture != "backfill-form" else {"Run Parameters"}
    fields = [param for param, section in zip(params, sections, strict=True) if section in open_ones]
    texts = [*sections, *(param.schema["title"] for param in fields), *(param.description for param in fields)]
    assert len(texts) > 4
    assert list_missing(picture, texts) == [], MAKE


def test_the_page_of_a_receipt():
    person = HashedPerson(shown.VENDOR, "contact_id", "")
    receipt = Receipt(
        name="", state="complete", approved_by="", key_id="", people=(person,), started_at=NOW, ended_at=NOW
    )
    page = write_receipt_page(receipt)
    assert SHOWN["erase-receipt"] == re.findall(r"<(?:h1|h2|dt)>(.*?)</", page), MAKE


@pytest.mark.parametrize("picture", ["approve", "erase-approve"])
def test_what_an_approval_offers(picture):
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    assert SHOWN[picture] == [ApprovalOperator.APPROVE, ApprovalOperator.REJECT], MAKE


def test_every_picture_is_on_a_page_and_every_page_has_its_pictures():
    files = {path.stem for path in (DOCS / "pictures").glob("*.png")}
    used = {name for page in PAGES.values() for name in re.findall(r"pictures/([\w-]+)\.png", page)}
    assert files == used
    assert set(SHOWN) <= files
