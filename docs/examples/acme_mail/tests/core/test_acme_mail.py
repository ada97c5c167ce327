"""Acme Mail's golden record."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from airflow_provider_interactions.contract import Asked, Contact
from airflow_provider_interactions.vendors.acme_mail import VENDOR

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "acme_mail.json").read_text())


def test_the_golden_record() -> None:
    """The row written by hand is the row that comes out."""
    asked = Asked(Contact(GOLDEN["asked"]["contact_id"]))
    for payload, wanted in zip(GOLDEN["payloads"], GOLDEN["rows"], strict=True):
        row = msgspec.structs.asdict(VENDOR.interaction(payload.encode(), asked))
        row["attributes"] = json.loads(row["attributes"])
        assert row == {**wanted, "occurred_at": datetime.fromisoformat(wanted["occurred_at"])}
