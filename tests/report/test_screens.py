"""Pages in a real browser: nothing of a figure is cut or covered at four widths, axe-core has nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from harness.board.joined import Job, join
from harness.board.record import RunRecord
from harness.page.render import page
from tests.report.browser import Browser
from tests.report.records import board, record
from tests.report.screens import WIDTHS, opened, wrong_on_screen

pytestmark = pytest.mark.slow
# A download is caught where it would leave the page: by the link that is pressed for it.
CATCH = """window.saved = []; HTMLAnchorElement.prototype.click = function () {
  if (this.download) window.saved.push([this.download, this.href]);
};0"""
READ = "new Promise((done) => setTimeout(done, 300)).then(() => window.saved.map(([name]) => name))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


def many(n: int) -> RunRecord:
    """A run in which so many students bear long names."""
    run = record()
    pair, others = run.pairs[0], run.pairs[1:]
    names = [f"{pair.student}-with_a_long/name-v0.{i}" for i in range(n)]
    own = [s for s in run.scores if s.student == pair.student]
    scores = (replace(s, student=name) for name in names for s in own)
    return replace(
        run,
        pairs=(*(replace(pair, student=name) for name in names), *others),
        scores=(*run.scores, *scores),
        models=dict(run.models) | {name: run.models[pair.student] for name in names},
        lineages=dict(run.lineages) | {name: name for name in names},
    )


RUNS: dict[str, Callable[[], RunRecord]] = {
    "plain": record,
    "many": lambda: many(20),
    "sweep": lambda: join([Job((("decoding.temperature", v),), record()) for v in ("0", "0.5", "1")]),
    "still": lambda: replace(record(), interactive=False),
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, make in RUNS.items():
        (folder / f"{name}.html").write_text(page(board(make())), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in RUNS}


@pytest.mark.parametrize("name", ["plain", "many", "sweep"])
def test_nothing_is_cut_or_covered(browser: Browser, pages: dict[str, Path], name: str) -> None:
    assert {w: wrong_on_screen(browser, pages[name], w) for w in WIDTHS} == {w: [] for w in WIDTHS}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(browser: Browser, pages: dict[str, Path], dark: bool) -> None:
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core")
    script = files(axe).joinpath("axe.min.js").read_text("utf-8")
    for width in (390, 1440):
        session = opened(browser, pages["plain"], width, dark=dark)
        browser.value(session, f"{script};0")
        run = "axe.run(document, {resultTypes: ['violations']})"
        found = browser.value(
            session,
            f"{run}.then((r) => r.violations.map((v) => `${{v.id}}: ${{v.nodes[0].html}}`))",
        )
        assert found == [], width


def test_a_figure_becomes_interactive_and_still_again(
    browser: Browser, pages: dict[str, Path]
) -> None:
    session = opened(browser, pages["plain"], 1440)
    drawn = "document.querySelector('figure .plot').querySelector('.main-svg') !== null"
    still = "document.querySelector('figure .plot').querySelector('svg.fig') !== null"
    assert browser.value(session, still)
    assert not browser.value(session, "Boolean(window.Plotly)"), "nothing is unpacked unasked"
    browser.value(session, "document.querySelector('figure .interactive').click()")
    browser.until(lambda: browser.value(session, drawn))
    assert not browser.value(session, still)
    browser.value(session, "document.querySelector('figure .interactive').click()")
    browser.until(lambda: browser.value(session, still))
    without = opened(browser, pages["still"], 1440)
    assert browser.value(without, "document.querySelector('.interactive') === null")
    assert browser.value(without, still)


def test_every_figure_and_table_is_a_file_and_every_part_has_an_address(
    browser: Browser, pages: dict[str, Path]
) -> None:
    session = opened(browser, pages["plain"], 1440)
    browser.value(session, CATCH)
    press = "document.querySelectorAll('figure .tools')[0].querySelectorAll('button')"
    for i in (1, 2):
        browser.value(session, f"{press}[{i}].click()")
    browser.value(session, "document.querySelector('figure .of-table button').click()")
    names = browser.until(lambda: len(got := browser.value(session, READ)) == 3 and got)
    stem = names[0].removesuffix(".svg")
    assert sorted(names) == [f"{stem}.csv", f"{stem}.png", f"{stem}.svg"]
    row = "document.querySelectorAll('#board tbody tr[data-role]')[1]"
    browser.value(session, f"{row}.querySelector('.to-row').click()")
    address = browser.value(session, "location.href")
    assert "#row=" in address
    other = browser.open(address)
    browser.until(lambda: browser.value(other, "document.querySelectorAll('.asked-for').length"))
    whose = "document.querySelector('.asked-for').dataset.student"
    assert browser.value(other, whose) == browser.value(session, f"{row}.dataset.student")


def test_a_measure_is_opened_by_its_address(browser: Browser, pages: dict[str, Path]) -> None:
    session = browser.open(f"{pages['plain'].as_uri()}#measure-capa")
    table = "document.querySelector('#measure-capa table') !== null"
    browser.until(lambda: browser.value(session, table))
    assert browser.value(session, "document.getElementById('measure-capa').open")
