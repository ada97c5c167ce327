"""Make the pictures of Airflow's UI: a real Airflow on the sandbox, photographed by a headless Chromium.

Needs Debian's chromium, and in this Python what the project does not. Takes two minutes:

    .uv/bin/uv run --with-requirements .ci/browser.txt python docs/screenshots.py

Look at every picture before it is committed.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from chromium import open_chromium
from PIL import Image
from playwright.sync_api import Locator, Page

from airflow_provider_interactions.demo import airflow, backfill, sandbox_process
from airflow_provider_interactions.demo.paths import Paths, prepare_home
from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.sandbox_process import SandboxProcess
from airflow_provider_interactions.demo.scenario import FIRST
from airflow_provider_interactions.demo.supervisor import Supervisor, supervise
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

PICTURES = Path(__file__).with_name("pictures")
WIDTH, HEIGHT = 1280, 800
#: for dialogs, which scroll what does not fit
TALL = 1900
LARGEST = 200_000
WINDOWS = [Window.day(FIRST + timedelta(days=n)) for n in range(10)]
VENDOR, DAG = "dynamics_marketing", "dynamics_marketing_interactions"
#: requests of people: one that is answered, one whose credentials have expired
ANSWERED, FAILED = "request-4710", "request-4711"


class Silent:
    """Progress that nobody looks at."""

    def show(self, standings: Any) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Say what failed."""
        print(text)


@contextmanager
def running(home: Path) -> Iterator[tuple[Supervisor, SandboxProcess, Api]]:
    """Airflow with four connections that work and one that does not."""
    places = Paths(home)
    with prepare_home(places), supervise() as processes:
        sandbox = sandbox_process.start(processes, places, WINDOWS, 12)
        # A backfill of a paused DAG is safe from a scheduler that dies of runs which a locked database took back.
        paused = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True", "AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}
        given = {**sandbox_process.build_variables(sandbox, places), **paused}
        settings = airflow.build_environment(places, airflow.find_free_port(), given, os.environ)
        api = airflow.start(processes, places, settings, for_people=True)
        for value in sandbox.connections.values():
            known = json.loads(value)
            name = known["conn_type"]
            fields = {**known, "connection_id": f"{name}_default", "port": 443, "extra": json.dumps(known["extra"])}
            insist(processes, lambda fields=fields: api.post("connections", fields))
            if name == VENDOR:
                wrong = {**fields, "connection_id": f"{name}_expired", "password": "a-secret-that-has-expired"}
                insist(processes, lambda wrong=wrong: api.post("connections", wrong))
        yield processes, sandbox, api


def insist(processes: Supervisor, call: Callable[[], Any]) -> None:
    """Call until Airflow's database is not locked."""

    def done() -> bool:
        try:
            call()
        except NotReady:
            return False
        return True

    processes.wait_until(done, "Airflow gave no answer")


def fill(processes: Supervisor, sandbox: SandboxProcess, api: Api, logs: Path) -> None:
    """Let the backfill run, one request that is answered, and one that fails."""
    shown = [source for source in SOURCES if source.dag_id == DAG]
    for source in shown:
        backfill.create(processes, api, source, WINDOWS)
    for dag_id in (*(source.dag_id for source in shown), "contact_interactions"):
        insist(
            processes,
            lambda dag_id=dag_id: api.patch(f"dags/{dag_id}", {"is_paused": False}),
        )
    backfill.watch(processes, api, shown, Silent(), logs)
    contact = sandbox.contacts(VENDOR)[0]
    for run, conn_id, end in ((ANSWERED, f"{VENDOR}_default", "success"), (FAILED, f"{VENDOR}_expired", "failed")):
        conf = {"vendor": VENDOR, "conn_id": conn_id, "contacts": [contact]}
        body = {"dag_run_id": run, "logical_date": None, "conf": conf}
        insist(processes, lambda body=body: api.post("dags/contact_interactions/dagRuns", body))
        where = f"dags/contact_interactions/dagRuns/{run}"
        processes.wait_until(
            lambda where=where, end=end: api.get(where)["state"] == end, f"The run did not end as {end}"
        )


def save(name: str, shot: bytes, box: tuple[int, int, int, int] | None = None) -> None:
    """Write a picture, cut to a box, in few enough colours to be small."""
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture = picture.crop(box) if box else picture
    picture = picture.quantize(128, dither=Image.Dither.NONE)
    path = PICTURES / f"{name}.png"
    picture.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {picture.width} x {picture.height}, {size // 1000} kB")
    assert picture.width <= 1400
    assert size <= LARGEST, f"{path.name} is too large"


def calm(page: Page, url: str, milliseconds: int = 5000) -> None:
    """Open a page and let it finish drawing."""
    page.goto(url)
    page.wait_for_timeout(milliseconds)


def drag(page: Page, here: int, there: int) -> None:
    """Move the line between the two halves of a page."""
    page.mouse.move(here, HEIGHT - 100)
    page.mouse.down()
    page.mouse.move(there, HEIGHT - 100, steps=20)
    page.mouse.up()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)


