"""The map of identities: which identifiers belong to one person, at all vendors. A table that the user owns.

Columns, all text: ``person_id``; ``vendor``, a registry name; ``account``, empty for any; ``kind``, empty for the
vendor's first; ``identifier``. A person has many rows. The map is a Parquet or CSV file, a folder of Parquet files, or
a query. It is scanned, never loaded: only the rows of the person sought are kept, so its size does not matter.

No message holds a value of the map or of the request, because both are personal data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from airflow_provider_interactions.contacts import find_delimiter
from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import looks_hashed, spell_identifier
from airflow_provider_interactions.lake.faults import READING_MAP, translate_faults
from airflow_provider_interactions.vendors import VENDORS, find_vendor

COLUMNS = ("person_id", "vendor", "account", "kind", "identifier")

#: The map as it is scanned.
TEXTS = pa.schema([(name, pa.string()) for name in COLUMNS])

#: The most rows of one person. More are a mistake in the map, for example one person_id for everybody.
MOST_ROWS = 500

#: Rows of one step of the scan.
ROWS = 65_536

#: The kind whose identifiers are compared without case.
EMAIL = "email"

#: Reads the rows of the map that a filter selects, as batches of text with ``COLUMNS``.
Scan = Callable[[pc.Expression], Iterator[pa.RecordBatch]]


class Identity(NamedTuple):
    """One identifier of a person. ``account`` None stands for every account of the vendor."""

    vendor: str
    account: str | None
    contact: Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Who is sought: a ``person_id``, or any one identifier, which ``vendor`` and ``kind`` may narrow."""

    person_id: str | None = None
    identifier: str | None = None
    vendor: str | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        if (self.person_id is None) == (self.identifier is None):
            raise ConfigError("Give either person_id or one identifier of the person.")


def find_identities(scan: Scan, sought: Sought) -> list[Identity]:
    """All identifiers of a person, without repeats, by vendor and in the order of the map.

    Raises ConfigError if nobody or two persons have the identifier, if it is not of its kind, and if a row of the
    person cannot be used.
    """
    person = sought.person_id if sought.identifier is None else _find_person(scan, sought)
    rows = list(islice(_read_rows(scan, pc.equal(_spell("person_id"), str(person).strip())), MOST_ROWS + 1))
    if not rows:
        raise ConfigError("The map of identities has no row of this person_id. Check it, or add the person's rows.")
    if len(rows) > MOST_ROWS:
        msg = f"The map of identities has more than {MOST_ROWS} rows of this person_id. Check how the map is made."
        raise ConfigError(msg)
    return sorted(dict.fromkeys(map(_check_row, rows)), key=lambda found: list(VENDORS).index(found.vendor))


def refuse_shared(scan: Scan, identities: Sequence[Identity]) -> None:
    """Raise ConfigError if one of a person's identifiers is in rows of another person, too. It scans the map once."""
    texts = sorted({one.contact.id.lower() for one in identities})
    owners: dict[tuple[str, str], set[str]] = {}
    for row in _read_rows(scan, pc.utf8_lower(_spell("identifier")).isin(texts)):
        for one in identities:
            if row["person_id"] and row["account"] in ("", one.account or row["account"]) and _is_same(row, one):
                owners.setdefault((one.vendor, one.contact.id), set()).add(row["person_id"])
    shared = Counter(vendor for (vendor, _), people in owners.items() if len(people) > 1)
    if shared:
        places = ", ".join(f"{vendor} {n}" for vendor, n in shared.items())
        msg = (
            f"Identifiers of this person are in rows of another person in the map of identities, too ({places}). An "
            "erasure would remove what belongs to the other person. Correct the map, or give the identifiers that are "
            "this person's alone. Nothing was changed."
        )
        raise ConfigError(msg)


def _is_same(row: Mapping[str, str], one: Identity) -> bool:
    return _is_sought(row, Sought(identifier=one.contact.id, vendor=one.vendor, kind=one.contact.kind))


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
        parsing = pa.csv.ParseOptions(delimiter=find_delimiter(stream.readline().decode("utf-8-sig")))
        stream.seek(0)
        # An identifier of digits must not become a number.
        texts = pa.csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=True)
        for batch in pa.csv.open_csv(stream, parse_options=parsing, convert_options=texts):
            _require_columns(batch.schema.names)
            yield batch


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
    """A value of a query as text. What no identifier can be is empty, so that one bad row does not stop all others."""
    try:
        return spell_identifier(value)
    except ConfigError:
        return None


