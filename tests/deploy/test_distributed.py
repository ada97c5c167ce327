"""A backfill of a week from four vendors, by two Celery workers, while hosts, servers and the store fail.

All services of docker-compose.yaml run as processes of this machine (native.py). The lake's store stands behind a
proxy that refuses a part of all requests. One worker is killed in the middle of an extraction and does not come back.
Redis and the API server are restarted. Each window of one vendor is normalized by two tasks. In the end the table must
equal what the sandbox knows, and the vendors must have been asked hardly more than once.
"""

import itertools
import json
import random
import re
import time
from collections import Counter

import psycopg
import pytest
import requests

from airflow_provider_interactions import contacts, vendors
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.sandbox import Fact, SandboxConfig, digest, serve
from airflow_provider_interactions.window import Window
from docs import celery_settings
from tests.deploy.native import Stack
from tests.deploy.rest import Api
from tests.fault_proxy import fault_proxy

DAYS = [Window.of(f"2026-01-0{day}", f"2026-01-0{day + 1}") for day in range(1, 8)]

#: The vendor whose extraction is struck: by far the most requests.
VICTIM = "dynamics_marketing"

#: The vendors that are asked page by page, so that it can be counted what was asked twice.
VENDORS = {name: vendor for name, vendor in vendors.VENDORS.items() if vendor.bulk is None}

WORKERS = ("worker-1", "worker-2")

#: Seconds that each answer of a vendor takes, so that a task is long enough to be struck in the middle.
LATENCY = 0.4

#: The share of the store's requests that it refuses.
REFUSED = 0.05

#: Repeated requests, as a share of those that a week takes.
REPEATED = 0.05

OPTIONS = {"luminate_online": {"group_id": "1001"}}

#: The vendor of which two tasks extract each window, and two tasks normalize it: one for each half of the contacts.
HALVED = "luminate_online"

COLUMNS = [
    *("contact_id", "interaction_id", "native_type", "status", "subject"),
    *("campaign_id", "campaign_name", "message_id", "count"),
]


class Week(Stack):
    """The stack with DAGs that wait for a backfill, slow vendors, and a proxy before the store.

    One vendor's DAG normalizes each window in parts, by mapped tasks.
    """

    def __init__(self, file, folder):
        super().__init__(file, folder)
        self.services["sandbox"]["command"] += ["--latency", str(LATENCY)]

    def find_store(self):
        return f"http://127.0.0.1:{self.ports['8333']}"

    def _copy_image(self, container):
        super()._copy_image(container)
        for dags in container.folder.glob("airflow/dags/sandbox.py"):
            dags.write_text(change_dags(dags.read_text()))

    def ask_sandbox(self, path):
        response = requests.get(f"http://127.0.0.1:{self.ports['8765']}/_sandbox/{path}", timeout=30)
        response.raise_for_status()
        return response.json()

    def count_requests(self, vendor):
        return count_requests(self.ask_sandbox("stats")[vendor])

    def count_finished(self, worker):
        """Tasks that a worker has brought to their end."""
        return len(re.findall(r"Task execute_workload\[\S+\] succeeded", self.read_log(worker)))

    def find_worker(self, task):
        """Which worker has the process of a task; None if it has ended."""
        return next((worker for worker in WORKERS if self.has_process(worker, task)), None)

    def has_process(self, worker, task):
        """Whether a worker runs a task. Airflow puts the id of the task instance into the title of its process."""
        return any(task["id"] in title for title in self.containers[worker].processes.values())


def change_dags(text):
    """The DAGs of the Compose file as this test needs them."""
    vendor = f'"{HALVED}": {{'
    assert text.count("catchup=True") == text.count(vendor) == 1
    text = text.replace("catchup=True", "catchup=False")
    return text.replace(vendor, f'{vendor}"batch_size": 10, "normalize_files": 1, ')


def count_requests(stats):
    """Requests to a vendor, but for those of a token: each task needs one."""
    return sum(number for path, number in stats["by_path"].items() if "token" not in path)


