"""Chromium for tests/browser and tests/live."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

# A correct page is ready at once; the timeout is for busy machines.
PATIENCE_MS = 30_000
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    # One per folder and closed after it: Playwright keeps an event loop running in this thread,
    # which other tests cannot have.
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()
