"""The page's routes over a socket: who may ask, what they tell, and what they never tell."""

from datetime import UTC, datetime, timedelta
from html import escape

import msgspec
import pytest
import requests

from airflow_provider_interactions.errors import LakeUnavailable
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.plugin.app import FILES, build_app
from airflow_provider_interactions.window import zulu
from tests.coverage_lake import (
    ACCOUNTS,
    HOSTILE,
    PERSON,
    RECEIPT,
    STATES,
    VENDOR,
    build_lake,
    day,
    fill,
    note,
    require,
    serve,
)

VIEWER, EDITOR = {"X-Roles": "viewer"}, {"X-Roles": "viewer,editor"}


def about(number, account=ACCOUNTS[0]):
    window = day(number)
    return {"vendor": VENDOR, "account": account, "start": zulu(window.start), "end": zulu(window.end)}


def span(first, last):
    return {"start": zulu(day(first).start), "end": zulu(day(last).end)}


ROUTES = [
    ("GET", "coverage", {}),
    *(("GET", f"static/{name}", {}) for name in FILES),
    ("GET", "static/nothing.js", {}),
    ("GET", "api/coverage", {}),
    ("GET", "api/dags", {"vendor": VENDOR, "account": ACCOUNTS[0]}),
    ("GET", "api/plan", {**about(6), "windows": 1}),
    ("GET", "api/usage", {"last": "2026-01-31", "days": 31}),
    ("GET", "api/window", about(6)),
    ("GET", "manifest", about(6)),
    ("GET", "receipt", {"name": RECEIPT.name}),
    ("POST", "api/rejected", {**about(6), "reason": "Timestamp is missing"}),
]


