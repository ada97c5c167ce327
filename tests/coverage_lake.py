"""A lake with a window in each state, and web applications on a socket: what tests of the coverage page share."""

import json
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import uvicorn
from fastapi import HTTPException, Request

from airflow_provider_interactions import contract
from airflow_provider_interactions.coverage.ledger import Step, write_step
from airflow_provider_interactions.extract import commit, raw_writer
from airflow_provider_interactions.extract.checkpoint import Checkpoint, CheckpointStore
from airflow_provider_interactions.extract.outcomes import Outcome, judge_rows
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.person.receipt import HashedPerson, Receipt
from airflow_provider_interactions.window import Window

VENDOR = "dynamics_marketing"

#: An account that breaks a page which takes names for markup.
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"
ACCOUNTS = ("https://acme.example", HOSTILE)

#: A person of the rejected record, who must be on no page until somebody asks for records.
PERSON = "jane@example.org"

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day(number):
    """A day so many days ago."""
    start = TODAY - timedelta(days=number)
    return Window(start, start + timedelta(days=1))


def record(number, at):
    fields = {
        "InteractionId": f"{number:032x}",
        "InteractionType": "EmailSent",
        "Timestamp": f"{at:%Y-%m-%dT10:00:00Z}",
    }
    return json.dumps(fields).encode()


def land(lake, account, window, *payloads):
    """A published raw window of one contact."""
    at, place = window.end + timedelta(minutes=5), WindowPaths(VENDOR, account, window)
    query = contract.Query(contract.Contact(PERSON), None, None, "EmailSent")
    with raw_writer.RawWriter(lake, place, Checkpoint(extracted_at=at)) as writer:
        writer.add_page(PageRows(query, "", payloads, [None] * len(payloads)))
        writer.add_outcome(Outcome(PERSON, query.contact.kind, judge_rows(len(payloads)), len(payloads), 1, None))
        found = bool(payloads)
        counts = Counts(
            received=len(payloads), fetched=len(payloads), contacts=1, ok=found, empty=not found, requests=3
        )
        return commit.commit_window(lake, [writer.finish(counts)])


def note(lake, account, window, **facts):
    """A row of the ledger about a window."""
    at = window.end + timedelta(minutes=5)
    known = {"step": "extract", "state": "success", "started_at": at, "ended_at": at, "seconds": 4.2, "requests": 3}
    task = {"dag_id": "a_dag", "run_id": f"scheduled__{window.start.isoformat()}", "task_id": "extract", "attempt": 1}
    about = {"vendor": VENDOR, "account": account, "window_start": window.start, "window_end": window.end}
    write_step(lake, Step(**{**known, **task, **about, **facts}))


def fill(lake, account):
    """Eight days: complete, empty, with a reject, never asked, not normalized, failed, running, complete."""
    bad = json.dumps({"InteractionId": f"{9:032x}", "InteractionType": "EmailSent", "Email": PERSON}).encode()
    normalize(lake, land(lake, account, day(8), record(1, day(8).start), record(2, day(8).start)))
    normalize(lake, land(lake, account, day(7)))
    normalize(lake, land(lake, account, day(6), record(1, day(6).start), bad))
    land(lake, account, day(4), record(1, day(4).start))
    for number, minutes in ((3, 60), (2, 1)):
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        store = CheckpointStore.of(lake, WindowPaths(VENDOR, account, day(number)), "a run")
        lake.publish(f"{store.folder}/state.json", Checkpoint(extracted_at=at, saved_at=at))
    normalize(lake, land(lake, account, day(1), record(1, day(1).start)))
    note(lake, account, day(8), state="failed", error="Unavailable", attempt=1)
    note(lake, account, day(8), attempt=2, rows=2, ended_at=day(8).end + timedelta(minutes=6))


def build_lake(folder):
    """A lake in which both accounts have the eight days."""
    lake = Lake.at(str(folder))
    for account in ACCOUNTS:
        fill(lake, account)
    lake.publish(RECEIPT.path, RECEIPT)
    return lake


#: A receipt whose name and approver would be markup.
RECEIPT = Receipt(
    name=f"mine {HOSTILE}",
    state="found",
    approved_by=HOSTILE,
    key_id="0123456789ab",
    people=(HashedPerson(VENDOR, "contact_id", "f" * 64),),
    started_at=datetime(2026, 2, 1, tzinfo=UTC),
    erased={"raw": 12_345},
    found={"raw": 3},
)


STATES = ["complete", "empty", "rejects", "never", "stale", "failed", "running", "complete"]


@contextmanager
def serve(app):
    """An application on a socket of this machine; its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        end = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def require(role):
    """A check of users as Airflow makes it: 401 without a name, 403 without the role."""

    def check(request: Request):
        roles = request.headers.get("X-Roles", request.cookies.get("roles", ""))
        if not roles:
            raise HTTPException(401)
        if role not in roles:
            raise HTTPException(403)

    return check
