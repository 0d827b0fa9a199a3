"""No control or direction character reaches a reader: in no file of text, on no terminal, whatever it stands in."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.board.answers import Read
from harness.board.board import Board, make_board
from harness.board.plain import from_plain, to_plain
from harness.board.record import CollectionRecord, RunRecord
from harness.board.tables import Cell, Head, Table, as_written, scores_table
from harness.console.columns import in_columns
from harness.console.invisible import as_escapes, as_it_stands, in_one_line, spelled_out
from harness.console.progress import Display, News
from harness.panel.side import Side
from harness.plugins import build, kinds
from harness.testing.boards import answers_to, made_record
from harness.testing.exports import written
from tests.report.records import read, record

INVISIBLE = [*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F]
INVISIBLE += [0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
EVERY = "".join(f"x{chr(c)}" for c in INVISIBLE)
BAD = "\x00\x1b[31m\x7f\x85\x9b\u061c\u200f\u2028\u202e\u2066"  # one of each sort
RAW = re.compile(f"[{''.join(re.escape(chr(c)) for c in INVISIBLE)}]")
BINARY = (".parquet", ".npz")
_WORDS = (
    "title",
    "warnings",
    "versions",
    "facts",
    "reason",
    "missing",
    "notes",
    "explanation",
    "calibrations",
)


def hostile(run: RunRecord, end: str = BAD) -> tuple[RunRecord, Mapping[str, str]]:
    """The run with `end` behind all names and sentences, and each name as it was."""
    names = {*run.models, *run.tasks, *(c.lineage for c in run.controls)}

    def changed(value: Any, key: str = "", words: bool = False) -> Any:
        """The value under a key with bad names; `words`: every text in it is bad."""
        if isinstance(value, dict):
            named = key in ("models", "tasks")
            return {
                k + end if named else k: changed(v, "" if named else k, words or k in _WORDS)
                for k, v in value.items()
            }
        if isinstance(value, list):
            return [changed(v, key, words) for v in value]
        if isinstance(value, str) and value and key != "role" and (words or value in names):
            return value + end
        return value

    plain = changed(to_plain(run))
    return from_plain(RunRecord, plain), {name + end: name for name in names}


def boards() -> list[Board]:
    """Boards of the made-up runs, with bad names, bad sentences and bad answers."""
    made = []
    for run, answers in ((record(), read), (made_record(), answers_to)):
        bad, names = hostile(run)
        made.append(make_board(bad, with_names(answers, names)))
    return made


def with_names(answers: Read, names: Mapping[str, str], end: str = BAD) -> Read:
    """Answers by those names, with `end` behind every text."""

    def bad_answers(c: CollectionRecord) -> Side | None:
        """The answers of a collection, by its bad names, with bad texts."""
        side = answers(replace(c, model=names[c.model], task=names.get(c.task, c.task)))
        if side is None:
            return None
        texts = tuple(t if t is None else t + end for t in side.outputs.text)
        prompts = tuple(replace(p, text=p.text + end) for p in side.requests.prompts)
        return replace(
            side,
            model=c.model,
            lineage=c.model,
            outputs=replace(side.outputs, text=texts),
            requests=replace(side.requests, prompts=prompts),
        )

    return bad_answers


@pytest.fixture(scope="module")
def bad_boards() -> list[Board]:
    return boards()


@pytest.mark.parametrize("kind", kinds("exports"))
def test_no_exporter_writes_one(kind: str, bad_boards: list[Board]) -> None:
    exporter = build("exports", kind, {"kind": kind})
    spelled = 0
    for board in bad_boards:
        for name, content in written(exporter, board).items():
            if name.endswith(BINARY):
                continue
            text = content.decode("utf-8")
            first = RAW.search(text)
            assert first is None, f"{name}: {text[max(0, first.start() - 60) : first.end() + 9]!r}"
            spelled += text.count("U+202E") + text.count("\\u202e")
    assert spelled or kind == "samples"


def test_the_data_of_figures_spells_them_out(bad_boards: list[Board]) -> None:
    """Scripts draw what these say: an escape would come back to life."""
    exporter = build("exports", "html", {"kind": "html"})
    page = written(exporter, bad_boards[0])["index.html"].decode()
    islands = dict(
        re.findall(r'<script type="text/plain" id="([\w-]+)">(.*?)</script>', page, re.S)
    )
    for name in ("plots-data", "narrow-data"):
        text = gzip.decompress(base64.b64decode(islands[name])).decode()
        assert RAW.search(json.dumps(json.loads(text), ensure_ascii=False)) is None
        assert "U+202E" in text


def test_scripts_spell_out_the_same_characters() -> None:
    from harness.page.render import _script

    (inside,) = re.findall(r"const INVISIBLE = /\[(.*?)\]/g;", _script())
    pattern = re.compile(f"[{inside}]")
    told = [c for c in range(0x3000) if pattern.match(chr(c))]
    assert told == sorted(INVISIBLE)


def test_a_terminal_gets_none() -> None:
    said: list[str] = []
    display = Display(write=said.append, ticking=False, clock=lambda: 0.0)
    display.say(f"done {EVERY}")
    with display.stage(f"collecting {EVERY}") as stage:
        stage.hear(News(f"part {EVERY}", doing=f"doing {EVERY}", alarm=f"alarm {EVERY}"))
        display.say(stage.line(1.0))
    said += in_columns([(EVERY, "b"), ("a", f"{EVERY}\n{EVERY}")])
    assert len(said) == 5
    assert not [line for line in said if RAW.search(line) or not line.count("U+202E")]
    assert "\n" not in "".join(said)


def test_cells_of_csv_come_back(bad_boards: list[Board]) -> None:
    run = bad_boards[0].record
    rows = scores_table(run).csv_rows()
    at = rows[0].index("student")
    assert {as_written(row[at]) for row in rows[1:]} == {s.student for s in run.scores}


@pytest.mark.parametrize("start", [*"=+-@\t\n", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_is_one_that_a_spreadsheet_runs(start: str) -> None:
    scores = tuple(replace(s, student=f"{start}cmd|' /C calc'!A0") for s in record().scores[:1])
    rows = scores_table(replace(record(), scores=scores)).csv_rows()
    assert rows[1][rows[0].index("student")].startswith("'")


def test_what_is_spelled_out() -> None:
    assert spelled_out("a\u202eb\x1b[31m\tc\nd\r\ne\rf") == (
        "a\u27e6U+202E\u27e7b\u27e6U+001B\u27e7[31m\tc\nd\ne\u27e6U+000D\u27e7f"
    )
    assert in_one_line("a\nb") == "a\u27e6U+000A\u27e7b"
    assert as_it_stands(spelled_out(EVERY)) == EVERY
    assert json.loads(as_escapes(json.dumps(EVERY, ensure_ascii=False))) == EVERY
    plain = "👩‍🔬 мир مرحبا क्‍ष 你好"  # joiners belong to the words that they stand in
    assert spelled_out(plain) == plain


def test_names_of_columns_keep_their_sign_and_show_what_is_invisible() -> None:
    table = Table(
        (Head("+a"), Head("b\u202ec")), ((Cell("=x", "=x"), Cell("d\u202ee", "d\u202ee")),)
    )
    assert table.csv_rows() == [["+a", "b⟦U+202E⟧c"], ["'=x", "d⟦U+202E⟧e"]]
