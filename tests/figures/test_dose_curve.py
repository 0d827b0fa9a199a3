"""Curves over a sweep: the axis, the points, the band, and the reasons of holes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.board.joined import Job, join
from harness.board.record import RunRecord
from harness.figures import Band, Curve, Drawing, Label
from harness.figures._doses import axis_of
from harness.figures.dose_curve import DoseCurve
from harness.types import Score
from tests.figures.marks import of_type
from tests.report.records import board, record

FIGURE = DoseCurve("dose_curve", "dose_curve")
STUDENT = "answers_of_a"


def swept(key: str, values: list[str], **others: str) -> RunRecord:
    """The made-up run under each value; every number of the student grows by a tenth each time."""
    jobs = []
    for i in range(len(values)):
        scores = [replace(s, value=s.value + i / 10, low=s.low + i / 10, high=s.high + i / 10)
                  if s.student == STUDENT and s.value is not None and s.low is not None and s.high is not None else s
                  for s in record().scores]  # fmt: skip
        jobs.append(replace(record(), scores=tuple(scores)))
    rest = tuple(sorted(others.items()))
    settings = [tuple(sorted([(key, v), *rest])) for v in values]
    return join([Job(v, job) for v, job in zip(settings, jobs, strict=True)])


def drawn(run: RunRecord) -> Drawing:
    drawing = FIGURE.draw(board(run), None)
    assert drawing is not None
    return drawing


def own(run: RunRecord, metric: str, task: str) -> list[Score]:
    return [s for s in run.scores if (s.metric, s.task, s.student) == (metric, task, STUDENT)]


def curve(drawing: Drawing, name: str, panel: int) -> Curve:
    (line,) = [c for c in of_type(drawing, Curve) if (c.name, c.panel) == (name, panel)]
    return line


def headings(drawing: Drawing) -> list[str]:
    return [label.strong for label in of_type(drawing, Label) if label.strong]


def test_points_and_band_are_the_scores() -> None:
    run = swept("models.s.step", ["10", "20", "40"])
    drawing = drawn(run)
    scores = own(run, "capability_transfer", "zoo_facts+zoo_sums+zoo_words")
    assert len(scores) == 3
    name = f"{STUDENT}\n← teacher_a"
    dots = curve(drawing, name, 0).dots
    (band,) = [b for b in of_type(drawing, Band) if (b.name, b.panel) == (name, 0)]
    assert [(d.x, d.y) for d in dots] == [
        (x, s.value) for x, s in zip((10, 20, 40), scores, strict=True)
    ]
    assert band.xs == (10, 20, 40)
    assert band.lows == tuple(s.low for s in scores)
    assert band.highs == tuple(s.high for s in scores)
    assert headings(drawing)[0] == "capability_transfer"


def test_a_panel_for_each_measure_of_the_models_and_of_pairs() -> None:
    drawing = drawn(swept("models.s.step", ["10", "20"]))
    assert headings(drawing) == [
        "capability_transfer", "style_transfer", "task_score", "capa", "error_inheritance/excess", "gap_recovered",
    ]  # fmt: skip
    base = curve(drawing, "base", 2)
    assert len({d.y for d in base.dots}) == 1  # the base does not change with its student's steps


@pytest.mark.parametrize(("values", "places", "ordered", "kind"), [
    (["40", "10", "20"], [40, 10, 20], True, "linear"),
    (["0.3", "1.0", "0.6"], [0.3, 1, 0.6], True, "linear"),
    (["10", "100", "1000"], [10, 100, 1000], True, "log"),
    (["0", "1e3"], [0, 1000], True, "linear"),
    (["null", "20", "10"], [2, 1, 0], True, "linear"),
    (["run/checkpoint-500", "run/checkpoint-50"], [500, 50], True, "linear"),
    (["a", "b"], [0, 1], False, "linear"),
    (["run-1/v2", "run-2/v3"], [0, 1], False, "linear"),
])  # fmt: skip
def test_where_values_stand(
    values: list[str], places: list[float], ordered: bool, kind: str
) -> None:
    axis = axis_of(swept("models.s.path", values))
    assert axis is not None
    assert [axis.at(v) for v in values] == places
    assert axis.ordered == ordered
    ticks = axis.ticks()
    assert ticks.logarithmic == (kind == "log")
    assert [name for _, name in ticks.places] == [
        v for _, v in sorted(zip(places, values, strict=True))
    ]


def test_what_the_sweep_does_not_change_is_told_and_not_drawn() -> None:
    run = swept("models.s.step", ["10", "20"])
    flat = {
        s.task: s
        for s in own(run, "capa", "zoo_facts")
        + own(run, "capa", "zoo_sums")
        + own(run, "capa", "zoo_words")
    }
    scores = tuple(
        replace(flat[s.task], variant=s.variant)
        if (s.metric, s.student) == ("capa", STUDENT)
        else s
        for s in run.scores
    )
    drawing = drawn(replace(run, scores=scores))
    assert "The same all along: capa." in drawing.notes
    assert "capa" not in headings(drawing)
    assert "capa" in {row[0] for row in drawing.numbers.rows}


def test_words_have_no_line_between_them() -> None:
    drawing = drawn(swept("decoding", ["greedy", "sampled"]))
    assert not any(c.joined for c in of_type(drawing, Curve))
    assert of_type(drawing, Band) == []


def test_seeds_and_single_runs_are_not_a_dose() -> None:
    assert FIGURE.draw(board(swept("seed", ["0", "1", "2"])), None) is None
    assert FIGURE.draw(board(), None) is None


def test_further_keys_make_further_lines() -> None:
    settings = [(("models.s.step", step), ("seed", seed)) for step in ("10", "20") for seed in "01"]
    drawing = drawn(join([Job(v, record()) for v in settings]))
    names = {c.name for c in of_type(drawing, Curve) if STUDENT in c.name}
    assert names == {f"{STUDENT}\n← teacher_a seed=0", f"{STUDENT}\n← teacher_a seed=1"}


def test_a_hole_has_its_reason_and_no_point() -> None:
    run = swept("models.s.step", ["10", "20", "40"])
    place = ("capability_transfer", STUDENT, (("models.s.step", "20"),))
    scores = tuple(
        replace(s, value=None, low=None, high=None, reason="gap within noise")
        if (s.metric, s.student, s.variant) == place
        else s
        for s in run.scores
    )
    drawing = drawn(replace(run, scores=scores))
    assert [d.x for d in curve(drawing, f"{STUDENT}\n← teacher_a", 0).dots] == [10, 40]
    assert "No point for capability_transfer at step = 20: gap within noise." in drawing.notes
    cells = [
        r
        for r in drawing.numbers.rows
        if r[0] == "capability_transfer" and STUDENT in r[1] and r[2] == "20"
    ]
    assert cells == [
        ("capability_transfer", f"{STUDENT}\n← teacher_a", "20", "– gap within noise", "–")
    ]
