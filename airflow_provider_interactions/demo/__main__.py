"""Run the main job: vendor sandbox, a real Airflow, a backfill, Parquet, DuckDB, and a check of every row."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT

from airflow_provider_interactions.demo.errors import Interrupted, Trouble
from airflow_provider_interactions.demo.paths import CHECKOUT

_PACKAGES = ("airflow", "aiohttp", "duckdb", "requests", "rich")


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    parse = argparse.ArgumentParser(prog="python -m airflow_provider_interactions.demo", description=__doc__)
    parse.add_argument("--days", type=_up_to(60), default=3, help="daily windows to fill (default: 3)")
    parse.add_argument("--contacts", type=_up_to(100_000), default=40, help="contacts of the vendor (default: 40)")
    parse.add_argument("--ui", action="store_true", help="keep Airflow running afterwards, until Ctrl-C")
    parse.add_argument("--home", type=Path, default=CHECKOUT / ".demo", help="where everything goes (default: .demo)")
    parse.add_argument("--port", type=int, default=0, help="of Airflow's UI and API; 0 takes any free one (default)")
    return parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if the table holds exactly what exists, 1 if not or if something went wrong, 130 after Ctrl-C."""
    wish = parser().parse_args(arguments)
    try:
        _complete()
        from airflow_provider_interactions.demo import scenario

        return scenario.tell(wish.days, wish.contacts, wish.home.absolute(), wish.port, ui=wish.ui)
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1
    except OSError as wrong:
        if wrong.errno != errno.ENOSPC:
            raise
        print("\nThe disk is full. Make room, or choose a folder on another one with --home.", file=sys.stderr)
        return 1
    except (Interrupted, KeyboardInterrupt) as interrupted:
        print("\nInterrupted. Everything that was started has been ended.", file=sys.stderr)
        return 128 + getattr(interrupted, "signal", SIGINT)


def _complete() -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        message = f"The demo needs {', '.join(missing)}, which this Python lacks: run it by the line in README.md."
        raise Trouble(message)


def _up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            message = f"must be a number from 1 to {most}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
