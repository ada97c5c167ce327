"""Rows of a table as records: one JSON object each, under the table's own names, without what is null.

Integers and fractions keep their digits. An instant is ISO 8601 in UTC with the digits it has; one without a zone is
taken to be in UTC, which is what Delta and Parquet say of it. Bytes are hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_CONTROL = r"[\x00-\x1f]"

#: The bytes that JSON escapes.
_SPECIAL = bytes(range(32)) + b'"\\'

#: What is a number in JSON, too.
_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"


def build_payloads(rows: pa.RecordBatch) -> pa.BinaryArray:
    """The JSON object of each row (pyarrow.BinaryArray)."""
    members = [
        _write_members(name, column)
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
        if column.null_count < len(column)
    ]
    if not members:
        return pa.array([b"{}"] * rows.num_rows, pa.binary())
    joined = pc.binary_join_element_wise(*members, ",", null_handling="skip")
    return pc.binary_join_element_wise("{", joined, "}", "").cast(pa.binary())


def _write_members(name: str, column: pa.Array) -> pa.StringArray:
    """``"name":value`` for each value, null for null."""
    key, values = msgspec.json.encode(name).decode(), write_values(column)
    return pc.binary_join_element_wise(f"{key}:", values, "")


def write_values(column: pa.Array) -> pa.StringArray:
    """Values as JSON, null for null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return write_values(column.cast(kind.value_type))
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _write_numbers(column.cast(pa.string()))
    if pa.types.is_timestamp(kind):
        return _quote(_write_instants(column))
    if is_text(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return _quote(column.cast(pa.string()))
    return _write_others(column)


def write_texts(column: pa.Array) -> pa.StringArray:
    """Values as a record has them, without the quotes of JSON; null for null. Not for texts."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return write_texts(column.cast(kind.value_type))
    if is_text(kind) or not _is_other(kind):
        return column.cast(pa.string())
    return pc.utf8_trim(_write_others(column), '"')


def _is_other(kind: pa.DataType) -> bool:
    """Whether Arrow does not cast a type to the text that a record has."""
    return isinstance(kind, pa.BaseExtensionType) or not any(
        check(kind) for check in (pa.types.is_primitive, pa.types.is_decimal, pa.types.is_null)
    )


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is text."""
    return any(check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _write_instants(column: pa.TimestampArray) -> pa.StringArray:
    # Fifteen times as fast as strftime.
    texts = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    return pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T", max_replacements=1), "Z", "")


def _write_numbers(texts: pa.StringArray) -> pa.StringArray:
    """Numbers as they are; what JSON does not know (NaN, infinity) as text."""
    return pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, _quote(texts))


def _quote(texts: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise('"', _escape(texts), '"', "")


def _escape(texts: pa.StringArray) -> pa.StringArray:
    """Texts with the escapes that JSON needs."""
    if _has_special(texts):
        texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
        odd = pc.fill_null(pc.match_substring_regex(texts, _CONTROL), False)
        if pc.any(odd).as_py():
            # As bytes: a text may have some that are not UTF-8.
            some = texts.filter(odd).cast(pa.binary()).to_pylist()
            escaped = pa.array([re.sub(_CONTROL.encode(), _escape_control, text) for text in some], pa.binary())
            texts = pc.replace_with_mask(texts, odd, escaped.cast(pa.string(), safe=False))
    return texts


def _has_special(texts: pa.StringArray) -> bool:
    """Whether some text has a character that JSON escapes. Looks at all bytes of the array at once."""
    _, _, held = texts.buffers()
    data = bytes(held) if held is not None else b""
    return len(data.translate(None, _SPECIAL)) < len(data)


def _escape_control(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found.group())


def _write_others(column: pa.Array) -> pa.StringArray:
    """Lists, structs, maps and bytes, value by value: no published column has such a type."""
    values: Iterable[object] = column.to_pylist()
    return pa.array([None if value is None else _encode(value) for value in values], pa.string())


def _encode(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode() if not isinstance(value, bytes) else f'"{value.hex()}"'
