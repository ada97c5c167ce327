"""Erase people: from every place of the lake, and from every table that it is loaded into.

The order makes it safe beside extractions that are under way, beside another erasure, and if it is interrupted::

    1  the receipt says that it has begun
    2  the suppression list: from now on no extraction can bring them back, and a commit leaves them out
    3  the targets, because an Iceberg table consists of files of the lake
    4  the lake: new files, the manifest replaced in one step, former files removed; then files that nothing refers to
    5  the targets again: a load may have been under way
    6  the keys of these people, if raw rows are encrypted: copies of raw files are then unreadable, too
    7  a search for the identifiers in all files, and the receipt with what it found

After an error or a crash, run it again, with the same name for the same receipt: what is done has no more rows. Other
rows stay as they are, and only files with rows of these people are written again. Bulk records, which name their
contacts themselves, are found by the vendor's mapping.

What it does not know: records of other people that name these people in free text (the search counts them), copies
that the storage keeps (versions of objects, snapshots, backups), and answers to requests that were copied elsewhere.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec.structs import replace

from airflow_provider_interactions.contract import Contact, Vendor
from airflow_provider_interactions.errors import ConfigError, InteractionsError, LakeUnavailable, LoadError
from airflow_provider_interactions.extract.cleanup import remove_half_written
from airflow_provider_interactions.lake.keys import HashKey
from airflow_provider_interactions.lake.paths import AccountPaths, escape_segment, list_accounts, timestamp
from airflow_provider_interactions.lake.pseudonyms import find_key_ring
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import FOLDER, Entry, read_suppression, suppress
from airflow_provider_interactions.normalize.policy import Key
from airflow_provider_interactions.person.erase_account import LAYERS, AccountErasure
from airflow_provider_interactions.person.erase_answers import AnswersErasure
from airflow_provider_interactions.person.erase_table import Table, spell_for_table
from airflow_provider_interactions.person.everywhere import EVERY
from airflow_provider_interactions.person.receipt import Receipt, add_rows, add_table, describe_receipt, open_receipt
from airflow_provider_interactions.person.receipt_page import write_receipt_page
from airflow_provider_interactions.person.search import search_lake
from airflow_provider_interactions.person.spellings import add_pseudonyms, list_spellings
from airflow_provider_interactions.vendors import find_vendor

log = logging.getLogger(__name__)

#: The places of a receipt, each with its count, also if that is 0.
PLACES = (
    *("raw", "interactions", "history", "rejects", "outcomes", "undated"),
    *("contacts", "unfinished", "requests"),
)

#: The folders in which an erasure itself writes.
BOOKS = ("erasures", "receipts", FOLDER)


def erase_people(
    lake: Lake,
    people: Mapping[str, Sequence[Contact]],
    targets: Sequence[Table] = (),
    *,
    approved_by: str,
    accounts: Sequence[AccountPaths] = (),
    pseudonyms: Sequence[Key] = (),
    name: str | None = None,
    keep: bool = False,
    now: datetime | None = None,
) -> Receipt:
    """Erase people, given as contacts by vendor, from the lake and the targets; returns the receipt, which is stored.

    They are erased from all accounts of the vendor in the lake; ``accounts`` are others that only the targets have.
    ``approved_by`` is who approved it. ``name`` names the receipt: give the same one to continue after a failure.
    ``pseudonyms`` are the keys by which a policy for personal data has replaced ``contact_id``, former ones too:
    without them, windows of such a policy are failures. ``keep`` stores the people in the lake until the erasure is
    complete, for ``read_kept_people``: for callers that may not find them again after a failure. ``now`` (aware) is the
    instant of the erasure.

    Raises ConfigError before anything is changed: for a kind that the vendor does not have, and if ``lake.keys`` gives
    no key or another one than that of the suppression list. Raises LoadError if a target refuses, and LakeUnavailable
    if files of the lake cannot be read or written: the receipt says what is left.
    """
    now = now or datetime.now(UTC)
    key = require_key(lake)
    for vendor, contacts in people.items():
        _check_kinds(find_vendor(vendor), contacts)
        read_suppression(lake, vendor)
    name = name or f"{timestamp(now)}-{uuid.uuid4().hex[:8]}"
    receipt = open_receipt(lake, name, key, people, approved_by, now)
    counted = add_rows(receipt, dict.fromkeys(PLACES, 0), 0)
    kept = _name_kept(name) if keep else ""
    erasure = _Erasure(lake, people, targets, accounts, tuple(pseudonyms), now, counted, kept)
    erasure.run(key)
    return erasure.receipt


def read_kept_people(lake: Lake, name: str) -> dict[str, list[Contact]] | None:
    """The people of an erasure that is not complete, by its name, if it was begun with ``keep``."""
    return lake.read(_name_kept(name), dict[str, list[Contact]])


def _name_kept(name: str) -> str:
    return f"erasures/{escape_segment(name)}.json"


def require_key(lake: Lake) -> HashKey:
    """The lake's key for hashes. Raises ConfigError if it has none."""
    keys = lake.keys() if lake.keys else ()
    if not keys:
        msg = (
            "No key for hashes of identifiers is given, so nobody can be erased: the suppression list and the receipt "
            "need it. Name a connection that holds one in [interactions] suppression_conn_id. Nothing was changed."
        )
        raise ConfigError(msg)
    return keys[0]


