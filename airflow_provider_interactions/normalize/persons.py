"""The persons of contacts: fills the column ``person_id`` from the map of identities.

A window looks for its own contacts only. The map is scanned once for all contacts that are not known yet, so a run
over many windows scans it once. What is kept are the contacts asked about and their persons, never the map.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.addresses import fold_addresses
from airflow_provider_interactions.contract import Vendor
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.lake.encryption import decrypt_rows
from airflow_provider_interactions.lake.manifest import Manifest, join_identities
from airflow_provider_interactions.lake.pseudonyms import reveal_column
from airflow_provider_interactions.lake.reader import read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize.identity_map import Scan, read_contact, strip_column
from airflow_provider_interactions.schema import CANONICAL
from airflow_provider_interactions.vendors import find_vendor

#: The fewest rows of the map to compare at once. As many as there are contacts, because a comparison prepares these.
MAP_ROWS = 65_536

#: Rows of raw files in one step, of vendors whose records name their contacts.
MAPPED_ROWS = 8_192

#: Stands between kind and identifier in the key of a contact.
_BETWEEN = "\0"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WindowPeople:
    """The persons of a window's contacts, by their keys; None for a contact that more than one person has.

    ``digest`` is the hash of the map's rows about these contacts, ``ambiguous`` the number of contacts with two
    persons.
    """

    vendor: Vendor | None = None
    persons: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    digest: str = ""
    ambiguous: int = 0

    def add_to(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Canonical rows with their persons. Look up before a policy hides the contacts."""
        if self.vendor is None:
            return rows
        keys = _build_keys(self.vendor, rows.column("contact_id_kind"), rows.column("contact_id")).dictionary_encode()
        found = pa.array([self.persons.get(key) for key in keys.dictionary.to_pylist()], pa.string())
        at = CANONICAL.get_field_index("person_id")
        return rows.set_column(rows.schema.get_field_index("person_id"), CANONICAL.field(at), found.take(keys.indices))


#: The persons of no contacts: ``person_id`` is not looked up.
NO_PEOPLE = WindowPeople()


@dataclass(slots=True)
class PersonIndex:
    """What the map of identities says about the contacts of one account, read when it is needed."""

    scan: Scan = field(repr=False)
    _known: pa.Array = field(default_factory=lambda: pa.array([], pa.string()), repr=False)
    _persons: dict[str, str | None] = field(default_factory=dict, repr=False)

    def prepare(self, lake: Lake, raws: Sequence[Manifest]) -> None:
        """Look up the contacts of several raw windows, or batches, of one account in one scan of the map.

        Raises ConfigError if the map cannot be read, and WindowSuperseded if raw files are gone.
        """
        if raws:
            contacts = pc.unique(pa.chunked_array([_read_contacts(lake, raw) for raw in raws], pa.string()))
            self._look_up(find_vendor(raws[0].vendor), raws[0].account, contacts)

    def find_contacts(self, lake: Lake, raw: Manifest) -> WindowPeople:
        """The persons of a raw window's contacts. Raises as ``prepare``."""
        contacts, vendor = _read_contacts(lake, raw), find_vendor(raw.vendor)
        self._look_up(vendor, raw.account, contacts)
        found = {key: self._persons[key] for key in contacts.to_pylist() if key in self._persons}
        digest = join_identities(["0", *(_digest_person(*one) for one in found.items())])
        return WindowPeople(vendor, found, digest, sum(person is None for person in found.values()))

    def _look_up(self, vendor: Vendor, account: str, contacts: pa.Array) -> None:
        new = contacts.filter(pc.invert(pc.is_in(contacts, self._known)))
        if not len(new):
            return
        for key, person in _scan_persons(self.scan, vendor, account, new):
            if self._persons.setdefault(key, person) != person:
                self._persons[key] = None
        self._known = pa.concat_arrays([self._known, new])


def _digest_person(key: str, person: str | None) -> str:
    return hashlib.sha256(f"{key}{_BETWEEN}{person or ''}".encode()).hexdigest()[:16]


