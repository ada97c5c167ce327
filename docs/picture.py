"""The pictures, as SVG written by hand: black on white whatever the reader's theme, 880 pixels wide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from walk import WALK

WIDTH, HEIGHT = 880, 574
LEFT, TASK, GAP = 24, 184, 32

INK, GREY, LINE = "#1f2328", "#59636e", "#8c959f"
PAPER, BLUE, LAKE, SAND = "#ffffff", "#ddf4ff", "#eef6f1", "#fff8e6"

#: Task, what it does, the layers it writes with what is in them, the counts that must agree.
STEPS: Sequence[tuple[str, str, Sequence[tuple[str, str]], Sequence[str]]] = (
    ("list contacts", "once a run", [("contacts/", "ids, in batches")], ["contacts, each once"]),
    (
        "extract",
        "one task a batch",
        [("raw/", "records as sent"), ("history/", "if no date filter")],
        [
            "received = outside",
            "  + undated + fetched",
            "fetched = landed",
            "contacts = ok + empty",
            "  + not_found + …",
        ],
    ),
    (
        "normalize",
        "one schema for all",
        [("interactions/", "by day"), ("rejects/", "with the reason")],
        ["landed =", "  canonical", "  + rejected", "  + repeated"],
    ),
    (
        "load",
        "merge by key",
        [("interactions", "a database's table")],
        ["canonical =", "  inserted + updated", "  + unchanged", "  + merged"],
    ),
)

VENDOR_Y, TASK_Y, LAYER_Y, COUNT_Y = 50, 136, 348, 476

TASK_HEIGHT, FILE_HEIGHT = 162, 17


def draw_flow() -> str:
    """List, extract, normalize, load: what reads and writes what, and which counts must agree."""
    drawn = "\n".join(_draw_flow())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n'
        "<title>How a run goes: list contacts, extract, normalize, load</title>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z" fill="{LINE}"/></marker></defs>\n{drawn}\n</svg>\n'
    )


def _draw_flow() -> Iterator[str]:
    yield _draw_box(0.5, 0.5, WIDTH - 1, HEIGHT - 1, PAPER, radius=8)
    yield _draw_text(LEFT, 30, "One run of the DAG is one window [start, end) in UTC", weight=600, size=15)
    for number, source in enumerate(("list, file, query, or vendor", "the vendor's API")):
        yield _draw_box(_find_left(number), VENDOR_Y, TASK, 44, SAND)
        yield _draw_text(_find_middle(number), VENDOR_Y + 27, source, anchor="middle", size=12)
        yield _draw_arrow(_find_middle(number), VENDOR_Y + 44, _find_middle(number), TASK_Y - 2)
    yield _draw_text(_find_left(2), VENDOR_Y + 20, "Between tasks travel window, paths and counts,", color=GREY)
    yield _draw_text(_find_left(2), VENDOR_Y + 37, "never records or contacts.", color=GREY)
    yield _draw_text(_find_left(2), VENDOR_Y + 60, "Numbered: the files of the code that a record passes.", color=GREY)
    yield _draw_box(LEFT - 10, LAYER_Y - 12, 3 * TASK + 2 * GAP + 20, 104, LAKE)
    yield _draw_text(LEFT, LAYER_Y + 82, "the lake: Parquet on any object storage or in a folder", color=GREY, size=12)
    for number, step in enumerate(STEPS):
        yield from _draw_column(number, *step)
    yield _draw_text(LEFT, COUNT_Y - 14, "Counts that must agree, or the task fails and publishes nothing:", weight=600)


def _draw_column(
    number: int, name: str, says: str, layers: Sequence[tuple[str, str]], counts: Sequence[str]
) -> Iterator[str]:
    left, middle = _find_left(number), _find_middle(number)
    yield _draw_box(left, TASK_Y, TASK, TASK_HEIGHT, BLUE)
    yield _draw_text(middle, TASK_Y + 25, name, anchor="middle", weight=600, size=15)
    yield _draw_text(middle, TASK_Y + 44, says, anchor="middle", color=GREY, size=12)
    for row, file in enumerate(_number_files(name)):
        yield _draw_text(left + 10, TASK_Y + 68 + row * FILE_HEIGHT, file, mono=True, size=11)
    yield _draw_arrow(middle, TASK_Y + TASK_HEIGHT, middle, LAYER_Y - 2)
    if number:
        yield _draw_arrow(left - GAP - 20, LAYER_Y - 2, left - 2, TASK_Y + TASK_HEIGHT - 24)
    height = 60 / len(layers)
    for row, (layer, inside) in enumerate(layers):
        top = LAYER_Y + row * height
        yield _draw_box(left, top, TASK, height - 4, PAPER)
        baseline = top + height / 2 + 2
        if len(layers) == 1:
            yield _draw_text(middle, baseline - 8, layer, anchor="middle", mono=True, size=13)
            yield _draw_text(middle, baseline + 10, inside, anchor="middle", color=GREY, size=12)
        else:
            yield _draw_text(left + 8, baseline, layer, mono=True, size=12)
            yield _draw_text(left + TASK - 8, baseline, inside, anchor="end", color=GREY, size=11)
    for row, line in enumerate(counts):
        yield _draw_text(left, COUNT_Y + 10 + row * 17, line, mono=True, size=12)


def _number_files(task: str) -> Iterator[str]:
    """The files that a record passes in this task, each with its place in the walk."""
    files = [(name, file.replace("<name>", "…")) for name, steps in WALK.items() for file, _ in steps]
    return (f"{place:>2} {file}" for place, (name, file) in enumerate(files, start=1) if name == task)


def _find_left(number: int) -> float:
    return LEFT + number * (TASK + GAP)


def _find_middle(number: int) -> float:
    return _find_left(number) + TASK / 2


def _draw_box(x: float, y: float, width: float, height: float, fill: str, radius: int = 5) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}" '
        f'stroke="{LINE}" stroke-width="1"/>'
    )


def _draw_text(  # one keyword for each thing that differs between texts
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: int = 400,
    color: str = INK,
    mono: bool = False,
) -> str:
    family = ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"' if mono else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{color}" text-anchor="{anchor}" '
        f'xml:space="preserve"{family}>{escape(text)}</text>'
    )


def _draw_arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{LINE}" stroke-width="1.5" '
        'marker-end="url(#tip)"/>'
    )


PICTURES: dict[str, Callable[[], str]] = {"flow.svg": draw_flow}
