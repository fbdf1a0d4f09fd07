"""How soon a save is on the page of `nurture preview`, and whether what was typed there stays.

    .venv/bin/python -m benchmarks.previewing [--saves 15] [--sequences 50]

A mail's template is saved again and again, beside an open walk in a real browser. Each save is measured from the time
of the file to the moment at which its frame shows the new words. Done for the examples and for a project of many
sequences. Exits 1 when the median of a project is over a second, or the hour that was typed is gone.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx
from playwright.sync_api import sync_playwright

from benchmarks.machines import ROOT

LIMIT = 1.0
"""Seconds from a save to the page."""

NAME = "home-loan"
TEMPLATE = f"templates/{NAME}/guide.mjml"
SHOWN = """() => {
  window.shown = 0;
  document.getElementById("html").addEventListener("load", (one) => {
    window.shown = Date.now();
    window.said = one.target.contentDocument.body.textContent;
  });
}"""


def project(folder, sequences):
    """The examples, and one of them again under so many other names."""
    for name in ("sequences", "templates", "files"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("people.yaml", "nurture.toml"):
        shutil.copy(ROOT / name, folder)
    more = sequences - len(list((folder / "sequences").iterdir()))
    for number in range(max(0, more)):
        shutil.copytree(folder / f"templates/{NAME}", folder / f"templates/loan-{number}")
        text = (folder / f"sequences/{NAME}.yaml").read_text().replace("start: joined", "start: manual")
        (folder / f"sequences/loan-{number}.yaml").write_text(text)
    return folder


@contextmanager
def previewed(folder):
    """The preview of a project, and the seconds until its first page was there."""
    began = perf_counter()
    words = [sys.executable, "-m", "nurture", "-C", str(folder), "preview", "--no-browser", "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        home = re.search(r"http://[\d.:]+\d", process.stderr.readline())[0]
        httpx.get(home, follow_redirects=True, timeout=120).raise_for_status()
        yield home, perf_counter() - began
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def saves(page, file, number):
    """Seconds that each save took to be on the page."""
    text = file.read_text()
    page.evaluate(SHOWN)
    for turn in range(number):
        page.evaluate("window.shown = 0")
        file.write_text(text.replace("Good.", f"Good, {turn}."))
        page.wait_for_function(
            "word => window.shown && window.said.includes(word)", arg=f"Good, {turn}.", timeout=60_000
        )
        yield page.evaluate("window.shown") / 1000 - file.stat().st_mtime


def measure(browser, folder, number):
    with previewed(folder) as (home, first):
        page = browser.new_page()
        page.goto(f"{home}/play/{NAME}?do=question:home")
        page.locator(".saves.live").wait_for()
        page.locator("#hour").fill("17:")
        took = list(saves(page, folder / TEMPLATE, number))
        stays = page.locator("#hour").input_value() == "17:"
        page.close()
    many = len(list((folder / "sequences").iterdir()))
    print(
        f"{many:3} sequences: the first page after {first:.1f} s; a save is shown after {median(took) * 1000:.0f} ms "
        f"(median of {number}; {min(took) * 1000:.0f} to {max(took) * 1000:.0f})"
        f"{'' if stays else '; what was typed is gone'}",
        flush=True,
    )
    return stays and median(took) <= LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--saves", type=int, default=15)
    parser.add_argument("--sequences", type=int, default=50, help="of the larger project")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="nurture-preview-") as folder:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        good = [
            measure(browser, project(Path(folder) / str(many), many), options.saves) for many in (0, options.sequences)
        ]
        browser.close()
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
