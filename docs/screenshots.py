"""Walk a newcomer's path in a headless Chromium, time it, and take the pictures of Airflow's UI on the way.

The path: twenty interactions in a terminal, the demo with its UI, the home page, a connection's test, the coverage
page, a gap to fill, one person's request in the form, and its answer. Needs Debian's chromium, and in this Python what
the project does not:

    .uv/bin/uv run --with-requirements .ci/browser.txt python docs/screenshots.py

Names of steps (see `PATH`) as arguments walk these alone, and leave the other pictures as they are. With `--install`,
the path begins with a new virtual environment, into which pip installs this checkout. Without names it then has the
steps of `NEWCOMER`.

Look at every picture before it is committed. What the pictures say is written to `pictures/shown.json`, which a test
compares with the code.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import limited_airflow
from chromium import open_chromium
from newcomer import install, preview, start_demo
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from shown import DAYS, SHOWN, VENDOR, mask_form, mask_log

from airflow_provider_interactions.demo import airflow, request
from airflow_provider_interactions.demo.paths import Paths, prepare_home
from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.scenario import REQUEST
from airflow_provider_interactions.demo.supervisor import Supervisor, supervise
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

PICTURES = Path(__file__).with_name("pictures")
WIDTH, HEIGHT = 1280, 800
#: for dialogs, which scroll what does not fit
TALL = 2200
LARGEST = 200_000
DAG = f"{VENDOR}_interactions"
ERASURE = "erase_contact"
#: the request of a person whose vendor's credentials have expired
FAILED = "request-2"


@dataclass
class Walk:
    """What the steps of the path share, and what their pictures say."""

    processes: Supervisor
    folder: Path
    api: Api = field(default_factory=lambda: Api(""))
    #: the vendor's ids of the contacts
    contacts: Sequence[str] = ()
    shown: dict[str, list[str]] = field(default_factory=dict)

    def note(self, name: str, where: Locator) -> None:
        """Remember what a picture says."""
        lines = map(mask_form, where.inner_text().splitlines())
        self.shown.setdefault(name, []).extend(filter(None, lines))

    def note_log(self, name: str, page: Page) -> None:
        """Remember what the vendor's lines of a log say."""
        lines = [text.partition("\n")[0] for text in page.locator(".event").all_inner_texts()]
        self.shown[name] = [mask_log(line) for line in lines if line and not line.startswith("Task ")]
        assert self.shown[name]

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Ask Airflow until something holds; its database may be locked now and then."""

        def holds() -> bool:
            with suppress(NotReady):
                return reached()
            return False

        self.processes.wait_until(holds, "Airflow did not get there")

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Measure a step."""
        begun = time.monotonic()
        yield
        print(f"{time.monotonic() - begun:6.1f} s  {step}", flush=True)


def fail_request(walk: Walk) -> None:
    """A request that fails, since the connection's secret has expired."""
    known = walk.api.get(f"connections/{VENDOR}_default")
    expired = {**known, "connection_id": f"{VENDOR}_expired", "password": "a-secret-that-has-expired"}
    airflow.create(walk.processes, walk.api, "connections", expired)
    conf = {"vendor": VENDOR, "conn_id": expired["connection_id"], "contacts": [walk.contacts[0]]}
    assert request.ask(walk.processes, walk.api, FAILED, conf) == "failed"


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


def calm(page: Page, url: str, milliseconds: int = 4000) -> None:
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


def opened(page: Page, url: str, button: str) -> Locator:
    """The dialog that a page's button opens."""
    calm(page, url)
    page.get_by_role("button", name=button).first.click()
    page.wait_for_timeout(3000)
    return page.get_by_role("dialog")


def home(page: Page, walk: Walk) -> None:
    """The first page: what ran."""
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
    runs = page.get_by_role("complementary").get_by_role("heading", name="Runs").bounding_box()
    assert runs
    save("coverage", page.screenshot(), (0, 0, WIDTH, int(runs["y"])))


def gap(page: Page, walk: Walk) -> None:
    """A gap that is filled from the coverage page: the day before the first."""
    first = datetime.now(UTC).date() - timedelta(days=DAYS + 1)
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


