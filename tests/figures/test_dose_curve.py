"""Curves over a sweep: the axis, the points, the band, and the reasons of holes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.board.record import RunRecord
from harness.figures._doses import axis_of
from harness.figures.dose_curve import DoseCurve
from harness.stages.record import join_records
from harness.types import Score
from tests.report.records import record

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
    return join_records(jobs, [tuple(sorted([(key, v), *rest])) for v in values])


def drawn(run: RunRecord) -> dict[str, Any]:
    found = FIGURE.draw(run)
    assert found is not None
    return found


def own(run: RunRecord, metric: str, task: str) -> list[Score]:
    return [s for s in run.scores if (s.metric, s.task, s.student) == (metric, task, STUDENT)]


def line(figure: dict[str, Any], name: str, axis: str, *, band: bool = False) -> dict[str, Any]:
    (found,) = [
        t for t in figure["data"] if (t["name"], t["yaxis"], "fill" in t) == (name, axis, band)
    ]
    return dict(found)


def test_points_and_band_are_the_scores() -> None:
    run = swept("models.s.step", ["10", "20", "40"])
    figure = drawn(run)
    scores = own(run, "capability_transfer", "zoo_facts+zoo_sums+zoo_words")
    assert len(scores) == 3
    points, band = (line(figure, f"{STUDENT}\n← teacher_a", "y", band=b) for b in (False, True))
    assert points["x"] == [10, 20, 40]
    assert points["y"] == [s.value for s in scores]
    assert band["x"] == [10, 20, 40, 40, 20, 10]
    assert band["y"] == [s.high for s in scores] + [s.low for s in reversed(scores)]
    assert figure["layout"]["annotations"][0]["text"].startswith("<b>capability_transfer</b>")


def test_a_panel_for_each_measure_of_the_models_and_of_pairs() -> None:
    figure = drawn(swept("models.s.step", ["10", "20"]))
    headings = [
        a["text"].split("</b>")[0].removeprefix("<b>")
        for a in figure["layout"]["annotations"]
        if "<b>" in a["text"]
    ]
    assert headings == [
        "capability_transfer", "style_transfer", "task_score", "capa", "error_inheritance/excess", "gap_recovered",
    ]  # fmt: skip
    base = line(figure, "base", "y3")
    assert len(set(base["y"])) == 1  # the base does not change with its student's steps


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
    assert axis.layout()["type"] == kind
    assert axis.layout()["ticktext"] == [v for _, v in sorted(zip(places, values, strict=True))]


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
    figure = drawn(replace(run, scores=scores))
    assert "The same all along: capa." in figure["notes"]
    assert not [a for a in figure["layout"]["annotations"] if "<b>capa</b>" in a["text"]]
    assert "capa" in {row[0] for row in figure["table"]["rows"]}


def test_words_have_no_line_between_them() -> None:
    figure = drawn(swept("decoding", ["greedy", "sampled"]))
    assert {t["mode"] for t in figure["data"]} == {"markers"}


def test_seeds_and_single_runs_are_no_dose() -> None:
    assert FIGURE.draw(swept("seed", ["0", "1", "2"])) is None
    assert FIGURE.draw(record()) is None


def test_further_keys_make_further_lines() -> None:
    one, other = (
        swept("models.s.step", ["10", "20"], seed="0"),
        swept("models.s.step", ["10", "20"], seed="1"),
    )
    figure = drawn(
        replace(one, scores=one.scores + other.scores, variants=("models.s.step", "seed"))
    )
    names = {t["name"] for t in figure["data"] if STUDENT in t["name"]}
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
    figure = drawn(replace(run, scores=scores))
    assert line(figure, f"{STUDENT}\n← teacher_a", "y")["x"] == [10, 40]
    assert "No point for capability_transfer at step = 20: gap within noise." in figure["notes"]
    cells = [
        r
        for r in figure["table"]["rows"]
        if r[0] == "capability_transfer" and STUDENT in r[1] and r[2] == "20"
    ]
    assert cells == [
        ["capability_transfer", f"{STUDENT}\n← teacher_a", "20", "– gap within noise", "–"]
    ]
