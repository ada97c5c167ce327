"""Every command, as a process of its own, against the sandbox over a socket."""

import json
import os
import pty
import re
import signal
import subprocess
import time
import unicodedata
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len

from airflow_provider_interactions.coverage.ledger import Step, write_step
from airflow_provider_interactions.lake.paths import AccountPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.vendors import NAMES, VENDORS

SPAN = ("2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z")
DATES = ("--start", "2026-01-01", "--end", "2026-01-04")
#: All time of a sandbox's world, and of what lies around it.
EVER = ("1900-01-01T00:00:00Z", "2100-01-01T00:00:00Z")


def choose(vendor):
    """What a vendor needs so that the sandbox's types are asked for, and no others."""
    return ("--option", 'types=["EmailSent", "FormSubmitted"]') if vendor == "dynamics_marketing" else ()


def write_contacts(shell, vendor):
    path = shell.folder / "contacts.txt"
    path.write_text("\n".join(shell.sandbox.contacts(vendor)))
    return "--contacts-file", path


# test, contacts, preview


@pytest.mark.parametrize("vendor", NAMES)
def test_a_connection_is_proved(shell, vendor):
    out, err = shell.run("test", vendor)
    title, address = VENDORS[vendor].title, f"{shell.sandbox.url}/{host_of(shell, vendor)}"
    proved = "gave access to 24 tables" if VENDORS[vendor].bulk else f"accepted the credentials at {address}.\n"
    assert out.startswith(f"{title} {proved}")
    assert err == ""
    assert shell.ask("test", vendor)["message"] in out


def host_of(shell, vendor):
    return shell.sandbox.connections[vendor]["host"].removeprefix(f"{shell.sandbox.url}/").rstrip("/")


def test_contacts_are_lines_that_other_commands_read(shell):
    listed = shell.ask("contacts", "which50", "--limit", "0")["contacts"]
    out, _ = shell.run("contacts", "which50", "--limit", "0")
    assert out.splitlines() == [one["id"] for one in listed]
    assert sorted(out.splitlines()) == sorted(shell.sandbox.contacts("which50"))
    assert len(shell.ask("contacts", "which50", "--limit", "2")["contacts"]) == 2
    (shell.folder / "all.txt").write_text(out)
    read = shell.ask("contacts", "which50", "--limit", "0", "--contacts-file", "all.txt")
    assert read["contacts"] == listed


def test_a_vendor_without_a_list_is_explained(shell):
    _, err = shell.run("contacts", "capillary", code=3)
    assert err == "capillary offers no list of its contacts. Give --contact or --contacts-file.\n"


@pytest.mark.parametrize("vendor", NAMES)
def test_a_preview_shows_what_exists_beside_the_vendors_own_bytes(shell, vendor):
    person = shell.sandbox.contacts(vendor)[0]
    words = ("preview", vendor, "--contact", person, *choose(vendor))
    found = shell.ask(*words, "--limit", "1000")["interactions"]
    assert len(found) == shell.sandbox.oracle(vendor, *EVER, contact=person).interactions > 0
    for one in found:
        assert one["canonical"]["native_type"] in one["raw"] or one["canonical"]["interaction_id"] in one["raw"]
    assert len(shell.ask(*words, "--limit", "2")["interactions"]) == 2
    within = shell.ask(*words, "--limit", "1000", *DATES)["interactions"]
    assert len(within) == shell.sandbox.oracle(vendor, *SPAN, contact=person).interactions


@pytest.mark.parametrize("vendor", NAMES)
def test_dates_of_a_preview_and_of_a_request_are_those_of_the_time_zone(shell, vendor):
    someone = shell.sandbox.contacts(vendor)[0]
    words = ("--contact", someone, *choose(vendor), *DATES, "--time-zone", "Pacific/Auckland")
    there = shell.sandbox.oracle(vendor, "2025-12-31T11:00:00Z", "2026-01-03T11:00:00Z", contact=someone).interactions
    assert there > 0
    assert len(shell.ask("preview", vendor, *words, "--limit", "1000")["interactions"]) == there
    assert shell.ask("person", vendor, *words)["counts"]["canonical"] == there


