"""Arguments and exit codes."""

import errno
import signal
from datetime import date

import pytest

from airflow_provider_interactions.demo import __main__ as command
from airflow_provider_interactions.demo import scenario
from airflow_provider_interactions.demo.errors import DemoError, Interrupted
from airflow_provider_interactions.window import Window


@pytest.fixture
def tell_outcome(monkeypatch):
    def tell(outcome):
        def instead(*_, **__):
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(scenario, "run", instead)
        return command.main([])

    return tell


def test_defaults():
    wish = command.build_parser().parse_args([])
    assert (wish.days, wish.ui, wish.port, wish.home.name) == (3, False, 0, ".demo")


@pytest.mark.parametrize("days", ["0", "-1", "61", "two", "1.5"])
def test_days_out_of_range(days, capsys):
    with pytest.raises(SystemExit):
        command.main([f"--days={days}"])
    assert "must be a number from 1 to 60" in capsys.readouterr().err


@pytest.mark.parametrize("day", ["2025-12-31", "2026-02-30", "yesterday", ""])
def test_a_start_that_the_dags_do_not_have(day, capsys):
    with pytest.raises(SystemExit):
        command.main([f"--start={day}"])
    assert "must be a day from 2026-01-01 on, as YYYY-MM-DD" in capsys.readouterr().err


def test_windows_end_yesterday_or_begin_at_the_start():
    today, start = date(2026, 5, 7), date(2026, 1, 1)
    assert scenario.list_windows(2, None, today) == [Window.day(date(2026, 5, day)) for day in (5, 6)]
    assert scenario.list_windows(2, start, today) == [Window.day(date(2026, 1, day)) for day in (1, 2)]


@pytest.mark.parametrize(
    ("outcome", "code", "text"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (DemoError("Port 1 is in use."), 1, "Port 1 is in use."),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "The disk is full."),
        (Interrupted(signal.SIGTERM), 143, "Interrupted."),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_exit_codes(tell_outcome, capsys, outcome, code, text):
    assert tell_outcome(outcome) == code
    assert text in capsys.readouterr().err


def test_other_errors_are_not_swallowed(tell_outcome):
    with pytest.raises(OSError, match="other"):
        tell_outcome(OSError(errno.EIO, "other"))


def test_a_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.setattr(command, "_PACKAGES", ("rich", "no_such_package"))
    assert command.main([]) == 1
    assert "needs no_such_package, which" in capsys.readouterr().err
