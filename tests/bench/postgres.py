"""The table in PostgreSQL, against the server's own statements; on a server of its own, whose rows are made up."""

import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from adbc_driver_postgresql import dbapi

from airflow_provider_interactions.lake.reader import read_canonical
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import postgres as module
from airflow_provider_interactions.load.postgres import PostgresTable
from airflow_provider_interactions.load.postgres_rows import Rows
from airflow_provider_interactions.load.postgres_schema import find_table, sql_type
from airflow_provider_interactions.load.sql import build_newer, list_names
from airflow_provider_interactions.schema import CANONICAL, KEY
from tests import servers
from tests.bench.processes import count_turns
from tests.bench.rows import write_rows

#: Of each measurement by turns, the best counts: the machine is somebody else's, too.
TURNS = 2

FIELDS = ", ".join(f'"{field.name}" {sql_type(field)}' for field in CANONICAL)
SETS = ", ".join(f'"{name}" = new."{name}"' for name in CANONICAL.names if name not in KEY)
SAME = " AND ".join(f'old."{name}" = new."{name}"' for name in KEY)

#: The best statement that was found by hand; it needs rows without duplicates.
MERGE = (
    f"MERGE INTO {{}} old USING arrived new ON {SAME} WHEN MATCHED AND {build_newer()} THEN UPDATE SET {SETS}"
    f" WHEN NOT MATCHED THEN INSERT ({list_names()}) VALUES ({list_names(prefix='new.')})"
)


@dataclass
class Spent:
    """Seconds on the clock, and seconds of CPU of the server's process."""

    wall: float
    cpu: float


def postgres(share):
    """A million rows, and the same extracted again with a tenth changed and a twentieth new."""
    rows = int(1_000_000 * share)
    with servers.postgres() as url, tempfile.TemporaryDirectory() as folder:
        lakes = [Lake.at(f"{folder}/{version}") for version in (1, 2)]
        first = write_rows(lakes[0], 1, rows)
        second = write_rows(lakes[1], 2, rows + rows // 20)
        began = time.monotonic()
        PostgresTable(url).load(lakes[0], first)
        name = f"load {rows:,} rows into PostgreSQL, first, with key and indexes"
        yield name, f"{rows / (time.monotonic() - began):,.0f} rows/s", "-"
        turns = count_turns(share, TURNS)
        yield from _copies(url, lakes[0], first, rows, turns)
        yield "load them into PostgreSQL again, unchanged", *_unchanged(url, lakes[0], first, rows)
        yield from _changed(url, lakes, first, second, turns)


def _copies(url, lake, manifest, rows, turns):
    """COPY into a temporary table: of ready bytes, of rows in memory, and of the window as a load reads it."""
    with psycopg.connect(url) as connection, connection.cursor().copy(_copy_out()) as copy:
        data = b"".join(copy)
    ready = list(Rows(read_canonical(lake, manifest), CANONICAL).to_reader())
    least, some, ours = [], [], []
    for _ in range(turns):
        with psycopg.connect(url) as connection:
            connection.execute(f"CREATE TEMP TABLE arrived ({FIELDS})")
            began = time.monotonic()
            with connection.cursor().copy("COPY arrived FROM STDIN (FORMAT binary)") as copy:
                for start in range(0, len(data), 1 << 20):
                    copy.write(data[start : start + (1 << 20)])
            least.append(time.monotonic() - began)
        with _staging(url) as (cursor, found), _reading(ready):
            began = time.monotonic()
            module._stage_rows(cursor, found, CANONICAL, lake, manifest)
            some.append(time.monotonic() - began)
        with _staging(url) as (cursor, found):
            began = time.monotonic()
            module._stage_rows(cursor, found, CANONICAL, lake, manifest)
            ours.append(time.monotonic() - began)
    for name, seconds in (("of rows in memory", some), ("of the lake's Parquet files", ours)):
        measured = f"{rows / min(seconds):,.0f} rows/s, {100 * min(least) / min(seconds):.0f} %"
        yield f"COPY into staging {name}, against COPY of ready bytes", measured, "≥ 80 %"


def _copy_out():
    return f"COPY (SELECT {list_names()} FROM interactions) TO STDOUT (FORMAT binary)"


@contextmanager
def _reading(ready):
    """Rows that are in memory take the place of those that a load reads."""
    real = module.read_canonical
    module.read_canonical = lambda *_: ready
    try:
        yield
    finally:
        module.read_canonical = real


@contextmanager
def _staging(url):
    with dbapi.connect(url) as connection, closing(connection.cursor()) as cursor:
        yield cursor, find_table(cursor, "interactions", CANONICAL)


def _unchanged(url, lake, manifest, rows):
    # With checksums, whoever reads rows first notes in their pages that they are committed.
    _execute(url, "VACUUM interactions")
    before = _execute(url, "SELECT pg_current_wal_insert_lsn()")
    began = time.monotonic()
    assert PostgresTable(url).load(lake, manifest).unchanged == rows
    seconds = time.monotonic() - began
    written = _execute(url, f"SELECT pg_current_wal_insert_lsn() - '{before}'")
    return f"{rows / seconds:,.0f} rows/s, {float(written) / 1000:,.0f} kB of WAL", "no WAL to speak of"


def _changed(url, lakes, first, second, turns):
    """The merge after staging: as a load does it, and by MERGE alone, with the server's and with a load's work_mem."""
    spent = {"ours": [], "merge": [], "merge with memory": []}
    for turn in range(turns):
        for name, found in spent.items():
            table = f"t{len(name)}_{turn}"
            PostgresTable(url, table).load(lakes[0], first)
            _execute(url, f"VACUUM {table}")
            _execute(url, "CHECKPOINT")
            found.append(_merged(url, table, lakes[1], second, name))
            _execute(url, f"DROP TABLE {table}")
    least = {
        name: Spent(min(one.wall for one in found), min(one.cpu for one in found)) for name, found in spent.items()
    }
    ours, rows = least.pop("ours"), second.counts.canonical
    yield f"merge {rows:,} staged rows, a tenth changed, a twentieth new", f"{rows / ours.wall:,.0f} rows/s", "-"
    for (name, other), target in zip(least.items(), ("≥ 1.0 ×", "-"), strict=True):
        speed = f"{other.wall / ours.wall:.2f} ×, by the server's CPU {other.cpu / ours.cpu:.2f} ×"
        yield f"the same, with counts and without duplicates, against {name.replace('merge', 'MERGE')}", speed, target


def _merged(url, table, lake, manifest, how):
    with PostgresTable(url, table)._transaction() as cursor:
        found = find_table(cursor, table, CANONICAL)
        if how == "merge":
            cursor.execute("SET LOCAL work_mem TO DEFAULT")
        module._stage_rows(cursor, found, CANONICAL, lake, manifest)
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
        began, cpu = time.monotonic(), _read_cpu(pid)
        if how == "ours":
            module.merge(cursor, table, CANONICAL, jsonb=False)
        else:
            cursor.execute(MERGE.format(table))
        return Spent(time.monotonic() - began, _read_cpu(pid) - cpu)


def _read_cpu(pid):
    """Seconds of CPU that a process has used, from Linux's list of processes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _execute(url, sql):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None
