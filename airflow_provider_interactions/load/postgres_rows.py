"""The rows of a window as PostgreSQL can hold them: no dictionaries, no NUL characters, and JSON that jsonb accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.load.postgres_schema import RAW_ATTRIBUTES, table_columns
from airflow_provider_interactions.schema import find_plain_type

#: PostgreSQL's texts cannot hold the character NUL. This one is its picture, so that the place can still be seen.
NUL = "\N{SYMBOL FOR NULL}"

#: What jsonb may refuse: NUL, a half of a surrogate pair, a number of many digits or with a large exponent.
_SUSPECT = r"\\u0000|\\u[dD][89a-fA-F]|[0-9]{300}|[0-9][eE][+-]?[0-9]{3}"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_LONGEST_NUMBER = 300

#: Rows that ADBC encodes before it sends them. With fewer, the server works while the next ones are encoded.
_SENT_ROWS = 4096

_T = TypeVar("_T")


@dataclass
class Rows:
    """The rows of some batches, and how many values had to change. ``fault`` is what ended the batches early.

    Columns of ``known`` are left out: the staging table has their one value as a default.
    """

    batches: Iterable[pa.RecordBatch]
    columns: pa.Schema
    jsonb: bool = False
    known: Collection[str] = ()
    nuls: int = 0
    unfit: int = 0
    fault: Exception | None = None
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        """Name the columns to send."""
        columns = table_columns(self.columns, jsonb=self.jsonb)
        sent = (one for one in columns if one.name not in self.known)
        self.schema = pa.schema([pa.field(one.name, find_plain_type(one), one.nullable) for one in sent])

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as a stream. One batch is read while the one before is sent."""
        return pa.RecordBatchReader.from_batches(self.schema, self._stream())

    def _stream(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in read_ahead(map(self._fit, self.batches)):
                yield from (batch.slice(start, _SENT_ROWS) for start in range(0, batch.num_rows, _SENT_ROWS))
        except Exception as fault:  # ADBC would make it an error of its own
            self.fault = fault
            raise

    def _fit(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        sent = {name: self._fit_texts(batch.column(name)) for name in batch.schema.names if name in self.schema.names}
        if self.jsonb:
            sent["attributes"], sent[RAW_ATTRIBUTES.name] = self._fit_json(sent["attributes"])
        return pa.RecordBatch.from_arrays([sent[name] for name in self.schema.names], schema=self.schema)

    def _fit_texts(self, array: pa.Array) -> pa.Array:
        """The values without a dictionary and, if they are texts, without NUL characters."""
        words = pa.types.is_dictionary(array.type)
        texts, plain = (array.dictionary, array.dictionary_decode()) if words else (array, array)
        if not pa.types.is_string(plain.type) or not _may_hold_nul(texts):
            return plain
        self.nuls += pc.sum(pc.match_substring(plain, "\0")).as_py() or 0
        return pc.replace_substring(plain, "\0", NUL)

    def _fit_json(self, array: pa.Array) -> tuple[pa.Array, pa.Array]:
        """JSON that jsonb accepts, and the JSON as it was where that differs."""
        raw = pa.nulls(len(array), RAW_ATTRIBUTES.type)
        suspect = pc.match_substring_regex(array, _SUSPECT)
        if not pc.any(suspect).as_py():
            return array, raw
        before = array.filter(suspect)
        after = pa.array([fit_json(text) for text in before.to_pylist()], array.type)
        differs = pc.not_equal(before, after)
        self.unfit += pc.sum(differs).as_py()
        kept = pc.replace_with_mask(raw, suspect, pc.if_else(differs, before, None))
        return pc.replace_with_mask(array, suspect, after), kept


def fit_json(text: str) -> str:
    """JSON for jsonb: NUL and halves of surrogate pairs as substitutes, numbers beyond 300 digits as texts."""
    return _TOKEN.sub(_fit_token, text)


def replace_nul(text: str) -> str:
    """A text as the table has it."""
    return text.replace("\0", NUL)


def read_ahead(items: Iterable[_T]) -> Iterator[_T]:
    """The items, each made in a thread while the caller has the one before."""
    parts, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, parts, end)
        while (item := ahead.result()) is not end:
            ahead = pool.submit(next, parts, end)
            yield item  # type: ignore[misc]  # not the end


def _fit_token(found: re.Match[str]) -> str:
    token = found[0]
    if not token.startswith('"'):
        _, _, exponent = token.lower().partition("e")
        digits = abs(int(exponent or 0)) if len(exponent) < 9 else _LONGEST_NUMBER + 1
        return json.dumps(token) if len(token) + digits > _LONGEST_NUMBER else token
    if "\\u" not in token:
        return token
    text = json.loads(token)
    fit = replace_nul(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return token if fit == text else json.dumps(fit, ensure_ascii=False)


def _may_hold_nul(array: pa.Array) -> bool:
    """Whether there is a zero byte among the texts; far quicker than to look into each of them."""
    data = array.buffers()[2]
    return data is not None and pc.min(pa.Array.from_buffers(pa.uint8(), data.size, [None, data])).as_py() == 0
