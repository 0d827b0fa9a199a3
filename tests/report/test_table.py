"""Table and map in a real browser: order, columns, filters, address, download, and labels that keep apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.stages.report import write_report
from tests.report.browser import Browser
from tests.report.records import read, record

pytestmark = pytest.mark.slow  # starts a browser

ROWS = """[...document.querySelectorAll("#board tbody tr[data-role]")]
  .filter((r) => r.getClientRects().length).map((r) => r.dataset.student)"""
HEADS = """[...document.querySelectorAll("#board thead th")].filter((h) => !h.hidden).map((h) => h.dataset.name)"""
FOLD = """(() => {
  const button = document.querySelector(".fold button");
  button.click();
  return button.getAttribute("aria-expanded");
})()"""
CSV = """(async () => {
  let blob = null;
  URL.createObjectURL = (made) => { blob = made; return "#"; };
  document.getElementById("board-csv").click();
  return blob.text();
})()"""
LABELS = """(() => {
  const plot = document.querySelector(".beside .plot");
  const frame = plot.querySelector("svg.fig").getBoundingClientRect();
  const found = (selector) =>
    [...plot.querySelectorAll(selector)].map((node) => [node.textContent, node.getBoundingClientRect()]);
  const boxes = found("text"), others = found("[data-student], .base .solid, .teacher .solid");
  const along = (a, b, from, to) => Math.min(a[to], b[to]) - Math.max(a[from], b[from]);
  const cross = (a, b) => along(a, b, "left", "right") > 1 && along(a, b, "top", "bottom") > 1;
  const whole = (b) => [along(b, frame, "left", "right") - b.width, along(b, frame, "top", "bottom") - b.height];
  const wrong = boxes.filter(([, box]) => Math.min(...whole(box)) < -1).map(([text]) => `${text} leaves the frame`);
  boxes.forEach(([text, box], i) => {
    const crossed = [...boxes.slice(0, i), ...others].filter(([, at]) => cross(box, at));
    wrong.push(...crossed.map(([other]) => `${text} crosses ${other.slice(0, 20) || "a mark"}`));
  });
  return { labels: boxes.length, marks: others.length, wrong };
})()"""
READY = """document.readyState === "complete" && document.getElementById("board-filters")?.hidden === false"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(record(), tmp_path_factory.mktemp("table") / "report", read)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def opened(browser: Browser, page: Path, address: str = "") -> str:
    tab = browser.open(page.as_uri() + address)
    browser.until(lambda: browser.value(tab, READY))
    return tab


def press(browser: Browser, tab: str, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        event: dict[str, Any] = {"type": kind, "key": key, "code": key}
        event |= {"text": "\r", "windowsVirtualKeyCode": 13} if key == "Enter" else {"text": key}
        browser.ask("Input.dispatchKeyEvent", event, tab)


def test_the_address_holds_order_columns_and_filters(browser: Browser, report: Path) -> None:
    asked = (
        "#sort=style_transfer+ascending&columns=style_transfer,zoo_facts&of=teacher_a&role=student"
    )
    tab = opened(browser, report, asked)
    assert browser.value(tab, HEADS) == ["model", "rank", "style_transfer", "zoo_facts"]
    with (report.parent / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            r for r in csv.DictReader(file) if (r["teacher"], r["role"]) == ("teacher_a", "student")
        ]
    valued = sorted(
        (r for r in rows if r["style_transfer"]), key=lambda r: float(r["style_transfer"])
    )
    shown = browser.value(tab, ROWS)
    assert shown[: len(valued)] == [r["student"] for r in valued]
    assert set(shown) == {r["student"] for r in rows}
    saved = list(csv.DictReader(io.StringIO(browser.value(tab, CSV))))
    assert [r["model"] for r in saved] == shown
    for row, own in zip(valued, saved, strict=False):
        assert float(own["style_transfer"]) == float(row["style_transfer"])


def test_a_head_is_pressed_by_key_and_the_third_time_brings_back_the_order(
    browser: Browser, report: Path
) -> None:
    tab = opened(browser, report)
    usual = browser.value(tab, ROWS)
    browser.value(tab, """document.querySelector("th[data-name=capability_transfer]").focus()""")
    orders = []
    for _ in range(3):
        press(browser, tab, "Enter")
        sort = browser.value(tab, "new URLSearchParams(location.hash.slice(1)).get('sort')")
        orders.append((sort, browser.value(tab, ROWS)))
    assert [sort for sort, _ in orders] == [
        "capability_transfer descending",
        "capability_transfer ascending",
        None,
    ]
    assert orders[0][1] != usual
    assert orders[2][1] == usual
    assert browser.value(tab, FOLD) == "true"
    assert len(browser.value(tab, ROWS)) > len(usual)


@pytest.mark.parametrize("width", [390, 768, 1440, 2560])
def test_labels_of_the_map_keep_apart_and_the_page_is_no_wider_than_the_screen(
    browser: Browser, report: Path, width: int
) -> None:
    tab = opened(browser, report)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.ask("Emulation.setDeviceMetricsOverride", size, tab)
    browser.value(tab, """document.querySelector(".beside").scrollIntoView()""")
    wait = "new Promise((done) => setTimeout(done, 600))"  # a narrow drawing takes its place
    browser.value(tab, wait)
    seen = browser.value(tab, LABELS)
    assert seen["marks"] > 12
    assert seen["labels"] > 8
    assert seen["wrong"] == []
    assert browser.value(tab, "document.documentElement.scrollWidth <= innerWidth")
    assert browser.errors == []