def connection_forms(page: Page, url: str) -> None:
    """The form of a new connection to each vendor, with nothing typed in but its name; of one also its first half."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    for vendor in VENDORS:
        dialog = opened(page, f"{url}/connections", "Add Connection")
        named = dialog.get_by_label("Connection ID").or_(dialog.locator("input[name=connection_id]")).first
        named.fill(f"{vendor}_default")
        dialog.get_by_role("combobox").first.click()
        page.keyboard.type(vendor)
        page.wait_for_timeout(500)
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
        if vendor == VENDOR:
            save("connection", dialog.screenshot())
        dialog.get_by_text("Extra Fields", exact=True).click()
        page.wait_for_timeout(1500)
        save(f"connection-{vendor}", dialog.screenshot())


def opened(page: Page, url: str, button: str) -> Locator:
    """The dialog that a page's button opens."""
    calm(page, url)
    page.get_by_role("button", name=button).first.click()
    page.wait_for_timeout(3000)
    return page.get_by_role("dialog")


def connection_test(page: Page, url: str) -> None:
    """What Test says of a connection that works, in the list of connections."""
    page.set_viewport_size({"width": WIDTH, "height": 640})
    calm(page, f"{url}/connections")
    row = page.get_by_role("row").filter(has_text=f"{VENDOR}_default")
    row.get_by_role("button", name="Test").first.click()
    page.mouse.move(0, 0)
    page.get_by_text("Test Connection Successful").wait_for(timeout=30_000)
    page.wait_for_timeout(1500)  # it flies in
    save("test", page.screenshot())


def backfill_form(page: Page, url: str) -> None:
    """The form of a backfill."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    dialog = opened(page, f"{url}/dags/{DAG}", "Trigger")
    dialog.get_by_text("Backfill", exact=True).first.click()
    page.wait_for_timeout(2000)
    save("backfill-form", dialog.screenshot())


def trigger_form(page: Page, url: str) -> None:
    """The form of a request for one person."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    dialog = opened(page, f"{url}/dags/contact_interactions", "Trigger")
    dialog.locator("textarea").filter(visible=True).first.fill("5f0c1a34-9c1e-4b8e-8f6b-2d1d3a7c9e10")
    page.wait_for_timeout(500)
    save("request", dialog.screenshot())


def grid(page: Page, url: str) -> None:
    """A DAG whose past was filled."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{url}/dags/{DAG}")
    # The grid has as many columns as there is room for: make some.
    drag(page, 315, 515)
    page.wait_for_timeout(2000)
    save("backfill", page.screenshot())


def answer(page: Page, url: str) -> None:
    """What a request says when it was answered: counts, and where the files are."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{url}/dags/contact_interactions/runs/{ANSWERED}/tasks/answer")
    drag(page, 515, 330)  # where it stood before
    page.keyboard.press("w")  # wrap lines
    page.wait_for_timeout(1000)
    page.get_by_text("all time:").first.evaluate("line => line.scrollIntoView()")
    page.wait_for_timeout(1000)
    save("answer", page.screenshot())


def failure(page: Page, url: str) -> None:
    """What a task says that cannot succeed; lines are wrapped since ``answer``."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{url}/dags/contact_interactions/runs/{FAILED}/tasks/answer?log_level=error")
    said = page.get_by_text("Task failed with exception").first
    said.evaluate("line => line.scrollIntoView()")
    page.wait_for_timeout(1000)
    trace = page.get_by_text('File "').first.bounding_box()
    assert trace
    save("failure", page.screenshot(), (0, 0, WIDTH, int(trace["y"])))


def assets(page: Page, url: str, api: Api) -> None:
    """The assets, and the events of one of them."""
    [found] = [each for each in api.list_all("assets", "assets") if each["name"] == f"interactions_{VENDOR}_loaded"]
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{url}/assets/{found['id']}")
    drag(page, 910, 720)
    page.reload()  # the graph then fits its half again
    page.wait_for_timeout(4000)
    event = page.get_by_text("Source:").first.bounding_box()
    assert event
    page.mouse.click(event["x"] + 10, event["y"] + 28)  # unfold what the event says
    page.wait_for_timeout(1500)
    save("assets", page.screenshot())


def main() -> None:
    """Make all of them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, running(Path(home) / "airflow") as (processes, sandbox, api):
        fill(processes, sandbox, api, Paths(Path(home) / "airflow").airflow / "logs")
        with open_chromium() as browser:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
            url = api.url
            for picture in (connection_forms, connection_test, trigger_form, backfill_form, grid, answer, failure):
                picture(page, url)
            assets(page, url, api)


if __name__ == "__main__":
    main()
