"""The answer to a request as one HTML page for people.

The page is whole in itself: it has no script, and its policy lets a browser load nothing. Everything that a vendor or a
contact wrote is escaped. The rows come from the answer's Parquet file, a few at a time, so the size of an answer does
not matter. Times are in the zone that the request names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from airflow_provider_interactions.lake.faults import translate_faults
from airflow_provider_interactions.lake.manifest import File
from airflow_provider_interactions.lake.new_file import NewFile
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.html import Html, element, isolate, join_html, show_text
from airflow_provider_interactions.person.page_record import write_record
from airflow_provider_interactions.person.page_rows import (
    OPTIONAL,
    Month,
    PageCounts,
    Subject,
    count_rows,
    find_month,
    read_in_order,
)
from airflow_provider_interactions.person.page_style import POLICY, STYLE
from airflow_provider_interactions.person.page_totals import write_totals
from airflow_provider_interactions.person.report import pluralize
from airflow_provider_interactions.person.words import OUTCOME_WORDS, UTC_ZONE, show_time
from airflow_provider_interactions.rejects import ANOTHER_CONTACT
from airflow_provider_interactions.vendors import read_about
from airflow_provider_interactions.window import Window

#: Months are unfolded at first if a page has no more records.
OPEN = 100


@dataclass(frozen=True, slots=True)
class Cover:
    """The top of the page: when the request was made, who made it, and its limits.

    ``asked_at`` is aware. ``asked_by`` is the name of who asked, None if unknown. ``window`` None means all time.
    ``types`` empty means all. ``gaps`` are sentences that say what was not asked, or not of the vendor.
    """

    asked_at: datetime
    asked_by: str | None = None
    window: Window | None = None
    types: Sequence[str] = ()
    zone: ZoneInfo = UTC_ZONE
    gaps: Sequence[str] = ()


def write_page(lake: Lake, path: str, table: File, people: Sequence[Sequence[Subject]], cover: Cover) -> File:
    """Write the page of an answer whose Parquet file is ``table``; ``people`` are the subjects of each person.

    The returned rows are the records on the page. Raises as ``faults.describe_fault`` says.
    """
    output, rows = NewFile(lake, path), 0
    try:
        with lake.open(table.path) as stream:
            file = pq.ParquetFile(stream)
            for part, records in _build_parts(file, people, cover):
                with translate_faults():
                    output.stream.write(part.encode())
                rows += records
        with translate_faults():
            output.close()
    except BaseException:  # also of a task that is asked to stop, which is an exception at any instant
        output.discard()
        raise
    return File(path, rows, output.size)


def _build_parts(file: pq.ParquetFile, people: Sequence[Sequence[Subject]], cover: Cover) -> Iterator[tuple[Html, int]]:
    """The parts of the page, each with the number of records in it."""
    every = [subject for subjects in people for subject in subjects]
    counts = count_rows(file, every, cover.zone)
    for part in (_write_head(cover, every, counts), write_totals(counts), _write_systems(every, counts, cover)):
        yield part, 0
    yield Html('<h2 id="records">Every record</h2>\n'), 0
    opened = counts.rows <= OPEN
    for subjects in people:
        if len(people) > 1:
            yield element("h3", *_name_person(subjects)), 0
        own = counts if len(people) == 1 else count_rows(file, subjects, cover.zone)
        yield from _write_records(file, subjects, own, cover.zone, opened=opened)
    yield Html("</body></html>\n"), 0


def _write_head(cover: Cover, subjects: Sequence[Subject], counts: PageCounts) -> Html:
    systems = dict.fromkeys((subject.vendor, subject.account) for subject in subjects)
    facts = [
        ("About", join_html(_separate([_name_contact(subject) for subject in subjects]))),
        ("Asked on", show_time(cover.asked_at, cover.zone)),
        ("Asked by", isolate(cover.asked_by) if cover.asked_by else None),
        ("Systems", join_html(_separate([_name_system(*system) for system in systems]))),
        ("Period", _describe_period(cover)),
        ("Types", join_html(_separate([isolate(word) for word in cover.types])) if cover.types else None),
        ("Times", f"in the time zone {cover.zone.key}"),
    ]
    return join_html(
        [
            Html('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">\n'),
            Html('<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">\n'),
            Html(f"<title>What is stored about a person</title>\n<style>{STYLE}</style></head>\n<body>\n"),
            Html("<h1>What is stored about a person</h1>\n"),
            element("p", f"This page holds {_count_records(counts)}: everything that these systems sent when asked."),
            element("dl", *_list_facts(facts), class_="facts"),
            *(element("p", gap, class_="gap") for gap in cover.gaps),
        ]
    )


def _list_facts(facts: Sequence[tuple[str, str | None]]) -> list[Html]:
    return [join_html([element("dt", name), element("dd", value)]) for name, value in facts if value is not None]


def _separate(parts: Sequence[Html]) -> list[Html]:
    return [Html(f"{Html('<br>') if n else ''}{part}") for n, part in enumerate(parts)]


def _name_contact(subject: Subject) -> Html:
    return Html(f"{isolate(subject.contact.id)} ({show_text(subject.contact.kind)})")


def _name_system(vendor: str, account: str) -> Html:
    return Html(f"{show_text(read_about(vendor).title)} ({isolate(account)})")


def _name_person(subjects: Sequence[Subject]) -> list[Html]:
    return _separate([_name_contact(subject) for subject in subjects])


def _describe_period(cover: Cover) -> str:
    if cover.window is None:
        return "all time"
    return f"from {show_time(cover.window.start, cover.zone)} until before {show_time(cover.window.end, cover.zone)}"


def _count_records(counts: PageCounts) -> str:
    bad = counts.rejects.total()
    return pluralize(counts.rows, "record") + (f", {bad} of which could not be read" if bad else "")


def _write_systems(subjects: Sequence[Subject], counts: PageCounts, cover: Cover) -> Html:
    parts = [Html("<h2>What each system says, and what it does not know</h2>\n")]
    for system, own in groupby(subjects, lambda subject: (subject.vendor, subject.account)):
        parts += [element("h3", _name_system(*system)), element("ul", *map(_describe_subject, own))]
        missing = [words for name, words in OPTIONAL.items() if name not in counts.filled.get(system, set(OPTIONAL))]
        if missing:
            parts.append(element("p", f"No record of this system states {', '.join(missing)}.", class_="soft"))
    if cover.types:
        parts.append(element("p", "Records of other types were left out, because the request names types."))
    if counts.rejects:
        hidden = ", without those about somebody else" if ANOTHER_CONTACT in counts.rejects else ""
        parts.append(Html("<h2>What could not be read</h2>\n"))
        parts.append(
            element("p", f"These records are in the list below, word for word as the system sent them{hidden}.")
        )
        reasons = [element("li", isolate(why), f": {n:,}") for why, n in counts.rejects.most_common()]
        parts.append(element("ul", *reasons))
    return join_html(parts)


def _describe_subject(subject: Subject) -> Html:
    found = subject.found
    why = f" ({found.reason})" if found.reason else ""
    counted = {
        "could not be read": found.rejected,
        "sent more than once and shown once": found.repeated,
        "of other types and left out": found.left_out,
    }
    others = "".join(f", {n:,} {words}" for words, n in counted.items() if n)
    sent = f", {pluralize(found.records, 'record')}" if found.records else ""
    return element("li", _name_contact(subject), f": {OUTCOME_WORDS[found.outcome]}{why}{sent}{others}.")


def _write_records(
    file: pq.ParquetFile, subjects: Sequence[Subject], counts: PageCounts, zone: ZoneInfo, *, opened: bool
) -> Iterator[tuple[Html, int]]:
    if not counts.rows:
        yield Html("<p>There are no records.</p>\n"), 0
    months = groupby(read_in_order(file, subjects), lambda row: find_month(row, zone))
    for month, rows in months:
        title = f"{_name_month(month)}: {pluralize(counts.count_month(month), 'record')}"
        head = f'<details class="period"{" open" if opened else ""}><summary>{title}</summary><ol class="plain">\n'
        yield Html(head), 0
        for row in rows:
            yield write_record(row, zone), 1
        yield Html("</ol></details>\n"), 0


def _name_month(month: Month) -> str:
    return datetime(*month, 1, tzinfo=UTC).strftime("%B {}").format(month[0]) if month else "Without a readable time"
