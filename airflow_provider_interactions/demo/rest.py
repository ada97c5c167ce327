"""The few calls of Airflow's REST API that the demo needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import requests

from airflow_provider_interactions.demo.errors import DemoError

_SECONDS = 60
_PAGE = 100
_WATCHED = ("metadatabase", "scheduler", "dag_processor")


class NotReady(DemoError):
    """Airflow does not answer, or not well, or does not know the thing asked for; it may soon."""


class Api:
    """Airflow at an address, with a token as soon as it gives one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc: it is on this machine

    def is_healthy(self) -> bool:
        """Whether every component has said so lately."""
        try:
            health = self.get("monitor/health")
        except NotReady:
            return False
        return all(health[name]["status"] == "healthy" for name in _WATCHED)

    def serves_tasks(self) -> bool:
        """Whether the part that tasks talk to is there."""
        try:
            return bool(self._request("GET", "/execution/health"))
        except NotReady:
            return False

    def get(self, path: str, **query: Any) -> Any:
        """One object below ``/api/v2``; raises NotYet if there is none yet, DemoError if it is refused."""
        return self._request("GET", f"/api/v2/{path}", params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send an object; raises DemoError with Airflow's own words if it refuses."""
        return self._request("POST", f"/api/v2/{path}", json=body)

    def put(self, path: str) -> Any:
        """Do what a path says; raises as `get` does."""
        return self._request("PUT", f"/api/v2/{path}")

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change a resource; raises as `get` does."""
        return self._request("PATCH", f"/api/v2/{path}", json=body)

    def list_all(self, path: str, name: str, **query: Any) -> Iterator[Any]:
        """All members of a list, page by page."""
        offset, total = 0, 1
        while offset < total:
            answer = self.get(path, limit=_PAGE, offset=offset, **query)
            yield from answer[name]
            offset, total = offset + _PAGE, answer["total_entries"]

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def login(self) -> None:
        """Get a token; it is given to anybody on this machine."""
        token = self._request("GET", "/auth/token")["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            response = self._session.request(method, self.url + path, timeout=_SECONDS, **arguments)
        except requests.RequestException as wrong:
            raise NotReady(f"Airflow does not answer {method} {path} ({type(wrong).__name__}).") from wrong
        if response.ok:
            return response.json()
        # SQLite has one writer: now and then the answer is 5xx, because the database is locked.
        status = response.status_code
        kind = NotReady if status == requests.codes.not_found or status >= 500 else DemoError
        raise kind(f"Airflow refused {method} {path} with {status}: {response.text[:500]}")
