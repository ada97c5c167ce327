"""The Arrow schemas, field by field: raw records, rejects, outcomes, the canonical table, answers, and the ledger.

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


#: The possible outcomes of one contact.
OUTCOME_WORDS = ("ok", "empty", "not_found", "deleted", "failed")

#: One row per record as the vendor sent it. All vendors have the same columns, also when a vendor adds fields.
RAW = pa.schema(
    [
        _field("vendor", WORD, "registry name", null=False),
        _field("account", WORD, "the organisation: the connection's host unless set", null=False),
        _field("contact_id", pa.string(), "the contact's identifier at the vendor", null=False),
        _field("contact_id_kind", WORD, "contact_id, email, mobile and the like, or a word of the vendor", null=False),
        _field("asked_type", WORD, "the requested interaction type; empty for all types", null=False),
        _field("context", WORD, "JSON: what the response says outside the record", null=False),
        _field("occurred_at", INSTANT, "when it happened; null if the record has no readable time"),
        _field("payload", pa.binary(), "the record, byte for byte", null=False),
        _field("extracted_at", INSTANT, "one value per extraction", null=False),
        _field("window_start", INSTANT, "start of the requested window", null=False),
        _field("window_end", INSTANT, "its end, exclusive", null=False),
    ]
)

#: One row per raw row that cannot become an interaction.
REJECTS = RAW.insert(0, _field("reason", pa.string(), "which field is wrong and how", null=False))

#: One row per contact of an extraction.
OUTCOMES = pa.schema(
    [
        _field("contact_id", pa.string(), "the contact's identifier at the vendor", null=False),
        _field("contact_id_kind", WORD, "its kind", null=False),
        _field("outcome", WORD, "ok, empty, not_found, deleted or failed", null=False),
        _field("rows", pa.int64(), "records landed for this contact", null=False),
        _field("requests", pa.int64(), "requests sent for this contact", null=False),
        _field("reason", pa.string(), "why it was not found or failed"),
    ]
)

#: One row per interaction. The key is vendor, account and interaction_id. The newest version wins: `NEWEST`.
CANONICAL = pa.schema(
    [
        _field("vendor", WORD, "registry name", null=False),
        _field("account", WORD, "the organisation: the connection's host unless set", null=False),
        _field("interaction_id", pa.string(), "the vendor's id if it is unique, else a digest", null=False),
        _field("contact_id", pa.string(), "the contact's identifier at the vendor", null=False),
        _field("contact_id_kind", WORD, "contact_id, email, mobile and the like, or a word of the vendor", null=False),
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
        _field("person_id", pa.string(), "the person, by the map of identities; null if it is unknown", since=2),
        _field(
            "revision",
            pa.int64(),
            "the vendor's version of the record, if it counts them; the greatest counts",
            since=3,
        ),
    ]
)

#: The steps that have a row for each try.
STEP_WORDS = (
    *("list", "extract", "publish", "split", "normalize_part", "normalize", "load", "request"),
    *("reopen", "plan_erasure", "erase"),
)

#: One row per try of a step, also of a failed one. It holds no personal data.
LEDGER = pa.schema(
    [
        _field("file", pa.string(), "the file that the try wrote in the lake's ledger; the row's key", null=False),
        _field("step", WORD, f"one of: {', '.join(STEP_WORDS)}", null=False),
        _field("state", WORD, "success, failed or deferred", null=False),
        _field("error", WORD, "the kind of error that ended the try"),
        _field("vendor", WORD, "registry name"),
        _field("account", WORD, "the organisation: the connection's host unless set"),
        _field("window_start", INSTANT, "start of the window; null for all time"),
        _field("window_end", INSTANT, "its end, exclusive"),
        _field("windows", pa.int32(), "windows that the step wrote", null=False),
        _field("batch", pa.int32(), "the batch of the window's contacts, from 0"),
        _field("batches", pa.int32(), "batches of the window"),
        _field("started_at", INSTANT, "when the try began", null=False),
        _field("ended_at", INSTANT, "when it ended", null=False),
        _field("seconds", pa.float64(), "its duration", null=False),
        _field("requests", pa.int64(), "requests sent by this try", null=False),
        _field("retries", pa.int64(), "requests sent again after a fault", null=False),
        _field("throttled", pa.int64(), "refusals to slow down", null=False),
        _field("throttled_seconds", pa.float64(), "seconds during which nothing was sent because of them", null=False),
        _field("received_bytes", pa.int64(), "bytes of the vendor's responses, uncompressed", null=False),
        _field("rows", pa.int64(), "rows written; null if the try failed"),
        _field("bytes", pa.int64(), "bytes of the files written; null for a table"),
        _field("rejects", pa.int64(), "records of the window that cannot be read"),
        _field("alerts", pa.int64(), "unusual things about the window, of a step that looks for them"),
        _field("contacts", pa.int64(), "contacts asked, of an extraction or a request"),
        *(_field(name, pa.int64(), f"contacts with the outcome {name}") for name in OUTCOME_WORDS),
        _field("dag_id", pa.string(), "the DAG"),
        _field("run_id", pa.string(), "the run, or a digest of its id if a person chose it"),
        _field("task_id", pa.string(), "the task"),
        _field("map_index", pa.int32(), "its place among the mapped tasks; -1 if it is not mapped"),
        _field("attempt", pa.int32(), "the number of the try, from 1"),
        _field("version", WORD, "the version of this package", null=False),
    ]
)


def find_plain_type(field: pa.Field) -> pa.DataType:
    """A column's type without a dictionary."""
    return field.type.value_type if pa.types.is_dictionary(field.type) else field.type


#: The ledger as a table in a database.
STEPS = pa.schema([field.with_type(find_plain_type(field)) for field in LEDGER])

KEY = ("vendor", "account", "interaction_id")

#: Of the versions of an interaction, the newest has the greatest values in these columns, the first one first. A vendor
#: may move an interaction to another time. Then two windows hold it, and only the revision says which is newer. Null is
#: less than any value.
NEWEST = ("revision", "extracted_at", "occurred_at")

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
        # A bot, such as a scanner of e-mails, followed the link.
        *("noted", "bot_clicked", "cancelled", "deleted", "other"),
    }
)


#: Canonical columns that are not the answer to one person: it has no windows, and is about one person already.
_NOT_ANSWERED = frozenset(("window_start", "window_end", "person_id"))

#: The other canonical columns, and the vendor's record. An unreadable record has only some values.
ANSWER = pa.schema(
    [
        *(column.with_nullable(True) for column in CANONICAL if column.name not in _NOT_ANSWERED),
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