def test_the_times_on_a_persons_page_are_those_of_the_time_zone(shell):
    someone = shell.sandbox.contacts("which50")[0]
    found = shell.ask("person", "which50", "--contact", someone, "--time-zone", "Pacific/Auckland")
    assert "Pacific/Auckland" in (shell.folder / "lake" / found["page"]["path"]).read_text(encoding="utf-8")


def test_an_unknown_time_zone_is_refused(shell):
    for command in ("preview", "person"):
        _, err = shell.run(command, "which50", "--contact", "someone", "--time-zone", "Middle/Earth", code=3)
        assert "--time-zone is 'Middle/Earth'" in err


def test_a_preview_fits_eighty_columns(shell):
    out, _ = shell.run("preview", "which50", "--contact", shell.sandbox.contacts("which50")[0])
    lines = out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert sum("interaction_id:" in line for line in lines) == 20 or len(lines) > 20
    assert "raw" in lines[2]


def test_a_preview_needs_no_account_with_a_sandbox_of_its_own(shell):
    for name in shell.variables():
        del shell.environment[name]
    for vendor in NAMES:
        assert shell.ask("preview", vendor, "--sandbox", "--limit", "3")["interactions"]


# plan


def test_a_plan_needs_nothing_and_learns_from_the_lake(shell):
    words = ("plan", "which50", "--contacts", "4")
    bare = shell.ask(*words, *DATES)
    assert bare["learned_from_windows"] == 0
    shell.run("extract", "which50", *DATES)
    shell.run("normalize", "which50", *DATES)
    learned = shell.ask(*words, *DATES)
    assert learned["learned_from_windows"] == 3
    rows = learned["plan"]["daily"]["rows"]
    assert rows == shell.sandbox.oracle("which50", *SPAN).interactions != bare["plan"]["daily"]["rows"]
    for name in ("AIRFLOW_CONN_WHICH50_DEFAULT", "AIRFLOW__INTERACTIONS__LAKE"):
        del shell.environment[name]
    assert shell.ask(*words, *DATES) == bare
    out, _ = shell.run(*words, *DATES)
    assert f"{bare['plan']['daily']['requests']} requests" in out
    assert "an assumption" in out
    assert shell.ask("plan", "which50", "--contacts", "4", "--option", "nosuch=1", *DATES, code=3)


def test_a_plan_takes_the_pace_of_the_last_extractions(shell):
    """A terminal writes no ledger, so this is what tasks of Airflow in the same lake have left."""
    words = ("plan", "which50", "--contacts", "400", *DATES)
    shell.run("extract", "which50", *DATES)
    account, ended = shell.ask("coverage", "which50")["windows"][0]["account"], datetime.now(UTC)
    before = shell.ask(*words)["plan"]
    step = Step(
        step="extract",
        state="success",
        vendor="which50",
        account=account,
        started_at=ended - timedelta(seconds=400),
        ended_at=ended,
        seconds=400.0,
        requests=1000,
    )
    write_step(Lake.at(str(shell.folder / "lake")), step)
    after = shell.ask(*words)["plan"]
    assert (after["requests_per_second"], after["pace"]) == (2.5, "of the last extractions, by the ledger")
    assert before["requests_per_second"] != 2.5
    assert [after["daily"][one] for one in ("requests", "tasks")] == [
        before["daily"][one] for one in ("requests", "tasks")
    ]


# extract, normalize, load


@pytest.mark.parametrize("vendor", NAMES)
def test_windows_are_loaded_from_a_terminal(shell, vendor):
    file = () if VENDORS[vendor].bulk else write_contacts(shell, vendor)  # tables also have rows about nobody listed
    extracted = shell.ask("extract", vendor, *DATES, *file, *choose(vendor))["windows"]
    assert [one["start"][:10] for one in extracted] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    normalized = shell.ask("normalize", vendor, *DATES)["windows"]
    loaded = shell.ask("load", vendor, *DATES)["windows"]
    expected = shell.sandbox.oracle(vendor, *SPAN).interactions
    canonical = sum(one["counts"]["canonical"] for one in normalized)
    # A row of a table that has moved has a version in two windows.
    assert canonical >= expected > 0 if VENDORS[vendor].bulk else canonical == expected > 0
    assert sum(one["counts"]["inserted"] for one in loaded) == expected
    with duckdb.connect(shell.folder / "lake/interactions.duckdb", read_only=True) as database:
        assert database.execute("SELECT count(*) FROM interactions").fetchall() == [(expected,)]


