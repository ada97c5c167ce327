"""What every process of Airflow loads of the plugin: names and addresses. The page is built when it is opened."""

from __future__ import annotations

from typing import Any

from airflow.sdk import __version__
from airflow.sdk.plugins_manager import AirflowPlugin

#: Where Airflow's API server serves the page.
PREFIX = "/interactions"

#: The part of the page on a DAG's overview, which Airflow has since 3.4. Older versions refuse the whole plugin for it.
#: Airflow 3.4 comes with version 1.4 of its SDK, and with no other.
_HAS_OVERVIEW = tuple(map(int, __version__.split(".")[:2])) >= (1, 4)

#: Airflow 3.4 shows a view only on DAGs with this tag. Airflow 3.3 shows it on all DAGs.
OURS = {"dag.tags.name": ["interactions"]}


class LazyApp:
    """An ASGI application that is built on its first request, because building it imports a lot."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        if self.app is None:
            from airflow_provider_interactions.plugin.airflow import build_airflow_app

            self.app = build_airflow_app()
        await self.app(scope, receive, send)


class InteractionsPlugin(AirflowPlugin):
    """The coverage page, in Airflow's menu and on the DAGs."""

    name = "interactions"
    # Airflow declares these as fields of each plugin.
    fastapi_apps = [{"app": LazyApp(), "url_prefix": PREFIX, "name": "Contact interactions"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Interactions coverage",
            "href": f"{PREFIX}/coverage",
            "destination": "nav",
            "category": "browse",
            "url_route": "interactions-coverage",
        },
        {
            "name": "Coverage",
            "href": f"{PREFIX}/coverage?dag={{DAG_ID}}",
            "destination": "dag",
            "url_route": "interactions-coverage-dag",
            "applies_to": OURS,
        },
    ]
    react_apps = [
        {
            "name": "Interactions coverage overview",
            "bundle_url": f"{PREFIX}/static/overview.js",
            "destination": "dag_overview",
            "url_route": "interactions-coverage-overview",
            "applies_to": OURS,
        }
    ] * _HAS_OVERVIEW