def wait_until(condition, what, seconds=900):
    """What the condition returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.2)
    return found


class Backfill:
    """The backfills of all vendors, by Airflow's API."""

    def __init__(self, stack):
        self.stack, self.api = stack, Api(stack)
        self.dags = [f"sandbox_{vendor}" for vendor in VENDORS]

    def start(self):
        wait_until(lambda: self.api.get("dags")["total_entries"] > len(self.dags), "no DAGs")
        for dag in self.dags:
            body = {"dag_id": dag, "from_date": DAYS[0].start.isoformat(), "to_date": DAYS[-1].start.isoformat()}
            self.api.send("POST", "backfills", json={**body, "max_active_runs": 2, "reprocess_behavior": "none"})
            self.api.send("PATCH", f"dags/{dag}", json={"is_paused": False})

    def list_tasks(self, dag="~", **wanted):
        return self.api.get(f"dags/{dag}/dagRuns/~/taskInstances", params={"limit": 1000, **wanted})["task_instances"]

    def list_runs(self):
        return list(itertools.chain(*(self.api.get(f"dags/{dag}/dagRuns")["dag_runs"] for dag in self.dags)))

    def count_succeeded(self):
        return self.api.get("dags/~/dagRuns/~/taskInstances", params={"limit": 1, "state": "success"})["total_entries"]

    def wait_for_more(self, number):
        before = self.count_succeeded()
        wait_until(lambda: self.count_succeeded() >= before + number, f"not {number} tasks more than {before}")

    def strike(self):
        """Kill a worker in the middle of an extraction. Returns its name and the extractions that it had."""
        worker = wait_until(self.find_busy, "no extraction to strike")
        struck = [task for task in self.list_extractions() if self.stack.has_process(worker, task)]
        self.stack.kill(worker)
        return worker, struck

    def find_busy(self):
        """A worker that is in the middle of an extraction; None if there is none."""
        for task in self.list_extractions():
            if self.stack.find_worker(task):
                before = self.stack.count_requests(VICTIM)
                wait_until(lambda task=task, before=before: self.is_underway(task, before), "no requests")
                return self.stack.find_worker(task)
        return None

    def list_extractions(self, state="running"):
        found = self.list_tasks(f"sandbox_{VICTIM}", state=state)
        return [task for task in found if task["task_id"] == "extract"]

    def is_underway(self, task, before):
        return self.stack.count_requests(VICTIM) > before + 100 or not self.stack.find_worker(task)

    def has_ended(self):
        runs = self.list_runs()
        return len(runs) == len(DAYS) * len(self.dags) and {run["state"] for run in runs} <= {"success", "failed"}


@pytest.fixture(scope="module")
def stack(file, tmp_path_factory):
    with Week(file, tmp_path_factory.mktemp("week")) as stack, fault_proxy(stack.find_store()) as stack.proxy:
        stack.services["init"]["environment"]["S3"] = stack.proxy.url
        stack.up(worker=2)
        yield stack


@pytest.fixture(scope="module")
def ended(stack):
    """The backfills once all of their runs have ended.

    The worker ``lost`` was killed and had the extractions ``struck``.
    """
    backfill, chance = Backfill(stack), random.Random(13)
    stack.proxy.choose = lambda *_: "slow" if chance.random() < REFUSED else None
    backfill.start()
    backfill.wait_for_more(4)
    backfill.lost, backfill.struck = backfill.strike()
    backfill.wait_for_more(8)
    stack.restart("redis")
    backfill.wait_for_more(8)
    stack.restart("api-server")
    wait_until(backfill.has_ended, "the runs do not end")
    return backfill


def test_all_runs_succeed(ended):
    runs = ended.list_runs()
    assert {run["state"] for run in runs} == {"success"}, [
        (task["dag_id"], task["dag_run_id"], task["task_id"]) for task in ended.list_tasks(state="failed")
    ]
    assert {run["run_type"] for run in runs} == {"backfill"}


def test_both_workers_did_work_and_one_was_struck(ended, stack):
    assert all(stack.count_finished(worker) > 0 for worker in WORKERS)
    assert stack.containers[ended.lost].process.returncode == -9
    tries = {(task["dag_run_id"], task["map_index"]): task["try_number"] for task in ended.list_extractions("success")}
    assert ended.struck
    assert all(tries[task["dag_run_id"], task["map_index"]] > 1 for task in ended.struck)


