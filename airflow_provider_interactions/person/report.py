"""Describe the answer to a request in sentences: all counts, and no personal data."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_interactions.person.counts import Answer, Findings, Person, PersonAnswer
from airflow_provider_interactions.window import Window, zulu


def describe_answer(answer: Answer) -> Iterator[str]:
    """The answer in sentences, with every count and no personal data."""
    yield from _describe_findings(answer, f"{answer.vendor}, {_describe_window(answer)}")


def describe_person(answer: PersonAnswer) -> Iterator[str]:
    """The answer about one person at several systems in sentences, with every count and no personal data."""
    systems = pluralize(len(answer.systems), "system")
    yield f"{systems}, {_describe_window(answer)}: {pluralize(answer.counts.canonical, 'interaction')}."
    yield from answer.gaps
    for found in answer.systems:
        yield from _describe_findings(found, f"{found.vendor}, account {found.account}")


def _describe_window(answer: Answer | PersonAnswer) -> str:
    window = answer.window_start and answer.window_end and Window(answer.window_start, answer.window_end)
    return f"window {window}" if window else "all time"


def _describe_findings(answer: Findings, what: str) -> Iterator[str]:
    people = pluralize(answer.counts.contacts, "contact")
    yield f"{what}: {pluralize(answer.counts.canonical, 'interaction')} of {people}."
    for person in answer.people:
        yield f"contact {person.contact}: {describe_outcome(person)}, {_describe_records(person)}."
    for channel, types in answer.channels.items():
        yield f"{channel}: {sum(types.values())} ({', '.join(f'{name} {n}' for name, n in types.items())})."
    for reason, n in answer.rejects.items():
        yield f"{pluralize(n, 'record')} unreadable because {reason}. The files hold them as the vendor sent them."


def pluralize(n: int, what: str) -> str:
    """``1 record``, ``2 records``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _describe_records(person: Person) -> str:
    others = {"unreadable": person.rejected, "repeated": person.repeated, "of types left out": person.left_out}
    parts = [pluralize(person.interactions, "interaction"), *(f"{n} {what}" for what, n in others.items() if n)]
    span = f", from {zulu(person.first)} to {zulu(person.last)}" if person.first and person.last else ""
    return f"{pluralize(person.records, 'record')}: {', '.join(parts)}{span}"


def describe_outcome(person: Person) -> str:
    """The outcome of one person, with its reason if there is one."""
    return f"{person.outcome} ({person.reason})" if person.reason else person.outcome
