"""A model that is a student of one teacher and a control of another has the role of that teacher in every figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.board.board import Board
from harness.board.joined import Job, join
from harness.board.record import RunRecord
from harness.board.subjects import Role, roles_in
from harness.figures import Curve, Dots, Drawing
from harness.page.render import page
from harness.plugins import build, kinds
from harness.types import Control
from tests.report.records import board, record

BOTH = "answers_of_b"  # a student of teacher_b, listed as a control of teacher_a
LIKE = "independent"  # whose scores against teacher_a it gets, each moved by an amount of its own
STEP = 0.000_37


def mixed() -> tuple[RunRecord, dict[float, str]]:
    """The made-up run with a model of two roles, and the role that each of its values has to be shown in."""
    run = record()
    theirs = [s for s in run.scores if (s.student, s.teacher) == (LIKE, "teacher_a")]
    added = [
        replace(s, student=BOTH, value=s.value + STEP * (i + 1))
        for i, s in enumerate(theirs)
        if s.value is not None
    ]
    roles = {s.value: "control" for s in added if s.value is not None}
    own = [s.value for s in run.scores if (s.student, s.teacher) == (BOTH, "teacher_b")]
    others = {s.value for s in run.scores if s.student != BOTH}
    roles |= {value: "student" for value in own if value is not None and value not in others}
    assert set(roles.values()) == {"control", "student"}
    listed = (*run.controls, Control(BOTH, "house_b", ("teacher_a",)))
    return replace(run, scores=(*run.scores, *added), controls=listed), roles


def drawings(kind: str, run: RunRecord, swept: Board) -> Iterator[Drawing]:
    """Every drawing that a figure makes of a run: for the run, for each student, for each measure."""
    figure = build("figures", kind, {"kind": kind})
    seen = swept if kind == "dose_curve" else board(run)
    if figure.per == "metric":
        names = sorted({s.metric for s in run.scores})
        figures = [build("figures", n, {"kind": kind, "metric": n}) for n in names]
        made = [f.draw(seen, None) for f in figures]
    elif figure.per == "student":
        made = [figure.draw(seen, s) for s in seen.subjects if s.role == "student"]
    else:
        made = [figure.draw(seen, None)]
    yield from (drawing for drawing in made if drawing is not None)


def shown(drawing: Drawing) -> Iterator[tuple[float, str]]:
    """Every number along either axis with the role that it is shown in."""
    for mark in drawing.marks:
        if isinstance(mark, (Dots, Curve)) and mark.role in ("student", "control"):
            for dot in mark.dots:
                yield from ((x, mark.role) for x in (dot.x, dot.y))


@pytest.mark.parametrize("kind", kinds("figures"))
def test_a_role_is_that_towards_the_teacher(kind: str) -> None:
    run, roles = mixed()
    swept = board(join([Job((("step", v),), run) for v in "12"]))
    for drawing in drawings(kind, run, swept):
        wrong = [(x, role) for x, role in shown(drawing) if roles.get(x, role) != role]
        assert wrong == []
        column = "Role" in drawing.numbers.columns and "Teacher" in drawing.numbers.columns
        for row in drawing.numbers.rows if column else ():
            said = dict(zip(drawing.numbers.columns, row, strict=True))
            if said["Model"] == BOTH and said["Teacher"] in ("teacher_a", "teacher_b"):
                expected = {"teacher_a": "control", "teacher_b": "student"}[said["Teacher"]]
                assert said["Role"] == expected


def test_the_numbers_looked_for_are_shown() -> None:
    """Most of the values are drawn somewhere, in both roles: the test above does not pass for want of dots."""
    run, roles = mixed()
    swept = board(join([Job((("step", v),), run) for v in "12"]))
    seen = {
        (x, role)
        for kind in ("transfer_map", "agreement", "inherited_errors", "measure_dots", "dose_curve")
        for drawing in drawings(kind, run, swept)
        for x, role in shown(drawing)
    }
    assert {role for x, role in seen if x in roles} == {"control", "student"}
    assert sum(x in roles for x, _ in seen) > 20


@pytest.mark.parametrize("kind", kinds("figures"))
def test_names_are_not_spelled_anew(kind: str) -> None:
    """A model's name stands in the numbers of a figure as it stands in the run, whatever its letters."""
    run, _ = mixed()
    odd = "qWen-14B-CHAT_v0.1 Beta"
    rename = {BOTH: odd}

    def named(x: str) -> str:
        return rename.get(x, x)

    renamed = replace(
        run,
        scores=tuple(
            replace(s, student=named(s.student), teacher=named(s.teacher), base=named(s.base))
            for s in run.scores
        ),
        pairs=tuple(replace(p, student=named(p.student)) for p in run.pairs),
        controls=tuple(replace(c, model=named(c.model)) for c in run.controls),
        models={named(m): facts for m, facts in run.models.items()},
    )
    swept = board(join([Job((("step", v),), renamed) for v in "12"]))
    for drawing in drawings(kind, renamed, swept):
        texts = [text for row in drawing.numbers.rows for text in row]
        texts += [*drawing.numbers.columns, drawing.caption, *drawing.notes]
        for text in texts:
            start = text.lower().find(odd.lower())
            assert start < 0 or text[start : start + len(odd)] == odd
            assert BOTH not in text


def test_every_role_of_a_model_is_told_with_its_teachers() -> None:
    run, _ = mixed()
    assert roles_in(run, BOTH) == (Role("student", ("teacher_b",)), Role("control", ("teacher_a",)))
    assert roles_in(run, "teacher_a") == (Role("teacher", ()),)
    assert roles_in(run, "base") == (Role("base", ()),), "of the students of every teacher"
    text = " ".join(page(board(run)).split())
    assert '</span>control</span> <span class="quiet">of teacher_a</span>' in text
