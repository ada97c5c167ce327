"""Read identifiers of contacts from a file: Parquet, CSV, or text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import is_name_only
from airflow_provider_interactions.lake.faults import READING_CONTACTS, translate_faults
from airflow_provider_interactions.tables.csv_quotes import QuoteChecker

#: Rows of a Parquet file to read at once.
READ_ROWS = 10_000

#: Says whether a text is an identifier.
Accepts = Callable[[str], bool] | None


def read_file(fs: Any, path: str, column: str | None = None, accepts: Accepts = None) -> Iterator[object]:
    """Identifiers from a file: Parquet or CSV (``column``, default the first), or text with one on each line.

    The file's ending decides. Raises ConfigError if the file or the column does not exist. The delimiter of a CSV is
    the comma; if its first line has none, it is the semicolon or the tab. ``accepts`` says whether a text is an
    identifier. A CSV whose first line begins with an identifier is refused, unless ``column`` names a column.
    """
    ending = path.rsplit(".", 1)[-1].lower()
    readers = {"parquet": _read_parquet, "csv": _read_csv, "tsv": _read_csv}
    try:
        with translate_faults(READING_CONTACTS), closing(fs.open(path, "rb")) as stream:
            values = readers.get(ending, _read_lines)(stream, column, accepts)
            yield from (value for value in values if value not in (None, ""))
    except FileNotFoundError:
        raise ConfigError("The file of contacts does not exist. Check its address.") from None
    except UnicodeDecodeError:
        raise ConfigError("The file of contacts is not encoded as UTF-8. Save it as UTF-8.") from None
    except (KeyError, pa.ArrowInvalid) as error:
        msg = f"The file of contacts cannot be read as {ending} ({type(error).__name__}). Check format and column."
        raise ConfigError(msg) from None


def make_accepter(vendor: Vendor, kind: str | None) -> Callable[[str], bool]:
    """Make a function that says whether a text is an identifier of a kind."""

    def accepts(text: str) -> bool:
        try:
            vendor.contact(text, kind or vendor.contact_kinds[0])
        except ConfigError:
            return False
        return True

    return accepts


def _read_parquet(stream: Any, column: str | None, _: Accepts) -> Iterator[object]:
    file = pq.ParquetFile(stream)
    name = _choose_column(file.schema_arrow.names, column)
    for batch in file.iter_batches(READ_ROWS, columns=[name]):
        yield from _strip_values(batch.column(0))


def _choose_column(names: Sequence[str], column: str | None) -> str:
    """The column to read. Raises KeyError if there is none, ConfigError if there are two: one would be left out."""
    name = column or "".join(names[:1])
    if name not in names:
        raise KeyError(name)
    if names.count(name) > 1:
        raise ConfigError("The file of contacts has several columns of the name that is read. Rename all but one.")
    return name


def _read_csv(stream: Any, column: str | None, accepts: Accepts) -> Iterator[object]:
    # Read every column as text: an identifier of digits must not become a number.
    first = stream.readline().decode("utf-8-sig")
    parsing = pa.csv.ParseOptions(delimiter=find_delimiter(first), newlines_in_values=True)
    stream.seek(0)
    names = pa.csv.open_csv(stream, parse_options=parsing).schema.names
    stream.seek(0)
    name = _choose_column(names, column)
    if column is None and accepts is not None and not is_name_only(name.strip(), accepts):
        msg = (
            "The first line of the file of contacts is an identifier, not the names of columns, so the first contact "
            "would be lost. Add a line with names, or give the name of the column as column. A file with one "
            "identifier on each line and no names can end in .txt."
        )
        raise ConfigError(msg)
    options = pa.csv.ConvertOptions(include_columns=[name], column_types=dict.fromkeys(names, pa.string()))
    checked = QuoteChecker(stream, parsing.delimiter)
    for batch in pa.csv.open_csv(checked, parse_options=parsing, convert_options=options):
        yield from _strip_values(batch.column(0))
    if not checked.is_whole():
        msg = (
            "The file of contacts has a quote that is not closed, or text after a closing quote, so contacts would be "
            "lost. Correct the file."
        )
        raise ConfigError(msg)


def find_delimiter(first: str) -> str:
    """The delimiter of a CSV: the comma, unless its first line has no comma but a semicolon or a tab."""
    marks = [mark for mark in ",;\t" if mark in first]
    return marks[0] if marks else ","


def _read_lines(stream: Any, _: str | None, __: Accepts) -> Iterator[object]:
    for line in stream:
        yield line.decode("utf-8").strip("\ufeff \t\r\n")  # some editors begin a file with a byte order mark


def _strip_values(values: pa.Array) -> list[object]:
    return [value.strip() if isinstance(value, str) else value for value in values.to_pylist()]
