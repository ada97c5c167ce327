"""Steps of docs/screenshots.py: pages of Airflow's UI that show what ran, and the coverage page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import limited_airflow
from pictured import DAG, HEIGHT, WIDTH, Walk, approve_task, calm, drag, save
from playwright.sync_api import Page, expect
from shown import DAYS, VENDOR

from airflow_provider_interactions.demo.paths import Paths, prepare_home
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window


def home(page: Page, walk: Walk) -> None:
    """The first page: what ran."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, walk.api.url)
    runs = page.get_by_text("Dag Runs", exact=True).locator("xpath=ancestor::div[contains(., 'Success')][1]")
    counted = re.search(r"(\d+)\s+Success", runs.inner_text())
    assert counted, runs.inner_text()
    assert int(counted[1]) > 0, "the home page counts no run"
    save("home", page.screenshot())


def connection_test(page: Page, walk: Walk) -> None:
    """What Test says of a connection that works, in the list of connections."""
    page.set_viewport_size({"width": WIDTH, "height": 640})
    calm(page, f"{walk.api.url}/connections")
    row = page.get_by_role("row").filter(has_text=f"{VENDOR}_default")
    row.get_by_role("button", name="Test").first.click()
    page.mouse.move(0, 0)
    page.get_by_text("Test Connection Successful").wait_for(timeout=30_000)
    page.wait_for_timeout(1500)  # it flies in
    save("test", page.screenshot())


def coverage(page: Page, walk: Walk) -> None:
    """Which windows of which account are there, and one of them."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{walk.api.url}/interactions/coverage")
    page.get_by_role("button", name="4 weeks").click()
    page.locator(".account").nth(len(VENDORS) - 1).wait_for()
    page.locator(".account").filter(has_text=VENDOR).locator(".cell.complete").last.click()
    panel = page.get_by_role("complementary")
    panel.get_by_role("cell", name="load").wait_for()
    below = panel.bounding_box()
    assert below
    save("coverage", page.screenshot(), (0, 0, WIDTH, int(below["y"] + below["height"]) + 16))


def gap(page: Page, walk: Walk) -> None:
    """A gap that is filled from the coverage page: the day before the first."""
    first = datetime.now(UTC).date() - timedelta(days=DAYS + 1)
    page.set_viewport_size({"width": WIDTH, "height": 680})
    calm(page, f"{walk.api.url}/interactions/coverage")
    page.locator("#filters [name=start]").fill(first.isoformat())
    account = page.locator(".account").filter(has_text=VENDOR)
    account.get_by_role("button", name="Fill the gap").click()
    start = page.get_by_role("button", name="Start the backfill")
    expect(start).to_be_enabled()
    save("gap", page.screenshot())
    walk.note("gap", page.get_by_role("complementary"))
    start.click()
    runs = f"dags/{DAG}/dagRuns"
    walk.wait_until(lambda: [run["state"] for run in walk.api.list_all(runs, "dag_runs")] == ["success"] * (DAYS + 1))
    page.reload()
    page.locator("#filters [name=start]").fill(first.isoformat())
    expect(account.locator(".cell.complete")).to_have_count(DAYS + 1)


def grid(page: Page, walk: Walk) -> None:
    """A DAG whose past was filled."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{walk.api.url}/dags/{DAG}")
    # The grid has as many columns as there is room for: make some.
    drag(page, 315, 515)
    page.wait_for_timeout(2000)
    save("backfill", page.screenshot())
    drag(page, 515, 315)


def assets(page: Page, walk: Walk) -> None:
    """The assets, and the events of one of them."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{walk.api.url}/assets")
    page.get_by_role("link", name=f"interactions_{VENDOR}_loaded").first.click()
    page.wait_for_timeout(4000)
    drag(page, 910, 720)
    page.reload()  # the graph then fits its half again
    page.wait_for_timeout(4000)
    unfold(page)
    page.get_by_text("window_start").first.wait_for()
    save("assets", page.screenshot())


def unfold(page: Page) -> None:
    """Unfold what the first event says. The page draws it anew soon after it is loaded, and folds it again."""
    page.locator(".codicon-folding-collapsed").first.wait_for()
    page.wait_for_timeout(4000)
    page.locator(".codicon-folding-collapsed").first.click()


def large_run(page: Page, walk: Walk) -> None:
    """A run that waits for a person since its plan is too large, in an Airflow with a DAG that has a limit."""
    day = Window.day(datetime.now(UTC).date() - timedelta(days=1))
    paths = Paths(walk.folder / "limited", dags=limited_airflow.DAGS)
    with prepare_home(paths):
        api = limited_airflow.start(walk.processes, paths, day)
        limited_airflow.ask(walk.processes, api, "large-run", day)
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        calm(page, f"{api.url}/required_actions")
        save("required-actions", page.screenshot(), (0, 0, WIDTH, 260))
        page.get_by_role("link", name="requests?").click()
        page.get_by_text("The run would send").wait_for()
        approve_task(page, walk, "approve")
        limited_airflow.wait_for(walk.processes, api, "large-run", "load", frozenset({"success"}))
