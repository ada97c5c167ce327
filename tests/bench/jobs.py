"""What is measured, each in a process of its own, so that start-up, CPU and memory count."""

import asyncio
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

URL, NAME, LAKE, TYPE = (
    os.environ.get("BENCH_URL", ""),
    os.environ.get("BENCH_VENDOR", ""),
    os.environ.get("BENCH_LAKE", ""),
    "EmailSent",
)

#: The page is larger than a history where the vendor lets it be; Dynamics says itself which page is the last one.
OPTIONS = {"dynamics_marketing": {"page_size": 500}}

#: Requests in flight of every client that another one is compared with.
IN_FLIGHT = int(os.environ.get("BENCH_IN_FLIGHT", "16"))


def job(window=("2026-01-01", "2026-01-02"), types=(TYPE,), **changed):
    """An extraction from the sandbox at BENCH_URL into BENCH_LAKE."""
    from airflow_provider_interactions.connection import build_credentials, build_options
    from airflow_provider_interactions.extract.job import Job
    from airflow_provider_interactions.lake.storage import Lake
    from airflow_provider_interactions.vendors import VENDORS
    from airflow_provider_interactions.window import Window

    vendor, known = VENDORS[NAME], json.loads(os.environ["BENCH_CONNECTION"])
    # The vendor's documented rate is not what is measured here; what the server bears is.
    vendor = replace(vendor, pace=replace(vendor.pace, requests=None, seconds=None))
    options = OPTIONS.get(NAME, {"page_size": 1000}) | ({"types": types} if types and NAME in OPTIONS else {})
    return Job(
        vendor=vendor,
        credentials=build_credentials(vendor, known["host"], known.get("login"), known["password"], known["extra"]),
        lake=Lake.at(LAKE),
        window=Window.of(*window),
        contacts=[vendor.contact(text) for text in json.loads(Path(os.environ["BENCH_CONTACTS"]).read_text())],
        options=build_options(vendor, options),
        **changed,
    )


def extract(**changed):
    """Land and publish a window."""
    from airflow_provider_interactions.extract import commit, run

    return commit.commit_window(job().lake, [run.extract(job(**changed))]).counts.landed


def bulk():
    """All interactions of the window, in replies of 500."""
    return extract()


def requests():
    """One request for each contact and documented type."""
    return extract(types=None)


def plain():
    """The same requests by aiohttp alone: how near the least anybody can come on this machine."""
    return asyncio.run(_plain())


async def _plain():
    import aiohttp

    from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import TYPES

    known = json.loads(os.environ["BENCH_CONNECTION"])
    asked = iter([(contact.id, name) for contact in job().contacts for name in TYPES])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        headers = {**await _token(session, known), "OData-Version": "4.0", "OData-MaxVersion": "4.0"}

        async def work():
            for contact, name in asked:
                body = {"ContactId": contact, "InteractionType": name}
                async with session.post(_action(known), json=body, headers=headers) as answer:
                    await answer.read()

        await asyncio.gather(*(work() for _ in range(52)))


def people():
    """One of the contacts is not there; then all of them with a wrong secret."""
    from airflow_provider_interactions import errors
    from airflow_provider_interactions.extract import run

    asked = job(on_missing="record")
    known = [asked.vendor.contact("99999999-9999-4999-8999-999999999999", "contact_id"), *asked.contacts[1:]]
    counts = run.extract(replace(asked, contacts=known)).counts
    try:
        run.extract(replace(asked, credentials=replace(asked.credentials, password="wrong")))
    except errors.AuthRejected as refusal:
        return {"answered": counts.ok + counts.empty, "not_found": counts.not_found, "told": type(refusal).__name__}


def counts():
    """Requests and rows of an extraction."""
    from airflow_provider_interactions.extract import run

    found = run.extract(job()).counts
    return {"requests": found.requests, "landed": found.landed}


def landed():
    """All interactions of the window in the lake, but not published: what downloading alone is compared with."""
    from airflow_provider_interactions.extract import run

    return run.extract(job(concurrency=IN_FLIGHT)).counts.landed


