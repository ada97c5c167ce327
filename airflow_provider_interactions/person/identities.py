"""Find one person in the map of identities (``normalize.identity_map``), by the person's id or any one identifier.

No message holds a value of the map or of the request, because both are personal data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import pyarrow.compute as pc

from airflow_provider_interactions.addresses import fold_addresses, fold_identifier
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import EMAIL, looks_hashed
from airflow_provider_interactions.normalize.identity_map import Scan, read_contact, strip_column
from airflow_provider_interactions.vendors import VENDORS, find_vendor

#: The most rows of one person. More are a mistake in the map, for example one person_id for everybody.
MOST_ROWS = 500


class Identity(NamedTuple):
    """One identifier of a person. ``account`` None means every account of the vendor."""

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
    rows = list(islice(_read_rows(scan, pc.equal(strip_column("person_id"), str(person).strip())), MOST_ROWS + 1))
    if not rows:
        raise ConfigError("The map of identities has no row of this person_id. Check it, or add the person's rows.")
    if len(rows) > MOST_ROWS:
        msg = f"The map of identities has more than {MOST_ROWS} rows of this person_id. Check how the map is made."
        raise ConfigError(msg)
    return sorted(dict.fromkeys(map(_check_row, rows)), key=lambda found: list(VENDORS).index(found.vendor))


def refuse_shared(scan: Scan, identities: Sequence[Identity]) -> None:
    """Raise ConfigError if one of a person's identifiers is in rows of another person, too. It scans the map once."""
    owners: dict[tuple[str, str], set[str]] = {}
    for row in _read_rows(scan, _match_folded(one.contact.id for one in identities)):
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


def _match_folded(identifiers: Iterable[str]) -> pc.Expression:
    """The condition for rows with these identifiers, in any case."""
    folded = sorted({fold_identifier(EMAIL, one) for one in identifiers})
    return fold_addresses(strip_column("identifier")).isin(folded)


def _is_same(row: Mapping[str, str], one: Identity) -> bool:
    return _is_sought(row, Sought(identifier=one.contact.id, vendor=one.vendor, kind=one.contact.kind))


def _read_rows(scan: Scan, condition: pc.Expression) -> Iterator[Mapping[str, str]]:
    """The rows that a condition selects; empty for null, blanks stripped."""
    for batch in scan(condition):
        for row in batch.to_pylist():
            yield {name: (value or "").strip() for name, value in row.items()}


def _find_person(scan: Scan, sought: Sought) -> str:
    """The person_id of an identifier."""
    people: set[str] = set()
    for row in _read_rows(scan, _match_folded(_list_spellings(sought))):
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
        if (kind != EMAIL or "@" in text) and (contact := read_contact(vendor, text, kind))
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
    if kind == EMAIL:
        return fold_identifier(kind, texts[0]) == fold_identifier(kind, texts[1])
    mine, found = (read_contact(vendor, text, kind) if vendor else None for text in texts)
    return mine == found if mine and found else texts[0] == texts[1]


def _check_row(row: Mapping[str, str]) -> Identity:
    """A row as an identifier that can be asked for."""
    vendor = VENDORS.get(row["vendor"])
    if vendor is None:
        msg = f"In the map of identities, a row of this person has an unknown vendor. Known are: {', '.join(VENDORS)}."
        raise ConfigError(f"{msg} Correct the map.")
    kind, kinds = row["kind"] or vendor.about.person_kinds[0], vendor.about.person_kinds
    if kind not in kinds:
        msg = f"In the map of identities, a row of this person at {vendor.name} has an unknown kind. Known are: "
        raise ConfigError(f"{msg}{', '.join(kinds)}. Correct the map.")
    contact = read_contact(vendor, row["identifier"], kind)
    if contact is None:
        msg = f"In the map of identities, the identifier of this person at {vendor.name} is not a valid {kind}."
        raise ConfigError(f"{msg} Correct the map.")
    return Identity(vendor.name, row["account"] or None, contact)