def _require_columns(names: Iterable[str]) -> None:
    missing = [name for name in COLUMNS if name not in set(names)]
    if missing:
        msg = f"The map of identities has no column {', '.join(missing)}. It needs: {', '.join(COLUMNS)}."
        raise ConfigError(msg)


def _spell(column: str) -> pc.Expression:
    return pc.utf8_trim_whitespace(pc.field(column))


def _read_rows(scan: Scan, condition: pc.Expression) -> Iterator[Mapping[str, str]]:
    """The rows that a condition selects; empty for null, blanks stripped."""
    for batch in scan(condition):
        for row in batch.to_pylist():
            yield {name: (value or "").strip() for name, value in row.items()}


def _find_person(scan: Scan, sought: Sought) -> str:
    """The person_id of an identifier."""
    spellings = _list_spellings(sought)
    condition = pc.utf8_lower(_spell("identifier")).isin(sorted({spelling.lower() for spelling in spellings}))
    people: set[str] = set()
    for row in _read_rows(scan, condition):
        if row["person_id"] and _is_sought(row, sought):
            people.add(row["person_id"])
        if len(people) > 1:
            msg = (
                "The identifier is in rows of more than one person in the map of identities. Give vendor and kind, or "
                "the person_id, or correct the map."
            )
            raise ConfigError(msg)
    if not people:
        raise ConfigError(_explain_nobody(sought))
    return people.pop()


def _explain_nobody(sought: Sought) -> str:
    if looks_hashed(sought.identifier or ""):
        return "The identifier looks like a digest. Give the identifier itself: the map and the vendors do not hash it."
    where = " with this vendor or kind" if sought.vendor or sought.kind else ""
    return f"Nobody in the map of identities has this identifier{where}. Check it, or add the person's rows."


def _list_spellings(sought: Sought) -> set[str]:
    """The identifier as it was given, and as each vendor spells it. Raises ConfigError if it is not of its kind."""
    text = (sought.identifier or "").strip()
    vendors = [find_vendor(sought.vendor)] if sought.vendor else list(VENDORS.values())
    asked = [(vendor, kind) for vendor in vendors for kind in vendor.about.person_kinds if sought.kind in (None, kind)]
    if not asked:
        kinds = sorted({kind for vendor in vendors for kind in vendor.about.person_kinds})
        raise ConfigError(f"There is no such kind of identifier. Use one of: {', '.join(kinds)}.")
    spelled = {
        contact.id
        for vendor, kind in asked
        if (kind != EMAIL or "@" in text) and (contact := _read_contact(vendor, text, kind))
    }
    if sought.kind and not spelled:
        raise ConfigError(f"The identifier is not a valid {sought.kind}. Check it, or give its kind.")
    return {text, *spelled}


def _is_sought(row: Mapping[str, str], sought: Sought) -> bool:
    """Whether a row has the identifier that is sought, by the spelling of the row's vendor."""
    vendor = VENDORS.get(row["vendor"])
    kind = row["kind"] or (vendor.about.person_kinds[0] if vendor else "")
    if (sought.vendor or row["vendor"], sought.kind or kind) != (row["vendor"], kind):
        return False
    texts = ((sought.identifier or "").strip(), row["identifier"])
    if kind == EMAIL:  # no system tells two people apart by the case of an address
        return texts[0].lower() == texts[1].lower()
    mine, found = (_read_contact(vendor, text, kind) if vendor else None for text in texts)
    return mine == found if mine and found else texts[0] == texts[1]


def _read_contact(vendor: Vendor, text: str, kind: str) -> Contact | None:
    """The identifier as the vendor spells it; None if it is not one of the vendor's."""
    try:
        return vendor.contact(text, kind)
    except ConfigError:
        return None


def _check_row(row: Mapping[str, str]) -> Identity:
    """A row as an identifier that can be asked for."""
    vendor = VENDORS.get(row["vendor"])
    if vendor is None:
        msg = f"The map of identities has a row of this person whose vendor is none of: {', '.join(VENDORS)}."
        raise ConfigError(f"{msg} Correct the map.")
    kind, kinds = row["kind"] or vendor.about.person_kinds[0], vendor.about.person_kinds
    if kind not in kinds:
        msg = f"The map of identities has a row of this person at {vendor.name} whose kind is none of: "
        raise ConfigError(f"{msg}{', '.join(kinds)}. Correct the map.")
    contact = _read_contact(vendor, row["identifier"], kind)
    if contact is None:
        msg = f"The map of identities has a row of this person at {vendor.name} whose identifier is not a valid {kind}."
        raise ConfigError(f"{msg} Correct the map.")
    return Identity(vendor.name, row["account"] or None, contact)
