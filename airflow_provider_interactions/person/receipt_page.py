"""The receipt of an erasure as one HTML page for people. It names nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_interactions.person.html import Html, element, isolate, join_html
from airflow_provider_interactions.person.page_style import POLICY, STYLE
from airflow_provider_interactions.person.receipt import HashedPerson, Receipt
from airflow_provider_interactions.person.words import UTC_ZONE, show_time
from airflow_provider_interactions.vendors import read_about

#: What a state means.
STATES = {
    "running": "The erasure is under way, or it was interrupted. Until it has ended, something may be left.",
    "complete": "Everything was removed, and the search found no identifier.",
    "found": "Everything of these people was removed. Rows of other people name them; the search counts these rows.",
    "failed": "Something is left, for the reasons below. Correct them, and run the erasure again.",
}

TITLE = "Receipt of an erasure"


def write_receipt_page(receipt: Receipt) -> str:
    """The page as a whole document, which loads nothing."""
    head = (
        Html('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">\n'),
        Html('<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">\n'),
        Html(f"<title>{TITLE}</title>\n<style>{STYLE}</style></head>\n<body>\n"),
    )
    return join_html([*head, element("h1", TITLE), write_receipt_body(receipt), Html("</body></html>\n")])


def write_receipt_body(receipt: Receipt) -> Html:
    """All that the receipt says, below its title."""
    return join_html(_write_parts(receipt))


def _write_parts(receipt: Receipt) -> Iterator[Html]:
    yield element("p", STATES[receipt.state], **({} if receipt.state == "complete" else {"class_": "gap"}))
    yield from (element("p", isolate(reason), class_="gap") for reason in receipt.failures)
    yield element("dl", *_write_facts(receipt), class_="facts")
    yield element("h2", "Removed")
    rows = [(place, n) for place, n in receipt.erased.items()]
    rows += [(f"table {'.'.join(filter(None, (one.namespace, one.table)))}", one.rows) for one in receipt.tables]
    yield _write_table(("Place", "Rows"), rows)
    yield element("h2", "Found afterwards")
    searched = f"{receipt.searched:,} files were searched for the identifiers. {receipt.unread:,} could not be read."
    yield element("p", searched)
    if receipt.found:
        yield _write_table(("Place", "Rows that name them"), list(receipt.found.items()))
    else:
        yield element("p", "No identifier was found.")
    yield element("h2", "Whom it is about")
    yield element("p", f"Keyed hashes (HMAC-SHA-256) of the identifiers, by the key {receipt.key_id}.", class_="soft")
    yield element("dl", *map(_write_person, receipt.people), class_="facts")


def _write_facts(receipt: Receipt) -> Iterator[Html]:
    facts = [
        ("Receipt", receipt.name),
        ("State", receipt.state),
        ("Approved by", receipt.approved_by),
        ("Begun", show_time(receipt.started_at, UTC_ZONE)),
        ("Ended", show_time(receipt.ended_at, UTC_ZONE) if receipt.ended_at else "not yet"),
        ("Files changed", f"{receipt.files:,}"),
        *([("Keys of encrypted raw records", f"{receipt.keys:,} destroyed")] if receipt.keys is not None else []),
        ("Interrupted", f"{receipt.interrupted} times: what a try removed last is in no count"),
    ]
    for name, value in facts if receipt.interrupted else facts[:-1]:
        yield join_html([element("dt", name), element("dd", isolate(value))])


def _write_table(names: tuple[str, str], rows: Sequence[tuple[str, int]]) -> Html:
    head = element("thead", element("tr", element("th", names[0]), element("th", names[1], class_="n")))
    body = (element("tr", element("td", isolate(name)), element("td", f"{n:,}", class_="n")) for name, n in rows)
    return element("table", head, element("tbody", *body))


def _write_person(person: HashedPerson) -> Html:
    name = f"{read_about(person.vendor).title}, {person.kind}"
    return join_html([element("dt", name), element("dd", isolate(person.hash))])