def test_windows_that_are_there_can_be_left_out(shell):
    words = ("which50", *DATES, "--missing")
    first = shell.ask("extract", "which50", "--day", "2026-01-02")
    assert shell.ask("extract", *words)["windows"][1]["counts"] is None
    assert first["windows"][0]["counts"]["landed"] > 0
    before = shell.sandbox.stats()["which50"]["requests"]
    out, _ = shell.run("extract", *words)
    assert out.count("in the lake already") == 3
    assert shell.sandbox.stats()["which50"]["requests"] - before <= 10  # the list of contacts
    shell.run("normalize", *words)
    assert all(one["counts"] is None for one in shell.ask("normalize", *words)["windows"])
    shell.run("extract", "which50", "--day", "2026-01-02")
    assert [one["counts"] is None for one in shell.ask("normalize", *words)["windows"]] == [True, False, True]


def test_a_changed_policy_is_applied_to_what_is_there(shell):
    """By an option, or the connection; --missing knows that it changed. The key is a connection of the TOML file."""
    words, key = ("which50", "--day", "2026-01-02"), {"login": "2026-11", "password": "0123456789abcdef" * 4}
    (shell.folder / "interactions.toml").write_text(
        f'[connections.pseudonyms]\nlogin = "{key["login"]}"\npassword = "{key["password"]}"\n'
    )
    (shell.folder / "interactions.toml").chmod(0o600)
    shell.run("extract", *words)
    asked = shell.sandbox.stats()["which50"]["requests"]
    hashed = json.dumps({"fields": {"contact_id": "hmac", "subject": "drop"}, "key": "pseudonyms"})
    for again, known in ((("--policy", hashed), False), (("--policy", hashed), True), ((), False)):
        [done] = shell.ask("normalize", *words, "--missing", *again)["windows"]
        assert (done["counts"] is None) == known
    known = {**shell.sandbox.connections["which50"]}
    known["extra"] = {**known["extra"], "policy": json.loads(hashed)}
    shell.environment["AIRFLOW_CONN_WHICH50_DEFAULT"] = json.dumps(known)
    shell.run("normalize", *words)
    shell.run("load", *words)
    with duckdb.connect(shell.folder / "lake/interactions.duckdb", read_only=True) as database:
        found = database.execute("SELECT DISTINCT contact_id[:13], subject FROM interactions").fetchall()
    assert found == [("hmac:2026-11:", None)]
    assert shell.sandbox.stats()["which50"]["requests"] == asked
    _, err = shell.run("normalize", *words, "--policy", "hide", code=3)
    assert "'hide'" in err


def test_missing_windows_are_shown(shell):
    """Days 1 and 3 were read, day 2 was not, and day 4 was read but not normalized."""
    for day in ("2026-01-01", "2026-01-03", "2026-01-04"):
        shell.run("extract", "which50", "--day", day)
    for day in ("2026-01-01", "2026-01-03"):
        shell.run("normalize", "which50", "--day", day)
    found = shell.ask("coverage")
    states = [(one["start"], one["state"]) for one in found["windows"]]
    whole = {"complete", "rejects", "empty"}
    assert [state in whole for _, state in states] == [True, False, True, False]
    assert states[1::2] == [("2026-01-02T00:00:00Z", "never"), ("2026-01-04T00:00:00Z", "stale")]
    truth = [shell.sandbox.oracle("which50", *span).interactions for span in (("2026-01-01", "2026-01-02"),)]
    assert [found["windows"][0]["rows"]] == truth
    assert shell.ask("coverage", "which50", "--gaps")["windows"] == [found["windows"][1]]
    assert shell.ask("coverage", "luminate_online")["windows"] == []
    assert [
        one["state"] for one in shell.ask("coverage", "--start", "2026-01-05", "--end", "2026-01-07")["windows"]
    ] == [
        "never",
        "never",
    ]
    out, _ = shell.run("coverage", "--gaps")
    assert "1 of 4 windows are missing." in out
    shell.ask("coverage", "--start", "2026-01-05", code=3)


def test_tables_and_progress_fit_eighty_columns(shell):
    for step in ("extract", "normalize", "load", "coverage"):
        out, err = shell.run(step, "which50", *(DATES if step != "coverage" else ()))
        assert "2026-01-0" in out
        assert max(map(cell_len, out.splitlines())) <= 80
        assert "\x1b" not in out + err