@dataclass(slots=True)
class _Erasure:
    lake: Lake
    people: Mapping[str, Sequence[Contact]]
    targets: Sequence[Table]
    accounts: Sequence[AccountPaths]
    pseudonyms: Sequence[Key]
    now: datetime
    receipt: Receipt
    kept: str = ""
    spellings: dict[str, list[Contact]] = field(default_factory=dict)

    def run(self, key: HashKey) -> None:
        """All steps. The receipt is stored after each."""
        self._save()
        if self.kept:
            self.lake.publish(self.kept, self.people)
        for vendor, contacts in self.people.items():
            entry = Entry(self.now, self.receipt.name)
            suppress(self.lake, key, vendor, ((one.kind, one.id) for one in contacts), entry)
        self._find_spellings()
        self._erase_from_targets()
        for account in self._list_accounts():
            self._erase_account(account)
        self._erase_answers_of_all()
        self._erase_from_targets()
        self._destroy_keys()
        remove_half_written(self.lake, BOOKS, self.now)
        self._search()
        self._finish()

    def _save(self) -> None:
        self.lake.write(self.receipt.page, write_receipt_page(self.receipt).encode())
        self.lake.publish(self.receipt.path, self.receipt)

    def _list_accounts(self) -> list[AccountPaths]:
        return [one for one in list_accounts(self.lake, LAYERS) if one.vendor in self.people]

    def _erase_from_targets(self) -> None:
        accounts = sorted({*self._list_accounts(), *self.accounts})
        for target in self.targets:
            for account in accounts:
                self._erase_from_target(target, account)
        self._save()

    def _erase_from_target(self, target: Table, account: AccountPaths) -> None:
        contacts = list(spell_for_table(find_vendor(account.vendor), self._spell(account.vendor)))
        try:
            rows = target.erase(account.vendor, account.account, contacts)
        except InteractionsError as wrong:
            self.receipt = replace(
                self.receipt, state="failed", ended_at=datetime.now(UTC), failures=(f"{target.describe()[1]}: {wrong}",)
            )
            self._save()
            msg = (
                f"The table {target.describe()[1]} refused the erasure, so it is not complete: {wrong} The receipt "
                f"{self.receipt.path} says what was removed. Correct the cause, and run the erasure again."
            )
            raise (LoadError if wrong.retry else ConfigError)(msg) from wrong
        self.receipt = add_table(self.receipt, *target.describe(), rows)

    def _erase_account(self, account: AccountPaths) -> None:
        known = frozenset(key.id for key in self.pseudonyms) | self._list_ring_ids()
        work = AccountErasure(self.lake, account, self._spell(account.vendor), self.now, known)
        work.erase()
        failures = (*self.receipt.failures, *work.failures)
        self.receipt = replace(add_rows(self.receipt, work.rows, work.files), failures=failures)
        self._save()

    def _spell(self, vendor: str) -> list[Contact]:
        """The people of a vendor, also as rows under a policy, and encrypted rows, have them."""
        return add_pseudonyms(self.lake, vendor, self.spellings[vendor], self.pseudonyms)

    def _find_spellings(self) -> None:
        self.spellings = {vendor: list_spellings(self.lake, vendor, some) for vendor, some in self.people.items()}

    def _list_ring_ids(self) -> frozenset[str]:
        ring = find_key_ring(self.lake)
        return frozenset((ring.id,)) if ring and ring.id else frozenset()

    def _destroy_keys(self) -> None:
        """Make copies and backups of encrypted raw rows unreadable."""
        ring = find_key_ring(self.lake)
        if ring is not None:
            self._find_spellings()  # an extraction that was under way may have made a key
            people = self.spellings.items()
            gone = sum(ring.destroy_keys(vendor, ((one.kind, one.id) for one in some)) for vendor, some in people)
            self.receipt = replace(self.receipt, keys=(self.receipt.keys or 0) + gone)
            self._save()

    def _erase_answers_of_all(self) -> None:
        """Remove answers about one person at several systems as a whole: all of it is about that person."""
        folder = AccountPaths(EVERY, EVERY).folder("requests")
        for vendor, contacts in self.people.items():
            rows, files = AnswersErasure(self.lake, folder, vendor, contacts).erase()
            self.receipt = add_rows(self.receipt, {"requests": rows}, files)
        self._save()

    def _search(self) -> None:
        found: dict[str, int] = {}
        searched = unread = 0
        for vendor in self.people:
            result = search_lake(self.lake, vendor, [one.id for one in self._spell(vendor)], self.kept)
            searched, unread = searched + result.searched, unread + result.unread
            for place, rows in result.rows.items():
                found[place] = found.get(place, 0) + rows
        self.receipt = replace(self.receipt, searched=searched, unread=unread, found=dict(sorted(found.items())))

    def _finish(self) -> None:
        failed = self.receipt.failures
        state = "failed" if failed else "found" if self.receipt.found else "complete"
        self.receipt = replace(self.receipt, state=state, ended_at=datetime.now(UTC))
        self._save()
        if self.kept and not failed:
            self.lake.remove([self.kept])
        log.info("%s", describe_receipt(self.receipt))
        if failed:
            msg = (
                f"The erasure is not complete: {failed[0]} ({len(failed)} failures in all; the receipt "
                f"{self.receipt.path} lists them). Correct the cause, and run the erasure again."
            )
            raise LakeUnavailable(msg)


def _check_kinds(vendor: Vendor, contacts: Sequence[Contact]) -> None:
    kinds = vendor.about.person_kinds
    for one in contacts:
        if one.kind not in kinds:
            msg = (
                f"{vendor.name} has no people of kind {one.kind}. Use one of: {', '.join(kinds)}. Nothing was changed."
            )
            raise ConfigError(msg)