def trigger_form(page: Page, walk: Walk) -> None:
    """The form of a request for one person; it is sent, and answered."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    dialog = opened(page, f"{walk.api.url}/dags/{request.DAG_ID}", "Trigger")
    dialog.locator("textarea").filter(visible=True).first.fill(walk.contacts[0])
    page.wait_for_timeout(500)
    save("request", dialog.screenshot())
    walk.note("request", dialog)
    dialog.get_by_text("Limits", exact=True).click()
    page.wait_for_timeout(1000)
    walk.note("request", dialog)
    dialog.get_by_role("button", name="Trigger").click()
    dialog.wait_for(state="detached")


def answer(page: Page, walk: Walk) -> None:
    """What the request says once it is answered, without the addresses of the files. The page among them opens."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    def list_answered() -> list[str]:
        runs = walk.api.list_all(f"dags/{request.DAG_ID}/dagRuns", "dag_runs", state="success")
        return [run["dag_run_id"] for run in runs if run["dag_run_id"] != REQUEST]

    walk.wait_until(lambda: bool(list_answered()))
    calm(page, request.build_url(walk.api.url, list_answered()[0]))
    page.keyboard.press("w")  # wrap lines
    page.get_by_text("all time:").first.wait_for()
    page.wait_for_timeout(1000)
    files = page.locator(".event").filter(has_text="parquet: ").bounding_box()
    assert files, "the log names no file"
    save("answer", page.screenshot(), (0, 0, WIDTH, int(files["y"])))
    walk.note_log("answer", page)
    path = page.locator(".event").filter(has_text="page: ").inner_text()
    page.goto(path.removeprefix("page: "))
    page.get_by_role("heading", level=1).wait_for()


def failure(page: Page, walk: Walk) -> None:
    """What a task says that cannot succeed; lines are wrapped since ``answer``."""
    fail_request(walk)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    calm(page, f"{request.build_url(walk.api.url, FAILED)}?log_level=error")
    # Without this, the grid has no column for the newest run.
    drag(page, 315, 415)
    page.get_by_text("was refused").first.evaluate("line => line.scrollIntoView()")
    page.wait_for_timeout(1000)
    trace = page.get_by_text('File "').first.bounding_box()
    assert trace
    save("failure", page.screenshot(), (0, 0, WIDTH, int(trace["y"])))
    walk.note_log("failure", page)


def connection_forms(page: Page, walk: Walk) -> None:
    """The form of a new connection to each vendor, with nothing typed in but its name; of one also its first half."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    for vendor in VENDORS:
        dialog = opened(page, f"{walk.api.url}/connections", "Add Connection")
        named = dialog.get_by_label("Connection ID").or_(dialog.locator("input[name=connection_id]")).first
        named.fill(f"{vendor}_default")
        dialog.get_by_role("combobox").first.click()
        page.keyboard.type(vendor)
        page.wait_for_timeout(500)
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
        if vendor == VENDOR:
            save("connection", dialog.screenshot())
        walk.note(f"connection-{vendor}", dialog)
        dialog.get_by_text("Extra Fields", exact=True).click()
        page.wait_for_timeout(1500)
        save(f"connection-{vendor}", dialog.screenshot())
        walk.note(f"connection-{vendor}", dialog)


def backfill_form(page: Page, walk: Walk) -> None:
    """The form of a backfill."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    dialog = opened(page, f"{walk.api.url}/dags/{DAG}", "Trigger")
    dialog.get_by_text("Backfill", exact=True).first.click()
    page.wait_for_timeout(2000)
    save("backfill-form", dialog.screenshot())
    walk.note("backfill-form", dialog)


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
    event = page.get_by_text("Source:").first.bounding_box()
    assert event
    page.mouse.click(event["x"] + 10, event["y"] + 28)  # unfold what the event says
    page.get_by_text("window_start").first.wait_for()
    save("assets", page.screenshot())


