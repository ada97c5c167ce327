"""The queries on the page of Customer Insights - Journeys, on rows that its mapping makes."""

import json
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pytest

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.mapping import build_batch, map_batch
from airflow_provider_interactions.vendors.dynamics_journeys.mapping import map_records

PERSON = Contact("0dbe0fa3-8e18-e811-a951-000d3a37caec", "contact")
AT = "2026-03-01T12:00:00Z"
OLD_ID = "172c1e59-a3cd-4d85-b392-316dd76651ce"


@dataclass(frozen=True)
class Journeys:
    """What the mapping needs of the vendor."""

    bulk = None
    map_records = staticmethod(map_records)


def build_rows(table, *records):
    payloads = [json.dumps({"Timestamp": AT, **record}).encode() for record in records]
    rows = pa.Table.from_batches([map_batch(build_batch(payloads, PERSON, table, ""), Journeys).rows])
    return rows.append_column("vendor", [["dynamics_journeys"] * len(rows)])


@pytest.fixture
def ask(tools):
    """Run a query of the page by its mark, on given rows."""
    queries = {block.mark: block.text for block in tools.blocks("sql") if block.mark.startswith("journeys: ")}
    assert sorted(queries) == ["journeys: deliveries", "journeys: merged"]

    def run(mark, interactions):
        with duckdb.connect() as connection:
            connection.register("interactions", interactions)
            return connection.sql(queries[f"journeys: {mark}"]).fetchall()

    return run


def test_a_cancelled_delivery_is_none(ask):
    rows = [
        {"IdempotencyId": f"k{n}", "MessageId": message, "DeliveredCount": count}
        for n, (message, count) in enumerate([("a", 1), ("a", -1), ("b", 1), ("b", 1), ("b", -1)])
    ]
    assert ask("deliveries", build_rows("EmailDelivered", *rows)) == [("a", 0), ("b", 1)]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ({"IdempotencyId": OLD_ID.upper()}, True),
        ({"IdempotencyId": "n", "InternalMarketingInteractionId": OLD_ID.replace("-", "").upper()}, True),
        ({"IdempotencyId": "n", "InternalMarketingInteractionId": "m"}, False),
    ],
)
@pytest.mark.parametrize("source", [1, 2])
def test_a_merged_row_is_found_by_either_id(ask, ids, found, source):
    rows = build_rows("EmailSent", {**ids, "SourceSystem": source}).to_pylist()
    old = {**rows[0], "vendor": "dynamics_marketing", "interaction_id": OLD_ID, "attributes": "{}"}
    expected = [(rows[0]["interaction_id"], OLD_ID)] if found and source == 1 else []
    assert ask("merged", pa.Table.from_pylist([*rows, old])) == expected
