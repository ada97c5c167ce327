"""What a person reads."""

import io
import re
import shlex
import subprocess
from datetime import date

import duckdb
import pytest
from rich.console import Console

from airflow_provider_interactions.demo import report
from airflow_provider_interactions.demo.backfill import Outcome, Status, Step
from airflow_provider_interactions.demo.check import Difference, Finding
from airflow_provider_interactions.demo.errors import DemoError
from airflow_provider_interactions.demo.paths import Paths
from airflow_provider_interactions.demo.vendors import SOURCES
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.window import Window

WINDOWS = [Window.day(date(2026, 1, day)) for day in (1, 2)]
COUNTS = Counts(fetched=1006, landed=1005, repeated=1004, rejected=1003, canonical=1002)
OUTCOMES = {"acme": [Outcome(window, COUNTS, 1001) for window in WINDOWS]}
STANDINGS = [(Status("acme", done, 2, (Step("extract", done, 2),)),) for done in (0, 1, 2)]


def findings(difference=None):
    wrong = Finding("acme", "all windows", 2000, 1999, "d" * 64, "e" * 64, difference)
    return {"acme": [*(Finding("acme", str(window), 1000, 1000, "d", "d") for window in WINDOWS), wrong]}


def printed(*things, width=160, **console):
    out = Console(file=io.StringIO(), width=width, **console)
    out.print(*things)
    return out.file.getvalue()


def rows(text):
    return [cells(line) for line in text.splitlines() if "acme" in line or "2026-" in line]


def test_the_sum_and_a_row_per_window():
    total, first, second = rows(printed(report.build_table(OUTCOMES, findings())))
    assert total == ["acme", "2,012", "2,010", "2,008", "2,006", "2,004", "2,002", "2,000", "1,999", "yes"]
    assert first == ["2026-01-01", "1,006", "1,005", "1,004", "1,003", "1,002", "1,001", "1,000", "1,000", "yes"]
    assert second[0] == "2026-01-02"


def test_the_longest_name_and_large_numbers_fit_where_there_is_no_terminal():
    windows = [Outcome(WINDOWS[0], COUNTS + Counts(fetched=1_000_000, landed=1_000_000, canonical=1_000_000), 1)]
    made = report.build_table({"dynamics_marketing": windows}, {"dynamics_marketing": findings()["acme"][1:]})
    text = printed(made, width=report.WIDTH)
    assert "dynamics_marketing" in text
    assert "1,001,006" in text
    assert "…" not in text


def cells(line):
    return line.replace("│", " ").split()


def test_a_difference_shows_in_its_row_and_as_a_complaint():
    wrong = findings(Difference(missing=("x1", "x2")))
    assert [row[-1] for row in rows(printed(report.build_table(OUTCOMES, wrong)))] == ["no", "yes", "yes"]
    sentence = "acme, all windows: 2000 interactions exist, the table has 1999: 2 missing (e.g. x1)."
    assert report.list_differences(wrong) == [sentence]
    assert report.list_differences(findings()) == []
    assert f"acme              {'d' * 16}…  {'e' * 16}…" in printed(report.build_digests(wrong))


def test_where_everything_lies(tmp_path):
    places = Paths(tmp_path)
    file = places.lake / "interactions" / "date=2026-01-01" / "a.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x" * 2000)
    text = printed(report.build_locations(places))
    assert "(1 files, 2 kB)" in text
    assert "interactions.duckdb" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_and_notes(terminal):
    out = Console(file=io.StringIO(), width=160, force_terminal=terminal)
    with report.show_progress(out) as display:
        for standings in STANDINGS:
            display.show(standings)
        display.note("A try [of a task] failed.")
    text = re.sub(r"\x1b.*?[a-zA-Z]", "", out.file.getvalue())
    assert ("2 of 2 windows; extract 2/2" if terminal else "2 tasks done; windows: acme 2 of 2") in text
    assert "A try [of a task] failed." in text


def test_lines_come_now_and_then_and_at_the_end():
    out = Console(file=io.StringIO(), width=160)
    lines = report.Lines(out)
    for standings in STANDINGS:
        lines.show(standings)
        lines.show(standings)
    assert [line.split()[0] for line in out.file.getvalue().splitlines()] == ["0", "2"]


def test_addresses_lead_to_every_dag_the_connections_and_the_answer():
    text = "\n".join(report.list_addresses("http://a", "http://s", "http://a/answer"))
    expected = [f"http://a/dags/{source.dag_id}" for source in SOURCES]
    for address in (*expected, "http://a/connections", "http://a/answer", "http://s/_sandbox"):
        assert re.search(rf" {address}( |$)", text, re.MULTILINE), address


TABLE = """
    CREATE TABLE interactions AS SELECT * FROM (VALUES
        ('acme', 'a-1', 'email', 'opened', 'EmailOpened', NULL, TIMESTAMPTZ '2026-01-02 12:00:00+00'),
        ('best', 'b%2', 'sms', 'sent', 'sms', 'It''s new', TIMESTAMPTZ '2026-01-01 12:00:00+00'),
        ('best', 'b-3', 'web', 'visited', 'web', NULL, TIMESTAMPTZ '2026-01-01 13:00:00+00'))
    AS rows (vendor, contact_id, channel, action, native_type, subject, occurred_at)
"""


@pytest.fixture
def database(tmp_path, monkeypatch):
    """Make a table in a folder of a given name."""

    def make(folder):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path)
        path = tmp_path / folder / "interactions.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(TABLE)
        return path

    return make


@pytest.mark.parametrize("folder", ["plain", "it's", 'say "$HOME"', "with blanks"])
def test_the_first_query_can_be_pasted(database, folder):
    command = report.build_query(database(folder))
    by_shell = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert "opened" in by_shell
    assert shlex.split(command)[1] == "-c"


def test_a_persons_history_is_in_order_of_time_and_shows_the_subject_or_the_type(database):
    command = report.build_history_query(database("home"), ["a-1", "a-1", "b%2"])
    assert command.count("'a-1'") == 1
    lines = [cells(line) for line in report.run_query(command).splitlines() if "2026-" in line]
    assert lines == [
        ["2026-01-01", "12:00:00", "best", "sms", "sent", "It's", "new"],
        ["2026-01-02", "12:00:00", "acme", "email", "opened", "EmailOpened"],
    ]


def test_a_query_that_fails(tmp_path):
    with pytest.raises(DemoError, match="The query failed"):
        report.run_query(report.build_query(tmp_path / "none.duckdb"))
