"""A policy for personal data: what becomes of columns, and of fields in ``attributes``, before normalize writes them.

Pure functions over Arrow columns. ``policy_rules`` reads a policy as people write it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.errors import UNREADABLE, ConfigError

ATTRIBUTES = "attributes"

#: Replaces a masked value, or a masked code in a text.
MASKED = "***"

#: What one-time passwords look like: words of four or more letters and digits with a digit, and digits in groups.
CODES = (
    r"[\pL\pN]*\pN[\pL\pN]{3,}|[\pL\pN]+\pN[\pL\pN]{2,}|[\pL\pN]{2,}\pN[\pL\pN]+|[\pL\pN]{3,}\pN[\pL\pN]*"
    r"|\pN{2,}(?:[ .-]\pN{2,})+|\pN(?:[ .-]\pN){3,}"
)

#: The same for ASCII, which is twenty times as fast.
_ASCII_CODES = CODES.replace(r"[\pL\pN]", "[A-Za-z0-9]").replace(r"\pN", "[0-9]")

_NULL, _MASKED = msgspec.Raw(b"null"), msgspec.Raw(b'"***"')
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_ENCODER = msgspec.json.Encoder()


class Action(StrEnum):
    """What becomes of a value. A value that is null stays null."""

    #: The value does not change.
    KEEP = "keep"
    #: A column becomes null. A field of ``attributes`` is left out.
    DROP = "drop"
    #: It becomes ``***``.
    MASK = "mask"
    #: In a text, each word that looks like a one-time password becomes ``***``.
    MASK_CODES = "mask_codes"
    #: It becomes ``hmac:<key id>:<digits>``, the same for the same value and key.
    HMAC = "hmac"


#: An action for each name in an object, or rules for what is below it. Names are case-folded.
Rules: TypeAlias = "Mapping[str, Action | Rules]"


class Key(msgspec.Struct, frozen=True):
    """The key of HMAC-SHA-256, and the id by which rows name it. The repr shows no secret."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.id})"

    def hash(self, value: bytes) -> str:
        """What a value becomes: ``hmac:<key id>:<64 hexadecimal digits>``."""
        seed = _start_hmac(self.secret).copy()  # starting takes as long as the rest
        seed.update(value)
        return f"hmac:{self.id}:{seed.hexdigest()}"


@lru_cache(maxsize=8)
def _start_hmac(secret: bytes) -> hmac.HMAC:
    return hmac.new(secret, digestmod="sha256")


