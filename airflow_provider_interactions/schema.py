"""The Arrow schemas, field by field: raw records, rejects, outcomes, the canonical table, and answers to requests.

Every timestamp is in UTC, in microseconds. This module imports pyarrow, so operators import it late.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv

from airflow_provider_interactions.errors import ConfigError

INSTANT = pa.timestamp("us", "UTC")
WORD = pa.dictionary(pa.int32(), pa.string())  # for columns with few distinct values


def _field(name: str, kind: pa.DataType, meaning: str, *, null: bool = True, since: int = 1) -> pa.Field:
    """A column. ``since`` is the schema version that added it; a column added later must allow nulls."""
    later = {"since": str(since)} if since > 1 else {}
    return pa.field(name, kind, nullable=null, metadata={"meaning": meaning, **later})


#: One row per record as the vendor sent it. All vendors have the same columns, also when a vendor adds fields.
RAW = pa.schema(
    [
        _field("vendor", WORD, "registry name", null=False),
        _field("account", WORD, "the organisation: the connection's host unless set", null=False),
        _field("contact_id", pa.string(), "the identifier asked with", null=False),
        _field("contact_id_kind", WORD, "contact_id, cons_id, member_id, email, mobile or external_id", null=False),
        _field("asked_type", WORD, "the interaction type asked for; empty for all types", null=False),
        _field("context", WORD, "JSON: what the response says outside the record", null=False),
        _field("occurred_at", INSTANT, "when it happened; null if the record has no readable time"),
        _field("payload", pa.binary(), "the record, byte for byte", null=False),
        _field("extracted_at", INSTANT, "one value per extraction", null=False),
        _field("window_start", INSTANT, "start of the window asked for", null=False),
        _field("window_end", INSTANT, "its end, exclusive", null=False),
    ]
)

#: One row per raw row that cannot become an interaction.
REJECTS = RAW.insert(0, _field("reason", pa.string(), "which field is wrong and how", null=False))

#: One row per contact of an extraction.
OUTCOMES = pa.schema(
    [
        _field("contact_id", pa.string(), "the identifier asked with", null=False),
        _field("contact_id_kind", WORD, "its kind", null=False),
        _field("outcome", WORD, "ok, empty, not_found, deleted or failed", null=False),
        _field("rows", pa.int64(), "records landed for this contact", null=False),
        _field("requests", pa.int64(), "requests sent for this contact", null=False),
        _field("reason", pa.string(), "why it was not found or failed"),
    ]
)

#: One row per interaction. The key is vendor, account and interaction_id. The newest version wins.
CANONICAL = pa.schema(
    [
        _field("vendor", WORD, "registry name", null=False),
        _field("account", WORD, "the organisation: the connection's host unless set", null=False),
        _field("interaction_id", pa.string(), "the vendor's id if it is unique, else a digest", null=False),
        _field("contact_id", pa.string(), "the identifier asked with", null=False),
        _field("contact_id_kind", WORD, "contact_id, cons_id, member_id, email, mobile or external_id", null=False),
        _field("occurred_at", INSTANT, "when it happened", null=False),
        _field("channel", WORD, "one of CHANNELS", null=False),
        _field("action", WORD, "one of ACTIONS", null=False),
        _field("native_type", WORD, "the vendor's own word for the type", null=False),
        _field("status", pa.string(), "the vendor's last status"),
        _field("subject", pa.string(), "the message's subject or the asset's name"),
        _field("campaign_id", pa.string(), "campaign or journey"),
        _field("campaign_name", pa.string(), "its name"),
        _field("message_id", pa.string(), "the message that was sent"),
        _field("count", pa.int32(), "repetitions, if the vendor counts them"),
        _field("delivered_at", INSTANT, "when it was delivered, if the vendor says so"),
        _field("updated_at", INSTANT, "when the record last changed, if the vendor says so"),
        _field("attributes", pa.string(), "JSON object: every vendor field without a column", null=False),
        _field("extracted_at", INSTANT, "one value per extraction", null=False),
        _field("window_start", INSTANT, "start of the window that produced the row", null=False),
        _field("window_end", INSTANT, "its end, exclusive", null=False),
    ]
)

KEY = ("vendor", "account", "interaction_id")

#: Columns that say when a row was read, not what happened: a row that differs only here is unchanged.
READING = frozenset(("extracted_at",))

CHANNELS = frozenset(
    {
        *("email", "sms", "voice", "whatsapp", "line", "zalo", "viber", "push"),
        *("web", "form", "event", "survey", "social", "journey", "segment", "crm", "other"),
    }
)

ACTIONS = frozenset(
    {
        *("sent", "delivered", "opened", "clicked", "bounced", "blocked", "failed", "forwarded", "visited"),
        *("submitted", "registered", "checked_in", "subscribed", "unsubscribed", "responded", "processed"),
        *("noted", "other"),
    }
)


#: The canonical columns without the window, and the vendor's record. An unreadable record has only some values.
ANSWER = pa.schema(
    [
        *(column.with_nullable(True) for column in CANONICAL if not column.name.startswith("window_")),
        pa.field("rejected", pa.string(), metadata={"meaning": "why the record is unreadable; null if it is readable"}),
        pa.field("context", pa.string(), metadata={"meaning": "JSON: what the response says outside the record"}),
        pa.field("record", pa.binary(), metadata={"meaning": "the record, byte for byte"}),
    ]
)


CONTACTS = pa.schema([pa.field("contact_id", pa.string(), False), pa.field("contact_id_kind", pa.string(), False)])


def find_since(column: pa.Field) -> int:
    """The schema version that added a column."""
    return int((column.metadata or {}).get(b"since", 1))


def find_version(columns: pa.Schema) -> int:
    """The version of a table's schema. Columns are only ever added, so it is that of the newest column."""
    return max(map(find_since, columns))


def refuse_newer(found: int, columns: pa.Schema, what: str) -> None:
    """Raise ConfigError if files or a table have a newer schema than this code: it would lose their newer columns."""
    if found > find_version(columns):
        msg = (
            f"{what} has schema version {found}, but this version of the package knows only version "
            f"{find_version(columns)}. Upgrade airflow-provider-interactions here; nothing was changed."
        )
        raise ConfigError(msg)


def fit_columns(rows: pa.RecordBatch, columns: pa.Schema) -> pa.RecordBatch:
    """Rows that an older version of the code wrote, with nulls in the columns added since, in the schema's order."""
    if rows.schema.equals(columns):
        return rows
    added = {column.name: pa.nulls(rows.num_rows, column.type) for column in columns if find_since(column) > 1}
    arrays = [
        added[column.name]
        if column.name in added and column.name not in rows.schema.names
        else rows.column(column.name).cast(column.type)
        for column in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)