@pytest.fixture
def get(page):
    """What a viewer gets as JSON."""

    def ask(path, **params):
        response = requests.get(f"{page}/{path}", params, headers=VIEWER, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()

    return ask


def test_every_route_is_in_the_list_below(lake):
    app = build_app(lambda: lake, require("viewer"), require("editor"))
    known = {(method, f"/{path.partition('/nothing')[0]}") for method, path, _ in ROUTES}
    assert len(app.routes) == len({path for _, path in known}) - len(FILES)
    for route in app.routes:
        assert any(route.path_regex.match(path) and method in route.methods for method, path in known), route.path


@pytest.mark.parametrize(("method", "path", "params"), ROUTES)
def test_nobody_gets_anything_without_being_a_user(page, method, path, params):
    response = requests.request(method, f"{page}/{path}", params=params, timeout=30)
    assert response.status_code == 401
    assert response.json() == {"detail": "Unauthorized"}


@pytest.mark.parametrize(("method", "path", "params"), ROUTES)
def test_nothing_is_stored_framed_or_guessed(page, method, path, params):
    for headers in ({}, EDITOR):
        found = requests.request(method, f"{page}/{path}", params=params, headers=headers, timeout=30).headers
        assert found["Cache-Control"] == "no-store"
        assert found["X-Content-Type-Options"] == "nosniff"
        policy = found["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'self'" in policy


def test_the_states_of_every_account(get):
    found = get("api/coverage", **span(8, 1))
    assert [(one["vendor"], one["account"]) for one in found["accounts"]] == [
        (VENDOR, name) for name in sorted(ACCOUNTS)
    ]
    for account in found["accounts"]:
        assert [cell[2] for cell in account["cells"]] == STATES
        assert [cell[3] for cell in account["cells"]] == [2, 0, 1, 0, 0, 0, 0, 1], "rows"
        assert account["states"] == {state: STATES.count(state) for state in STATES}


def test_the_last_weeks_until_today_are_shown_at_first(get):
    found = get("api/coverage")
    assert found["end"] == zulu(day(0).end)
    assert datetime.fromisoformat(found["end"]) - datetime.fromisoformat(found["start"]) == timedelta(days=84)
    assert found["accounts"][0]["cells"][-1][1] == zulu(day(1).end), "today is not over, so it is no gap"


def test_filters(get):
    assert [one["account"] for one in get("api/coverage", account=HOSTILE, **span(8, 1))["accounts"]] == [HOSTILE]
    assert get("api/coverage", vendor="which50")["accounts"] == []
    assert [cell[2] for cell in get("api/coverage", account=HOSTILE, **span(8, 7))["accounts"][0]["cells"]] == STATES[
        :2
    ]


def test_the_plan_of_a_gap_is_judged_by_past_windows(get):
    found = get("api/plan", **about(5), windows=1)["plan"]
    # Each window of this lake took three requests for one contact, which a plan without the DAG's options cannot know.
    assert (found["contacts"], found["past"], found["daily"]["requests"]) == (1, 4, 3)
    assert found["cheapest"] == "daily"
    week = get("api/plan", **{**about(15), "end": about(9)["end"]}, windows=7)["plan"]
    assert (week["daily"]["runs"], week["daily"]["requests"], week["wide"]["requests"]) == (7, 21, 3)
    assert week["cheapest"] == "wide"
    assert get("api/plan", **about(5, "nobody"), windows=1) == {"plan": None, "most_requests": 0}


def test_what_each_day_took(get):
    last = f"{day(7).start:%Y-%m-%d}"
    found = get("api/usage", last=last, days=3)
    assert [one["day"] for one in found] == [f"{day(n).start:%Y-%m-%d}" for n in (9, 8, 7)]
    # Both accounts have two tries of three requests, which ended five minutes after the window.
    assert [(one["requests"], one["failed"]) for one in found] == [(0, 0), (0, 0), (12, 2)]
    assert get("api/usage", last=last, days=1, account=HOSTILE)[0]["requests"] == 6
    assert get("api/usage", last=last, days=1, vendor="which50")[0]["requests"] == 0
    assert len(get("api/usage", last=last, days=5_000)) == 31


def test_one_window(get, lake):
    found = get("api/window", **about(6))
    manifest = lake.read(WindowPaths(VENDOR, ACCOUNTS[0], day(6)).manifest, Manifest)
    assert found["cell"]["counts"] == msgspec.to_builtins(manifest.counts)
    assert (found["cell"]["state"], found["cell"]["rows"], found["cell"]["rejects"]) == ("rejects", 1, 1)
    assert found["reasons"] == {"Timestamp is missing": 1}
    assert get("api/window", **about(5)) == {
        "cell": {**found["cell"], **_nothing(5)},
        "reasons": {},
        "tries": [],
    }


def _nothing(number):
    counts = dict.fromkeys(Counts.__struct_fields__, 0)
    empty = {"manifest": "", "rows": 0, "rejects": 0, "bytes": 0, "extracted_at": None, "published_at": None}
    return {**about(number), "state": "never", "counts": counts, **empty}


def test_the_tries_of_a_window_are_those_of_the_ledger(get):
    tries = get("api/window", **about(8))["tries"]
    assert [(one["state"], one["error"], one["attempt"]) for one in tries] == [
        ("failed", "Unavailable", 1),
        ("success", None, 2),
    ]
    assert {one["dag_id"] for one in tries} == {"a_dag"}
    assert get("api/window", **about(7))["tries"] == []


def test_the_accounts_of_a_dag_and_the_dags_of_an_account(get):
    assert len(get("api/coverage", dag="a_dag")["accounts"]) == 2
    assert get("api/coverage", dag="another")["accounts"] == []
    assert get("api/dags", vendor=VENDOR, account=HOSTILE) == ["a_dag"]
    assert get("api/dags", vendor=VENDOR, account="nobody") == []


def test_records_are_shown_only_to_those_who_may_and_only_when_asked_for(page):
    url, params = f"{page}/api/rejected", {**about(6), "reason": "Timestamp is missing"}
    assert requests.post(url, params=params, headers=VIEWER, timeout=30).status_code == 403
    assert requests.get(url, params=params, headers=EDITOR, timeout=30).status_code == 405
    [found] = requests.post(url, params=params, headers=EDITOR, timeout=30).json()
    assert found["contact"] == PERSON
    assert PERSON in found["record"]
    other = {**params, "reason": "another"}
    assert requests.post(url, params=other, headers=EDITOR, timeout=30).json() == []


@pytest.mark.parametrize(("method", "path", "params"), [route for route in ROUTES if route[0] == "GET"])
def test_no_page_names_a_person(page, method, path, params):
    response = requests.request(method, f"{page}/{path}", params=params, headers=EDITOR, timeout=30)
    assert PERSON not in response.text


@pytest.mark.parametrize("account", ACCOUNTS)
def test_the_manifest_for_people(page, lake, account):
    response = requests.get(f"{page}/manifest", about(6, account), headers=VIEWER, timeout=30)
    manifest = lake.read(WindowPaths(VENDOR, account, day(6)).manifest, Manifest)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for text in (account, str(manifest.window), *manifest.paths):
        assert escape(text) in response.text
    assert HOSTILE not in response.text
    assert requests.get(f"{page}/manifest", about(5), headers=VIEWER, timeout=30).status_code == 404


def test_a_receipt_for_people(page):
    response = requests.get(f"{page}/receipt", {"name": RECEIPT.name}, headers=VIEWER, timeout=30)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for text in (escape(RECEIPT.approved_by), "12,345", RECEIPT.people[0].hash, "not yet"):
        assert text in response.text
    assert HOSTILE not in response.text


@pytest.mark.parametrize("name", ["nobody's", "", "..", f"../raw/vendor={VENDOR}", "x" * 201, "%2e%2e"])
def test_a_receipt_of_another_name_is_no_file_of_the_lake(page, name):
    assert requests.get(f"{page}/receipt", {"name": name}, headers=VIEWER, timeout=30).status_code in (404, 422)


@pytest.mark.parametrize(
    "path",
    [
        "static/../app.py",
        "static/..%2fapp.py",
        "static/%2e%2e/app.py",
        "static//etc/passwd",
        "static/coverage.html",
        "docs",
        "openapi.json",
    ],
)
def test_no_other_file_is_served(page, path):
    request = requests.Request("GET", page, headers=VIEWER).prepare()
    request.url = f"{page}/{path}"
    with requests.Session() as session:
        assert session.send(request, timeout=30).status_code == 404


@pytest.mark.parametrize("account", ["../../../etc", "..", "/etc/passwd", "a/../../b", "\x00"])
def test_an_account_is_a_name_and_no_path(page, account):
    response = requests.get(f"{page}/api/window", about(6, account), headers=VIEWER, timeout=30)
    assert response.status_code in (200, 400)
    if response.status_code == 200:
        assert response.json()["cell"]["state"] == "never"


def test_a_manifest_that_leads_out_of_the_lake_is_refused(tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    fill(lake, ACCOUNTS[0])
    place = WindowPaths(VENDOR, ACCOUNTS[0], day(6))
    manifest = lake.read(place.manifest, Manifest)
    for path in ("../secret.parquet", "/etc/passwd", "raw/../../secret.parquet"):
        [file] = manifest.rejects
        lake.publish(
            place.manifest, msgspec.structs.replace(manifest, rejects=(msgspec.structs.replace(file, path=path),))
        )
        with serve(build_app(lambda: lake, require("viewer"), require("viewer"))) as url:
            for method, route in (("GET", "api/window"), ("GET", "manifest"), ("POST", "api/rejected")):
                params = {**about(6), "reason": "x"}
                response = requests.request(method, f"{url}/{route}", params=params, headers=VIEWER, timeout=30)
                assert response.status_code == 400
                assert "outside of the lake" in response.json()["detail"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"start": "yesterday"}, 422),
        ({"start": "2026-01-02T00:00:00", "end": "2026-01-03T00:00:00"}, 400),
        ({"start": "2026-01-03T00:00:00Z", "end": "2026-01-02T00:00:00Z"}, 400),
    ],
)
def test_a_wrong_time_is_explained(page, params, status):
    response = requests.get(f"{page}/api/coverage", params, headers=VIEWER, timeout=30)
    assert response.status_code == status
    assert response.json()["detail"]


