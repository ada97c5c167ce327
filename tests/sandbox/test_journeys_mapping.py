"""The mapping of Customer Insights - Journeys against the sandbox's oracle: all tables, both spellings."""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pytest

from airflow_provider_interactions.contract.bulk import Bulk
from airflow_provider_interactions.mapping import NEEDED, map_batch
from airflow_provider_interactions.sandbox.dynamics_journeys.facts import build_fact
from airflow_provider_interactions.sandbox.dynamics_journeys.options import Options
from airflow_provider_interactions.sandbox.dynamics_journeys.records import BAD_TIME, list_rows
from airflow_provider_interactions.sandbox.dynamics_journeys.tables import TABLES
from airflow_provider_interactions.sandbox.dynamics_journeys.values import show_as_text
from airflow_provider_interactions.sandbox.world import World
from airflow_provider_interactions.schema import RAW
from airflow_provider_interactions.tables.columns import read_people
from airflow_provider_interactions.vendors.dynamics_journeys.columns import (
    KEYS,
    PEOPLE,
    TIME,
    VERSION,
    read_versions,
    spell_ids,
)
from airflow_provider_interactions.vendors.dynamics_journeys.mapping import map_records
from airflow_provider_interactions.vendors.dynamics_journeys.times import read_timestamps
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import read_published

START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
WORLD = World(seed=3, contacts=60, start_us=START, days=20, per_contact=40, shapes=60)


@dataclass(frozen=True)
class Journeys:
    """What the mapping and the search for people need of the vendor."""

    bulk = Bulk(
        open_access=None,
        find_tables=None,
        time=TIME,
        read_times=read_timestamps,
        keys=KEYS,
        version=VERSION,
        read_versions=read_versions,
        people=PEOPLE,
        spell_ids=spell_ids,
    )
    map_records = staticmethod(map_records)


def spell(form, value):
    if form == "csv":
        return show_as_text(value)
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def build_raw(table, rows, form):
    """Raw rows as an extraction would land them, their people found in columns."""
    fields = [{name: spell(form, value) for name, value in row.fields.items()} for row in rows]
    for place, row in enumerate(rows):
        if row.reject == "bad_time":
            fields[place][TIME] = BAD_TIME
    names = sorted({name for one in fields for name in one})
    texts = {name: [None if one.get(name) is None else str(one[name]) for one in fields] for name in names}
    ids, kinds = read_people(pa.RecordBatch.from_pydict(texts), Journeys.bulk)
    payloads = [msgspec.json.encode(one) for one in fields]
    columns = [pa.array(payloads, pa.binary()), ids, kinds, pa.array([table] * len(rows)), pa.array([""] * len(rows))]
    kinds = [RAW.field(name) for name in NEEDED]
    return pa.record_batch([one.cast(kind.type) for one, kind in zip(columns, kinds, strict=True)], pa.schema(kinds))


def test_the_sandbox_knows_the_published_tables():
    assert set(TABLES) == set(read_published())


@pytest.mark.parametrize("form", ["delta", "csv"])
def test_every_row_is_mapped_as_the_oracle_says(form):
    options = Options(types=tuple(TABLES), format=form, bad_rows=True)
    tables = defaultdict(list)
    for index in range(WORLD.contacts):
        for row in list_rows(WORLD, options, index):
            if row.deleted:
                continue
            tables[row.table].append(row)
    assert len(tables) > 100
    for table, rows in tables.items():
        found = map_batch(build_raw(table, rows, form), Journeys)
        mapped = dict(zip(found.places.to_pylist(), found.rows.to_pylist(), strict=True))
        for place, row in enumerate(rows):
            assert (place in found.rejected) == (row.reject is not None), (row, found.rejected.get(place))
            if row.reject is None:
                check(mapped[place], build_fact(options, row), form)


def check(row, fact, form):
    for name in ("contact_id", "interaction_id", "native_type", "campaign_id", "message_id", "count", "revision"):
        assert row[name] == getattr(fact, name), (name, fact)
    at = row["occurred_at"].astimezone(UTC)
    assert int(at.timestamp()) * 1_000_000 + at.microsecond == fact.occurred_at
    attributes = json.loads(row["attributes"])
    assert attributes.keys() == fact.attributes.keys() | ({one for one in attributes if attributes[one] == ""})
    if form == "delta":
        texts = {name: value for name, value in fact.attributes.items() if not name.endswith(("Time", "Timestamp"))}
        assert {name: attributes[name] for name in texts} == texts
