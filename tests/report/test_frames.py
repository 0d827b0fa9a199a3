"""The page inside other people's frames: sandboxed without an origin, and without scripts and styles."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.board.board import make_board
from harness.board.joined import Job, join
from harness.page.render import page
from harness.testing.boards import made_record
from tests.report.browser import Browser
from tests.report.records import board, record

CLICKS = """(async () => {
  const links = [...document.querySelectorAll("a[href^='#']")];
  const wait = () => new Promise((done) => setTimeout(done, 20));
  const there = (id) => {
    const top = document.getElementById(id)?.getBoundingClientRect().top ?? NaN;
    return top > -80 && top < innerHeight;
  };
  const lost = [];
  for (const link of links) {
    const id = link.getAttribute("href").slice(1);
    scrollTo({ top: id === "answer" ? 9999 : 0, behavior: "instant" });
    link.click();
    for (let i = 0; i < 200 && !there(id); i++) await wait();
    if (!there(id)) lost.push(id);
  }
  return { links: links.length, lost, title: document.title };
})()"""
FILTER = """(() => {
  const search = document.getElementById("board-search");
  search.value = "style_only";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  return document.getElementById("board-count").textContent;
})()"""
SAMPLE = """(async () => {
  document.getElementById("samples").scrollIntoView();
  for (let i = 0; i < 200; i++) {
    const line = document.querySelector("#sample-list a");
    if (line) { line.click(); }
    const asked = document.querySelector("#sample-open .asked");
    if (line && asked?.textContent) return asked.textContent;
    await new Promise((done) => setTimeout(done, 20));
  }
  return "";
})()"""
ENTER = """(() => {
  document.getElementById("board-search").focus();
  document.getElementById("theme").click();
  return document.documentElement.dataset.theme;
})()"""


@pytest.mark.slow  # starts a browser
def test_a_sandboxed_frame_shows_all_of_the_page(tmp_path: Path) -> None:
    text = page(board())
    outer = tmp_path / "outer.html"
    frame = f'<iframe sandbox="allow-scripts" width=1400 height=880 srcdoc="{html.escape(text)}">'
    outer.write_text(f"<!doctype html><title>outer</title>{frame}</iframe>", encoding="utf-8")
    with Browser(tmp_path / "profile") as browser:
        tab = browser.open(outer.as_uri())
        inner = browser.until(lambda: browser.sessions.get("about:srcdoc"))
        browser.until(lambda: browser.value(inner, "document.readyState") == "complete")
        clicked = browser.value(inner, CLICKS)
        assert clicked["links"] > 10
        assert (clicked["lost"], clicked["title"]) == ([], "The zoo · distillbench")
        assert browser.value(inner, FILTER).startswith("1 of ")
        assert browser.value(inner, SAMPLE)
        assert browser.value(inner, ENTER) in ("dark", "light")
        for key in ("keyDown", "keyUp"):
            enter = {"type": key, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
            browser.ask("Input.dispatchKeyEvent", {**enter, "text": "\r"}, tab)
        assert browser.value(inner, "document.title") == "The zoo · distillbench"
        assert browser.errors == []


INLINE = {"a", "abbr", "b", "code", "em", "i", "small", "span", "strong", "svg"}
UNSEEN = {"script", "style", "title", "svg"}


class _Words(HTMLParser):
    """The text of a page as it reads without styles: where two words of different elements touch."""

    def __init__(self) -> None:
        super().__init__()
        self.unseen, self.before, self.inline, self.touching = 0, "", False, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in UNSEEN
        self._border(tag)

    def handle_endtag(self, tag: str) -> None:
        self.unseen -= tag in UNSEEN
        self._border(tag)

    def _border(self, tag: str) -> None:
        if tag in INLINE:
            self.inline = True
        else:
            self.before = ""

    def handle_data(self, data: str) -> None:
        if self.unseen or not data:
            return
        if self.inline and re.search(r"\w$", self.before) and re.match(r"\w", data):
            self.touching.append(f"{self.before[-20:]}|{data[:20]}")
        self.before, self.inline = data, False


@pytest.mark.parametrize("swept", [False, True])
def test_without_styles_no_two_words_touch_and_intervals_are_text(swept: bool) -> None:
    run = record()
    made = board(join([Job((("step", v),), run) for v in "12"]) if swept else run)
    text = page(made)
    words = _Words()
    words.feed(text)
    assert words.touching == []
    body = re.search(r'<table class="board".*?</table>', text, re.S)
    assert body is not None
    shown = [c.score for r in made.rows for c in r.claims if c.score and c.score.low is not None]
    assert len(shown) > 5
    assert body[0].count('class="interval"') >= len(shown)
    assert "[0.65, 0.77]" in body[0], "71 hundredths, half-width 6"


@pytest.mark.slow  # starts a browser
def test_a_page_of_evidence_alone_has_no_leaderboard_and_no_error(tmp_path: Path) -> None:
    alone = replace(made_record(), scores=(), pairs=(), controls=())
    (tmp_path / "page.html").write_text(page(make_board(alone)), encoding="utf-8")
    with Browser(tmp_path / "profile") as browser:
        tab = browser.open((tmp_path / "page.html").as_uri())
        browser.until(lambda: browser.value(tab, "document.readyState") == "complete")
        assert browser.value(tab, 'document.getElementById("board").getClientRects().length') == 0
        assert "How often is made_up wrong?" in browser.value(tab, "document.body.innerText")
        assert browser.errors == []