def test_a_window_can_have_another_width(shell):
    found = shell.ask("extract", "which50", "--day", "2026-01-02", "--width", "12h")["windows"]
    assert [one["end"] for one in found] == ["2026-01-02T12:00:00Z", "2026-01-03T00:00:00Z"]


def test_days_of_a_time_zone(shell):
    words = ("--day", "2026-01-02", "--time-zone", "America/New_York")
    [window] = shell.ask("extract", "which50", *words)["windows"]
    assert (window["start"], window["end"]) == ("2026-01-02T05:00:00Z", "2026-01-03T05:00:00Z")
    [window] = shell.ask("normalize", "which50", *words)["windows"]
    truth = shell.sandbox.oracle("which50", window["start"], window["end"]).interactions
    assert shell.ask("load", "which50", *words)["windows"][0]["counts"]["rows"] == truth > 0
    _, err = shell.run("extract", "which50", "--day", "2026-01-02", "--time-zone", "Mars/Olympus", code=3)
    assert err == "--time-zone is 'Mars/Olympus', which is not a known time zone. Write for example Europe/Berlin.\n"


def test_more_requests_than_the_limit_are_not_sent(shell):
    error = shell.ask("plan", "which50", "--contacts", "100", *DATES, "--max-requests", "99", code=3)
    assert error["message"].startswith("All 3 windows together take about ")
    shell.ask("plan", "which50", "--contacts", "100", *DATES, "--max-requests", "100000")
    shell.sandbox.reset()
    words = ("extract", "which50", *DATES, *write_contacts(shell, "which50"))
    assert "more than --max-requests 0" in shell.ask(*words, "--max-requests", "0", code=3)["message"]
    assert not any(one["requests"] for one in shell.sandbox.stats().values())
    assert len(shell.ask(*words, "--max-requests", "100000")["windows"]) == 3


def test_files_of_a_former_version_are_kept_if_asked_for(shell):
    words = ("which50", "--day", "2026-01-02")
    shell.run("extract", *words)
    shell.run("normalize", *words)
    shell.run("normalize", *words, "--keep-former", "1h")
    folder = shell.folder / "lake" / "interactions"
    assert len(list(folder.rglob("*.parquet"))) == 2
    _, err = shell.run("normalize", *words, "--keep-former", "2d", code=3)
    assert "for 1 day, 0:00:00 at most" in err


def test_what_is_old_is_removed(shell):
    """Raw records of a window that was extracted long ago, and an old answer; what is young or not named stays."""
    words, lake = ("which50", "--day", "2026-01-02"), shell.folder / "lake"
    account = shell.ask("extract", *words)["account"]
    shell.run("normalize", *words)
    for name in ("raw", "manifests"):
        for path in lake.rglob(f"{name}/**/*.json"):
            manifest = json.loads(path.read_text())
            path.write_text(json.dumps({**manifest, "extracted_at": "2020-01-01T00:00:00Z"}))
    answers = lake / AccountPaths("which50", account).folder("requests")
    answers.mkdir(parents=True)
    for at in (datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC)):
        (answers / f"{timestamp(at)}-12345678.html").touch()
    assert shell.ask("sweep", "which50", "--keep", "requests=none")["removed"] == {}
    out, _ = shell.run("sweep", "which50", "--keep", "raw=400")
    assert re.findall(r"│ (\w+) +│ (\d+) ", out) == [("raw", "2"), ("requests", "1")]
    assert not list(lake.rglob("raw/**/*.parquet"))
    assert list(lake.rglob("interactions/**/*.parquet"))
    assert len(list(answers.iterdir())) == 1
    assert "Nothing was removed." in shell.run("sweep", "which50", "--keep", "raw=400")[0]
    assert shell.ask("normalize", *words, "--missing")["windows"][0]["counts"] is None
    assert "were removed by retention" in shell.ask("normalize", *words, code=3)["message"]


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("raw", "--keep raw cannot be used. Give a layer and its days, such as raw=400, or raw=none."),
        ("raw=-1", "--keep raw=-1 cannot be used."),
        ("raw=0", "retention of raw is less than a day."),
        ("rows=3", "Its layers are: raw, canonical, history, rejects, requests, contacts."),
    ],
)
def test_a_layer_or_its_days_may_be_wrong(shell, keep, message):
    assert message in shell.ask("sweep", "which50", "--keep", keep, code=3)["message"]


