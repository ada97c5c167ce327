"""Search the lake for identifiers, byte by byte, in everything that is stored: columns, JSON, and names of files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.raw_table import unpack_rows
from airflow_provider_interactions.lake.encryption import decrypt_table
from airflow_provider_interactions.lake.paths import escape_segment
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.everywhere import EVERY
from airflow_provider_interactions.vendors.shared.guids import spell_guid

#: In the paths of answers about one person at several systems.
EVERYBODY = f"/vendor={EVERY}/"

#: Identifiers in one expression.
AT_ONCE = 200

#: Bytes that are searched at once, and the bit in which letters of ASCII differ by their case.
PIECE, CASE = 1024 * 1024, 0x20

#: So few identifiers are looked for one by one first.
FEW = 8

_CASE = pa.scalar(CASE, pa.uint8())

_SPECIAL = re.compile(r"([^0-9A-Za-z_\x80-\U0010ffff])")


@dataclass(slots=True)
class Found:
    """What a search found: rows by place (for other files: files), and the numbers of files."""

    rows: Counter[str] = field(default_factory=Counter)
    searched: int = 0
    unread: int = 0


def search_lake(lake: Lake, vendor: str, identifiers: Sequence[str], without: str = "") -> Found:
    """Search all files of a vendor, and those of no vendor, for identifiers, in any case of their letters.

    An identifier counts only as a word of its own: 12 is not found in 123. ``without`` is the path of a file to leave
    out. Raises as ``Lake.list_files``.
    """
    patterns, found, home = build_patterns(identifiers), Found(), f"/vendor={escape_segment(vendor)}/"
    for path in lake.list_files(""):
        if "/vendor=" in path and home not in path and EVERYBODY not in path:
            continue
        if path == without:
            continue
        if path.startswith("receipts/") and path.endswith(".html"):  # the same as its JSON, with numbers of its style
            continue
        try:
            rows = _search_file(lake, path, patterns)
        except FileNotFoundError:  # replaced meanwhile
            continue
        except (pa.ArrowException, ConfigError):
            found.unread += 1
            continue
        found.searched += 1
        if rows:
            found.rows[path.partition("/")[0]] += rows
    return found


@dataclass(frozen=True, slots=True)
class Patterns:
    """What to look for. ``expressions``, in the syntax of RE2, match an identifier as a word of its own.

    ``words`` are the identifiers with the bit ``CASE`` set in each byte, if they are few and of ASCII: looking for them
    first, in all bytes of a column at once, takes a tenth of the time. They may be found where no identifier is.
    """

    expressions: Sequence[str]
    words: Sequence[bytes] = ()

    def may_be_in(self, column: pa.ChunkedArray) -> bool:
        """Whether the bytes of a column may hold an identifier. False is certain."""
        kind = column.type
        if not self.words or not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
            return True
        return any(
            values is not None and self._may_be_in(values) for *_, values in (c.buffers() for c in column.chunks)
        )

    def _may_be_in(self, values: pa.Buffer) -> bool:
        """Look at a piece after the other, which stays in the processor's cache."""
        data = pa.Array.from_buffers(pa.uint8(), values.size, [None, values])
        overlap = max(map(len, self.words)) - 1
        for start in range(0, len(data), PIECE):
            piece = pc.bit_wise_or(data.slice(start, PIECE + overlap), _CASE).buffers()[1].to_pybytes()
            if any(word in piece for word in self.words):
                return True
        return False


def build_patterns(identifiers: Sequence[str]) -> Patterns:
    """The patterns for some identifiers; a GUID is also found without its dashes, as some records spell it."""
    names = sorted({*identifiers, *(one.replace("-", "") for one in identifiers if spell_guid(one))})
    words = [_SPECIAL.sub(r"\\\1", one) for one in names]
    groups = ("|".join(words[n : n + AT_ONCE]) for n in range(0, len(words), AT_ONCE))
    few = len(names) <= FEW and all(one.isascii() for one in names)
    expressions = [f"(^|[^0-9A-Za-z])({group})($|[^0-9A-Za-z])" for group in groups]
    return Patterns(expressions, [bytes(byte | CASE for byte in one.encode()) for one in names] if few else ())


def count_matches(rows: pa.Table, patterns: Patterns) -> int:
    """The rows with an identifier in any of their columns."""
    mask = None
    for column in rows.columns:
        if not patterns.may_be_in(column):
            continue
        for pattern in patterns.expressions:
            found = _match(column, pattern)
            if found is not None and pc.any(found).as_py():
                mask = found if mask is None else pc.or_(mask, found)
    return pc.sum(mask).as_py() if mask is not None else 0


def _match(column: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray | None:
    kind = column.type
    if pa.types.is_dictionary(kind):
        words = pc.unique(column.cast(kind.value_type))
        if not pc.any(pc.match_substring_regex(words, pattern, ignore_case=True)).as_py():
            return None
        column = column.cast(kind.value_type)
    elif not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        return None
    return pc.fill_null(pc.match_substring_regex(column, pattern, ignore_case=True), fill_value=False)


def is_number(kind: pa.DataType) -> bool:
    """Whether the values of a column are numbers or instants, which hold no identifier."""
    return bool(pa.types.is_primitive(kind))


def _search_file(lake: Lake, path: str, patterns: Patterns) -> int:
    named = count_matches(pa.table({"path": [path]}), patterns)
    if path.endswith(".tmp"):
        msg = "another process is writing this file"
        raise ConfigError(msg)
    return named + sum(count_matches(rows, patterns) for rows in _read_rows(lake, path))


def _read_rows(lake: Lake, path: str) -> Iterator[pa.Table]:
    if path.endswith(".parquet"):
        with lake.open(path) as stream:
            parquet = pq.ParquetFile(stream)
            texts = [column.name for column in parquet.schema_arrow if not is_number(column.type)]
            texts += ["occurred_at"] if "payload" in texts else []  # to decrypt it
            for group in range(parquet.num_row_groups):
                yield decrypt_table(lake, parquet.read_row_group(group, columns=texts))
    elif path.endswith(".arrow"):
        yield decrypt_table(lake, unpack_rows(lake.read_bytes(path)))
    else:
        yield pa.table({"content": pa.array([lake.read_bytes(path)], pa.binary())})
