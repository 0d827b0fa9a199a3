"""What a run says of itself: comparisons, warnings, costs and roles, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from harness.board.answers import Answer, TaskAnswers, browse
from harness.board.comparisons import compared
from harness.board.record import Comparison
from harness.stages.record import make_record
from harness.stats.means import clopper_pearson, share_interval
from harness.types import Pair, Prompt, Score
from tests.joints.small import LINEAGES, Small, planned
from tests.report.records import CONTROLS, board, record

STUDENTS = [Pair("teacher", model, "base") for model in ("one", "two", "three")]


def score_of(student: str, shift: float, **changes: object) -> Score:
    """A score whose pseudo-values are a fixed pattern around `shift`."""
    values = np.sin(np.arange(60) * sum(map(ord, student))) * 0.2 + shift
    influence = {f"p{i}": float(v) for i, v in enumerate(values)}
    whole = Score(
        "capa", "quiz", student, "teacher", "base", float(values.mean()), 0.0, 1.0, 60, "kappa", "higher", "", (),
        influence=influence,
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_p_values_of_a_family_are_adjusted_by_holm() -> None:
    scores = [score_of("one", 0.30), score_of("two", 0.36), score_of("three", 0.33)]
    found = sorted(compared(scores, STUDENTS), key=lambda c: c.p)
    assert len(found) == 3
    first, second, third = (c.p for c in found)
    expected = [min(1, 3 * first)]
    expected.append(max(expected[0], min(1, 2 * second)))
    expected.append(max(expected[1], third))
    assert [c.p_adjusted for c in found] == pytest.approx(expected)
    assert found[0].p_adjusted > found[0].p


def test_a_difference_is_the_first_minus_the_second() -> None:
    (c,) = compared([score_of("one", 0.5), score_of("two", 0.2)], STUDENTS)
    assert (c.first, c.second) == ("one", "two")
    assert c.difference > 0.2
    assert c.low < c.difference < c.high


def test_families_do_not_mix_and_controls_are_no_rivals() -> None:
    scores = [
        score_of("one", 0.5),
        score_of("two", 0.2, metric="capa/part"),
        score_of("two", 0.2, task="other"),
        score_of("two", 0.2, teacher="other"),
        score_of("two", 0.2, metric="other"),
        score_of("control", 0.2),
    ]
    assert compared(scores, [*STUDENTS, Pair("other", "two", "base")]) == ()


def test_a_student_is_above_controls_where_a_further_one_would_stay_below() -> None:
    made = record()

    def with_controls(*values: float, lineages: Mapping[str, str] = MappingProxyType({})) -> object:
        of = dict(zip(CONTROLS, values, strict=False))
        scores = tuple(
            replace(s, value=of[s.student], low=None, high=None)
            if s.metric == "style_transfer" and s.student in of and s.teacher == "teacher_a"
            else s
            for s in made.scores
        )
        absent = set(CONTROLS) - set(of)
        left = tuple(s for s in scores if s.student not in absent)
        claims = board(replace(made, scores=left, lineages=lineages)).claims
        (claim,) = (
            claim
            for (s, metric), claim in claims.items()
            if (s.student, metric) == ("answers_of_a", "style_transfer")
        )
        assert claim.value == pytest.approx(0.83)
        return claim.above_controls

    # mean .25, sd .1291: 95 % of further controls stay below .25 + 2.3534 x .1291 x 1.1180 = .590
    assert with_controls(0.1, 0.2, 0.3, 0.4) is True
    # above the highest of them, but a further control may well reach it: limit .95
    assert with_controls(0.1, 0.2, 0.5, 0.8) is False
    assert with_controls(0.1, 0.2, 0.3) is None, "three lineages are too few"
    siblings = {"stranger": "lab", "other_lab": "lab"}
    assert with_controls(0.1, 0.2, 0.3, 0.4, lineages=siblings) is None, "relatives count once"
    kin = {"other_lab": "house_a", "teacher_a": "house_a"}
    assert with_controls(0.1, 0.2, 0.3, 0.9, lineages=kin) is None, "the teacher's relative is out"


def test_a_comparison_reads_the_same_from_both_sides() -> None:
    made = record()
    names = ("logits_of_a", "answers_of_a")
    turned = tuple(
        Comparison(
            c.metric,
            c.task,
            c.teacher,
            c.base,
            c.second,
            c.first,
            -c.difference,
            -c.high,
            -c.low,
            *vars_of(c),
        )
        for c in made.comparisons
    )
    for comparisons in (made.comparisons, turned):
        rows = board(replace(made, comparisons=comparisons)).rows
        ranks = {r.subject.student: r.rank for r in rows}
        assert [ranks[n] for n in names] == [1, 2]


def vars_of(c: Comparison) -> tuple[float, float, int, float | None]:
    return c.p, c.p_adjusted, c.n, c.detectable


@pytest.mark.parametrize(("lineages", "said"), [(3, True), (4, False)])
def test_fewer_than_four_control_lineages_are_too_few(
    tmp_path: Path, lineages: int, said: bool
) -> None:
    controls = [{"model": n, "lineage": n} for n in LINEAGES[:lineages]]
    controls.append({"model": "third", "lineage": LINEAGES[0]})  # a relative: no lineage more
    pairs = [{"teacher": "teacher", "student": "student", "base": "base"}]
    plan, store = planned(tmp_path, controls=controls, pairs=pairs)
    warnings = make_record(plan, store, ()).warnings
    assert (
        any(
            w.startswith(f"Only {lineages} independent control lineages for student")
            for w in warnings
        )
        == said
    )
    assert not any(w.startswith("No controls") for w in warnings)


def test_what_an_hour_costs(small: Small) -> None:
    cells = [
        c for c in make_record(small.plan, small.store, ()).collections if c.model == "student"
    ]
    assert cells
    assert all(c.usd == pytest.approx(c.wall_s / 100) for c in cells)  # 36 dollars an hour
    assert all(c.n_answered == c.n_requests == 40 for c in cells)
    assert all(
        c.usd is None
        for c in make_record(small.plan, small.store, ()).collections
        if c.model == "teacher"
    )


def test_a_role_is_the_first_that_fits(small: Small) -> None:
    made = make_record(small.plan, small.store, ())
    roles = {name: made.role(name) for name in made.models}
    expected = {"student": "student", "teacher": "teacher", "base": "base", "ash": "control"}
    assert {name: roles[name] for name in expected} == expected
    chained = replace(small.plan.run, pairs=(Pair("teacher", "student"), Pair("student", "base")))
    made = make_record(replace(small.plan, run=chained), small.store, ())
    roles = {name: made.role(name) for name in made.models}
    assert (roles["student"], roles["base"]) == ("student", "student")


def test_seeds_of_a_recipe_are_recorded_and_of_one_lineage(small: Small) -> None:
    run = small.plan.run
    trained = {m: replace(run.models[m], recipe="r", lineage=None) for m in ("student", "ash")}
    seeds = replace(run, models={**run.models, **trained}, controls=())
    made = make_record(replace(small.plan, run=seeds), small.store, ())
    assert made.recipes == {"student": "r", "ash": "r"}
    assert {made.lineages[m] for m in trained} == {"r"}, "a seed is no innocent of its recipe"
    assert not make_record(small.plan, small.store, ()).recipes


def test_the_browser_shows_the_largest_difference_first() -> None:
    texts = {"a": "alike words here", "b": "wholly other text", "c": "alike words there"}
    prompts = {i: Prompt(i, i, i, "") for i in texts}
    answers = {
        "teacher": {i: Answer("alike words here", "eos", None, None) for i in texts},
        "student": {i: Answer(text, "eos", None, None) for i, text in texts.items()},
    }
    shown = browse(TaskAnswers("open", prompts, answers), [Pair("teacher", "student")], 10**6)
    assert shown["prompts"][0]["id"] == "b"
    assert shown["total"] == 3
    assert [p["told"][0][2] for p in shown["prompts"]] == [1.0, *sorted((0.0, 0.333), reverse=True)]


def test_clusters_never_make_a_share_surer_than_its_prompts() -> None:
    # every cluster holds one of each: the design effect is below 1
    values = np.tile([0.0, 1.0], 30)
    clusters = [str(i // 2) for i in range(60)]
    found = share_interval(values, clusters)
    low, high = clopper_pearson(30, 60)
    assert found.low <= low
    assert found.high >= high
