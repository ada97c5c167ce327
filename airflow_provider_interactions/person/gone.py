"""Contacts that a vendor no longer has: candidates for an erasure that somebody must approve.

A vendor answers for each contact of a window. The word ``deleted`` says that it had the contact and has deleted it,
``not_found`` that it does not know the identifier, which may also be a mistake in the list of contacts. The newest
answer counts: a contact that the vendor has answered for again since is not a candidate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.outcomes import read_outcomes
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths, list_accounts, read_window
from airflow_provider_interactions.lake.pseudonyms import is_pseudonym
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import read_suppression
from airflow_provider_interactions.vendors import find_vendor

#: The outcomes that can open an erasure.
GONE = ("deleted", "not_found")

#: The newest windows of an account that are read.
WINDOWS = 31

#: The most candidates of one vendor. More are rather a mistake in the list of contacts.
MOST = 500


def find_gone(
    lake: Lake, vendor: str, outcomes: Collection[str], *, windows: int = WINDOWS, most: int = MOST
) -> list[Contact]:
    """The contacts whose newest outcome in each account is one of ``outcomes``, without those erased before.

    It reads the last ``windows`` windows of each account. A contact that another account of the vendor still answers
    for is left out, because an erasure is for all accounts. Raises ConfigError for other outcomes than ``GONE``,
    and if there are more than ``most`` candidates.
    """
    unknown = sorted(set(outcomes) - set(GONE))
    if unknown:
        raise ConfigError(f"An erasure cannot begin with the outcome {', '.join(unknown)}. Use: {', '.join(GONE)}.")
    kinds = find_vendor(vendor).about.person_kinds
    gone: set[Contact] = set()
    known: set[Contact] = set()
    for account in (one for one in list_accounts(lake, ["raw"]) if one.vendor == vendor):
        newest = _read_newest(lake, account, windows)
        gone |= {contact for contact, word in newest.items() if word in outcomes and contact.kind in kinds}
        known |= {contact for contact, word in newest.items() if word not in outcomes}
    suppression = read_suppression(lake, vendor)
    left = (one for one in gone - known if not suppression.covers(one.kind, one.id))
    found = sorted(left, key=attrgetter("kind", "id"))
    if len(found) > most:
        msg = (
            f"{vendor} has {len(found)} contacts with the outcome {' or '.join(sorted(outcomes))}, and one erasure is "
            f"for {most} at most. Probably there is a mistake in the list of contacts, or in the connection. Check "
            "them, and erase the right ones by their identifiers. Nothing was changed."
        )
        raise ConfigError(msg)
    return found


def _read_newest(lake: Lake, account: AccountPaths, windows: int) -> dict[Contact, str]:
    """The newest outcome of each contact in the last windows of an account. ``failed`` says nothing of a contact."""
    newest: dict[Contact, str] = {}
    for manifest in sorted(_read_windows(lake, account, windows), key=attrgetter("extracted_at")):
        known = (one for one in read_outcomes(lake, manifest) if not is_pseudonym(one.contact_id))
        newest.update((one.contact, one.outcome) for one in known if one.outcome != "failed")
    return newest


def _read_windows(lake: Lake, account: AccountPaths, windows: int) -> Sequence[Manifest]:
    """The manifests of the last windows, by their end."""
    found = {read_window(name) for name in lake.list_names(account.folder("raw"))}
    last = sorted((window for window in found if window), key=attrgetter("end"))[-windows:]
    paths = [WindowPaths(account.vendor, account.account, window).raw_manifest for window in last]
    return [manifest for _, manifest in lake.read_many(paths, Manifest)]
