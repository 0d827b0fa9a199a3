"""One Board for all: every exporter reads it, none changes it, and what they say of a student agrees."""

from __future__ import annotations

import csv
import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.exports
from harness.board.record import RunRecord
from harness.board.sentences import sentences
from harness.board.subjects import ScoreIndex
from harness.board.tables import MARKS
from harness.exports import AbstractExporter
from harness.exports.latex import _plain
from harness.plugins import build, kinds, plugin_class
from harness.stages.gate import _reference_rows
from harness.stages.report import write_report
from harness.testing import check_exporter
from tests.report.records import board, read, record

# fields of those that have some
FIELDS: dict[str, dict[str, Any]] = {
    "eval_results": {"datasets": {"zoo_facts": {"id": "us/facts", "task_id": "facts"}}},
    "every_eval_ever": {"organization": "We", "relationship": "other", "retrieved": 0},
}
ALWAYS = [kind for kind in kinds("exports") if plugin_class("exports", kind).always]


def exporter(kind: str) -> AbstractExporter:
    made = build("exports", kind, {"kind": kind, **FIELDS.get(kind, {})})
    assert isinstance(made, AbstractExporter)
    return made


@pytest.mark.parametrize("kind", kinds("exports"))
def test_an_exporter_writes_its_files_and_leaves_the_board_as_it_was(kind: str) -> None:
    # only a case has a tree and fitted odds, and the made-up run is one
    made = None if kind in ("newick", "calibrations") else board()
    check_exporter(kind, made, **FIELDS.get(kind, {}))


def test_one_board_is_made_for_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[RunRecord] = []
    index_of = ScoreIndex.of

    def counted(run: RunRecord) -> ScoreIndex:
        made.append(run)
        return index_of(run)

    monkeypatch.setattr(ScoreIndex, "of", counted)
    write_report(record(), tmp_path / "report", read)
    assert len(made) == 1


