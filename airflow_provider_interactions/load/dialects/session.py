"""Sessions of a warehouse: run statements, each with its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple, Protocol


class Result(NamedTuple):
    """What a statement returned: its rows, the names of their columns, and the rows that it changed (-1: unknown)."""

    rows: list[tuple[Any, ...]]
    names: list[str]
    changed: int


class Session(Protocol):
    """A connection that runs statements. Each is a transaction by itself, unless a statement has begun one."""

    def run(self, sql: str, values: Sequence[str] = ()) -> Result:
        """Run a statement. ``values`` replace the markers in it. Raises the driver's errors."""


class DbApiSession:
    """A session on a connection of Python's DB-API, as Airflow's hooks return it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def run(self, sql: str, values: Sequence[str] = (), **options: Any) -> Result:
        """Run a statement. ``options`` are arguments of the driver's cursor."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(sql, *([list(values)] if values else []), **options)
            described = cursor.description or ()
            rows = [tuple(row) for row in cursor.fetchall()] if described else []
            return Result(rows, [column[0].lower() for column in described], cursor.rowcount)


@contextmanager
def drop_after(session: Session, *statements: str) -> Iterator[None]:
    """Afterwards, run statements that remove what a load has made. Their errors do not hide the load's error."""
    try:
        yield
    except BaseException:
        for sql in statements:
            _try(session, sql)
        raise
    for sql in statements:
        session.run(sql)


def _try(session: Session, sql: str) -> None:
    with suppress(Exception):
        session.run(sql)