def test_two_tasks_normalized_each_window_of_one_vendor(ended):
    runs = {run["dag_run_id"] for run in ended.list_runs() if run["dag_id"] == f"sandbox_{HALVED}"}
    tasks = ended.list_tasks(f"sandbox_{HALVED}", state="success")
    parts = Counter(task["dag_run_id"] for task in tasks if task["task_id"] == "normalize_parts")
    assert parts == dict.fromkeys(runs, 2)
    assert len(runs) == len(DAYS)


def test_the_page_says_what_the_processes_ran_with(ended, stack):
    for part in ("api-server", "scheduler", "dag-processor", "triggerer", *WORKERS):
        container = stack.containers[part]
        for one in celery_settings.SET:
            assert container.environment[one.variable] == stack.exchange(one.value, container), part
        assert {f"{one.variable}_CMD" for one in celery_settings.SECRETS} < container.environment.keys()
        assert container.environment.keys().isdisjoint({one.variable for one in celery_settings.DEFAULTS})
    for dag in ended.dags:
        for name, (value, _) in celery_settings.ARGUMENTS.items():
            assert {int(task[name]) for task in ended.api.get(f"dags/{dag}/tasks")["tasks"]} == {int(value)}


def test_the_store_has_refused_requests(ended, stack):
    assert stack.proxy.count("slow") > 100


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_table_is_what_the_vendor_knows(ended, stack, vendor):
    expected = stack.ask_sandbox(f"oracle/{vendor}?start={DAYS[0].start:%Y-%m-%d}&end={DAYS[-1].end:%Y-%m-%d}")
    url = stack.containers["postgres"].environment["url"].replace("/postgres", "/interactions")
    query = f"""SELECT {", ".join(COLUMNS)}, (extract(epoch FROM occurred_at) * 1000000)::bigint, attributes
        FROM interactions WHERE vendor = %s"""
    with psycopg.connect(url) as connection:
        rows = connection.execute(query, [vendor]).fetchall()
    facts = [
        Fact(
            vendor=vendor,
            **dict(zip(COLUMNS, row, strict=False)),
            occurred_at=row[-2],
            attributes=json.loads(row[-1]),
        )
        for row in rows
    ]
    assert (len(facts), digest(facts)) == (expected["interactions"], expected["digest"])
    assert len({fact.interaction_id for fact in facts}) == len(facts) > 100


@pytest.fixture(scope="module")
def needed(tmp_path_factory):
    """Requests that the same week takes when nothing fails, by vendor."""
    limits, found = Limits(rate=RateTuning(first_rate=UNLIMITED)), {}
    with serve(SandboxConfig()) as sandbox:
        for name, vendor in VENDORS.items():
            known = sandbox.connections[name]
            credentials = build_credentials(
                vendor, known["host"], known.get("login", ""), known["password"], extra=known["extra"]
            )
            options = build_options(vendor, OPTIONS.get(name, {}))
            lake = Lake.at(str(tmp_path_factory.mktemp(name)))
            people = contacts.check_contacts(vendor, sandbox.contacts(name))
            for day in DAYS:
                if name != "capillary":  # its contacts come from a file
                    pages = contacts.list_from_vendor(vendor, credentials, options)
                    people = list(dict.fromkeys(itertools.chain(*pages)))
                job = Job(vendor, credentials, lake, day, people, options=options, limits=limits)
                extract(job)
            found[name] = count_requests(sandbox.stats()[name])
    return found


def test_hardly_a_request_is_repeated(ended, stack, needed):
    stats = stack.ask_sandbox("stats")
    sent = {vendor: count_requests(stats[vendor]) for vendor in VENDORS}
    assert sent.keys() == needed.keys()
    assert all(sent[vendor] >= needed[vendor] for vendor in VENDORS), (sent, needed)
    assert sum(sent.values()) <= (1 + REPEATED) * sum(needed.values()), (sent, needed)
    # What was in flight when a worker died must be asked again, also of a vendor of few requests.
    lost = {vendor: stats[vendor]["max_in_flight"] for vendor in VENDORS}
    assert all(sent[one] - needed[one] <= REPEATED * needed[one] + lost[one] for one in VENDORS), (sent, needed, lost)
