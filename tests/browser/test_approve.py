"""A run whose plan is too large, approved or rejected by a person on Airflow's page Required Actions."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from airflow_provider_interactions.demo.paths import Paths, prepare_home
from airflow_provider_interactions.demo.supervisor import supervise
from airflow_provider_interactions.window import Window
from docs.limited_airflow import DAGS, ask, read_states, start, wait_for
from tests.browser.conftest import PATIENCE, look

DAY = Window.day(datetime.now(UTC).date() - timedelta(days=1))


class Limited:
    """An Airflow whose runs wait for a person, and what it has in its lake."""

    def __init__(self, running, paths):
        self.running, self.paths = running, paths
        self.api = start(running, paths, DAY)

    def ask(self, run_id):
        """Start a run, which then waits."""
        ask(self.running, self.api, run_id, DAY)

    def wait_for(self, run_id, task, state):
        """Wait until a task of a run is in a state; returns the states of all its tasks."""
        wait_for(self.running, self.api, run_id, task, frozenset({state}))
        return read_states(self.api, run_id)

    def list_files(self, layer):
        """The files of a layer in the lake."""
        return list((self.paths.lake / layer).rglob("*.parquet"))


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """An Airflow with the DAG of docs/dags."""
    paths = Paths(tmp_path_factory.mktemp("limited"), dags=DAGS)
    with prepare_home(paths), supervise() as running:
        made = Limited(running, paths)
        yield made
        made.api.close()


def respond(chromium, limited, run_id, choice):
    """Find the run on the page Required Actions, read its plan, and press a button."""
    # While SQLite is busy, Airflow answers 503 or 500, and the page tries again.
    with look(chromium, limited.api.url, 1280, "light", expected=("503", "500")) as page:
        page.goto(f"{limited.api.url}/auth/login")  # the demo's Airflow lets everybody in
        page.goto(f"{limited.api.url}/required_actions")
        row = page.get_by_role("row").filter(has_text=run_id)
        row.get_by_role("link", name="more than 100 requests").click()
        for begin in ("The run would send", "a run for each window", "a scheduled run takes"):
            page.locator("p").filter(has_text=re.compile(f"^{begin}")).wait_for()
        page.get_by_role("button", name=choice, exact=True).click()
        buttons = page.get_by_role("button", name=re.compile("^(Approve|Reject)$"))
        expect(buttons.and_(page.locator(":enabled"))).to_have_count(0, timeout=PATIENCE)


def test_a_rejected_run_is_skipped(chromium, limited):
    limited.ask("too-large")
    respond(chromium, limited, "too-large", "Reject")
    states = limited.wait_for("too-large", "load", "skipped")
    skipped = dict.fromkeys(("extract", "normalize", "load"), "skipped")
    assert states == {"list_contacts": "success", "approve": "success", **skipped}
    assert limited.list_files("raw") == []


def test_an_approved_run_goes_on(chromium, limited):
    limited.ask("as-wanted")
    assert limited.list_files("raw") == [], "nothing is read before a person has answered"
    respond(chromium, limited, "as-wanted", "Approve")
    states = limited.wait_for("as-wanted", "load", "success")
    assert set(states.values()) == {"success"}
    assert limited.list_files("interactions")