def erasure(page: Page, walk: Walk) -> None:
    """The form of an erasure, what somebody approves, and the receipt."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    airflow.insist(walk.processes, lambda: walk.api.patch(f"dags/{ERASURE}", {"is_paused": False}))
    dialog = opened(page, f"{walk.api.url}/dags/{ERASURE}", "Trigger")
    dialog.get_by_role("combobox").first.click()
    page.keyboard.type(VENDORS[VENDOR].title)
    page.keyboard.press("Enter")
    dialog.locator("textarea").filter(visible=True).first.fill(walk.contacts[3])
    page.wait_for_timeout(500)
    save("erase-form", dialog.screenshot())
    walk.note("erase-form", dialog)
    dialog.get_by_text("Limits", exact=True).click()
    page.wait_for_timeout(1000)
    walk.note("erase-form", dialog)
    dialog.get_by_role("button", name="Trigger").click()
    dialog.wait_for(state="detached")
    *_, run = walk.api.list_all(f"dags/{ERASURE}/dagRuns", "dag_runs", order_by="run_after")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    approve(page, walk, f"{walk.api.url}/dags/{ERASURE}/runs/{run['dag_run_id']}")
    walk.wait_until(lambda: read_state(walk, run["dag_run_id"]) == "success")
    calm(page, f"{walk.api.url}/dags/{ERASURE}/runs/{run['dag_run_id']}/tasks/erase/details")
    page.get_by_role("link", name="Receipt").click()
    page.get_by_role("heading", name="Receipt of an erasure").wait_for()
    hide_folder(page)
    save("erase-receipt", page.screenshot(full_page=True))
    for text in page.locator("h1, h2, dt").all():
        walk.note("erase-receipt", text)


def approve(page: Page, walk: Walk, run: str) -> None:
    """Approve the erasure as a user does, as soon as it waits."""
    task = f"{run}/tasks/approve"
    calm(page, task)
    page.get_by_text("Required Action (1)").click()
    page.get_by_role("button", name="Approve", exact=True).wait_for()
    hide_folder(page)
    bottom = page.get_by_role("button", name="Approve", exact=True).bounding_box()
    assert bottom
    save("erase-approve", page.screenshot(), (0, 0, WIDTH, int(bottom["y"]) + 80))
    for button in page.get_by_role("button", name=re.compile("^(Approve|Reject)$")).all():
        walk.note("erase-approve", button)
    page.get_by_role("button", name="Approve", exact=True).click()


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
        bottom = page.get_by_role("button", name="Approve", exact=True).bounding_box()
        assert bottom
        save("approve", page.screenshot(), (0, 0, WIDTH, int(bottom["y"]) + 80))
        for button in page.get_by_role("button", name=re.compile("^(Approve|Reject)$")).all():
            walk.note("approve", button)
        page.get_by_role("button", name="Approve", exact=True).click()
        limited_airflow.wait_for(walk.processes, api, "large-run", "load", frozenset({"success"}))


def hide_folder(page: Page) -> None:
    """Leave the demo's folder out of a picture: it is another one each time."""
    page.evaluate(
        """() => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode())
                texts.currentNode.data = texts.currentNode.data.replace(/duckdb:\\S*\\//, 'duckdb:…/');
        }"""
    )


def read_state(walk: Walk, run_id: str) -> str:
    """The state of the run of the erasure."""
    return str(walk.api.get(f"dags/{ERASURE}/dagRuns/{run_id}")["state"])


PATH: dict[str, Callable[[Page, Walk], None]] = {
    "the home page": home,
    "a connection's test": connection_test,
    "the coverage page": coverage,
    "a gap is filled": gap,
    "a request's form": trigger_form,
    "a person's answer": answer,
    "a task that failed": failure,
    "connections' forms": connection_forms,
    "a backfill's form": backfill_form,
    "a DAG's grid": grid,
    "an asset": assets,
    "an erasure": erasure,
    "a run that waits": large_run,
}


#: Steps of the path that a newcomer goes, after the preview and the demo.
NEWCOMER = ("the home page", "the coverage page", "a gap is filled", "a request's form", "a person's answer")


def main() -> None:
    """Go the whole path, or the steps that the arguments name."""
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--install", action="store_true", help="begin with a new virtual environment")
    parse.add_argument("steps", nargs="*", metavar="step", help=", ".join(PATH))
    wanted = parse.parse_args()
    steps = wanted.steps or (NEWCOMER if wanted.install else tuple(PATH))
    PICTURES.mkdir(exist_ok=True)
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as folder, supervise(patience=60) as processes:
        walk = Walk(processes, Path(folder))
        with walk.time("all in one piece"):
            go(walk, steps, fresh=wanted.install)
    shown = json.loads(SHOWN.read_text(encoding="utf-8")) | walk.shown
    SHOWN.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def go(walk: Walk, steps: Sequence[str], *, fresh: bool) -> None:
    """Go the steps one after the other, and time each."""
    python = sys.executable
    if fresh:
        with walk.time("the package is installed"):
            python = install(walk.folder / "venv")
    with walk.time("twenty interactions in a terminal"):
        preview(python)
    with walk.time("the demo"):
        walk.api, sandbox = start_demo(walk.processes, walk.folder / "demo", python)
    walk.contacts = sandbox.contacts(VENDOR)
    with open_chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for step in steps:
            with walk.time(step):
                PATH[step](page, walk)


if __name__ == "__main__":
    main()
