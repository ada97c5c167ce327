"""The calls of Airflow's API, against a server that answers a few of them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.rest import Api, NotReady

MEMBERS = list(range(250))
HEALTHY = {"status": "healthy"}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        match url.path:
            case "/auth/token":
                self.answer(201, {"access_token": "abc"})
            case "/api/v2/members":
                members = MEMBERS[query["offset"] :][: query["limit"]]
                self.answer(200, {"members": members, "total_entries": len(MEMBERS)})
            case "/api/v2/monitor/health":
                self.answer(200, {"metadatabase": HEALTHY, "scheduler": HEALTHY, "dag_processor": {"status": None}})
            case "/api/v2/who":
                self.answer(200, {"authorization": self.headers["Authorization"]})
            case "/api/v2/locked":
                self.answer(503, {"detail": "database is locked"})
            case _:
                self.answer(404, {"detail": "Not Found"})

    def do_POST(self):
        self.answer(409, {"detail": "There is already a running backfill"})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def url():
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def api(url):
    made = Api(url)
    yield made
    made.close()


def test_lists_are_read_to_their_end(api):
    assert list(api.list_all("members", "members")) == MEMBERS


def test_the_token_goes_with_every_call(api):
    api.login()
    assert api.get("who") == {"authorization": "Bearer abc"}


def test_healthy_is_only_who_is_healthy_in_all_parts(api):
    assert not api.is_healthy()


@pytest.mark.parametrize("path", ["nothing", "locked"])
def test_what_may_come_yet(api, path):
    with pytest.raises(NotReady):
        api.get(path)


def test_nobody_answers():
    api = Api("http://127.0.0.1:1")
    assert not api.is_healthy()
    with pytest.raises(NotReady, match="does not answer GET /api/v2/dags"):
        api.get("dags")


def test_a_refusal_is_told_in_airflows_own_words(api):
    with pytest.raises(DemoError, match=r"refused POST /api/v2/backfills with 409.*already a running") as trouble:
        api.post("backfills", {})
    assert not isinstance(trouble.value, NotReady)
