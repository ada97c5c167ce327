"""What the steps of docs/screenshots.py share: the walk, and how a picture is taken of a page."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page
from shown import VENDOR, mask_form, mask_log

from airflow_provider_interactions.demo.rest import Api, NotReady
from airflow_provider_interactions.demo.supervisor import Supervisor

PICTURES = Path(__file__).with_name("pictures")
WIDTH, HEIGHT = 1280, 800
#: for dialogs, which scroll what does not fit
TALL = 2600
#: bytes of a picture
LARGEST = 200_000
#: pixels of a colour that a picture keeps as it is
LARGE_AREA = 1000
#: the least difference of two colours, of 255, that a picture keeps
VISIBLE = 8
DAG = f"{VENDOR}_interactions"


@dataclass
class Walk:
    """What the steps of the path share, and what their pictures say."""

    processes: Supervisor
    folder: Path
    api: Api = field(default_factory=lambda: Api(""))
    #: the vendor's ids of the contacts
    contacts: Sequence[str] = ()
    shown: dict[str, list[str]] = field(default_factory=dict)

    def note(self, name: str, where: Locator) -> None:
        """Remember what a picture says."""
        lines = map(mask_form, where.inner_text().splitlines())
        self.shown.setdefault(name, []).extend(filter(None, lines))

    def note_log(self, name: str, page: Page) -> None:
        """Remember what the vendor's lines of a log say."""
        lines = [text.partition("\n")[0] for text in page.locator(".event").all_inner_texts()]
        self.shown[name] = [mask_log(line) for line in lines if line and not line.startswith("Task ")]
        assert self.shown[name]

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Ask Airflow until something holds; its database may be locked now and then."""

        def holds() -> bool:
            with suppress(NotReady):
                return reached()
            return False

        self.processes.wait_until(holds, "Airflow did not get there")

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Measure a step."""
        begun = time.monotonic()
        yield
        print(f"{time.monotonic() - begun:6.1f} s  {step}", flush=True)


def save(name: str, shot: bytes, box: tuple[int, int, int, int] | None = None) -> None:
    """Write a picture, cut to a box, in at most 256 colours to be small."""
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture = picture.crop(box) if box else picture
    picture = reduce_colours(picture)
    path = PICTURES / f"{name}.png"
    picture.save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {picture.width} x {picture.height}, {size // 1000} kB")
    assert picture.width <= 1400
    assert size <= LARGEST, f"{path.name} is too large"


def reduce_colours(picture: Image.Image) -> Image.Image:
    """The same picture with at most 256 colours: those of large areas, and others that differ from all the ones before.

    Pillow's own ways lose colours of few pixels, such as those of a legend, or change those of large areas.
    """
    counted: list[tuple[int, tuple[int, ...]]] = sorted(picture.getcolors(1 << 24), reverse=True)
    chosen: list[tuple[int, ...]] = []
    for pixels, colour in counted:
        if pixels > LARGE_AREA or all(measure(colour, other) > VISIBLE for other in chosen):
            chosen.append(colour)
    palette = chosen[:256]
    nearest = {colour: min(range(len(palette)), key=lambda at: measure(colour, palette[at])) for _, colour in counted}
    reduced = Image.new("P", picture.size)
    reduced.putpalette([value for colour in palette for value in colour])
    reduced.putdata([nearest[colour] for colour in picture.get_flattened_data()])
    return reduced


def measure(one: Sequence[int], other: Sequence[int]) -> int:
    """The largest difference of two colours in red, green or blue."""
    return max(abs(first - second) for first, second in zip(one, other, strict=True))


def calm(page: Page, url: str, milliseconds: int = 4000) -> None:
    """Open a page and let it finish drawing."""
    page.goto(url)
    page.wait_for_timeout(milliseconds)


def drag(page: Page, here: int, there: int) -> None:
    """Move the line between the two halves of a page."""
    page.mouse.move(here, HEIGHT - 100)
    page.mouse.down()
    page.mouse.move(there, HEIGHT - 100, steps=20)
    page.mouse.up()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)


def open_dialog(page: Page, url: str, button: str) -> Locator:
    """The dialog that a page's button opens."""
    calm(page, url)
    page.get_by_role("button", name=button).first.click()
    page.wait_for_timeout(3000)
    return page.get_by_role("dialog")


def send_form(page: Page, walk: Walk, name: str, dialog: Locator, contact: str) -> None:
    """Fill in a contact, take a picture of the form, note its limits too, and trigger the run."""
    dialog.locator("textarea").filter(visible=True).first.fill(contact)
    page.wait_for_timeout(500)
    save(name, dialog.screenshot())
    walk.note(name, dialog)
    dialog.get_by_text("Limits", exact=True).click()
    page.wait_for_timeout(1000)
    walk.note(name, dialog)
    dialog.get_by_role("button", name="Trigger").click()
    dialog.wait_for(state="detached")


def approve_task(page: Page, walk: Walk, name: str) -> None:
    """Take a picture of the question, down to its buttons, note these, and approve."""
    approve = page.get_by_role("button", name="Approve", exact=True)
    bottom = approve.bounding_box()
    assert bottom
    save(name, page.screenshot(), (0, 0, WIDTH, int(bottom["y"]) + 80))
    for button in page.get_by_role("button", name=re.compile("^(Approve|Reject)$")).all():
        walk.note(name, button)
    approve.click()


def hide_folder(page: Page) -> None:
    """Leave the demo's folder out of a picture: it is another one each time."""
    page.evaluate(
        """() => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode())
                texts.currentNode.data = texts.currentNode.data.replace(/duckdb:\\S*\\//, 'duckdb:…/');
        }"""
    )
