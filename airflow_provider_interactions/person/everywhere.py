"""Answer a request for one person at several systems, in one set of files.

The systems are asked one after the other. If one of them fails, the whole request fails and no file remains: an answer
that lacks a system without saying so would be wrong. What was not asked is a ``gap``, and the answer states it. The
files are those of ``request.py``, in ``requests/vendor=all/account=all/``. The table and the lines hold one system
after the other; the page shows all of them in order of time.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_provider_interactions.contract import Contact, Credentials
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.job import Progress
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.http.shared_limit import Sharing
from airflow_provider_interactions.lake.paths import WindowPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.counts import Files, Findings, PersonAnswer, Totals, sum_findings, sum_person
from airflow_provider_interactions.person.erased import refuse_erased
from airflow_provider_interactions.person.files import AnswerFiles, PersonRecords
from airflow_provider_interactions.person.identities import Identity
from airflow_provider_interactions.person.page import Cover, write_page
from airflow_provider_interactions.person.page_rows import Subject, place_subjects
from airflow_provider_interactions.person.report import pluralize
from airflow_provider_interactions.person.request import PersonRequest, ask_vendor
from airflow_provider_interactions.vendors import read_about

#: The vendor and the account in the paths of an answer about several systems.
EVERY = "all"


@dataclass(frozen=True, slots=True)
class System:
    """One system to ask, with what may be given to it. ``sharing`` is as in ``Job``."""

    request: PersonRequest
    credentials: Credentials
    sharing: Sharing | None = None


def match_accounts(
    identities: Iterable[Identity], accounts: Sequence[tuple[str, str]]
) -> tuple[Mapping[tuple[str, str], list[Contact]], list[str]]:
    """The identifiers to request at each (vendor, account), and sentences about what cannot be requested.

    Raises ConfigError if nothing can be asked.
    """
    found: dict[tuple[str, str], list[Contact]] = {account: [] for account in accounts}
    unreached: dict[str, int] = {}
    for identity in identities:
        fitting = [key for key in accounts if key[0] == identity.vendor and identity.account in (None, key[1])]
        for key in fitting:
            found[key].append(identity.contact)
        unreached[identity.vendor] = unreached.get(identity.vendor, 0) + (not fitting)
    gaps = [
        f"{read_about(vendor).title}: {pluralize(n, 'identifier')} in the map of identities "
        f"{'was' if n == 1 else 'were'} not used, because no connection of this request leads to its account."
        for vendor, n in unreached.items()
        if n
    ]
    gaps += [
        f"{read_about(vendor).title} was not asked, because the map of identities has no row of this person there."
        for vendor, account in accounts
        if not found[vendor, account]
    ]
    asked = {key: contacts for key, contacts in found.items() if contacts}
    if not asked:
        msg = "No connection of this request leads to an account of this person's rows in the map of identities."
        raise ConfigError(f"{msg} Check the column account, and the connections.")
    return asked, gaps


def answer_person(
    lake: Lake,
    systems: Sequence[System],
    *,
    gaps: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
    limits: Limits | None = None,
    now: datetime | None = None,
    asked_by: str | None = None,
) -> PersonAnswer:
    """Ask every system about one person and write the four files. Times and errors are those of ``answer_request``."""
    for system in systems:
        refuse_erased(lake, system.request.vendor.name, system.request.contacts)
    first, asked_at = systems[0].request, now or datetime.now(UTC)
    base = f"{WindowPaths(EVERY, EVERY, first.span).requests}/{timestamp(asked_at)}-{uuid.uuid4().hex[:8]}"
    subjects: list[Subject] = []
    findings: list[Findings] = []
    with AnswerFiles(lake, base) as output:
        for system in systems:
            people = Totals()
            with ask_vendor(
                lake,
                system.request,
                system.credentials,
                progress=progress,
                limits=limits,
                sharing=system.sharing,
                now=asked_at,
            ) as found:
                manifest = found.manifest
                for place, person in enumerate(_drop_known(found.people), start=1):
                    people.add(place, person)
                    output.write(person.rows)
            row = subjects[-1].first_row + subjects[-1].rows if subjects else 0
            subjects += place_subjects(manifest.vendor, manifest.account, system.request.contacts, people.people, row)
            findings.append(sum_findings(manifest, people, found.source))
        parquet, lines = output.close()
        notes = [f"{read_about(one.vendor).title}: {one.source}" for one in findings if one.source]
        cover = Cover(asked_at, asked_by, first.window, (), first.zone, [*gaps, *notes])
        files = Files(parquet, lines, write_page(lake, f"{base}.html", parquet, [subjects], cover))
        answer = sum_person(asked_at, first.window, findings, gaps, files, f"{base}.json")
        lake.publish(answer.summary, answer)
        output.keep()
    return answer


def _drop_known(people: Iterable[PersonRecords]) -> Iterator[PersonRecords]:
    """The records of each identifier without those that came under an earlier one: they count as repeated."""
    known: dict[str, int] = {}  # digests of the records by their ids
    for person in people:
        rows = person.interactions
        person.interactions = rows.keep(lambda row: known.get(row["interaction_id"]) != hash(row["record"]))
        person.repeated += len(rows) - len(person.interactions)
        known.update((row["interaction_id"], hash(row["record"])) for row in person.interactions)
        yield person