@pytest.mark.parametrize("weakest", [0.58, 0.08])  # far apart, a further control may reach higher
def test_sentence_mark_and_file_agree(tmp_path: Path, weakest: float) -> None:
    scores = tuple(
        replace(s, value=weakest)
        if (s.student, s.metric) == ("untaught", "capability_transfer")
        else s
        for s in record().scores
    )
    made = board(replace(record(), scores=scores))
    exporter("csv").export(made, tmp_path)
    with (tmp_path / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        rows = {(r["student"], r["teacher"]): r for r in csv.DictReader(file)}
    measures = {"style": "style_transfer", "capability": "capability_transfer"}
    claimed = set()
    for sentence in sentences(made):
        row = rows[sentence.subject.student, sentence.subject.teacher]
        doubts = " ".join(sentence.doubts).lower()
        for word, metric in measures.items():
            (above,) = re.findall(rf"{word}: (above|not above) what unrelated", doubts)
            assert (above == "above") == (row[f"{metric}_above_controls"] == "1"), row
            not_above = f"{word} not significantly above the base" in doubts
            assert not_above == (row[f"{metric}_above_base"] == "0"), row
            claimed.add((word, above, not_above))
    assert {above for _, above, _ in claimed} == {"above", "not above"}


def test_a_measure_brings_its_own_column_wherever_the_leaderboard_is(tmp_path: Path) -> None:
    (agreement,) = (m for m in record().metrics if m.name == "capa")
    column = replace(agreement.leaderboard[0], title="Kinship", order=0)
    moved = replace(agreement, leaderboard=(column,))
    run = replace(record(), metrics=(*(m for m in record().metrics if m.name != "capa"), moved))
    for kind in ALWAYS:
        exporter(kind).export(board(run), tmp_path)
    names = (tmp_path / "leaderboard.csv").read_text("utf-8").splitlines()[0].split(",")
    assert names[6:8] == ["capa", "capa_low"]
    assert "| Kinship (kappa) | Capability (of the gap) |" in (
        tmp_path / "leaderboard.md"
    ).read_text("utf-8")
    assert ">Kinship <small>kappa</small>" in (tmp_path / "index.html").read_text("utf-8")


@pytest.mark.parametrize("bad", ["=1+1", "+a", "-2b", "@sum", "\tx"])
def test_no_cell_of_a_csv_is_a_formula_and_a_gate_reads_the_name(bad: str, tmp_path: Path) -> None:
    run = record()
    scores = tuple(
        replace(s, student=bad) if s.student == "answers_of_a" else s for s in run.scores
    )
    pairs = tuple(replace(p, student=bad) if p.student == "answers_of_a" else p for p in run.pairs)
    exporter("csv").export(board(replace(run, scores=scores, pairs=pairs)), tmp_path)
    for name in ("scores.csv", "leaderboard.csv"):
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        texts = [v for row in rows for k, v in row.items() if k in ("student", "reason")]
        assert f"'{bad}" in texts
        assert not [t for t in texts if t.startswith(("=", "+", "-", "@", "\t", "\r"))]
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert any(float(r["value"] or 0) < 0 for r in rows), "numbers below 0 stay numbers"
    assert bad in {r["student"] for r in _reference_rows(tmp_path / "scores.csv")}


def test_markdown_keeps_hostile_names_in_their_cells(tmp_path: Path) -> None:
    run = record()
    bad = "a|b\n`c` <b>"
    scores = tuple(
        replace(s, student=bad) if s.student == "answers_of_a" else s for s in run.scores
    )
    pairs = tuple(replace(p, student=bad) if p.student == "answers_of_a" else p for p in run.pairs)
    exporter("markdown").export(board(replace(run, scores=scores, pairs=pairs)), tmp_path)
    lines = (tmp_path / "leaderboard.md").read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert any("a\\|b \\`c\\` \\<b\\>" in line for line in table)
    assert any("0.71 [0.65, 0.77] ▲ ◆" in line for line in table)
    exporter("markdown").export(board(), tmp_path)
    text = (tmp_path / "leaderboard.md").read_text("utf-8")
    assert "**0.86** [0.80, 0.92] ▲ ◆" in text
    assert "| independent (control) |" in text


def test_the_example_of_the_contract_works(tmp_path: Path) -> None:
    text = inspect.getdoc(harness.exports) or ""
    code = inspect.cleandoc(re.split(r"::\n", text, maxsplit=1)[1].split("\n\n`board.record`")[0])
    space = dict(vars(harness.exports))
    exec(code, space)
    space["Names"]("names", "names").export(board(), tmp_path)
    assert (tmp_path / "names.txt").read_text("utf-8").splitlines()[0] == "base"


def test_a_table_for_a_paper_has_a_cell_per_column_and_nothing_that_latex_would_read(
    tmp_path: Path,
) -> None:
    names = {"odd_one": "50% & more_{of} #1 ~ ^ \\x $y$"}
    run = record()
    teacher = run.pairs[0].teacher
    scores = tuple(
        replace(s, student=names.get("odd_one", "") if s.student == "logits_of_a" else s.student)
        for s in run.scores
    )
    pairs = tuple(
        replace(p, student=names["odd_one"] if p.student == "logits_of_a" else p.student)
        for p in run.pairs
    )
    exporter("latex").export(board(replace(run, scores=scores, pairs=pairs)), tmp_path)
    lines = (tmp_path / "leaderboard.tex").read_text("utf-8").splitlines()
    body = [line for line in lines if not line.startswith("%")]
    columns = re.search(r"tabular}{([lr]+)}", body[0])
    assert columns
    rows = [line for line in body if line.endswith(r" \\")]
    assert len(rows) > 5
    bare = [re.sub(r"\\[&%$#_{}]", "", row) for row in rows]
    assert all(row.count("&") == len(columns[1]) - 1 for row in bare)
    assert all(
        "%" not in row and "#" not in row and "~" not in row and "_" not in row for row in bare
    )
    assert any(r"50\% \& more\_\{of\} \#1" in row for row in rows)
    assert all(len(_plain(sign)) > 1 for sign in MARKS.values()), "each is a symbol of amssymb"
    assert teacher in "".join(rows).replace(r"\_", "_")
