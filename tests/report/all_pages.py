"""Opens every page it is given, at four widths, light and dark, and prints what a reader would find wrong.

python tests/report/all_pages.py PAGE [PAGE ...]        pages (index.html) or folders of results
For each: bytes without plotly's library, first contentful paint, sheets when printed, violations that axe-core finds,
texts that overlap or are cut. Ends with 1 where anything is wrong. Needs chromium and axe-core-python.
"""

from __future__ import annotations

import base64
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from tests.report.browser import Browser
from tests.report.screens import WIDTHS, opened, wrong_on_screen

PAINT = """new Promise((done) => { const seen = () => performance.getEntriesByName('first-contentful-paint')[0];
  const look = () => seen() ? done(seen().startTime) : setTimeout(look, 20); look(); })"""
AXE = """axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map(
  (v) => `${v.id} (${v.nodes.length}): ${v.nodes[0].html.slice(0, 160)}`))"""
_LIBRARY = re.compile(r'<script type="text/plain" id="plotly-data">(.*?)</script>', re.DOTALL)
SHEET = re.compile(rb"/Type\s*/Page[^s]")


def bytes_of(page: Path) -> int:
    """Bytes of a page without plotly's library."""
    text = page.read_text("utf-8")
    return len(_LIBRARY.sub("", text).encode("utf-8"))


def axe_script() -> str:
    """axe-core, as the package brings it."""
    return files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")


def violations(
    browser: Browser, page: Path, width: int, *, dark: bool, unfold: bool = True
) -> list[str]:
    """What axe-core finds on a page, with all of its parts open."""
    session = opened(browser, page, width, dark=dark)
    browser.value(session, OPEN if unfold else "0")
    browser.value(session, f"{axe_script()};0")
    found: list[str] = browser.value(session, AXE)
    browser.close(session)
    return found


OPEN = """(async () => {
  document.querySelectorAll("details").forEach((d) => { if (!d.matches(".menu")) d.open = true; });
  document.getElementById("samples")?.scrollIntoView();
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  await wait(700);
  for (let i = 0; i < 100 && document.querySelector("details.packed [data-inside]"); i++) await wait(50);
})()"""


def faults(browser: Browser, page: Path) -> Iterator[str]:
    """One line for every fault of a page."""
    for width in WIDTHS:
        for dark in (False, True):
            at = f"{width} {'dark' if dark else 'light'}"
            yield from (f"{at}: axe: {v}" for v in violations(browser, page, width, dark=dark))
        yield from (f"{width}: {line}" for line in wrong_on_screen(browser, page, width))


def main() -> int:
    """Exit code: 1 where a page has a fault."""
    named = [Path(name).resolve() for name in sys.argv[1:]]
    places = [p if p.is_file() else next(p.glob("**/report/index.html"), p) for p in named]
    absent = [str(p) for p in places if not p.is_file()]
    if absent or not places:
        print(
            f"expected pages, or folders of results; found none at {', '.join(absent) or '(none named)'}"
        )
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder)) as browser:
        for page in places:
            session = opened(browser, page, 1440)
            paint = browser.value(session, PAINT)
            printed = browser.ask("Page.printToPDF", {"preferCSSPageSize": True}, session)["data"]
            sheets = len(SHEET.findall(base64.b64decode(printed)))
            print(f"{page}: {bytes_of(page):,} bytes, first paint {paint:.0f} ms, {sheets} sheets")
            browser.close(session)
            for line in faults(browser, page):
                wrong += 1
                print(f"  {line}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
