"""A gap filled from the page inside of a real Airflow: its plan, the backfill, and the cells that turn complete."""

import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from airflow_provider_interactions.demo import airflow, backfill, sandbox_process
from airflow_provider_interactions.demo.paths import Paths, prepare_home
from airflow_provider_interactions.demo.supervisor import supervise
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.window import Window, zulu
from tests.browser.conftest import VIEWS, look
from tests.browser.sight import find_flaws

VENDOR = "dynamics_marketing"
CONTACTS = 12
TODAY = datetime.now(UTC).date()

#: Five days up to yesterday, and those of them that are missing at first.
DAYS = [Window.day(TODAY - timedelta(days=number)) for number in (5, 4, 3, 2, 1)]
GAP = DAYS[2:4]

#: Requests of a backfill that need no confirmation: more than one day takes, and less than the two days of the gap.
LIMIT = 60 * CONTACTS

#: Milliseconds until a backfill has ended, on a busy machine.
PATIENCE = 240_000


class Silent:
    """Progress that nobody looks at."""

    def show(self, statuses):
        """Show nothing."""

    def note(self, text):
        """Let the test's own checks speak."""


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """An Airflow that has read the days around a gap: its processes, and a client that asks it."""
    [source] = [source for source in SOURCES if source.vendor == VENDOR]
    paths = Paths(tmp_path_factory.mktemp("fill"))
    with prepare_home(paths), supervise() as running:
        sandbox = sandbox_process.start(running, paths, DAYS, CONTACTS, realistic=True)
        given = {**sandbox.connections, **sandbox_process.build_variables(sandbox, paths)}
        given["AIRFLOW__INTERACTIONS__MAX_BACKFILL_REQUESTS"] = str(LIMIT)
        settings = airflow.build_environment(paths, airflow.find_free_port(), given, os.environ)
        api = airflow.start(running, paths, settings)
        backfill.create(running, api, source, DAYS[:2])
        backfill.release(api, source)
        backfill.watch(running, api, [source], Silent(), paths.airflow / "logs")
        last = {"dag_id": source.dag_id, **dict.fromkeys(("from_date", "to_date"), zulu(DAYS[-1].start))}
        running.wait_until(lambda: backfill.request_backfill(api, last), "Airflow accepted no backfill")
        backfill.watch(running, api, [source], Silent(), paths.airflow / "logs")
        yield running, api
        api.close()


@pytest.fixture(scope="module")
def url(started):
    """Its address."""
    return started[1].url


def open_framed(page, url, place):
    """The coverage page in Airflow's own frame, over the five days."""
    page.goto(f"{url}/{place}")
    return show_days(page.frame_locator("iframe"))


def open_page(page, url):
    """The coverage page without the frame, over the five days."""
    page.goto(f"{url}/auth/login")  # the demo's Airflow lets everybody in
    page.goto(f"{url}/interactions/coverage")
    return show_days(page)


def show_days(page):
    """The page, once it shows the five days."""
    page.locator(".account").wait_for()
    page.locator("[name=start]").fill(f"{DAYS[0].start:%Y-%m-%d}")
    expect(page.locator("#grid .cell")).to_have_count(len(DAYS))
    return page


def open_gap(frame):
    """The panel of the gap, once its plan is there and Airflow has said that the runs are the missing ones."""
    frame.get_by_role("button", name=f"Fill {len(GAP)} windows").click()
    panel = frame.get_by_role("complementary")
    expect(panel.get_by_role("status")).to_have_text("2 runs")
    panel.get_by_role("table").wait_for()
    return panel


def confirm(panel):
    """Allow what is more than the limit; before that, the backfill cannot be started."""
    start, box = panel.get_by_role("button", name="Start the backfill"), panel.get_by_role("checkbox")
    expect(panel.get_by_text(f"more than the limit of {LIMIT:,}")).to_be_visible()
    expect(start).to_be_disabled()
    box.check()
    expect(start).to_be_enabled()
    box.uncheck()
    expect(start).to_be_disabled()
    box.check()
    return start


def read_states(frame):
    """The states of the cells, by their colours' names."""
    return frame.locator("#grid .cell").evaluate_all("all => all.map((one) => one.classList[1])")


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_plan_of_a_gap(chromium, url, width, scheme):
    with look(chromium, url, width, scheme) as tab:
        page = open_page(tab, url)
        assert read_states(page) == ["complete", "complete", "never", "never", "complete"]
        panel = open_gap(page)
        days, wide = (panel.get_by_role("row").filter(has_text=text) for text in ("A run for each", "One run over"))
        requests = [int(row.locator("td").first.inner_text().replace(",", "")) for row in (days, wide)]
        assert requests[0] == pytest.approx(2 * requests[1], abs=1)
        assert requests[1] >= 40 * CONTACTS, "a request for each contact and type"
        assert "One run is the cheapest" in panel.inner_text()
        assert f"start {zulu(GAP[0].start)} and end {zulu(GAP[-1].end)}" in panel.inner_text()
        assert find_flaws(page) == []


def test_a_dag_shows_its_own_accounts(chromium, url):
    with look(chromium, url, 1280, "light") as page:
        frame = open_framed(page, url, f"dags/{VENDOR}_interactions/plugin/interactions-coverage-dag")
        assert frame.locator(".account").count() == 1


def test_a_gap_is_filled_after_the_backfill_that_runs(chromium, started, url):
    running, api = started
    first = {"dag_id": f"{VENDOR}_interactions", **dict.fromkeys(("from_date", "to_date"), zulu(DAYS[0].start))}
    again = {**first, "reprocess_behavior": "completed"}
    # While SQLite is busy, Airflow answers 503, and while another backfill runs 409: the page tries again.
    with look(chromium, url, 1280, "light", expected=("503", "500", "409")) as page:
        frame = open_framed(page, url, "plugin/interactions-coverage")
        panel = open_gap(frame)
        start = confirm(panel)
        running.wait_until(lambda: backfill.request_backfill(api, again), "Airflow accepted no backfill")
        start.click()
        expect(panel.get_by_role("status")).to_contain_text("This one begins after it.", timeout=PATIENCE)
        expect(panel.get_by_role("status")).to_contain_text("is running", timeout=PATIENCE)
        expect(panel.get_by_role("status")).to_contain_text("has ended", timeout=PATIENCE)
        assert read_states(frame) == ["complete"] * len(DAYS)
        assert frame.get_by_role("button", name=re.compile("^Fill")).count() == 0
