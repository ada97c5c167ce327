"""A process that brings the table of a ledger up to date: ``python -m tests.targets.load_steps CASE LAKE PLACE``.

It writes a line when it is ready, begins with a line of its input, and adds a few rows at a time until all are there.
"""

import sys
from functools import partial

import stamina

from airflow_provider_interactions.coverage import ledger
from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.lake.storage import Lake
from tests.targets import cases

#: Rows of one load.
FEW = 7

#: How often to try it.
TRIES = 5


def add_some(target, lake):
    """The number of rows. A DuckDB file that the other process has open is tried again, a few times."""
    for _ in range(TRIES):
        try:
            return target.add_steps(partial(ledger.read_new_steps, lake))
        except LoadError as refused:
            wrong = refused
    raise wrong


def main():
    """Add all rows."""
    name, lake, place = sys.argv[1:]
    stamina.instrumentation.set_on_retry_hooks([])  # structlog would write to the same output
    ledger.AT_ONCE = FEW
    target = getattr(cases, name).open(place)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    while add_some(target, Lake.at(lake)):
        pass
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