def test_alerts_are_warnings_and_in_the_result(shell):
    words = ("normalize", "which50", "--day", "2026-01-02", "--alert", "drift", "--alert", "count")
    shell.run("extract", "which50", "--day", "2026-01-02")
    out, err = shell.run(*words, "--json")
    [alert] = json.loads(out)["result"]["alerts"]  # the vendor documents few names of types
    assert (alert["kind"], "new native types: " in alert["message"]) == ("drift", True)
    assert alert["message"] in err
    assert shell.ask(*words)["alerts"] == [], "what was seen is not new"
    _, err = shell.run("normalize", "which50", "--day", "2026-01-02", "--alert", "odd", code=3)
    assert err == "--alert is 'odd'. Write one of drift, count, rejects.\n"


def test_a_warehouse_needs_airflows_hook(shell):
    shell.environment["AIRFLOW_CONN_HOUSE"] = json.dumps({"conn_type": "snowflake"})
    _, err = shell.run("load", "which50", "--day", "2026-01-02", "--target", "house", code=3)
    assert "Install it with: pip install apache-airflow-providers-snowflake." in err


def test_several_targets_and_a_connection(shell):
    shell.environment["AIRFLOW_CONN_HOUSE"] = json.dumps({"conn_type": "duckdb", "host": str(shell.folder / "x.db")})
    shell.run("extract", "which50", "--day", "2026-01-02")
    shell.run("normalize", "which50", "--day", "2026-01-02")
    targets = ("--target", "house", "--target", "./y.duckdb")
    found = shell.ask("load", "which50", "--day", "2026-01-02", *targets, "--table", "crm")["windows"]
    assert len({one["table"] for one in found}) == 2
    for file in ("x.db", "y.duckdb"):
        with duckdb.connect(shell.folder / file, read_only=True) as database:
            [[rows]] = database.execute("SELECT count(*) FROM crm").fetchall()
        assert rows == found[0]["counts"]["rows"] > 0


# person


@pytest.mark.parametrize("vendor", NAMES)
def test_a_persons_data_is_in_the_files_and_nowhere_else(shell, vendor):
    someone = shell.sandbox.contacts(vendor)[0]
    out, err = shell.run("person", vendor, "--contact", "-", *choose(vendor), given=f"{someone}\n")
    assert someone not in out + err
    found = shell.ask("person", vendor, "--contact", someone, *choose(vendor))
    assert found["counts"]["canonical"] == shell.sandbox.oracle(vendor, *EVER, contact=someone).interactions > 0
    table = pq.read_table(shell.folder / "lake" / found["parquet"]["path"])
    assert table.num_rows == found["parquet"]["rows"] == found["lines"]["rows"]
    assert "records" not in found


def test_a_persons_data_is_shown_if_asked_for(shell):
    someone = shell.sandbox.contacts("which50")[0]
    words = ("person", "which50", "--contact", someone, "--show")
    found = shell.ask(*words)
    assert len(found["records"]) == found["lines"]["rows"] > 0
    out, err = shell.run(*words)
    assert found["records"][0]["interaction_id"] in re.sub(r"\s|│", "", out)
    assert "occurred_at" not in err
    assert max(map(cell_len, (line for line in out.splitlines() if line.startswith("│")))) <= 80


# How a command ends


def test_a_wrong_command_line(shell):
    for words in (["nosuch"], ["preview"], ["preview", "which50", "--limit", "0"], ["test", "which50", "--nosuch"]):
        out, err = shell.run(*words, code=2)
        assert out == ""
        assert "Usage" in err


def test_a_missing_connection_is_named(shell):
    _, err = shell.run("test", "which50", "--conn-id", "other", code=3)
    assert err.startswith("Connection other does not exist. Set the environment variable AIRFLOW_CONN_OTHER, or add ")
    assert len(err.splitlines()) == 1
    assert shell.ask("test", "which50", "--conn-id", "other", code=3)["type"] == "ConfigError"


