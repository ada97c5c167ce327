"""What an erasure would do, in numbers, for whoever approves it. It changes nothing and names nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.identifiers import EMAIL, looks_hashed
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.paths import list_accounts
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import read_suppression
from airflow_provider_interactions.normalize.policy import Key
from airflow_provider_interactions.person.erase_account import LAYERS
from airflow_provider_interactions.person.erasure import require_key
from airflow_provider_interactions.person.identities import Identity
from airflow_provider_interactions.person.report import pluralize
from airflow_provider_interactions.person.request import check_request
from airflow_provider_interactions.person.search import search_lake
from airflow_provider_interactions.person.spellings import add_pseudonyms, list_spellings

#: The people of an erasure: their contacts by the vendor's name.
People = Mapping[str, Sequence[Contact]]


class VendorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure would find at one vendor.

    ``kinds`` counts the identifiers by kind, ``rows`` the rows with one of them by place (for files that are no
    tables: files). ``suppressed`` counts identifiers that were erased before. ``unread`` are files that the search
    could not read.
    """

    vendor: str
    kinds: dict[str, int]
    accounts: tuple[str, ...]
    rows: dict[str, int]
    suppressed: int = 0
    unread: int = 0


class ErasurePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure would do. ``digest`` stands for exactly these people, and names nobody."""

    digest: str
    vendors: tuple[VendorPlan, ...]
    tables: tuple[str, ...] = ()


def check_people(vendor: Vendor, ids: Iterable[str], kind: str | None) -> People:
    """The people of one vendor, each once. Raises ConfigError that names a wrong identifier by its place."""
    given = list(ids)
    for place, text in enumerate(given, start=1):
        if looks_hashed(text):
            msg = (
                f"Contact {place} looks like a hash, and nobody can be found by one. Give the identifier itself, as "
                f"{vendor.name} has it. Nothing was changed."
            )
            raise ConfigError(msg)
    contacts = check_request(vendor, given, kind).contacts
    for place, contact in enumerate(contacts, start=1):
        if contact.kind == EMAIL and "@" not in contact.id:
            msg = f"Contact {place} is not a valid {EMAIL}. Check it, or give its kind. Nothing was changed."
            raise ConfigError(msg)
    return {vendor.name: contacts}


def collect_people(lake: Lake, identities: Iterable[Identity], *, all_accounts: bool = False) -> People:
    """The people that rows of a map of identities name.

    An erasure works on all accounts of a vendor. So a row with an account raises ConfigError if the lake has other
    accounts of that vendor, unless ``all_accounts`` says that the identifier is the same person's in all of them.
    """
    people: dict[str, list[Contact]] = {}
    for one in identities:
        others = [found for found in _list_accounts(lake, one.vendor) if found != one.account]
        if one.account is not None and others and not all_accounts:
            msg = (
                f"The map of identities names an account of {one.vendor} for this person, and the lake has "
                f"{pluralize(len(others), 'other account')} of that vendor. There, the identifier may be somebody "
                "else's, and an erasure is for all accounts. If it is the same person's in all of them, set "
                "all_accounts, or leave the account empty in the map. Nothing was changed."
            )
            raise ConfigError(msg)
        if one.contact not in people.setdefault(one.vendor, []):
            people[one.vendor].append(one.contact)
    return people


def plan_erasure(lake: Lake, people: People, tables: Sequence[str] = (), pseudonyms: Sequence[Key] = ()) -> ErasurePlan:
    """Count what an erasure would find. It reads all files of the vendors. ``pseudonyms`` are as in ``erase_people``.

    Raises ConfigError if the lake has no key for hashes, or not that of the suppression list.
    """
    key = require_key(lake)
    vendors = tuple(_plan_vendor(lake, vendor, contacts, pseudonyms) for vendor, contacts in people.items())
    return ErasurePlan(digest=digest_people(key, people), vendors=vendors, tables=tuple(tables))


def digest_people(key: HashKey, people: People) -> str:
    """A keyed hash of all people of an erasure."""
    hashes = sorted(key.hash(vendor, one.kind, one.id) for vendor, contacts in people.items() for one in contacts)
    return key.hash("", "erasure", ",".join(hashes))


def describe_plan(plan: ErasurePlan) -> Iterator[str]:
    """The plan in sentences."""
    for one in plan.vendors:
        kinds = ", ".join(pluralize(n, kind) for kind, n in one.kinds.items())
        accounts = ", ".join(one.accounts) or "none in the lake"
        rows = ", ".join(f"{n} in {place}" for place, n in one.rows.items())
        yield f"{one.vendor}: {kinds}. Accounts: {accounts}."
        yield f"{one.vendor}: rows that name them: {rows or 'none, so nothing but the suppression list will change'}."
        if one.suppressed:
            yield f"{one.vendor}: {pluralize(one.suppressed, 'identifier')} erased before."
        if one.unread:
            yield f"{one.vendor}: {pluralize(one.unread, 'file')} could not be searched."
    if plan.tables:
        yield f"Tables: {', '.join(plan.tables)}."
    else:
        yield "Tables: none. If the lake is loaded into a database, name it as target: rows there would stay."


def _plan_vendor(lake: Lake, vendor: str, contacts: Sequence[Contact], pseudonyms: Sequence[Key]) -> VendorPlan:
    suppression = read_suppression(lake, vendor)
    spelled = add_pseudonyms(lake, vendor, list_spellings(lake, vendor, contacts), pseudonyms)
    found = search_lake(lake, vendor, [one.id for one in spelled])
    return VendorPlan(
        vendor=vendor,
        kinds=dict(Counter(one.kind for one in contacts)),
        accounts=tuple(_list_accounts(lake, vendor)),
        rows=dict(sorted(found.rows.items())),
        suppressed=sum(suppression.covers(one.kind, one.id) for one in contacts),
        unread=found.unread,
    )


def _list_accounts(lake: Lake, vendor: str) -> list[str]:
    return [found.account for found in list_accounts(lake, LAYERS) if found.vendor == vendor]