def test_a_lake_that_is_away_is_explained():
    def away():
        raise LakeUnavailable("The lake did not answer.")

    with serve(build_app(away, require("viewer"), require("editor"))) as url:
        response = requests.get(f"{url}/api/coverage", headers=VIEWER, timeout=30)
    assert (response.status_code, response.json()) == (503, {"detail": "The lake did not answer."})


def test_a_recent_failure_is_found_though_the_window_is_old(tmp_path):
    own = build_lake(tmp_path)
    note(own, ACCOUNTS[1], day(7), state="failed", error="AuthRejected", ended_at=datetime.now(UTC))
    with serve(build_app(lambda: own, require("viewer"), require("editor"))) as url:
        answer = requests.get(f"{url}/api/window", about(7, ACCOUNTS[1]), headers=VIEWER, timeout=30).json()
    [found] = answer["tries"]
    assert found["error"] == "AuthRejected"


def test_only_inside_of_airflow_does_the_page_know_its_api(page, lake):
    found = requests.get(f"{page}/coverage", headers=VIEWER, timeout=30).text
    assert '<meta name="airflow-api" content="">' in found
    inside = build_app(lambda: lake, require("viewer"), require("editor"), airflow_api="../api/v2")
    with serve(inside) as url:
        found = requests.get(f"{url}/coverage", headers=VIEWER, timeout=30).text
    assert '<meta name="airflow-api" content="../api/v2">' in found
