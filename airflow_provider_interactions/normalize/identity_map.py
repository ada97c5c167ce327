"""The map of identities: which identifiers belong to one person, at all vendors. A table that the user owns.

Columns, all text: ``person_id``; ``vendor``, a registry name; ``account``, empty for any; ``kind``, empty for the
vendor's first; ``identifier``. A person has many rows. The map is a Parquet or CSV file, a folder of Parquet files, or
a query. It is scanned, never loaded: only the rows that somebody looks for are kept, so its size does not matter.

No message holds a value of the map, because all of them are personal data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from airflow_provider_interactions.contact_files import find_delimiter
from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import spell_identifier
from airflow_provider_interactions.lake.faults import READING_MAP, translate_faults
from airflow_provider_interactions.tables.csv_quotes import QuoteChecker

COLUMNS = ("person_id", "vendor", "account", "kind", "identifier")

#: The columns of the map, as they are scanned.
TEXTS = pa.schema([(name, pa.string()) for name in COLUMNS])

#: Rows of one step of the scan.
ROWS = 65_536

#: Reads the rows of the map that a filter selects, as batches of text with ``COLUMNS``.
Scan = Callable[[pc.Expression], Iterator[pa.RecordBatch]]


def scan_file(fs: Any, path: str) -> Scan:
    """Scan a map in a Parquet or CSV file, or in a folder of Parquet files. The file's ending decides."""

    def scan(condition: pc.Expression) -> Iterator[pa.RecordBatch]:
        ending = path.rsplit(".", 1)[-1].lower()
        is_csv = ending in ("csv", "tsv")
        try:
            with translate_faults(READING_MAP):
                for batch in _read_csv(fs, path) if is_csv else _read_parquet(fs, path):
                    yield from pa.Table.from_batches([batch]).select(COLUMNS).cast(TEXTS).filter(condition).to_batches()
        except FileNotFoundError:
            raise ConfigError("The map of identities does not exist. Check its address.") from None
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, UnicodeDecodeError) as error:
            kind = "CSV in UTF-8" if is_csv else "Parquet"
            msg = (
                f"The map of identities cannot be read as {kind} ({type(error).__name__}). Check its format; all "
                "columns must be text or whole numbers."
            )
            raise ConfigError(msg) from None

    return scan


def _read_parquet(fs: Any, path: str) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, or of all Parquet files in a folder."""
    found = sorted(fs.find(path))
    if not found:
        raise FileNotFoundError
    for file in found if found == [path] else [name for name in found if name.endswith(".parquet")]:
        with closing(fs.open(file, "rb")) as stream:
            parquet = pq.ParquetFile(stream)
            _require_columns(parquet.schema_arrow.names)
            for group in range(parquet.num_row_groups):
                yield from parquet.iter_batches(ROWS, row_groups=[group], columns=list(COLUMNS))


def _read_csv(fs: Any, path: str) -> Iterator[pa.RecordBatch]:
    with closing(fs.open(path, "rb")) as stream:
        delimiter = find_delimiter(stream.readline().decode("utf-8-sig"))
        parsing = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        stream.seek(0)
        # An identifier of digits must not become a number, and one such as NA not null.
        kinds = dict.fromkeys(COLUMNS, pa.string())
        texts = pa.csv.ConvertOptions(column_types=kinds, strings_can_be_null=True, null_values=[""])
        checked = QuoteChecker(stream, delimiter)
        for batch in pa.csv.open_csv(checked, parse_options=parsing, convert_options=texts):
            _require_columns(batch.schema.names)
            yield batch
        if not checked.is_whole():
            msg = (
                "The map of identities has a quote that is not closed, or text after a closing quote, so rows would "
                "be lost. Correct the file."
            )
            raise ConfigError(msg)


def scan_query(read: Callable[[], Iterable[tuple[Sequence[str], Sequence[Sequence[object]]]]]) -> Scan:
    """Scan the rows of a query. ``read`` runs it and yields the names of its columns with some rows at a time."""

    def scan(condition: pc.Expression) -> Iterator[pa.RecordBatch]:
        for names, rows in read():
            places = {name.lower(): n for n, name in enumerate(names)}
            _require_columns(places)
            values = {name: [_spell_value(row[places[name]]) for row in rows] for name in COLUMNS}
            yield from pa.table(values, TEXTS).filter(condition).to_batches()

    return scan


def _spell_value(value: object) -> str | None:
    """A value of a query as text. Impossible identifiers become empty, so that one bad row does not stop the others."""
    try:
        return spell_identifier(value)
    except ConfigError:
        return None


def _require_columns(names: Iterable[str]) -> None:
    missing = [name for name in COLUMNS if name not in set(names)]
    if missing:
        msg = f"The map of identities has no column {', '.join(missing)}. It needs: {', '.join(COLUMNS)}."
        raise ConfigError(msg)


def strip_column(column: str) -> pc.Expression:
    """A column without the blanks around its texts, for a filter of a scan."""
    return pc.utf8_trim_whitespace(pc.field(column))


def read_contact(vendor: Vendor, text: str, kind: str) -> Contact | None:
    """The identifier as the vendor spells it; None if it is not one of the vendor's."""
    try:
        return vendor.contact(text, kind)
    except ConfigError:
        return None
