"""What a reader would see go wrong on a screen: texts of figures that touch or are cut, parts beyond the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.report.browser import Browser

WIDTHS = (390, 768, 1440, 2560)
# Opens everything, waits until it stands there, and lists what is wrong: one line each.
_LOOK = """(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  document.querySelectorAll("article.student").forEach((a) => { a.hidden = false; });
  document.querySelectorAll("details").forEach((d) => { if (!d.matches(".menu")) d.open = true; });
  for (let i = 0; i < 100 && document.querySelector("details.packed [data-inside]"); i++) await wait(50);
  await wait(400);
  const wrong = [];
  const whole = document.documentElement.scrollWidth;
  if (whole > innerWidth) wrong.push(`the page is ${whole} wide`);
  for (const svg of document.querySelectorAll("svg.fig")) {
    if (!svg.getClientRects().length) continue;
    const name = svg.closest("[data-figure]").dataset.figure, frame = svg.getBoundingClientRect();
    const box = svg.parentElement;
    const isWide = box.scrollWidth > box.clientWidth + 1;
    if (isWide && box.tabIndex !== 0) wrong.push(`${name}: wider than its place`);
    const placed = (t) => ({ words: t.textContent, at: t.getBoundingClientRect() });
    const texts = [...svg.querySelectorAll("text")].map(placed);
    texts.forEach(({ words, at }, i) => {
      const beside = at.left < frame.left - 1 || at.right > frame.right + 1;
      if (beside || at.top < frame.top - 1 || at.bottom > frame.bottom + 1) wrong.push(`${name}: "${words}" is cut`);
      for (const other of texts.slice(i + 1)) {
        const across = Math.min(at.right, other.at.right) - Math.max(at.left, other.at.left);
        const along = Math.min(at.bottom, other.at.bottom) - Math.max(at.top, other.at.top);
        if (across > 1 && along > 3) wrong.push(`${name}: "${words}" lies on "${other.words}"`);
      }
    });
  }
  return wrong;
})()"""


def wrong_on_screen(browser: Browser, page: Path, width: int, *, dark: bool = False) -> list[str]:
    """One line for every fault of the page in a window of this width."""
    session = opened(browser, page, width, dark=dark)
    faults: list[str] = browser.value(session, _LOOK)
    browser.close(session)
    return faults


def opened(browser: Browser, page: Path, width: int, *, dark: bool = False) -> str:
    """The session of a new tab that shows the page in a window of this width."""
    session = browser.open("about:blank")
    size: dict[str, Any] = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.ask("Emulation.setDeviceMetricsOverride", size, session)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.ask("Emulation.setEmulatedMedia", {"features": [scheme]}, session)
    browser.ask("Page.navigate", {"url": page.as_uri()}, session)
    browser.until(
        lambda: browser.value(
            session, "document.readyState === 'complete' && location.protocol === 'file:'"
        )
    )
    return session
