"""A window that is late: a deadline alert of a real Airflow sends a mail, and a run that still has time sends none."""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import threading
import time
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from airflow_provider_interactions.demo import airflow
from airflow_provider_interactions.demo.paths import DAGS, Paths, prepare_home
from airflow_provider_interactions.demo.rest import NotReady
from airflow_provider_interactions.demo.supervisor import supervise

DAG_ID = "late_window"

#: Seconds in which a mail of the other run would have come, too.
PATIENCE = 10


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that takes every mail, and keeps it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.mails = []


class Session(socketserver.StreamRequestHandler):
    """SMTP as RFC 5321 has it, of which a client needs five commands."""

    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline():
            match line[:4].upper().strip():
                case b"DATA":
                    self.say("354 go on")
                    self.server.mails.append(self.read_mail())
                    self.say("250 taken")
                case b"QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 fine")

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def read_mail(self):
        lines = iter(self.rfile.readline, b".\r\n")
        return message_from_bytes(b"".join(line.removeprefix(b".") for line in lines), policy=policy.default)


@pytest.fixture
def mailbox():
    """A mailbox on a port of this machine."""
    with Mailbox() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def describe_connection(mailbox):
    extra = {"disable_ssl": True, "disable_tls": True}
    return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": mailbox.server_address[1], "extra": extra})


def test_a_late_window_sends_one_mail(tmp_path, mailbox):
    (dags := tmp_path / "dags").mkdir()
    shutil.copy(DAGS / f"{DAG_ID}.py", dags)
    places = Paths(tmp_path / "home", dags)
    with prepare_home(places), supervise() as running:
        given = {
            "AIRFLOW_CONN_SMTP_DEFAULT": describe_connection(mailbox),
            "AIRFLOW__INTERACTIONS__LAKE": str(tmp_path / "lake"),
            "INTERACTIONS_MAIL_TO": "team@example.org",
        }
        settings = airflow.build_environment(places, airflow.find_free_port(), given, os.environ)
        api = airflow.start(running, places, settings, for_people=True)

        def trigger(moment):
            def try_it():
                try:
                    api.post(
                        f"dags/{DAG_ID}/dagRuns", {"logical_date": moment.isoformat(), "dag_run_id": f"{moment:%Y}"}
                    )
                except NotReady:
                    return False
                return True

            running.wait_until(try_it, "The DAG is not there", patience=60)

        # Its connection is missing, so neither of the runs can succeed: one is late, the other has thirty hours.
        trigger(datetime.now(UTC))
        trigger(datetime(2025, 1, 2, tzinfo=UTC))
        running.wait_until(lambda: mailbox.mails, "No mail came", patience=120)
        time.sleep(PATIENCE)
        api.close()
    [mail] = mailbox.mails
    assert mail["To"] == "team@example.org"
    assert mail["Subject"].startswith("Late: late_window, 2025-01-02")
    assert "Run 2025 is" in mail.get_body().get_content()
    assert "2025-01-03" in mail.get_body().get_content(), "when it was due"
