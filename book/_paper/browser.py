"""Finding a browser: Chromium, Chrome or Edge, whichever is installed, else the one Playwright may have fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

NONE = "no browser: install Chromium, Chrome or Edge, or run `python -m playwright install chromium`"
OPTIONS = ["--no-sandbox", "--disable-background-networking"]


def ways_to_start() -> Iterator[dict[str, str]]:
    """Options for Playwright: Debian's Chromium, Chrome, Edge, Playwright's own."""
    for command in ("chromium", "chromium-browser"):
        if path := shutil.which(command):
            yield {"executable_path": path}
    yield {"channel": "chrome"}
    yield {"channel": "msedge"}
    yield {}


def launch(playwright):
    """The first browser that starts, or None."""
    from playwright.sync_api import Error

    for way in ways_to_start():
        try:
            return playwright.chromium.launch(args=OPTIONS, **way)
        except Error:
            continue
    return None
