"""The leaderboard for readers: its columns, its rows by teacher, its folds; and missing results by kind of reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.board.costs import costs_table
from harness.board.joined import Job, join
from harness.board.leaderboard import Leaderboard, make_leaderboard
from harness.board.lines import BESIDE, Line
from harness.board.missing import missing_results
from harness.board.record import Change, RunRecord
from harness.board.tables import leaderboard_table
from harness.cli.config import packaged, typed_run
from harness.page.render import fold_name
from harness.plan.faults import matrix_faults
from harness.stats.intervals import evaluate
from harness.types import Better, Pair, Ratio, RatioStratum, Unavailable
from tests.core.running import composed, matrix
from tests.report.records import board, collection, record


def made(run: RunRecord | None = None) -> Leaderboard:
    return make_leaderboard(board(run or record()))


def cell(leaderboard: Leaderboard, line: Line, column: str) -> str:
    """The text of one cell."""
    return line.cells[[c.name for c in leaderboard.columns].index(column)].text


def row(leaderboard: Leaderboard, model: str, teacher: str = "teacher_a") -> Line:
    """The row of a model in the block of a teacher."""
    (line,) = (
        x for x in leaderboard.lines if (x.subject.student, x.subject.teacher) == (model, teacher)
    )
    return line


def test_every_teacher_has_a_block_with_itself_its_students_base_and_controls() -> None:
    for block in made().blocks:
        roles = [line.subject.role for line in block]
        assert roles[0] == "teacher"
        order = ["teacher", "student", "base", "control"]
        assert roles == sorted(roles, key=order.index)
        assert {r for r, x in zip(roles, block, strict=True) if x.fold} == {"control"}


def test_in_a_sweep_a_teacher_has_a_row_for_each_setting_in_which_it_differs() -> None:
    def rows_of_teacher(*runs: RunRecord) -> list[dict[str, str]]:
        jobs = [Job((("step", str(i)),), run) for i, run in enumerate(runs)]
        table = made(join(jobs))
        lines = [x for x in table.lines if x.subject.student == "teacher_a"]
        return [dict(x.subject.variant) | {"seen": cell(table, x, "step")} for x in lines]

    run = record()
    other = tuple(
        replace(s, value=0.125, low=0.1, high=0.2)
        if (s.metric, s.student, s.task) == ("task_score", "teacher_a", "zoo_facts")
        else s
        for s in run.scores
    )
    assert rows_of_teacher(run, run) == [{"seen": ""}]
    assert rows_of_teacher(run, replace(run, scores=other)) == [
        {"step": "0", "seen": "0"},
        {"step": "1", "seen": "1"},
    ]


def test_gap_columns_have_the_teacher_at_1_and_the_base_at_0() -> None:
    table = made()
    for column in ("capability_transfer", "style_transfer"):
        assert cell(table, row(table, "teacher_a"), column) == "1"
        assert cell(table, row(table, "base"), column) == "0"
    assert cell(table, row(table, "teacher_a"), "capa") == "", "agreement with itself says nothing"


def test_a_task_has_a_column_of_everybodys_own_score() -> None:
    table, run = made(), record()
    own = {
        s.student: s.value for s in run.scores if (s.metric, s.task) == ("task_score", "zoo_facts")
    }
    place = [c.name for c in table.columns].index("zoo_facts")
    for line in table.lines:
        assert line.cells[place].value == own[line.subject.student]
    assert not table.columns[place].shown


def test_lost_counts_tasks_on_which_a_student_is_worse_than_its_base_by_a_measure_with_a_better_end() -> (
    None
):
    run = record()
    pair = run.pairs[0]
    change = Change(
        "task_score", "zoo_facts", pair.teacher, pair.base or "", pair.student, "base",
        -0.2, -0.3, -0.1, 0.001, 0.001, 100, 0.03, 5, 25, "share", "higher",
    )  # fmt: skip
    fine = replace(change, task="zoo_style", difference=0.2)
    mute = replace(change, task="zoo_other", metric="truncation", better="none")

    def lost(*changes: Change, column: str = "lost") -> str:
        table = made(replace(run, changes=changes))
        return cell(table, row(table, pair.student, pair.teacher), column)

    assert lost(change, fine, mute) == "1"
    assert lost(fine) == "0"
    behind = replace(change, against="teacher", task="zoo_words")
    assert (lost(change, behind, fine), lost(change, behind, fine, column="behind")) == ("1", "1")
    assert lost(replace(behind, difference=0.2), column="behind") == "0"
    for changes, shown in (((change,), True), ((fine,), False)):
        [column] = [c for c in made(replace(run, changes=changes)).columns if c.name == "lost"]
        assert column.shown == shown
    assert "lost" not in [c.name for c in made(replace(run, changes=(mute,))).columns]


def test_a_column_that_holds_nothing_is_not_there() -> None:
    run = record()
    none = tuple(
        replace(s, value=None, low=None, high=None, reason="why") if s.metric == "capa" else s
        for s in run.scores
    )
    assert "capa" in [c.name for c in made().columns]
    assert "capa" not in [c.name for c in made(replace(run, scores=none)).columns]


def test_a_matrix_names_the_columns_that_stand_there_unasked() -> None:
    table = made(replace(record(), columns=("zoo_facts", "parameters")))
    places = {c.name for c in table.columns if c.shown}
    assert places == {"rank", "zoo_facts", "parameters"}
    usual = [c.name for c in made().columns if c.shown]
    assert usual[:3] == ["rank", "capability_transfer", "style_transfer"]


def test_a_column_that_nothing_fills_is_a_fault_before_any_model_loads(tmp_path: Path) -> None:
    def faults(*columns: str) -> list[str]:
        config = composed(matrix(columns=list(columns)), tmp_path)
        return matrix_faults(typed_run(config, [packaged("conf")]))

    assert faults("capa", "quiz", "lost", "parameters") == []
    (line,) = faults("capability", "quiz")
    assert line.startswith("columns: 'capability' is unknown")
    assert "capa" in line
    assert "usd" in line


def test_a_figure_that_nobody_draws_is_a_fault_before_any_model_loads(tmp_path: Path) -> None:
    def faults(*figures: str) -> list[str]:
        config = composed(matrix(figures=list(figures)), tmp_path)
        return matrix_faults(typed_run(config, [packaged("conf")]))

    assert faults("pareto_map", "transfer_map") == []
    (line,) = faults("paretto_map", "transfer_map")
    assert line.startswith("figures: 'paretto_map' is unknown; did you mean 'pareto_map'?")


@pytest.mark.parametrize(("n", "open_rows"), [(8, 8), (9, 6)])
def test_of_more_than_eight_students_the_middle_is_folded(n: int, open_rows: int) -> None:
    run = record()
    names = [f"student_{i}" for i in range(n)]
    teacher, base = run.pairs[0].teacher, run.pairs[0].base
    model = next(p.student for p in run.pairs if p.teacher == teacher)
    scores = tuple(
        replace(s, student=name, value=s.value and s.value - i / 100)
        for s in run.scores
        if (s.student, s.teacher) == (model, teacher)
        for i, name in enumerate(names)
    )
    pairs = tuple(Pair(teacher, name, base) for name in names)
    table = made(replace(run, pairs=pairs, scores=scores, comparisons=(), changes=()))
    students = [x for x in table.lines if x.subject.role == "student"]
    assert len(students) == n
    there = [x.subject.student for x in students if not x.fold]
    assert there == (names if n == 8 else [*names[:3], *names[-3:]])
    assert len(there) == open_rows


def test_of_many_students_of_several_teachers_only_these_stand_open() -> None:
    run = record()
    model, silent = run.pairs[0].student, "silent"
    names = [f"s{i}" for i in range(4)]
    own = [s for s in run.scores if s.student == model and s.teacher]
    scores = tuple(replace(s, student=name) for s in own for name in names)
    nothing = tuple(
        replace(s, student=silent, value=None, low=None, high=None, reason="no base") for s in own
    )
    pairs = (*run.pairs, *(Pair("teacher_a", n, "base") for n in (*names, silent)))
    crowded = made(replace(run, pairs=pairs, scores=(*run.scores, *scores, *nothing)))
    folds = {(x.subject.role, x.fold) for x in crowded.lines if x.subject.role != "student"}
    assert folds == {("teacher", ""), ("base", BESIDE), ("control", BESIDE)}
    assert row(crowded, silent).fold == "further students"
    block = next(b for b in crowded.blocks if b[0].subject.student == "teacher_b")
    hidden = [x for x in block if x.fold]
    assert fold_name(BESIDE, hidden) == "1 base, 4 controls"
    assert fold_name(BESIDE, [*hidden, *hidden]) == "1 base, 4 controls in 10 rows"


def test_rows_have_families_of_several_models_and_classes_of_sizes() -> None:
    run = record()
    sizes = {"teacher_a": 7e9, "answers_of_a": 1e9, "base": 999e6, "logits_of_a": 2e11}
    models = {m: {**f, "parameters": sizes.get(m, 5e6)} for m, f in run.models.items()}
    house = {"independent": "house", "untaught": "house", "stranger": "alone"}
    table = made(replace(run, lineages=house, models=models))
    assert table.families() == ["house"]
    assert row(table, "stranger").family == ""
    assert [row(table, m).size for m in ("teacher_a", "answers_of_a", "base", "logits_of_a")] == [
        "3.0\u00a0B to 10\u00a0B",
        "1.0\u00a0B to 3.0\u00a0B",
        "100\u00a0M to 1.0\u00a0B",
        "from 100\u00a0B",
    ]
    assert table.sizes()[0].startswith("below 10")


def test_costs_of_a_model_are_summed_over_its_tasks_and_unknown_ones_are_no_zeros() -> None:
    run = record()
    some = [
        collection(
            "base", "a", n_answered=10, n_tokens=300, wall_s=2.0, usd=0.5, peak_memory_bytes=5
        ),
        collection(
            "base", "b", n_answered=240, n_tokens=100, n_prompt_tokens=70, peak_memory_bytes=9
        ),
        collection("teacher_a", "a", n_answered=240),
        collection("teacher_a", "b", missing="no answers"),
    ]
    table = costs_table(replace(run, collections=tuple(some)))
    found = {
        r[0].text: dict(zip((h.name for h in table.heads), r, strict=True)) for r in table.rows
    }
    base, teacher = found["base"], found["teacher_a"]
    assert (base["Answers"].value, base["Answers"].note) == (250, "of 480 requests")
    assert (base["Tokens"].value, base["Tokens read"].value, base["Seconds"].value) == (400, 70, 2)
    assert base["Speed"].value == 150, "tokens of the collections that were timed"
    assert (base["Memory"].value, base["Cost"].value) == (9, 0.5)
    assert base["Cost"].note == "of 1 of 2 collections"
    assert {name: c.value for name, c in teacher.items() if name not in ("Model", "Answers")} == {
        name: None for name in ("Tokens", "Tokens read", "Seconds", "Speed", "Memory", "Cost")
    }
    bare = costs_table(replace(run, collections=(some[2],)))
    assert [h.name for h in bare.heads] == ["Model", "Answers"], "what nobody knows has no column"


def test_missing_results_are_grouped_by_what_their_reasons_have_in_common() -> None:
    run = record()
    student, teacher = run.pairs[0].student, run.pairs[0].teacher
    some = [s for s in run.scores if s.student == student and s.teacher == teacher][:3]
    reasons = (
        f"gap within noise: {teacher} minus base = -0.5 [-1, 2e-05]",
        "gap within noise: other minus base = 7.25 [1, 12]",
        f"{student} answered 12 of 805 prompts",
    )
    gone = [
        replace(s, value=None, low=None, high=None, reason=reason)
        for s, reason in zip(some, reasons, strict=True)
    ]
    found = missing_results(replace(run, scores=tuple(gone)))
    assert [(m.kind, m.n, m.no_gap) for m in found] == [
        ("gap within noise", 2, True),
        ("\u2026 answered \u2026 of \u2026 prompts", 1, False),
    ]
    (last,) = found[1].parts
    assert (last.part, last.reason) == (gone[2].metric, reasons[2])
    assert last.where == (f"{student} \u2190 {teacher} on {gone[2].task}",)
    assert missing_results(replace(run, scores=())) == []


@pytest.mark.parametrize("gap", [np.zeros(40), np.tile([-1.0, 1.0], 20)])
def test_reasons_that_speak_of_no_gap_are_told_from_those_that_one_can_mend(
    gap: np.ndarray,
) -> None:
    """As statistics word them: of a gap of nothing, and of one within noise."""
    ids = tuple(f"p{i}" for i in range(40))
    with pytest.raises(Unavailable) as raised:
        evaluate(Ratio((RatioStratum(np.ones(40), gap, ids, ids),)), np.random.default_rng(0))
    hole = replace(record().scores[0], value=None, low=None, high=None, reason=str(raised.value))
    assert [m.no_gap for m in missing_results(replace(record(), scores=(hole,)))] == [True]


@pytest.mark.parametrize(
    ("better", "high", "said"),
    [
        ("higher", 1.7, (True, False)),
        ("higher", 1.9, (True, True)),
        ("none", 1.7, (False, False)),
        ("none", 1.9, (False, True)),
    ],
)
def test_a_number_is_best_only_where_one_end_is_better_and_sound_only_up_to_two_gaps(
    better: Better, high: float, said: tuple[bool, bool]
) -> None:
    run, name = record(), "capability_transfer"
    mine = (name, "logits_of_a", "teacher_a")
    scores = tuple(
        replace(s, better=better, low=-0.2, high=high)
        if (s.metric, s.student, s.teacher) == mine
        else s
        for s in run.scores
    )
    leaderboard = made(replace(run, scores=scores))
    place = [c.name for c in leaderboard.columns].index(name)
    cell = row(leaderboard, "logits_of_a").cells[place]
    assert (cell.leads, cell.wide) == said
    assert cell.note.endswith("too wide to say how far") is said[1]
    table = leaderboard_table(board(replace(run, scores=scores))).columns()
    rows = zip(table["student"], table["teacher"], table[f"{name}_leads"], strict=True)
    assert (*mine[1:], int(said[0])) in list(rows)