def test_no_lake_is_named(shell):
    del shell.environment["AIRFLOW__INTERACTIONS__LAKE"]
    _, err = shell.run("normalize", "which50", "--day", "2026-01-02", code=3)
    assert err == "No lake is set. Give --lake, a folder or a URL, or set AIRFLOW__INTERACTIONS__LAKE.\n"


def test_steps_say_which_step_is_missing(shell):
    _, err = shell.run("normalize", "which50", "--day", "2026-01-02", code=3)
    assert "Run: interactions extract" in err
    _, err = shell.run("load", "which50", "--day", "2026-01-02", code=3)
    assert "Run: interactions normalize" in err


def test_refused_credentials(shell):
    known = {**shell.sandbox.connections["which50"], "password": "a-wrong-secret"}
    shell.environment["AIRFLOW_CONN_WHICH50_DEFAULT"] = json.dumps(known)
    error = shell.ask("test", "which50", code=4)
    assert error["type"] == "AuthRejected"
    assert error["retry"] is False
    assert "a-wrong-secret" not in json.dumps(error)


def test_a_vendor_that_is_busy_or_away(shell):
    shell.sandbox.faults([{"kind": "throttle", "retry_after": 40}])
    error = shell.ask("test", "which50", code=5)
    assert (error["type"], error["retry"], error["retry_after"]) == ("Throttled", True, 40.0)
    shell.sandbox.faults([{"kind": "status", "status": 503}])
    assert shell.ask("test", "which50", code=5)["type"] == "Unavailable"


def test_a_response_of_another_shape(shell):
    shell.sandbox.faults([{"kind": "status", "status": 200, "body": '{"odd": 1}', "path": "communications"}])
    someone = shell.sandbox.contacts("which50")[0]
    assert shell.ask("preview", "which50", "--contact", someone, code=6)["type"] == "BadResponse"


def test_records_that_cannot_be_read(shell):
    rename = {"kind": "replace", "path": "communications", "find": '"Interaction":', "put": '"Was":'}
    shell.sandbox.faults([rename])
    shell.run("extract", "which50", "--day", "2026-01-02")
    assert shell.ask("normalize", "which50", "--day", "2026-01-02", code=7)["type"] == "TooManyRejects"
    [window] = shell.ask("normalize", "which50", "--day", "2026-01-02", "--rejects-share", "1")["windows"]
    assert window["counts"]["rejected"] == window["counts"]["landed"] > 0


def test_a_lake_that_cannot_be_used(shell):
    (shell.folder / "lake").write_text("a file where the lake should be")
    _, err = shell.run("extract", "which50", "--day", "2026-01-02", code=3)
    assert "(Not a directory)" in err
    _, err = shell.run("contacts", "which50", "--contacts-file", "nosuch.csv", code=3)
    assert err == "The file of contacts does not exist. Check its address.\n"


def test_a_port_that_is_in_use(shell):
    port = shell.sandbox.url.rpartition(":")[2]
    assert "Choose another --port" in shell.run("sandbox", "--port", port, code=3)[1]


def test_a_traceback_is_shown_only_if_asked_for(shell):
    process = shell.start("test", "nosuch", "--debug")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "Traceback" in err
    assert "Traceback" not in shell.run("test", "nosuch", code=3)[1]


def test_a_reader_that_goes_is_no_error(shell):
    process = shell.start("preview", "which50", "--sandbox", "--limit", "500")
    process.stdout.close()
    err = process.stderr.read()
    process.stdin.close()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert err == ""


# Hostile input

#: A fault that changes the names in Which50's records.
NAMES_OF_RECORDS = {"kind": "replace", "path": "communications", "find": r'"Name": ?"(?:[^"\\]|\\.)*"'}
HOSTILE = r"\u001b]0;pwned\u0007\u001b[2J\u009b31m\u202eevil\r\b"


def test_control_characters_of_a_vendor_reach_no_terminal(shell):
    shell.sandbox.faults([{**NAMES_OF_RECORDS, "put": f'"Name": "{HOSTILE}"'.replace("\\", "\\\\")}])
    someone = shell.sandbox.contacts("which50")[0]
    for words in (("preview", "which50"), ("preview", "which50", "--json"), ("person", "which50", "--show")):
        out, err = shell.run(*words, "--contact", someone)
        assert "pwned" in out
        obeyed = {one for one in out + err if unicodedata.category(one) in {"Cc", "Cf", "Zl", "Zp"}}
        assert obeyed <= {"\n"}, words


