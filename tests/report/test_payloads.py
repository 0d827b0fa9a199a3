"""Hostile text in every name, sentence, prompt and answer of a page: none of it runs, loads or becomes markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.board.board import make_board
from harness.page.render import page
from tests.report.browser import Browser
from tests.report.records import read, record
from tests.report.test_invisible import hostile, with_names
from tests.report.test_markdown import PAYLOADS

pytestmark = pytest.mark.slow  # starts a browser
_SHORT = 200
_IN_NAMES = """<script>alert(1)</script>"><img src=x onerror=alert(1)>' onclick=alert(1) {{7*7}}</script></title>"""
_BEFORE = """window.hits = [];
for (const f of ["alert", "confirm", "prompt", "open", "fetch"]) window[f] = () => window.hits.push(f);"""
_ODD = "iframe, object, embed, img, base, form, math, template, meta[http-equiv=refresh], a[href^='javascript:' i]"
# Opens all that can be opened, the samples as Markdown too, and lists what a clean page has none of.
_LOOK = """(async (odd) => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  document.querySelectorAll("article.student").forEach((a) => { a.hidden = false; });
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  for (let i = 0; i < 100 && document.querySelector("details.packed [data-inside]"); i++) await wait(50);
  document.getElementById("samples").scrollIntoView();
  const list = () => [...document.querySelectorAll("#sample-list a")].slice(0, 12);
  for (let i = 0; i < 100 && !list().length; i++) await wait(50);
  const samples = list();
  const marking = document.querySelector("#sample-mark");
  marking.value = "markdown";
  marking.dispatchEvent(new Event("change"));
  for (const line of samples) { line.click(); await wait(30); }
  await wait(300);
  const nodes = [...document.querySelectorAll("*")];
  const loaded = performance.getEntriesByType("resource").map((r) => r.name);
  return {
    hits: window.hits, samples: samples.length,
    loaded: loaded.filter((name) => !/^(data|blob):/.test(name)),
    handlers: nodes.flatMap((n) => n.getAttributeNames()).filter((n) => n.startsWith("on")),
    odd: nodes.filter((n) => n.matches(odd)).map((n) => n.outerHTML.slice(0, 80)),
    scripts: document.querySelectorAll("script").length,
    styles: document.querySelectorAll("style").length,
  };
})"""


def _seen(browser: Browser, path: Path) -> dict[str, Any]:
    session = browser.open("about:blank")
    browser.ask("Page.enable", {}, session)
    browser.ask("Page.addScriptToEvaluateOnNewDocument", {"source": _BEFORE}, session)
    browser.ask("Page.navigate", {"url": path.as_uri()}, session)
    browser.until(
        lambda: browser.value(session, "document.readyState === 'complete' && !!window.hits")
    )
    return dict(browser.value(session, f"({_LOOK})({json.dumps(_ODD)})"))


def test_no_payload_runs_loads_or_becomes_markup(tmp_path: Path) -> None:
    texts = "".join(p for p in PAYLOADS if len(p) < _SHORT)
    run, names = hostile(record(), _IN_NAMES)
    boards = {
        "clean": make_board(record(), read),
        "hostile": make_board(run, with_names(read, names, texts)),
    }
    seen = {}
    with Browser(tmp_path / "profile") as browser:
        for name, board in boards.items():
            path = tmp_path / f"{name}.html"
            path.write_text(page(board), "utf-8")
            seen[name] = _seen(browser, path)
    assert seen["clean"]["samples"] > 5
    assert seen["hostile"] == seen["clean"]
    for kind in ("hits", "loaded", "handlers", "odd"):
        assert seen["clean"][kind] == [], kind
