"""Normalized windows made by hand: rows as dictionaries, written to a lake as an extraction would leave them."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.schema import CANONICAL, find_version
from airflow_provider_interactions.window import Window

VENDOR, ACCOUNT = "dynamics_marketing", "acme"
DAY = Window.of("2026-01-02", "2026-01-03")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def read_at(day):
    """The time of an extraction, ``day`` days after the first."""
    return datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=day)


def row(key, **values):
    """One canonical row without the columns of its window and extraction, which ``write`` adds."""
    known = {
        "interaction_id": str(key),
        "contact_id": "c1",
        "contact_id_kind": "contact_id",
        "occurred_at": NOON,
        "channel": "email",
        "action": "sent",
        "native_type": "EmailSent",
        "attributes": "{}",
    }
    return {**known, **values}


def write(lake, rows, day=0, *, window=DAY, vendor=VENDOR, account=ACCOUNT, columns=CANONICAL, publish=True):
    """A window with these rows, extracted on a day; its manifest."""
    place = WindowPaths(vendor, account, window)
    shared = {
        "vendor": vendor,
        "account": account,
        "extracted_at": read_at(day),
        "window_start": window.start,
        "window_end": window.end,
    }
    files = ()
    if rows:
        name = f"{timestamp(window.start)}-{timestamp(read_at(day))}-{id(rows):x}.parquet"
        writer = Writer(lake, f"{place.day_folder('2026-01-02')}/{name}", columns)
        writer.write(pa.Table.from_pylist([{**shared, **one} for one in rows], columns))
        files = (writer.close(),)
    manifest = Manifest(
        vendor=vendor,
        account=account,
        window_start=window.start,
        window_end=window.end,
        extracted_at=read_at(day),
        files=files,
        counts=Counts(landed=len(rows), canonical=len(rows)),
        schema_version=find_version(columns),
    )
    if publish:
        lake.publish(place.manifest, manifest)
    return manifest
