"""Make the picture of the page for a person: a real answer of the sandbox, photographed by a headless Chromium.

Needs Debian's chromium, and in this Python what the project does not:

    .uv/bin/uv run --with pillow python docs/page_picture.py [folder]

With a folder it only writes there: the page at 1280 and 400 pixels, light and dark. Look at every picture before it is
committed.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

from PIL import Image

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.person.request import answer_request, check_request
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS

PICTURES = Path(__file__).with_name("pictures")
VENDOR = "dynamics_marketing"
#: width, height of the picture, and whether it is dark
VIEWS = {"wide": (1280, 1500, False), "phone": (400, 1500, False)}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars")


def write_answer(folder: Path) -> Path:
    """Ask the sandbox for one person's data; returns the page."""
    vendor = VENDORS[VENDOR]
    with serve(SandboxConfig(contacts=6)) as sandbox:
        known = sandbox.connections[VENDOR]
        secrets = known["host"], known.get("login", ""), known.get("password", "")
        credentials = build_credentials(vendor, *secrets, {**known["extra"], "account": "acme.example"})
        request = check_request(vendor, [sandbox.contacts(VENDOR)[0]], time_zone="America/New_York")
        lake = Lake.at(str(folder))
        answer = answer_request(lake, request, credentials, asked_by="privacy-desk")
    return folder / answer.page.path


def photograph(page: Path, folder: Path, width: int, height: int, *, dark: bool) -> Image.Image:
    """The page as Chromium draws it. Its window is never narrower than 500 pixels, so a frame has the width."""
    frame = folder / "frame.html"
    frame.write_text(
        f'<!doctype html><body style="margin:0"><iframe src="{page.as_uri()}" style="border:0;width:{width}px;'
        f'height:{height}px;display:block"></iframe>'
    )
    shot = folder / "shot.png"
    command = [
        which("chromium") or "chromium",
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={max(width, 500)},{height}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        f"--screenshot={shot}",
        frame.as_uri(),
    ]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return Image.open(io.BytesIO(shot.read_bytes())).convert("RGB").crop((0, 0, width, height))


def main() -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        page = write_answer(folder / "lake")
        if len(sys.argv) > 1:
            for name, (width, height, _) in VIEWS.items():
                for dark in (False, True):
                    picture = photograph(page, folder, width, height, dark=dark)
                    picture.save(Path(sys.argv[1]) / f"{name}-{'dark' if dark else 'light'}.png")
            return
        wide, phone = (photograph(page, folder, *size, dark=dark) for *size, dark in VIEWS.values())
        both = Image.new("RGB", (wide.width + phone.width, wide.height), "white")
        both.paste(wide, (0, 0))
        both.paste(phone, (wide.width, 0))
        both.quantize(64, dither=Image.Dither.NONE).save(PICTURES / "page.png", optimize=True)


if __name__ == "__main__":
    main()
