"""Fill a DuckDB table from simulated vendors with a real Airflow, and check every row of it."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT

from airflow_provider_interactions.demo.errors import DemoError, Interrupted

#: when the example DAGs begin
_EARLIEST = date(2026, 1, 1)

_PACKAGES = ("airflow", "aiohttp", "deltalake", "duckdb", "obstore", "requests", "rich")


def build_parser() -> argparse.ArgumentParser:
    """The arguments."""
    parse = argparse.ArgumentParser(prog="python -m airflow_provider_interactions.demo", description=__doc__)
    parse.add_argument("--days", type=_limit_to(60), default=3, help="number of daily windows (default: 3)")
    parse.add_argument("--start", type=_read_day, help="first day, YYYY-MM-DD (default: the last day is yesterday)")
    parse.add_argument("--contacts", type=_limit_to(100_000), default=40, help="contacts of each vendor (default: 40)")
    parse.add_argument("--ui", action="store_true", help="keep Airflow running until Ctrl-C")
    parse.add_argument("--home", type=Path, default=Path(".demo"), help="folder for all files (default: .demo)")
    parse.add_argument("--port", type=int, default=0, help="port of Airflow's UI and API (default: any free one)")
    parse.add_argument(
        "--target",
        type=_check_target,
        help="load into PostgreSQL as well: postgres for a server of the demo's own, or postgresql://user:password@host/db",
    )
    return parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if the table is correct, 1 if it is not or the demo failed, 130 after Ctrl-C."""
    wanted = build_parser().parse_args(arguments)
    try:
        _check_packages()
        from airflow_provider_interactions.demo import scenario

        home = wanted.home.absolute()
        return scenario.run(
            wanted.days, wanted.contacts, home, wanted.port, ui=wanted.ui, target=wanted.target, start=wanted.start
        )
    except DemoError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as wrong:
        if wrong.errno != errno.ENOSPC:
            raise
        print("\nThe disk is full. Make room, or choose a folder on another one with --home.", file=sys.stderr)
        return 1
    except (Interrupted, KeyboardInterrupt) as interrupted:
        print("\nInterrupted. All started processes were stopped.", file=sys.stderr)
        return 128 + getattr(interrupted, "signal", SIGINT)


def _check_packages() -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        needed = f"The demo needs {', '.join(missing)}, which this Python lacks."
        message = f"{needed} Install airflow-provider-interactions[demo]."
        raise DemoError(message)


def _read_day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day < _EARLIEST:
        message = f"must be a day from {_EARLIEST} on, as YYYY-MM-DD"
        raise argparse.ArgumentTypeError(message)
    return day


def _check_target(text: str) -> str:
    if text != "postgres" and not text.startswith(("postgresql://", "postgres://")):
        message = "must be postgres, or the URL of a database: postgresql://…"
        raise argparse.ArgumentTypeError(message)
    return text


def _limit_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            message = f"must be a number from 1 to {most}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