def shared():
    """One of several tasks that share the limit of their account by a ledger in the lake.

    Returns the seconds that it took, and those of them in which the next request waited for the ledger alone.
    """
    from airflow_provider_interactions.extract import run
    from airflow_provider_interactions.http import client
    from airflow_provider_interactions.http.shared_limit import Sharing
    from airflow_provider_interactions.lake.paths import name_shares
    from airflow_provider_interactions.lake.swap import open_ledger

    asked = job(types=None, batch=int(os.environ["BENCH_BATCH"]))
    ledger = open_ledger(asked.lake, name_shares(NAME, asked.credentials.account))
    real, throttles = client.Throttle.start, []
    client.Throttle.start = lambda *known, **more: throttles.append(real(*known, **more)) or throttles[-1]
    began = time.monotonic()
    run.extract(replace(asked, sharing=Sharing(ledger)))
    return time.monotonic() - began, sum(one.ledger_seconds for one in throttles)


def person():
    """A request for one person, which goes ahead of tasks that share the limit; the seconds it took."""
    from airflow_provider_interactions.http.shared_limit import Sharing
    from airflow_provider_interactions.lake.paths import name_shares
    from airflow_provider_interactions.lake.swap import open_ledger
    from airflow_provider_interactions.person.request import answer_request, check_request

    asked = job(types=None)
    ledger = open_ledger(asked.lake, name_shares(NAME, asked.credentials.account))
    request = check_request(asked.vendor, [asked.contacts[-1].id])
    began = time.monotonic()
    answer_request(asked.lake, request, asked.credentials, sharing=Sharing(ledger, ahead=True))
    return time.monotonic() - began


def unshared():
    """The same task without a ledger, with as many requests in flight as one that is alone in its ledger."""
    from airflow_provider_interactions.extract import run

    return run.extract(job(types=None, concurrency=50)).counts.requests


def whole():
    """From the vendor to the canonical table."""
    from airflow_provider_interactions.extract import commit, run
    from airflow_provider_interactions.normalize import pipeline

    asked = job(concurrency=IN_FLIGHT)
    done = pipeline.normalize(asked.lake, commit.commit_window(asked.lake, [run.extract(asked)]))
    return {"rows": done.counts.canonical, "requests": done.counts.requests}


def resumed():
    """The same, with a journal: killed half way by whoever started it, or not."""
    return extract(types=None, resume="bench", concurrency=10)


def retried():
    """A request for each contact, twenty in flight, some of which fail and are retried; with checkpoints."""
    from airflow_provider_interactions.extract import run

    counts = run.extract(job(resume="bench", concurrency=20)).counts
    return counts.ok + counts.empty


def by_hand():
    """The same requests and retries by hand. A failed request keeps its place until it is retried."""
    return asyncio.run(_by_hand(frees_places=False))


def by_hand_best():
    """The same, where a request that waits for its retry leaves its place to others."""
    return asyncio.run(_by_hand(frees_places=True))


async def _by_hand(*, frees_places):
    import aiohttp

    from tests.bench.by_hand import ask_all

    known = json.loads(os.environ["BENCH_CONNECTION"])
    async with aiohttp.ClientSession() as session:
        headers = {**await _token(session, known), "OData-Version": "4.0", "OData-MaxVersion": "4.0"}
    bodies = [{"ContactId": contact.id, "InteractionType": TYPE, "Top": 500} for contact in job().contacts]
    return await ask_all(_action(known), headers, bodies, 20, frees_places=frees_places)


def _action(known):
    return f"{known['host']}/api/data/v9.0/msdyncrm_LoadInteractionsPublic"


async def _token(session, known):
    extra = known["extra"]
    form = {"grant_type": "client_credentials", "client_id": known["login"], "client_secret": known["password"]}
    url = f"{extra['authority']}/{extra['tenant_id']}/oauth2/v2.0/token"
    async with session.post(url, data={**form, "scope": extra["scope"]}) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}", "Accept": "application/json"}


def every_type():
    """All interactions of the window, of every type the vendor has."""
    return extract(types=None)


def imports():
    """Milliseconds that the operators add to airflow.sdk."""
    import airflow.sdk  # noqa: F401

    began = time.monotonic()
    import airflow_provider_interactions.operators  # noqa: F401

    return 1000 * (time.monotonic() - began)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
