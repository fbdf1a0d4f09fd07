"""The pictures of the docs, taken of what really runs: `python docs/screenshots.py` in the project's own environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCS = Path(__file__).parent
WINDOW = {"width": 1400, "height": 860}
PREVIEW: Mapping[str, str] = {
    "preview.png": "/see/home-loan/question",
    "play.png": "/play/home-loan?do=question:home&do=guide:yes,5%20hours",
    "edit.png": "/edit/sequences/home-loan.yaml",
}


def main() -> None:
    """Take every picture again."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    words = ["-C", str(DOCS.parent), "preview", "--no-browser", "--port", "0"]
    process = subprocess.Popen([sys.executable, "-m", "nurture", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = re.search(r"http://[\d.:]+\d", process.stderr.readline())
        assert found, "the preview did not start"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(viewport=WINDOW)
            for name, path in PREVIEW.items():
                page.goto(found[0] + path)
                page.locator(".saves.live").wait_for()
                page.screenshot(path=DOCS / name)
                print(DOCS / name)
            browser.close()
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
