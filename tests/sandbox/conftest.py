"""A running sandbox and a small client written for these tests alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from airflow_provider_interactions.sandbox import Sandbox, SandboxConfig, serve

VENDOR = "dynamics_marketing"
START, END = "2026-01-01", "2026-01-08"
HEADERS = {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0"}


class Client:
    """Talks to the Dynamics sandbox as its connection says."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        connection = sandbox.connections[VENDOR]
        self.base: str = connection["host"]
        self.extra: dict[str, Any] = connection["extra"]
        self.form = {
            "grant_type": "client_credentials",
            "client_id": connection["login"],
            "client_secret": connection["password"],
            "scope": self.extra["scope"],
        }
        self.session = requests.Session()

    def token(self, tenant: str | None = None, **form: str | None) -> requests.Response:
        """Ask for a token with some form fields changed; None leaves one out."""
        url = f"{self.extra['authority']}/{tenant or self.extra['tenant_id']}/oauth2/v2.0/token"
        return self.session.post(url, data=self.form | form, timeout=5)

    def login(self) -> Client:
        """Use a fresh token from now on."""
        self.session.headers.update(HEADERS)
        self.session.headers["Authorization"] = f"Bearer {self.token().json()['access_token']}"
        return self

    def get(self, path: str, **headers: str) -> requests.Response:
        """GET below the API's root."""
        return self.session.get(f"{self.base}/api/data/v9.2/{path}", headers=headers, timeout=5)

    def load(self, contact: str, kind: str = "EmailSent", **more: Any) -> requests.Response:
        """Call the action once."""
        body = {"ContactId": contact, "InteractionType": kind, **more}
        return self.session.post(f"{self.base}/api/data/v9.0/msdyncrm_LoadInteractionsPublic", json=body, timeout=5)

    def walk(self, contact: str, kind: str, **more: Any) -> list[dict[str, Any]]:
        """All records of one query, page by page."""
        records: list[dict[str, Any]] = []
        for _ in range(1000):
            answer = self.load(contact, kind, **more).json()
            records += json.loads(answer["Data"] or "[]")
            if not answer["NextSkipToken"]:
                return records
            more["SkipToken"] = answer["NextSkipToken"]
        raise AssertionError("paging does not end")

    def stats(self) -> dict[str, Any]:
        """The vendor's counters."""
        return dict(self.sandbox.stats()[VENDOR])

    def busy(self) -> tuple[str, str, int]:
        """The (contact, type, count) with the most interactions."""
        found: dict[tuple[str, str], int] = {}
        url = f"{self.sandbox.url}/_sandbox/facts/{VENDOR}?start={START}&end={END}"
        for text in self.session.get(url, timeout=5).text.splitlines():
            fact = json.loads(text)
            key = fact["contact_id"], fact["native_type"]
            found[key] = found.get(key, 0) + 1
        (contact, kind), count = max(found.items(), key=lambda item: item[1])
        return contact, kind, count


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[[Sandbox], Client]]:
    """Makes clients that are logged in, and closes them at the end."""
    with ExitStack() as stack:

        def log_in(sandbox: Sandbox) -> Client:
            client = Client(sandbox).login()
            stack.callback(client.session.close)
            return client

        yield log_in


@pytest.fixture(scope="session")
def shared() -> Iterator[Sandbox]:
    """One sandbox for tests that only read."""
    with serve(SandboxConfig()) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def client(shared: Sandbox, connect: Callable[[Sandbox], Client]) -> Client:
    """A client of the shared sandbox."""
    return connect(shared)


@pytest.fixture
def own(connect: Callable[[Sandbox], Client]) -> Iterator[Client]:
    """A client of a sandbox of its own, for tests that change its state."""
    with serve(SandboxConfig(contacts=5)) as sandbox:
        yield connect(sandbox)
