"""A bulk vendor whose tables lie on a disk, and the tables that the tests write there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from deltalake import write_deltalake

from airflow_provider_interactions import vendors
from airflow_provider_interactions.contract import Auth, Contact, Credentials, Mapped, Options
from airflow_provider_interactions.contract.bulk import Access, Bulk, PersonColumn, TableAddress
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.job import Job
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.vendors.dynamics_journeys.columns import read_versions
from airflow_provider_interactions.vendors.shared.columns import read_instants
from airflow_provider_interactions.window import Window

DAY = timedelta(days=1)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
EVERYONE = Contact("*", "everyone")


def day(number):
    """The window of a day, counted from 1 March 2026."""
    return Window(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def build_vendor(root: Path, types: Sequence[str] | None = None, opened=lambda: None):
    """A vendor that has a table in each folder of ``root``; ``opened`` is called whenever it gives access."""

    async def open_access(fetch, token, credentials):  # noqa: ARG001
        opened()
        return Access(f"file://{root}", {}, 3600)

    def find_tables(folders, credentials, options):  # noqa: ARG001
        return [TableAddress(name, name) for name in types or folders.list_folders("")]

    bulk = Bulk(
        open_access=open_access,
        find_tables=find_tables,
        time="Timestamp",
        read_times=lambda texts: read_instants(texts, datetime.fromisoformat),
        keys=("IdempotencyId", "OtherId"),
        version="Version",
        read_versions=read_versions,
        people=(
            PersonColumn("ProfileId", "profile", "ProfileType", {"contact": "contact"}),
            PersonColumn("Anon", "visitor"),
        ),
        spell_ids=pc.utf8_lower,
    )
    base = vendors.find_vendor("which50")
    about = replace(base.about, name="acme", bulk_kind="everyone", person_kinds=("contact", "profile"), types=())
    return replace(
        base, about=about, bulk=bulk, auth=lambda _: Auth(lambda request, _: request), map_records=lambda _: Mapped({})
    )


def build_rows(*rows, **types):
    """A table of rows ``(key, version, at, more columns)``; instants are aware."""
    names = dict.fromkeys(name for row in rows for name in row)
    kinds = {"Timestamp": pa.timestamp("us", "UTC"), "Version": pa.int32(), **types}
    return pa.table({name: pa.array([row.get(name) for row in rows], kinds.get(name, pa.string())) for name in names})


def row(key, at, version=1, person="p1", **more):
    return {
        "IdempotencyId": key,
        "Version": version,
        "Timestamp": at,
        "ProfileId": person,
        "ProfileType": "Contact",
        **more,
    }


@dataclass
class Disk:
    """The vendor's storage, with a table in each folder."""

    root: Path

    def add(self, name, rows, form="delta", file="part"):
        """Append rows to a table."""
        folder = self.root / name
        if form == "delta":
            write_deltalake(str(folder), rows, mode="append", schema_mode="merge")
            return
        folder.mkdir(parents=True, exist_ok=True)
        if form == "parquet":
            pq.write_table(rows, folder / f"{file}.parquet")
        else:
            pyarrow.csv.write_csv(rows, folder / f"{file}.csv")


@dataclass
class Rig:
    """A vendor, its disk and a lake."""

    disk: Disk
    lake: Lake
    vendor: object

    def job(self, window, contacts=(EVERYONE,), **more):
        credentials = Credentials("https://acme.example")
        return Job(self.vendor, credentials, self.lake, window, list(contacts), Options(), **more)

    def run(self, window, **more):
        """Extract and commit a window."""
        return commit_window(self.lake, [extract(self.job(window, **more))])

    def records(self, manifest):
        return [row for batch in read_rows(self.lake, manifest.files) for row in batch.to_pylist()]


def make_rig(folder, **more):
    disk = Disk(folder / "vendor")
    disk.root.mkdir()
    return Rig(disk, Lake.at(str(folder / "lake")), build_vendor(disk.root, **more))
