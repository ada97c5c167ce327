"""Steps of docs/screenshots.py: forms, a person's answer, and an erasure."""

from __future__ import annotations

from pictured import DAG, HEIGHT, TALL, WIDTH, Walk, approve_task, calm, drag, hide_folder, open_dialog, save, send_form
from playwright.sync_api import Page
from shown import VENDOR

from airflow_provider_interactions.demo import airflow, request
from airflow_provider_interactions.demo.scenario import REQUEST
from airflow_provider_interactions.vendors import VENDORS

ERASURE = "erase_contact"
#: the request of a person whose vendor's credentials have expired
FAILED = "request-2"


def fail_request(walk: Walk) -> None:
    """A request that fails, since the connection's secret has expired."""
    known = walk.api.get(f"connections/{VENDOR}_default")
    expired = {**known, "connection_id": f"{VENDOR}_expired", "password": "a-secret-that-has-expired"}
    airflow.create(walk.processes, walk.api, "connections", expired)
    conf = {"vendor": VENDOR, "conn_id": expired["connection_id"], "contacts": [walk.contacts[0]]}
    assert request.ask(walk.processes, walk.api, FAILED, conf) == "failed"


def trigger_form(page: Page, walk: Walk) -> None:
    """The form of a request for one person; it is sent, and answered."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    dialog = open_dialog(page, f"{walk.api.url}/dags/{request.DAG_ID}", "Trigger")
    send_form(page, walk, "request", dialog, walk.contacts[0])


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
        dialog = open_dialog(page, f"{walk.api.url}/connections", "Add Connection")
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
    dialog = open_dialog(page, f"{walk.api.url}/dags/{DAG}", "Trigger")
    dialog.get_by_text("Backfill", exact=True).first.click()
    page.wait_for_timeout(2000)
    save("backfill-form", dialog.screenshot())
    walk.note("backfill-form", dialog)


def erasure(page: Page, walk: Walk) -> None:
    """The form of an erasure, what somebody approves, and the receipt."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    airflow.insist(walk.processes, lambda: walk.api.patch(f"dags/{ERASURE}", {"is_paused": False}))
    dialog = open_dialog(page, f"{walk.api.url}/dags/{ERASURE}", "Trigger")
    dialog.get_by_role("combobox").first.click()
    page.keyboard.type(VENDORS[VENDOR].title)
    page.keyboard.press("Enter")
    send_form(page, walk, "erase-form", dialog, walk.contacts[3])
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
    approve_task(page, walk, "erase-approve")


def read_state(walk: Walk, run_id: str) -> str:
    """The state of the run of the erasure."""
    return str(walk.api.get(f"dags/{ERASURE}/dagRuns/{run_id}")["state"])
