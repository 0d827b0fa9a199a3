"""Pages in a real browser: nothing of a figure is cut or covered at four widths, axe-core has nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.board.joined import Job, join
from harness.board.record import Facts, RunRecord
from harness.page.render import page
from tests.report.all_pages import violations
from tests.report.browser import Browser
from tests.report.records import CONTROLS, STUDENTS, board, record
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


def seeds() -> RunRecord:
    """A run in which students are seeds of recipes, and controls of one house."""
    run = record()
    names = {s: ("long" if i % 2 else "short") for i, s in enumerate(STUDENTS)}
    return replace(run, recipes=names, lineages=dict.fromkeys(CONTROLS, "house"))


def turned() -> dict[str, Facts]:
    """The tasks of the run, the last one first and ungraded."""
    tasks = dict(reversed(list(record().tasks.items())))
    return tasks | {"zoo_style": {**tasks["zoo_style"], "yields": "text style"}}


RUNS: dict[str, Callable[[], RunRecord]] = {
    "plain": record,
    "many": lambda: many(20),
    "sweep": lambda: join([Job((("decoding.temperature", v),), record()) for v in ("0", "0.5", "1")]),
    "seeds": seeds,
    "still": lambda: replace(record(), interactive=False, tasks=turned()),
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, make in RUNS.items():
        (folder / f"{name}.html").write_text(page(board(make())), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in RUNS}


@pytest.mark.parametrize("name", ["many", "sweep", "seeds"])
def test_nothing_is_cut_or_covered(browser: Browser, pages: dict[str, Path], name: str) -> None:
    assert {w: wrong_on_screen(browser, pages[name], w) for w in WIDTHS} == {w: [] for w in WIDTHS}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(browser: Browser, pages: dict[str, Path], dark: bool) -> None:
    pytest.importorskip("axe_core_python", reason="needs axe-core")
    width = 390 if dark else 1440  # tests/report/all_pages.py looks at all widths, every part open
    assert violations(browser, pages["seeds"], width, dark=dark, unfold=not dark) == []


WRITE = """(id, value) => { const field = document.getElementById(id); field.value = value;
  for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true })); }"""
ROWS = """[...document.querySelectorAll("#board tbody tr[data-role]")].filter((r) => r.getClientRects().length)
  .map((r) => r.dataset.student)"""
COUNT = "document.getElementById('board-count').textContent"
PINNED = "document.querySelector('#board-pinned table')?.innerText"


def test_rows_are_filtered_by_numbers_and_a_wrong_condition_is_said(
    browser: Browser, pages: dict[str, Path]
) -> None:
    session = opened(browser, pages["plain"], 1440)
    browser.value(session, f"({WRITE})('board-where', 'capability >= 0.7 and style < 85 %')")
    assert browser.value(session, ROWS) == ["answers_of_a"], "a teacher's style is 1, a base's 0"
    for wrong, told in (
        ("capability >= much", "expected COLUMN >= NUMBER"),
        ("quality > 1", '"quality" is not one column'),
        ("> 3", "expected COLUMN >= NUMBER"),
    ):
        browser.value(session, f"({WRITE})('board-where', {wrong!r})")
        assert told in browser.value(session, COUNT)
        assert len(browser.value(session, ROWS)) > 5, "what cannot be read hides nothing"


def test_groups_filters_and_pinned_rows_are_in_the_address(
    browser: Browser, pages: dict[str, Path]
) -> None:
    session = opened(browser, pages["seeds"], 1440)
    pins = "[...document.querySelectorAll('.to-pin')]"
    for student in ("answers_of_a", "logits_of_a"):
        row = f"r.closest('tr').dataset.student === '{student}' && r.closest('tr').dataset.role === 'student'"
        browser.value(session, f"{pins}.find((r) => {row}).click()")
    table = browser.until(lambda: browser.value(session, PINNED))
    assert "worse" in table, "answers_of_a has the lower capability, and is told apart"
    assert table.splitlines()[0].split("\t")[1:3] == ["answers_of_a", "logits_of_a"]
    browser.value(session, f"({WRITE})('board-group', 'family')")
    browser.value(session, f"({WRITE})('board-where', 'capability > .4')")
    seen = browser.value(session, ROWS)
    assert "short (3 seeds)" in seen
    assert "long (2 seeds)" not in seen, "it has no number"
    groups = "[...document.querySelectorAll('tbody.group:not([hidden]) .of-group')].map((g) => g.innerText)"
    assert browser.value(session, groups) == ["house", "families of one model"]
    other = browser.open(browser.value(session, "location.href"))
    assert browser.until(lambda: browser.value(other, PINNED)) == table
    assert browser.value(other, ROWS) == seen
    browser.value(other, f"({WRITE})('board-group', '')")
    assert browser.value(other, "document.querySelectorAll('tbody.group').length") == 0


BESIDE = """(async () => {
  const wait = () => new Promise((done) => setTimeout(done, 20));
  const list = () => document.querySelectorAll("#sample-list a");
  document.getElementById("samples").scrollIntoView();
  for (let i = 0; i < 200 && !list().length; i++) await wait();
  const chosen = [...document.querySelectorAll("#sample-beside input")].slice(0, 2);
  chosen.forEach((box) => box.click());
  (WRITE)("sample-mark", "markdown");
  for (let i = 0; i < 200 && document.querySelectorAll(".pane").length < 5; i++) await wait();
  const before = location.href;
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
  for (let i = 0; i < 200 && location.href === before; i++) await wait();
  return [list()[1].href, location.href];
})()"""
PANES = "[...document.querySelectorAll('.pane h3')].map((h) => h.lastChild.textContent)"


def test_several_students_stand_beside_the_teacher_and_the_address_says_so(
    browser: Browser, pages: dict[str, Path]
) -> None:
    session = opened(browser, pages["plain"], 1440)
    link, address = browser.value(session, BESIDE.replace("(WRITE)", f"({WRITE})"))
    for part in ("student=", "teacher=teacher_a", "task=", "prompt="):
        assert part in link
    assert "mark=markdown" in address
    seen = browser.value(session, PANES)
    assert len(seen) == 5
    assert (seen[0], seen[-1]) == ("teacher_a", "base")
    other = browser.open(address)
    assert browser.until(lambda: len(got := browser.value(other, PANES)) == 5 and got) == seen
    words = "[...document.querySelectorAll('.pane footer')].every((f) => /\\d+ words?/.test(f.textContent))"
    assert browser.value(other, words)
    assert browser.value(other, "document.querySelectorAll('.pane .markdown').length") > 0


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


BROKEN = """[...document.querySelectorAll("thead th")].flatMap((th) => {
  const texts = document.createTreeWalker(th, NodeFilter.SHOW_TEXT), found = [];
  const words = (node) => [...node.textContent.matchAll(/[\\p{L}]+/gu)];
  for (let node; (node = texts.nextNode());) for (const { 0: word, index } of words(node)) {
    const range = document.createRange();
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) found.push(word);
  }
  return found;
})"""
TOOLS = """[...document.querySelectorAll(".to-rows")].filter((t) => t.getClientRects().length)
  .filter((t) => t.children[0].getBoundingClientRect().top !== t.children[1].getBoundingClientRect().top).length"""
OPENED = """(async () => {
  document.getElementById("samples").scrollIntoView();
  const task = document.getElementById("sample-task"), list = () => document.querySelectorAll("#sample-list a");
  for (let i = 0; i < 200 && !list().length; i++) await new Promise((done) => setTimeout(done, 20));
  const seen = [];
  const first = task.value;
  for (const option of [...task.options]) {
    task.value = option.value;
    task.dispatchEvent(new Event("change"));
    const lost = [...list()].filter((a) => / lost /.test(` ${a.querySelector("small").textContent} `)).length;
    const told = !document.getElementById("sample-graded").hidden;
    seen.push([option.value === first, lost, option.dataset.graded !== undefined, told]);
  }
  return seen;
})()"""


@pytest.mark.parametrize("width", [1440, 390])
def test_headings_keep_their_words_and_tools_of_a_row_stand_in_one_line(
    browser: Browser, pages: dict[str, Path], width: int
) -> None:
    session = opened(browser, pages["plain"], width)
    assert browser.value(session, BROKEN) == []
    assert browser.value(session, TOOLS) == 0
    such = browser.value(session, "document.getElementById('board-where').placeholder")
    assert such == "capability >= 0.8"


def test_samples_open_where_the_student_lost_most(browser: Browser, pages: dict[str, Path]) -> None:
    seen = browser.value(opened(browser, pages["still"], 1440), OPENED)
    assert seen == [[False, 0, False, False], [True, 16, True, True]], "opened, lost, graded, told"


def test_a_measure_is_opened_by_its_address(browser: Browser, pages: dict[str, Path]) -> None:
    session = browser.open(f"{pages['plain'].as_uri()}#measure-capa")
    table = "document.querySelector('#measure-capa table') !== null"
    browser.until(lambda: browser.value(session, table))
    assert browser.value(session, "document.getElementById('measure-capa').open")
