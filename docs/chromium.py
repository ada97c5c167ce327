"""The headless Chromium that takes the pictures and in which tests look at pages: the system's own, by playwright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which

from playwright.sync_api import Browser, sync_playwright


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A browser of its own, closed at the end. Raises FileNotFoundError if Chromium is not installed."""
    path = which("chromium")
    if path is None:
        raise FileNotFoundError("Install Chromium first: apt-get install chromium")
    # Root may not use Chromium's sandbox. The pages come from this machine. Nothing is fetched from elsewhere.
    arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