def test_a_record_cannot_draw_with_markup(shell):
    shell.sandbox.faults([{**NAMES_OF_RECORDS, "put": '"Name": "[red]x[/nosuch]"'}])
    out, _ = shell.run("preview", "which50", "--contact", shell.sandbox.contacts("which50")[0])
    assert "[red]x[/nosuch]" in out


# Secrets


@pytest.mark.parametrize("vendor", NAMES)
def test_no_secret_is_printed(shell, vendor):
    known = shell.sandbox.connections[vendor]
    secrets = {known["password"], str(known["extra"].get("api_key") or known["password"])}
    shell.sandbox.faults([{"kind": "status", "status": 400, "path": "a"}])
    for words in (("test", vendor), ("test", vendor, "--debug"), ("test", vendor, "--json")):
        process = shell.start(*words)
        out, err = process.communicate(timeout=60)
        assert not [secret for secret in secrets if secret in out + err]


# The TOML file


def test_connections_and_lake_from_a_file(shell):
    known = shell.sandbox.connections["which50"]
    del shell.environment["AIRFLOW_CONN_WHICH50_DEFAULT"]
    del shell.environment["AIRFLOW__INTERACTIONS__LAKE"]
    extra = "\n".join(f"{name} = {json.dumps(value)}" for name, value in known["extra"].items())
    file = shell.folder / "interactions.toml"
    file.write_text(
        f'lake = "elsewhere"\n[connections.which50_default]\nhost = "{known["host"]}"\n'
        f'conn_type = "which50"\npassword = "{known["password"]}"\n[connections.which50_default.extra]\n{extra}\n'
    )
    file.chmod(0o644)
    _, err = shell.run("extract", "which50", "--day", "2026-01-02")
    assert "chmod 600 interactions.toml" in err
    assert (shell.folder / "elsewhere/raw").exists()
    file.chmod(0o600)
    assert "chmod" not in shell.run("test", "which50")[1]
    file.rename(shell.folder / "my.toml")
    shell.run("test", "which50", code=3)
    shell.run("test", "which50", "--config", "my.toml")
    shell.environment["AIRFLOW_CONN_WHICH50_DEFAULT"] = json.dumps({**known, "password": "another"})
    shell.run("test", "which50", "--config", "my.toml", code=4)


@pytest.mark.parametrize(
    "text", ["[connections", "lake = 1", "nosuch = 1", '[connections.which50_default]\nnosuch = "a-secret-value"']
)
def test_a_wrong_file_is_explained_without_its_values(shell, text):
    del shell.environment["AIRFLOW_CONN_WHICH50_DEFAULT"]
    (shell.folder / "interactions.toml").write_text(text)
    _, err = shell.run("test", "which50", code=3)
    assert "a-secret-value" not in err
    assert len(err.splitlines()) <= 2


# Ctrl-C


def wait_for(condition, seconds=60):
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it took too long")