def _read_contacts(lake: Lake, raw: Manifest) -> pa.Array:
    """The keys of all contacts of a raw window, each once."""
    vendor = find_vendor(raw.vendor)
    columns = None if vendor.about.bulk_kind else ("contact_id", "contact_id_kind")
    rows = MAPPED_ROWS if vendor.about.bulk_kind else MAP_ROWS
    found = [pc.unique(_read_keys(lake, vendor, batch)) for batch in read_window(lake, raw, raw.files, rows, columns)]
    return pc.unique(pa.chunked_array(found, pa.string())).drop_null()


def _read_keys(lake: Lake, vendor: Vendor, raw: pa.RecordBatch) -> pa.Array:
    bulk = vendor.about.bulk_kind
    if bulk is None:
        return _build_keys(vendor, raw.column("contact_id_kind"), reveal_column(lake, raw.column("contact_id")))
    raw = decrypt_rows(lake, raw).rows
    kinds, ids = raw.column("contact_id_kind").cast(pa.string()), raw.column("contact_id")
    if pc.any(pc.equal(kinds, bulk)).as_py():  # the records name their contacts
        named = vendor.map_records(raw).columns["contact_id"].cast(pa.string())
        ids = pc.if_else(pc.equal(kinds, bulk), named, ids)
    return _build_keys(vendor, kinds, ids)


def _build_keys(vendor: Vendor, kinds: pa.Array, ids: pa.Array) -> pa.Array:
    """Kind and identifier as one text. Addresses of e-mail are compared without case."""
    kinds, bulk = kinds.cast(pa.string()), vendor.about.bulk_kind
    if bulk:
        kinds = pc.if_else(pc.equal(kinds, bulk), vendor.about.person_kinds[0], kinds)
    ids = pc.if_else(pc.equal(kinds, EMAIL), fold_addresses(ids), ids)
    return pc.binary_join_element_wise(kinds, ids, _BETWEEN)


def _scan_persons(scan: Scan, vendor: Vendor, account: str, contacts: pa.Array) -> Iterator[tuple[str, str]]:
    """The contacts, of those given by their keys, that the map has, each with a person; one that is in two rows twice.

    Rows are first compared by what all spellings of an identifier share, then by the vendor's own spelling.
    """
    wanted = pc.unique(_fold(pc.replace_substring_regex(contacts, "^[^\0]*\0", "")))
    for rows in _join_batches(scan(_select_account(vendor, account)), max(MAP_ROWS, len(contacts))):
        found = rows.filter(pc.is_in(_fold(rows.column("identifier")), wanted))
        if not found.num_rows:
            continue
        persons = pc.utf8_trim_whitespace(found.column("person_id")).to_pylist()
        keys = _spell_rows(vendor, found)
        mine = pc.is_in(keys, contacts).to_pylist()
        for key, person, is_mine in zip(keys.to_pylist(), persons, mine, strict=True):
            if is_mine and person:
                yield key, person


def _select_account(vendor: Vendor, account: str) -> pc.Expression:
    accounts = strip_column("account").isin(["", account]) | pc.field("account").is_null()
    return (strip_column("vendor") == vendor.name) & accounts


def _join_batches(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.Table]:
    """The batches as tables of about ``most`` rows."""
    held, rows = list[pa.RecordBatch](), 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= most:
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _fold(ids: pa.Array) -> pa.Array:
    """Identifiers without what their spellings may differ in: case, blanks around them, braces and dashes of GUIDs."""
    return pc.replace_substring(pc.utf8_trim(pc.utf8_lower(ids), " \t\r\n{}"), "-", "")


def _spell_rows(vendor: Vendor, rows: pa.Table) -> pa.Array:
    """The keys of the map's rows by the vendor's spelling; null for a row that no contact of the vendor can have."""
    kinds, first = vendor.about.person_kinds, vendor.about.person_kinds[0]
    contacts = [
        read_contact(vendor, text.strip(), kind) if kind in kinds else None
        for text, kind in zip(
            rows.column("identifier").to_pylist(),
            ((kind or "").strip() or first for kind in rows.column("kind").to_pylist()),
            strict=True,
        )
    ]
    unusable = sum(contact is None for contact in contacts)
    if unusable:
        log.warning(
            "The map of identities has %d rows of %s with an identifier that is not of its kind. They are left out",
            *(unusable, vendor.name),
        )
    ids = pa.array([contact and contact.id for contact in contacts], pa.string())
    return _build_keys(vendor, pa.array([contact and contact.kind for contact in contacts], pa.string()), ids)
