"""Remove people from the answers to requests about them.

An answer about nobody else goes as a whole. Of an answer about several people the rows of the others stay, and its
counts are those of the others. Its lines of JSON are changed last: whoever is still in them is not done.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
from msgspec.structs import replace

from airflow_provider_interactions.addresses import fold_contact
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import Unreconciled
from airflow_provider_interactions.extract.rewriter import Rewriter
from airflow_provider_interactions.lake.manifest import Counts, File
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import hold_folder
from airflow_provider_interactions.person.counts import Answer, Person
from airflow_provider_interactions.person.search import build_patterns, count_matches

Line = dict[str, Any]

#: The endings of an answer's files, of which the generic erasure knows nothing.
TABLE, LINES, SUMMARY = ".parquet", ".jsonl", ".json"


@dataclass(slots=True)
class AnswersErasure:
    """Removes ``contacts`` of a vendor from the answers in a ``folder`` of the lake.

    Without a ``rewriter``, each answer is about one person, and goes as a whole.
    """

    lake: Lake
    folder: str
    vendor: str
    contacts: Sequence[Contact]
    rewriter: Rewriter | None = None
    _folded: frozenset[Contact] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._folded = frozenset(map(fold_contact, self.contacts))

    def erase(self) -> tuple[int, int]:
        """Remove them; returns the removed rows and the number of files that were changed or removed."""
        rows = files = 0
        for base, endings in self._list_answers():
            with hold_folder(self.lake, f"{base}{LINES}"):
                more = self._erase_answer(base, endings)
            rows, files = rows + more[0], files + more[1]
        return rows, files

    def _list_answers(self) -> Iterator[tuple[str, list[str]]]:
        """The files of each answer: their common path, and their endings."""
        names = sorted(posixpath.splitext(name) for name in self.lake.list_names(self.folder))
        for stem, group in groupby(names, lambda name: name[0]):
            yield f"{self.folder}/{stem}", [ending for _, ending in group]

    def _erase_answer(self, base: str, endings: Sequence[str]) -> tuple[int, int]:
        lines = list(self._read_lines(base)) if LINES in endings else []
        theirs = [line for line in lines if self._is_theirs(line)]
        pages = [ending for ending in endings if ending not in (TABLE, LINES, SUMMARY)]
        if not theirs:
            named = [ending for ending in pages if self._names_them(f"{base}{ending}")]
            self.lake.remove(f"{base}{ending}" for ending in named)
            table = self._erase_table(base) if TABLE in endings else 0
            return table, len(named) + bool(table)
        if self.rewriter is None or self._is_all_theirs(base, lines, theirs):
            self.lake.remove(f"{base}{ending}" for ending in sorted(endings, key=lambda ending: ending == LINES))
            return len(lines), len(endings)
        self.lake.remove(f"{base}{ending}" for ending in pages)
        if TABLE in endings:
            self._erase_table(base)
        summary = self.lake.read(f"{base}{SUMMARY}", Answer)
        left = [line for line in lines if not self._is_theirs(line)]
        data = b"".join(msgspec.json.encode(line["raw"]) + b"\n" for line in left)
        if summary is not None and summary.lines.rows == len(lines):
            self.lake.publish(f"{base}{SUMMARY}", self._count_rest(summary, lines, len(data)))
        self.lake.write(f"{base}{LINES}", data)
        return len(theirs), len(endings)

    def _is_all_theirs(self, base: str, lines: Sequence[Line], theirs: Sequence[Line]) -> bool:
        if len(theirs) < len(lines):
            return False
        summary = self.lake.read(f"{base}{SUMMARY}", Answer)
        return summary is None or summary.counts.contacts <= len(_group(lines))

    def _erase_table(self, base: str) -> int:
        return 0 if self.rewriter is None else self.rewriter.replace_in_place(f"{base}{TABLE}", locked=True)

    def _read_lines(self, base: str) -> Iterator[Line]:
        for text in self.lake.read_bytes(f"{base}{LINES}").splitlines():
            yield {"raw": msgspec.Raw(text), **msgspec.json.decode(text)}

    def _is_theirs(self, line: Line) -> bool:
        mine = line["vendor"] == self.vendor
        return mine and fold_contact(Contact(line["contact_id"], line["contact_id_kind"])) in self._folded

    def _names_them(self, path: str) -> bool:
        import pyarrow as pa

        content = pa.table({"content": pa.array([self.lake.read_bytes(path)], pa.binary())})
        return count_matches(content, build_patterns([one.id for one in self.contacts])) > 0

    def _count_rest(self, summary: Answer, lines: Sequence[Line], size: int) -> Answer:
        """The counts of the other people. People without a row cannot be distinguished, so their counts stay."""
        groups = _group(lines)
        known = [person for person in summary.people if person.interactions + person.rejected]
        if len(known) != len(groups):
            msg = f"The answer {summary.summary} does not have the people that its counts have. Remove its files."
            raise Unreconciled(msg)
        gone = [person for person, group in zip(known, groups, strict=True) if self._is_theirs(group[0])]
        left = [line for line in lines if not self._is_theirs(line)]
        people = tuple(person for person in summary.people if person not in gone)
        return replace(
            summary,
            people=people,
            counts=_subtract(summary.counts, gone),
            left_out=sum(person.left_out for person in people),
            first=_find_end(min, people, "first"),
            last=_find_end(max, people, "last"),
            channels=_count_channels(left),
            rejects=dict(Counter(line["rejected"] for line in left if "rejected" in line).most_common()),
            parquet=File(summary.parquet.path, len(left), self.lake.size(summary.parquet.path)),
            lines=File(summary.lines.path, len(left), size),
            page=File(summary.page.path, 0, 0),  # removed: ask again for a new one
        )


def _group(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of each person."""
    groups = groupby(lines, lambda line: (line["contact_id"], line["contact_id_kind"]))
    return [list(group) for _, group in groups]


def _subtract(counts: Counts, gone: Sequence[Person]) -> Counts:
    records = sum(person.records for person in gone)
    words = Counter(person.outcome for person in gone)
    return replace(
        counts,
        received=counts.received - records,
        fetched=counts.fetched - records,
        landed=counts.landed - records,
        canonical=counts.canonical - sum(person.interactions for person in gone),
        rejected=counts.rejected - sum(person.rejected for person in gone),
        repeated=counts.repeated - sum(person.repeated for person in gone),
        contacts=counts.contacts - len(gone),
        erased=counts.erased + records,
        **{word: getattr(counts, word) - n for word, n in words.items()},
    )


def _count_channels(lines: Sequence[Line]) -> dict[str, dict[str, int]]:
    channels: dict[str, Counter[str]] = {}
    for line in lines:
        if "rejected" not in line:
            channels.setdefault(line["channel"], Counter())[line["native_type"]] += 1
    return {channel: dict(types.most_common()) for channel, types in sorted(channels.items())}


def _find_end(choose: Callable[..., datetime | None], people: Sequence[Person], name: str) -> datetime | None:
    return choose((at for person in people if (at := getattr(person, name))), default=None)