class Policy(msgspec.Struct, frozen=True):
    """What becomes of each column, and of each field in ``attributes``. Without rules, everything stays.

    ``digest`` names the rules and the key's id in manifests; it is empty if everything stays.
    """

    columns: Mapping[str, Action] = {}
    attributes: Rules = {}
    key: Key | None = None
    digest: str = ""

    def apply(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Canonical rows as the policy wants them. Other columns, and the number of rows, stay."""
        for name, action in self.columns.items():
            rows = _replace_column(rows, name, self.change_column(name, rows.column(name), action))
        if self.attributes:
            texts = [self.change_attributes(text) for text in rows.column(ATTRIBUTES).to_pylist()]
            rows = _replace_column(rows, ATTRIBUTES, pa.array(texts, pa.string()))
        return rows

    def apply_to_rejects(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Rejected raw rows without the vendor's bytes, because a field cannot be found in an unreadable record.

        Reason, contact, window and times stay, the contact as the policy wants it. The bytes stay in ``raw/`` only.
        """
        if not self.digest:
            return rows
        contact = self.columns.get("contact_id", Action.KEEP)
        contacts = self.change_column("contact_id", rows.column("contact_id"), contact)
        rows = _replace_column(rows, "contact_id", contacts)
        for name, nothing in (("payload", b""), ("context", "")):
            empty = pa.array([nothing] * rows.num_rows).cast(rows.schema.field(name).type)
            rows = _replace_column(rows, name, empty)
        return rows

    def change_column(self, name: str, column: pa.Array, action: Action) -> pa.Array:
        """The values of a column under an action that ``policy_rules`` allows for it."""
        if name == ATTRIBUTES and action is Action.DROP:
            return pa.array(["{}"] * len(column), pa.string())
        if action is Action.DROP:
            return pa.nulls(len(column), column.type)
        if action is Action.MASK:
            return pc.if_else(column.is_valid(), pa.scalar(MASKED), pa.scalar(None, pa.string()))
        if action is Action.MASK_CODES:
            return _mask_codes(column)
        if action is Action.HMAC:
            coded = column.dictionary_encode()
            hashes = [self._hash(text.encode()) for text in coded.dictionary.to_pylist()]
            return pa.array(hashes, pa.string()).take(coded.indices)
        return column

    def change_attributes(self, text: str) -> str:
        """The JSON object of one row. It is the same text if no field in it has a rule."""
        try:
            fields = self._change_fields(_OBJECT.decode(text), self.attributes)
        except UNREADABLE:
            return "{}"  # no field can be found in it, so nothing of it may stay
        return text if fields is None else _ENCODER.encode(fields).decode()

    def _change_fields(self, fields: Mapping[str, msgspec.Raw], rules: Rules) -> dict[str, msgspec.Raw] | None:
        """The fields of an object under some rules; None if none of them has a rule."""
        found = {name: rule for name in fields if (rule := rules.get(name) or rules.get(name.casefold()))}
        if not found:
            return None
        changed = {
            name: self._change_value(value, found[name]) if name in found else value for name, value in fields.items()
        }
        return {name: value for name, value in changed.items() if value is not None}

    def _change_value(self, value: msgspec.Raw, rule: Action | Rules) -> msgspec.Raw | None:
        if value == _NULL:
            return value
        return self._change_leaf(value, rule) if isinstance(rule, Action) else self._change_inside(value, rule)

    def _change_inside(self, value: msgspec.Raw, rules: Rules) -> msgspec.Raw:
        """Apply the rules for what is below it to an object, or to each member of a list. Other values stay."""
        first = bytes(memoryview(value)[:1])
        try:
            if first == b"{":
                fields = self._change_fields(_OBJECT.decode(value), rules)
                return value if fields is None else msgspec.Raw(_ENCODER.encode(fields))
            if first == b"[":
                return msgspec.Raw(_ENCODER.encode([self._change_inside(one, rules) for one in _LIST.decode(value)]))
        except UNREADABLE:
            return _MASKED  # no field can be found in it, so nothing of it may stay
        return value

    def _change_leaf(self, value: msgspec.Raw, action: Action) -> msgspec.Raw | None:
        """Hash a whole value: a text by its characters, everything else as it is written."""
        if action is Action.DROP or action is Action.KEEP:
            return None if action is Action.DROP else value
        if action is Action.MASK:
            return _MASKED
        text = _read_text(value)
        if action is Action.HMAC:
            return msgspec.Raw(_ENCODER.encode(self._hash(text)))
        masked = _mask_codes(pa.array([text.decode()]))[0].as_py()
        return value if masked == text.decode() else msgspec.Raw(_ENCODER.encode(masked))

    def _hash(self, value: bytes) -> str:
        if self.key is None:
            msg = "The policy has the action hmac, but no key. Name the connection that holds it as the policy's key."
            raise ConfigError(msg)
        return self.key.hash(value)


#: The policy that keeps everything.
KEEP_ALL = Policy()


def _mask_codes(texts: pa.StringArray) -> pa.StringArray:
    masked = pc.replace_substring_regex(texts, _ASCII_CODES, MASKED)
    others = pc.fill_null(pc.invert(pc.string_is_ascii(texts)), False)
    if not pc.any(others).as_py():
        return masked
    return pc.replace_with_mask(masked, others, pc.replace_substring_regex(texts.filter(others), CODES, MASKED))


def _read_text(value: msgspec.Raw) -> bytes:
    written = bytes(value)
    return _TEXT.decode(written).encode() if written[:1] == b'"' else written


def _replace_column(rows: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, rows.schema.field(at), values)