def test_ctrl_c_leaves_a_state_that_the_same_command_continues(start_shell):
    slow = start_shell(contacts=40, days=3, latency=0.2, per_contact=3)
    words = ("extract", "which50", *DATES, "--missing", "--contacts-file", "all.txt")
    (slow.folder / "all.txt").write_text("\n".join(slow.sandbox.contacts("which50")))
    process = slow.start(*words)
    unfinished = slow.folder / "lake/unfinished"
    wait_for(lambda: list(unfinished.rglob("done-*.json")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "The same command with --missing continues there" in err
    asked = slow.sandbox.stats()["which50"]["requests"]
    windows = slow.ask(*words)["windows"]
    assert sum(one["counts"]["landed"] for one in windows) == slow.sandbox.oracle("which50", *SPAN).interactions > 0
    total = slow.sandbox.stats()["which50"]["requests"]
    slow.sandbox.reset()
    fresh = ("extract", "which50", *DATES, "--contacts-file", "all.txt", "--lake", "fresh")
    slow.ask(*fresh)
    assert total - asked < slow.sandbox.stats()["which50"]["requests"]  # what had landed was not asked for again


def test_ctrl_c_in_json(start_shell):
    slow = start_shell(contacts=40, latency=0.5)
    process = slow.start("extract", "which50", "--day", "2026-01-02", "--json")
    wait_for(lambda: slow.sandbox.stats()["which50"]["requests"] > 3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["type"] == "KeyboardInterrupt"


# The sandbox


def test_the_sandbox_prints_what_the_next_terminal_needs(shell):
    process = shell.start("sandbox", "--contacts", "3")
    try:
        lines = [process.stdout.readline()]
        while "interactions preview" not in lines[-1]:
            lines.append(process.stdout.readline())
        script = "\n".join(line.strip() for line in lines if line.startswith("export "))
        for name in shell.variables():
            del shell.environment[name]
        shown = subprocess.run(
            ["bash", "-c", f"{script}\nenv"], env=shell.environment, capture_output=True, text=True, check=True
        ).stdout
        shell.environment |= dict(
            line.partition("=")[::2] for line in shown.splitlines() if line.startswith("AIRFLOW_CONN_")
        )
        assert len(script.splitlines()) == len(NAMES)
        assert shell.ask(*lines[-1].split()[1:])["interactions"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def test_the_sandbox_speaks_to_machines(shell):
    process = shell.start("sandbox", "--json", "--contacts", "3")
    try:
        found = json.loads(process.stdout.readline())
        assert set(found["result"]["environment"]) == set(shell.variables())
        shell.environment |= found["result"]["environment"]
        shell.run("test", "which50")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


# On a terminal


def test_a_terminal_gets_a_bar_and_stdout_stays_clean(start_shell):
    slow = start_shell(contacts=20, latency=0.2)
    leader, follower = pty.openpty()
    command = slow.start("extract", "which50", "--day", "2026-01-02")
    command.kill()
    command.communicate()
    process = subprocess.Popen(
        command.args, cwd=slow.folder, env=slow.environment | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=follower
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    out = process.stdout.read()
    process.stdout.close()
    os.close(leader)
    assert process.wait(timeout=60) == 0
    assert "━".encode() in shown
    assert b"\x1b" not in out


def test_help_of_every_command_fits(shell):
    out, _ = shell.run("--help")
    commands = re.findall(r"^│ (\w+) ", out, re.MULTILINE)
    steps = {"plan", "extract", "normalize", "load", "coverage"}
    assert {"sandbox", "test", "contacts", "preview", "person", *steps} <= set(commands)
    for command in commands:
        out, _ = shell.run(command, "--help")
        assert max(map(cell_len, out.splitlines())) <= 80


def test_raw_records_are_encrypted_with_the_keys_of_a_folder(shell):
    master = {"conn_type": "generic", "password": "0123456789abcdef" * 4}
    shell.environment |= {
        "AIRFLOW__INTERACTIONS__ENCRYPT_RAW": str(shell.folder / "keys"),
        "AIRFLOW__INTERACTIONS__ENCRYPTION_CONN_ID": "master",
        "AIRFLOW_CONN_MASTER": json.dumps(master),
    }
    words = ("which50", "--day", "2026-01-02")
    shell.ask("extract", *words)
    [window] = shell.ask("normalize", *words)["windows"]
    assert window["counts"]["canonical"] == shell.sandbox.oracle("which50", "2026-01-02", "2026-01-03").interactions > 0
    paths = (shell.folder / "lake" / "raw").rglob("*.parquet")
    ids = {one for path in paths for one in pq.read_table(path)["contact_id"].to_pylist()}
    contacts = shell.sandbox.contacts("which50")
    assert {one.split(":")[0] for one in ids} == {"enc"}
    changed = {**master, "password": "x" * 40, "extra": {"former": [master["password"]]}}
    shell.environment["AIRFLOW_CONN_MASTER"] = json.dumps(changed)
    assert shell.ask("rewrap-keys")["keys"] == len(contacts) + 1
    assert shell.ask("rewrap-keys")["keys"] == 0
    shell.environment["AIRFLOW_CONN_MASTER"] = json.dumps({**changed, "extra": {}})
    assert shell.ask("normalize", *words)["windows"] == [window]
    shell.environment["AIRFLOW_CONN_MASTER"] = json.dumps(master)
    assert "master key of id" in shell.ask("normalize", *words, code=3)["message"]
    del shell.environment["AIRFLOW__INTERACTIONS__ENCRYPT_RAW"]
    assert "encrypt_raw" in shell.ask("normalize", *words, code=3)["message"]
