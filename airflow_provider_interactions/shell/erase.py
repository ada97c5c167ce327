"""Erase people, or say what that would erase; and take people off the suppression list."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import fsspec
import msgspec

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake.paths import AccountPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import lift_suppression
from airflow_provider_interactions.load import Target
from airflow_provider_interactions.normalize.identity_map import scan_file
from airflow_provider_interactions.normalize.policy import Key
from airflow_provider_interactions.normalize.policy_rules import read_key
from airflow_provider_interactions.params import require_kind
from airflow_provider_interactions.person.erasure import erase_people
from airflow_provider_interactions.person.erasure_plan import (
    People,
    check_people,
    collect_people,
    describe_plan,
    plan_erasure,
)
from airflow_provider_interactions.person.identities import Sought, find_identities, refuse_shared
from airflow_provider_interactions.person.receipt import Receipt, describe_receipt, name_receipt
from airflow_provider_interactions.shell.config import IDENTITIES
from airflow_provider_interactions.shell.session import Session
from airflow_provider_interactions.shell.sources import open_source, read_ids
from airflow_provider_interactions.shell.targets import open_targets
from airflow_provider_interactions.targets import DATABASE
from airflow_provider_interactions.vendors import find_vendor


@dataclass(frozen=True, slots=True)
class Choice:
    """Who was chosen on the command line."""

    vendor: str | None = None
    contacts: Sequence[str] = ()
    kind: str | None = None
    person_id: str | None = None
    identifier: str | None = None
    identities: str | None = None
    all_accounts: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where to erase: the lake, tables, accounts that only a table has, and connections of keys of policies."""

    lake: Lake
    targets: Sequence[str] = ()
    table: str = "interactions"
    accounts: Sequence[str] = ()
    keys: Sequence[str] = ()


def show_plan(session: Session, choice: Choice, place: Place) -> None:
    """Print what would be erased."""
    people = find_people(session, choice, place.lake)
    tables = [".".join(filter(None, one.describe())) for one in _open_tables(session, place)]
    plan = plan_erasure(place.lake, people, tables, _read_keys(session, place))
    session.result |= {"erased": False, "plan": msgspec.to_builtins(plan)}
    for line in describe_plan(plan):
        session.say(line)
    session.say("Nothing was erased. Add --yes to erase it.")


def erase_chosen(
    session: Session, choice: Choice, place: Place, approved_by: str | None = None, name: str | None = None
) -> None:
    """Erase, and print the receipt. It is also in the result if something could not be erased."""
    people = find_people(session, choice, place.lake)
    now = datetime.now(UTC)
    name = name or f"{timestamp(now)}-{os.urandom(4).hex()}"
    try:
        erase_people(
            place.lake,
            people,
            _open_tables(session, place),
            approved_by=approved_by or getpass.getuser(),
            accounts=_list_accounts(session, place, people),
            pseudonyms=_read_keys(session, place),
            name=name,
            now=now,
        )
    finally:
        _show_receipt(session, place.lake, name)


def lift_contacts(session: Session, lake: Lake, vendor: str, contacts: Sequence[str], kind: str | None) -> None:
    """Take contacts off the suppression list, and say how many were on it."""
    found = find_vendor(vendor)
    people = check_people(found, read_ids(contacts), require_kind(vendor, kind, found.about.person_kinds))[vendor]
    lifted = sum(lift_suppression(lake, vendor, one.kind, one.id) for one in people)
    session.result |= {"vendor": vendor, "lifted": lifted}
    session.say(f"{lifted} of {len(people)} contacts were on the suppression list of {vendor}, and are no longer.")


def find_people(session: Session, choice: Choice, lake: Lake) -> People:
    """The chosen people by the vendor's name. Raises ConfigError that says what is wrong, without a name."""
    given = [bool(choice.contacts), choice.person_id is not None, choice.identifier is not None]
    if sum(given) != 1:
        raise ConfigError("Give one of --contact, --person-id and --identifier. Nothing was changed.")
    if choice.contacts:
        return _check_contacts(choice)
    address = choice.identities or os.environ.get(IDENTITIES) or session.config.identities
    if not address:
        raise ConfigError(f"No map of identities is set. Give --identities, or set {IDENTITIES}.")
    scan = scan_file(*fsspec.url_to_fs(address))
    sought = Sought(person_id=choice.person_id, identifier=choice.identifier, vendor=choice.vendor, kind=choice.kind)
    identities = find_identities(scan, sought)
    refuse_shared(scan, identities)
    return collect_people(lake, identities, all_accounts=choice.all_accounts)


def _check_contacts(choice: Choice) -> People:
    if choice.vendor is None:
        raise ConfigError("Name the vendor of the contacts. Nothing was changed.")
    vendor = find_vendor(choice.vendor)
    kind = require_kind(vendor.name, choice.kind, vendor.about.person_kinds)
    return check_people(vendor, read_ids(choice.contacts), kind)


def _open_tables(session: Session, place: Place) -> list[Target]:
    if not place.targets and not (place.lake.local and place.lake.exists(DATABASE)):
        return []
    return open_targets(place.targets, place.table, place.lake, session.config)


def _read_keys(session: Session, place: Place) -> list[Key]:
    return [read_key(session.config.find_connection(conn_id)) for conn_id in place.keys]


def _list_accounts(session: Session, place: Place, people: People) -> list[AccountPaths]:
    """The accounts of the command line, and those of the vendors' connections, if there are any."""
    known = [vendor for vendor in people if session.config.has_connection(f"{vendor}_default")]
    own = [AccountPaths(vendor, open_source(session, vendor, None).credentials.account) for vendor in known]
    return [*own, *(AccountPaths(vendor, account) for vendor in people for account in place.accounts)]


def _show_receipt(session: Session, lake: Lake, name: str) -> None:
    receipt = lake.read(name_receipt(name), Receipt)
    if receipt is None:
        return
    found = {key: value for key, value in msgspec.to_builtins(receipt).items() if key != "people"}
    addresses = {"receipt": lake.url(receipt.path), "page": lake.url(receipt.page)}
    session.result |= {**found, "rows": found["erased"], "erased": True, "addresses": addresses}
    session.say(describe_receipt(receipt))
    for key, address in addresses.items():
        session.say(f"{key}: {address}")
