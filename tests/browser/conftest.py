"""A headless Chromium that looks at the coverage page in light and in dark, on a wide and on a narrow screen."""

from contextlib import contextmanager

import pytest

from airflow_provider_interactions.plugin.app import build_app
from docs.chromium import open_chromium
from tests.coverage_lake import build_lake, require, serve

#: Milliseconds until something must be there, on a busy machine.
PATIENCE = 30_000

VIEWS = [(width, scheme) for width in (1280, 400) for scheme in ("light", "dark")]


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    """A lake with a window in each state; tests only read it."""
    return build_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="session")
def url(lake):
    """The address of the page."""
    with serve(build_app(lambda: lake, require("viewer"), require("editor"))) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    with open_chromium() as browser:
        yield browser


@contextmanager
def look(chromium, url, width, scheme, roles="viewer,editor", expected=()):
    """A new tab of a user with some roles. Another error in its console than the expected ones fails the test."""
    size = {"width": width, "height": 800}
    with chromium.new_context(viewport=size, color_scheme=scheme, timezone_id="Pacific/Auckland") as context:
        context.set_default_timeout(PATIENCE)
        context.add_cookies([{"name": "roles", "value": roles, "url": url}])
        said = []
        context.on("console", lambda message: said.append(message.text) if _is_error(message) else None)
        context.on("weberror", lambda error: said.append(str(error.error)))
        yield context.new_page()
        assert [text for text in said if not any(part in text for part in expected)] == []


def _is_error(message):
    # Chromium asks each site for a picture of its own. Airflow has one.
    return message.type == "error" and not message.location["url"].endswith("/favicon.ico")


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def view(request, chromium, url):
    """A tab in each size and colour scheme; the tests of the page run in all of them."""
    with look(chromium, url, *request.param) as page:
        page.scheme = request.param[1]
        yield page
