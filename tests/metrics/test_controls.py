"""Who is a control, and what controls weigh: one rule for every measure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import plugins
from harness.metrics import AbstractMetric
from harness.panel.choices import align_choices
from harness.panel.controls import lineage_means, lineage_weights, unrelated
from harness.panel.panel import Looks, View
from harness.panel.samples import align_samples
from harness.panel.side import Side
from harness.panel.texts import align_texts
from harness.stats.intervals import Estimate
from harness.testing.measures import estimates
from harness.testing.panels import Sides
from harness.testing.sides import quiz_sides, talk_sets, talk_sides
from harness.types import Unavailable
from tests.metrics.answer_sets import identity_sets, trait_sets

LOOKS = Looks((View.CHOICES,), needs=("teacher",), also=("controls",))


def test_relatives_of_student_and_teacher_are_no_controls() -> None:
    one = quiz_sides(60)
    assert one.teacher is not None
    student, teacher = (
        replace(one.student, lineage="lab7"),
        replace(one.teacher, lineage="lab0"),
    )
    chosen = unrelated(one.controls, student, teacher, "base")
    assert [s.model for s in chosen] == [f"control{i}" for i in range(1, 7)]


@pytest.mark.parametrize("who", ["student", "teacher", "base"])
def test_nobody_of_the_pair_is_a_control(who: str) -> None:
    one = quiz_sides(60)
    assert one.teacher is not None
    itself = replace(one.controls[0], model=who, lineage="elsewhere")
    chosen = unrelated((*one.controls, itself), one.student, one.teacher, "base")
    assert [s.model for s in chosen] == [f"control{i}" for i in range(10)]


def test_a_control_with_few_answers_does_not_shorten_the_prompts_of_all() -> None:
    one = quiz_sides(100)
    some = one.controls[3]
    few = replace(some, outputs=replace(some.outputs, answered=tuple(i < 89 for i in range(100))))
    enough = replace(few, outputs=replace(few.outputs, answered=tuple(i < 90 for i in range(100))))
    panel = replace(one, controls=(*one.controls[:3], few)).panel(LOOKS)
    aligned = align_choices(panel)
    assert aligned.models == ("student", "teacher", "control0", "control1", "control2")
    assert len(aligned.prompts) == 100
    aligned = align_choices(replace(one, controls=(*one.controls[:3], enough)).panel(LOOKS))
    assert aligned.models[-1] == "control3"
    assert len(aligned.prompts) == 90


def test_every_view_leaves_out_a_control_that_answered_little() -> None:
    texts, sets = talk_sides(60), talk_sets(40)
    for one, align in ((texts, align_texts), (sets, align_samples)):
        some, rest = one.controls[0], one.controls[1:]
        text = tuple(t if i < 20 else None for i, t in enumerate(some.outputs.text))
        gone = tuple(i < 20 for i in range(len(text)))
        little = replace(some, outputs=replace(some.outputs, text=text, answered=gone))
        aligned = align(replace(one, controls=(little, *rest)).panel())
        assert len(aligned.controls) == 1
        assert len(aligned.prompts) == len(one.student.requests.prompts)


@pytest.mark.parametrize(
    ("name", "sides"),
    [("identity", identity_sets()), ("trait", trait_sets(30, 3)), ("mmd", talk_sets(30))],
)
def test_a_third_sample_that_is_not_whole_takes_no_prompts(name: str, sides: Sides) -> None:
    def thin(side: Side) -> Side:
        *whole, last = side.samples
        text = tuple(t if i < 5 else None for i, t in enumerate(last.text))
        answered = tuple(t is not None for t in text)
        return replace(side, samples=(*whole, replace(last, text=text, answered=answered)))

    assert sides.teacher is not None
    some = replace(sides, student=thin(sides.student), teacher=thin(sides.teacher))
    metric = plugins.build("metrics", name, {"kind": name})
    assert isinstance(metric, AbstractMetric)
    made = estimates(metric, some)["", ""]
    assert isinstance(made, Estimate), made
    assert made.n == len(sides.student.requests.prompts)
    student, teacher = (
        thin(replace(s, samples=s.samples[:1])) for s in (sides.student, sides.teacher)
    )
    said = estimates(metric, replace(sides, student=student, teacher=teacher))["", ""]
    # claims need one answer, a spread two
    assert isinstance(said, Estimate) == (name == "identity"), said
    assert isinstance(said, Estimate) or said.startswith("5 prompts")


def test_too_few_prompts_name_everyone_and_who_answered_fewest() -> None:
    one = replace(quiz_sides(30), minimum=40)
    with pytest.raises(
        Unavailable,
        match=r"30 multiple-choice prompts answered by all of student, teacher; at least 40 are "
        r"needed \(student answered 30\)",
    ):
        align_choices(one.panel(LOOKS))


def test_every_lineage_weighs_the_same() -> None:
    lineages = ["a", "b", "a", "a"]
    assert lineage_weights(lineages).tolist() == [1 / 3, 1, 1 / 3, 1 / 3]
    values = np.array([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0], [0.0, 0.0]])
    assert lineage_means(values, lineages).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert lineage_means([], []).shape == (0,)
