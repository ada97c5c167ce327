"""Walk a newcomer's path in a headless Chromium, time it, and take the pictures of Airflow's UI on the way.

The path: twenty interactions in a terminal, the demo with its UI, the home page, a connection's test, the coverage
page, a gap to fill, one person's request in the form, and its answer. Needs Debian's chromium, and in this Python what
the project does not:

    .uv/bin/uv run --with-requirements .ci/browser.txt python docs/screenshots.py

Names of steps (see `PATH`) as arguments walk these alone, and leave the other pictures as they are. With `--install`,
the path begins with a new virtual environment, into which pip installs this checkout. Without names it then has the
steps of `NEWCOMER`.

Look at every picture before it is committed. What the pictures say is written to `pictures/shown.json`, which a test
compares with the code.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pictured_forms
import pictured_pages
from chromium import open_chromium
from newcomer import install, preview, start_demo
from pictured import HEIGHT, PICTURES, WIDTH, Walk
from playwright.sync_api import Page, expect
from shown import SHOWN, VENDOR

from airflow_provider_interactions.demo.supervisor import supervise

PATH: dict[str, Callable[[Page, Walk], None]] = {
    "the home page": pictured_pages.home,
    "a connection's test": pictured_pages.connection_test,
    "the coverage page": pictured_pages.coverage,
    "a gap is filled": pictured_pages.gap,
    "a request's form": pictured_forms.trigger_form,
    "a person's answer": pictured_forms.answer,
    "a task that failed": pictured_forms.failure,
    "connections' forms": pictured_forms.connection_forms,
    "a backfill's form": pictured_forms.backfill_form,
    "a DAG's grid": pictured_pages.grid,
    "an asset": pictured_pages.assets,
    "an erasure": pictured_forms.erasure,
    "a run that waits": pictured_pages.large_run,
}


#: Steps of the path that a newcomer goes, after the preview and the demo.
NEWCOMER = ("the home page", "the coverage page", "a gap is filled", "a request's form", "a person's answer")


def main() -> None:
    """Go the whole path, or the steps that the arguments name."""
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--install", action="store_true", help="begin with a new virtual environment")
    parse.add_argument("steps", nargs="*", metavar="step", help=", ".join(PATH))
    wanted = parse.parse_args()
    steps = wanted.steps or (NEWCOMER if wanted.install else tuple(PATH))
    PICTURES.mkdir(exist_ok=True)
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory() as folder, supervise(patience=60) as processes:
        walk = Walk(processes, Path(folder))
        with walk.time("all in one piece"):
            go(walk, steps, fresh=wanted.install)
    shown = json.loads(SHOWN.read_text(encoding="utf-8")) | walk.shown
    SHOWN.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def go(walk: Walk, steps: Sequence[str], *, fresh: bool) -> None:
    """Go the steps one after the other, and time each."""
    python = sys.executable
    if fresh:
        with walk.time("the package is installed"):
            python = install(walk.folder / "venv")
    with walk.time("twenty interactions in a terminal"):
        preview(python)
    with walk.time("the demo"):
        walk.api, sandbox = start_demo(walk.processes, walk.folder / "demo", python)
    walk.contacts = sandbox.contacts(VENDOR)
    with open_chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for step in steps:
            with walk.time(step):
                PATH[step](page, walk)


if __name__ == "__main__":
    main()
