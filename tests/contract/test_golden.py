"""Records from the vendors' own pages, and the rows expected of them, written by hand."""

import json
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.vendors import NAMES, VENDORS
from tests.mapped import Asked, map_record

GOLDEN = Path(__file__).parents[1] / "golden"
INSTANTS = ("occurred_at", "delivered_at", "updated_at")


def rows(vendor, golden):
    asked = golden["asked"]
    context = json.dumps(asked["context"]) if "context" in asked else ""
    who = Asked(Contact(asked["contact_id"], asked["contact_id_kind"]), asked["native_type"], context)
    for payload in golden["payloads"]:
        row = msgspec.structs.asdict(map_record(vendor, payload.encode(), who))
        yield {**row, "attributes": json.loads(row["attributes"])}


@pytest.mark.parametrize("name", NAMES)
def test_golden_records(name):
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    for row, wanted in zip(rows(VENDORS[name], golden), golden["rows"], strict=True):
        decided = row.keys() - {"contact_id"}  # the one asked for, unless a record says another
        instants = {at: wanted[at] and datetime.fromisoformat(wanted[at]) for at in INSTANTS}
        assert {field: row[field] for field in decided} == {field: {**wanted, **instants}[field] for field in decided}
