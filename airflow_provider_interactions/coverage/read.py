"""Read the coverage of a lake: every window of every account that was asked for, and the gaps between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from airflow_provider_interactions.coverage.cells import (
    Cell,
    State,
    Unfinished,
    count_rejects,
    judge,
    judge_unfinished,
)
from airflow_provider_interactions.coverage.failures import Failure, find_failures
from airflow_provider_interactions.coverage.index import (
    LAYERS,
    NO_MARK,
    TRUST,
    Entry,
    Trust,
    find_marks,
    read_entries,
    read_manifests,
)
from airflow_provider_interactions.coverage.open_work import OpenWork, find_open_work
from airflow_provider_interactions.lake.paths import AccountPaths, list_accounts
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.versions import Version
from airflow_provider_interactions.window import ALWAYS, Window

#: Start and end of a window.
Span = tuple[datetime, datetime]

#: Accounts that are looked at side by side.
THREADS = 16


def read_coverage(
    lake: Lake,
    *,
    vendor: str | None = None,
    account: str | None = None,
    within: Window | None = None,
    now: datetime | None = None,
    trust: Trust = TRUST,
) -> list[Cell]:
    """Every window of the lake and every gap, sorted by vendor, account and start.

    ``vendor`` and ``account`` choose some accounts; None chooses all. ``within`` keeps the windows that overlap it and
    looks for gaps in it; the default is, for each account, from its first window to its last. A gap is cut into windows
    as long as most of the account's windows are, at the instants at which these would begin. Windows that are not over
    at ``now`` (aware) are no gaps. ``now`` also separates running extractions from failed ones. Reads little if little
    has changed since the last look; ``trust`` says for how long it relies on that look (see ``index``). Raises as the
    lake does if it cannot be read.
    """
    now = now or datetime.now(UTC)
    # First what is pending: if it is normalized meanwhile, its manifest below is the new one.
    work = find_open_work(lake, vendor, account)
    for place, failed in _group_failures(find_failures(lake, now.date())).items():
        work.setdefault(place, OpenWork()).unfinished += failed
    marks = find_marks(lake)
    layers = {layer: set(list_accounts(lake, (layer,))) for layer in LAYERS}
    chosen = [
        place
        for place in sorted({*layers["manifests"], *work})
        if vendor in (None, place.vendor) and account in (None, place.account)
    ]

    def look(place: AccountPaths) -> list[Cell]:
        existing = [layer for layer, accounts in layers.items() if place in accounts]
        entries = read_entries(lake, place, existing, marks.get(place, NO_MARK), trust)
        return _build_cells(lake, place, work.get(place, OpenWork()), entries, within, now)

    with ThreadPoolExecutor(1 if lake.local else THREADS) as threads:  # only waiting for a network can be shared
        return [cell for cells in threads.map(look, chosen) for cell in cells]


def find_gaps(cells: Iterable[Cell]) -> list[Cell]:
    """The cells that no run has asked for, or whose run failed."""
    return [cell for cell in cells if cell.state in (State.NEVER, State.FAILED)]


def _group_failures(failures: Iterable[Failure]) -> dict[AccountPaths, list[Unfinished]]:
    found = dict[AccountPaths, list[Unfinished]]()
    for one in failures:
        place = AccountPaths(one.vendor, one.account)
        if one.window != ALWAYS:
            found.setdefault(place, []).append(Unfinished(one.window, one.ended_at, has_failed=True))
    return found


def _build_cells(
    lake: Lake, place: AccountPaths, work: OpenWork, entries: Sequence[Entry], within: Window | None, now: datetime
) -> list[Cell]:
    histories = [entry for entry in entries if entry.span == (ALWAYS.start, ALWAYS.end)]
    done = {entry.span: entry for entry in entries if entry.span != (ALWAYS.start, ALWAYS.end)}
    newer, unfinished = _read_newer(lake, place, work.pending, done), work.unfinished
    cells = [
        _build_cell(entry, newer.get(span), histories, unfinished, now)
        for span, entry in (newer | done).items()
        if within is None or (entry.start < within.end and within.start < entry.end)
    ]
    gaps = _find_gaps(sorted(done.keys() | newer.keys()), unfinished, within)
    cells += [_build_gap(place, gap, unfinished, now) for gap in gaps if gap.end <= now]
    return sorted(cells, key=lambda cell: (cell.start, cell.end))


def _read_newer(
    lake: Lake, place: AccountPaths, pending: Iterable[str], done: Mapping[Span, Entry]
) -> dict[Span, Entry]:
    """The raw windows among the pending ones whose current version is not normalized."""
    paths = {f"{place.folder('raw')}/{name}/manifest.json": Version() for name in pending}
    raw = {entry.span: entry for entry in read_manifests(lake, paths).values()}
    return {
        span: entry for span, entry in raw.items() if span not in done or done[span].extracted_at != entry.extracted_at
    }


def _build_cell(
    entry: Entry, raw: Entry | None, histories: Sequence[Entry], unfinished: Sequence[Unfinished], now: datetime
) -> Cell:
    asked = [one.extracted_at for one in histories if one.asked == entry.asked and one.extracted_at >= entry.end]
    newest = max(asked, default=entry.extracted_at)
    mine = [one for one in unfinished if one.window.start <= entry.start and entry.end <= one.window.end]
    return Cell(
        vendor=entry.vendor,
        account=entry.account,
        start=entry.start,
        end=entry.end,
        state=judge(entry, raw, mine, now),
        manifest=entry.path,
        counts=entry.counts,
        rows=entry.counts.canonical,
        rejects=count_rejects(entry.counts),
        bytes=entry.bytes,
        extracted_at=entry.extracted_at,
        published_at=entry.published_at,
        newer_history=newest if newest > entry.extracted_at else None,
    )


def _build_gap(place: AccountPaths, gap: Window, unfinished: Sequence[Unfinished], now: datetime) -> Cell:
    mine = [one for one in unfinished if one.window.start < gap.end and gap.start < one.window.end]
    state = judge_unfinished(mine, now) or State.NEVER
    return Cell(vendor=place.vendor, account=place.account, start=gap.start, end=gap.end, state=state)


def _find_gaps(known: Sequence[Span], unfinished: Sequence[Unfinished], within: Window | None) -> Iterator[Window]:
    """The windows that are missing among others, which are sorted, in the rhythm of these."""
    left = sorted((one.window.start, one.window.end) for one in unfinished)
    every = [*known, *left]
    if not every:
        return
    width = _find_width(known or left)
    at, last = (within.start, within.end) if within else (min(every)[0], max(end for _, end in every))
    anchor = every[0][0]
    for start, end in known:
        if at < min(start, last):
            yield from _split_gap(Window(at, min(start, last)), width, anchor)
        at, anchor = max(at, end), end
    if at < last:
        yield from _split_gap(Window(at, last), width, anchor)


def _find_width(windows: Iterable[Span]) -> timedelta:
    """The length that most windows have; the shorter one of two that are as frequent."""
    lengths = Counter(end - start for start, end in windows)
    return min(lengths, key=lambda length: (-lengths[length], length))


def _split_gap(gap: Window, width: timedelta, anchor: datetime) -> Iterator[Window]:
    start = gap.start - (gap.start - anchor) % width
    while start < gap.end:
        yield Window(max(start, gap.start), min(start + width, gap.end))
        start += width
