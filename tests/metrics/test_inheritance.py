"""Error inheritance and excess agreement: against loops, planted truth, and recorded predictions of real models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from harness.metrics.capa import both_answered, capa
from harness.metrics.capa_excess import CapaExcess
from harness.metrics.error_inheritance import ErrorInheritance, inheritance, shared_wrong
from harness.panel.agreement import pairwise_kappa
from harness.panel.choices import AlignedChoices, align_choices, align_choices_with_gold
from harness.panel.side import Side
from harness.stats.intervals import Estimate, evaluate
from harness.stats.round_robin import pair_excess
from harness.testing.panels import Sides, findings, of_equals
from harness.testing.sides import Choices, chosen_side, drawn_choices, quiz_prompts, quiz_sides
from harness.types import Finding, Given, Unavailable

RNG = np.random.default_rng(0)
INHERITANCE = ErrorInheritance("error_inheritance", "error_inheritance")
EXCESS = CapaExcess("capa_excess", "capa_excess")


def estimates(found: list[Finding]) -> dict[str, Estimate]:
    """Name -> number, for the parts that have one."""
    return {f.name: evaluate(f.statistic, RNG) for f in found if not isinstance(f.statistic, str)}


def looped(
    choices: AlignedChoices, student: int, controls: Iterable[int]
) -> tuple[float, float, int]:
    """shared_wrong, expected, |I| by plain loops."""
    same, expected = [], []
    for i, gold in enumerate(choices.gold):
        answers = {m: choices.chosen[m, i] for m in (student, 1, *controls)}
        if any(a in (-1, gold) for a in (answers[student], answers[1])):
            continue
        by_lineage: dict[str, list[bool]] = {}
        for m in (student, *controls):
            if answers[m] not in (-1, gold):
                by_lineage.setdefault(choices.lineages[m], []).append(answers[m] == answers[1])
        same.append(float(answers[student] == answers[1]))
        expected.append(float(np.mean([np.mean(votes) for votes in by_lineage.values()])))
    return float(np.mean(same)), float(np.mean(expected)), len(same)


def of_pair(sides: Mapping[str, Side], student: str, teacher: str) -> Sides:
    """A pair with every other model as control."""
    rest = tuple(s for name, s in sides.items() if name not in (student, teacher))
    return Sides("mmlu_pro", sides[student], sides[teacher], controls=rest)


def test_inheritance_by_hand() -> None:
    # Prompts of 5 options, right is 0. Rows: student, teacher, three controls.
    chosen = np.array([[1, 1, 2, 0], [1, 2, 2, 1], [1, 2, 0, 1], [3, 2, 0, 1], [0, 1, 1, -1]])
    wrong = (chosen != 0) & (chosen >= 0)
    found = inheritance(chosen, wrong, 0, [2, 3, 4], ["s", "t", "x", "y", "z"])
    assert found.rows.tolist() == [True, True, True, False]
    assert found.same.tolist() == [1, 0, 1]
    # wrong on 1: student 1, 1, 3 -> 2 of 3; on 2: 1, 2, 2, 1 -> 2 of 4; on 3: student 2, control 1
    # -> 1 of 2
    np.testing.assert_allclose(found.expected, [2 / 3, 2 / 4, 1 / 2], rtol=1e-15)


def test_siblings_have_one_vote_for_what_is_expected() -> None:
    # One prompt, right is 0, all are wrong: student and teacher chose 1, so did three siblings; a stranger did not.
    chosen = np.array([[1], [1], [1], [1], [1], [2]])
    lineages = ["s", "t", "x", "x", "x", "y"]
    found = inheritance(chosen, chosen > 0, 0, range(2, 6), lineages)
    assert found.expected == pytest.approx([2 / 3])  # student and x against y; not 4 of 5 models
    # Where some siblings are right, the others speak for the lineage.
    chosen = np.array([[1], [1], [0], [2], [1], [2]])
    found = inheritance(chosen, chosen > 0, 0, range(2, 6), lineages)
    assert found.expected == pytest.approx([(1 + 1 / 2 + 0) / 3])


def test_inheritance_equals_plain_loops() -> None:
    one = quiz_sides()
    choices = align_choices_with_gold(one.panel(INHERITANCE.looks_at))
    controls = choices.controls
    found = inheritance(choices.chosen, choices.wrong, 0, controls, choices.lineages)
    shared, expected, n = looped(choices, 0, controls)
    assert (found.same.mean(), found.expected.mean()) == pytest.approx(
        (shared, expected), abs=1e-12
    )
    assert found.rows.sum() == n
    got = estimates(findings(INHERITANCE, [one], RNG))
    assert got["shared_wrong"].value == pytest.approx(shared, abs=1e-12)
    assert got["expected"].value == pytest.approx(expected, abs=1e-12)
    assert got["excess"].value == pytest.approx(shared - expected, abs=1e-12)
    assert got["excess"].n == n


def test_planted_copying_is_found_and_strangers_are_not() -> None:
    one = quiz_sides(1500)
    prompts = one.student.requests.prompts
    taught = estimates(findings(INHERITANCE, [one], RNG))["excess_vs_controls"]
    assert taught.low is not None
    assert taught.low > 0
    assert (taught.level, taught.n) == ("models", 8)
    said = []
    for name in ("ada", "bob", "cleo", "dan", "eve", "finn"):
        stranger = chosen_side(name, prompts, drawn_choices(name, prompts, 0.4))
        alone = estimates(findings(INHERITANCE, [replace(one, student=stranger)], RNG))
        judged_so = alone["excess_vs_controls"]
        assert judged_so.low is not None
        said.append(judged_so.low > 0)
    assert sum(said) <= 1


def test_reasons_of_error_inheritance() -> None:
    one = quiz_sides()
    few = {
        f.name: f.statistic
        for f in findings(INHERITANCE, [replace(one, controls=one.controls[:5])], RNG)
    }
    assert not isinstance(few["shared_wrong"], str)
    for name in ("expected", "excess"):
        assert (
            few[name]
            == "5 controls of other lineages that answered nine in ten of the prompts; at least 6 are needed"
        )
    assert not isinstance(few["excess_vs_controls"], str)  # it needs lineages: these are five
    alike = tuple(replace(c, lineage=f"lab{i % 3}") for i, c in enumerate(one.controls))
    same_labs = {
        f.name: f.statistic for f in findings(INHERITANCE, [replace(one, controls=alike)], RNG)
    }
    assert not isinstance(same_labs["excess"], str)
    assert same_labs["excess_vs_controls"] == "3 control lineages; at least 4 are needed"
    with pytest.raises(
        Unavailable, match=r"both are wrong on \d+ prompts; at least 100 are needed"
    ):
        findings(INHERITANCE, [quiz_sides(150)], RNG)


def test_uniform_chance_is_printed() -> None:
    one = quiz_sides()
    assert one.teacher is not None
    wrong = align_choices(of_equals(one.student, one.teacher)).wrong.all(axis=0)
    options = align_choices(of_equals(one.student, one.teacher)).n_options[wrong]
    got = estimates(findings(INHERITANCE, [one], RNG))["uniform_chance"]
    assert got.value == pytest.approx(float(np.mean(1 / (options - 1))), abs=1e-12)


def test_excess_agreement_of_planted_copying() -> None:
    one = quiz_sides(1500)
    taught = findings(EXCESS, [one], RNG)[0].statistic
    assert one.base is not None
    stranger = findings(EXCESS, [replace(one, student=one.base)], RNG)[0].statistic
    assert isinstance(taught, Given)
    assert isinstance(stranger, Given)
    assert taught.low is not None
    assert stranger.low is not None
    assert taught.low > 0
    assert stranger.low < 0
    assert (taught.level, taught.n) == ("models", 8)


def test_too_few_lineages_are_a_reason() -> None:
    one = quiz_sides(60)
    with pytest.raises(Unavailable, match=r"^3 control lineages; at least 4 are needed"):
        findings(EXCESS, [replace(one, controls=one.controls[:3])], RNG)


def test_siblings_of_student_and_teacher_are_not_in_the_null() -> None:
    one = quiz_sides(700)
    assert one.teacher is not None
    house = replace(one, teacher=replace(one.teacher, lineage="house"))
    copy = replace(one.student, model="copy", lineage="house")
    listed = replace(house, controls=(*one.controls, copy))
    for metric in (EXCESS, INHERITANCE):
        assert estimates(findings(metric, [listed], RNG)) == estimates(
            findings(metric, [house], RNG)
        )


def test_shared_wrong_by_loops() -> None:
    one = quiz_sides(400)
    everyone = align_choices_with_gold(one.panel(INHERITANCE.looks_at))
    found = shared_wrong(everyone)
    for i in range(0, len(everyone.models), 3):
        for j in range(len(everyone.models)):
            both = [
                (a, b)
                for a, b, gold in zip(
                    everyone.chosen[i], everyone.chosen[j], everyone.gold, strict=True
                )
                if a >= 0 and b >= 0 and gold not in (a, b)
            ]
            if len(both) < 100:
                assert np.isnan(found[i, j])
            else:
                assert found[i, j] == pytest.approx(np.mean([a == b for a, b in both]), abs=1e-12)
    assert np.isnan(found).any()
    assert np.isfinite(found).any()


def test_pairwise_kappa_is_capa_of_every_pair() -> None:
    one = quiz_sides(300)
    models = (one.student, *one.controls[:4])
    kappas = pairwise_kappa(align_choices(of_equals(*models)))
    for i, first in enumerate(models):
        for j, second in enumerate(models):
            pair = both_answered(align_choices(of_equals(first, second)), 1)
            expected = capa(pair.probabilities[0], pair.probabilities[1], pair.gold, pair.n_options)
            assert kappas[i, j] == pytest.approx(expected, abs=1e-12)


def test_a_model_that_answers_nothing_has_no_kappa() -> None:
    prompts = quiz_prompts(200)
    nulls: Choices = [None] * 200
    sides = [chosen_side(m, prompts, drawn_choices(m, prompts, 0.5)) for m in "xy"]
    kappas = pairwise_kappa(align_choices(of_equals(*sides, chosen_side("silent", prompts, nulls))))
    assert np.isfinite(kappas[0, 1])
    assert np.isnan(kappas[2]).all()


# --- real models: 13 recorded models on 11,999 questions --------------------------------------------------------------


def judged(sides: Mapping[str, Side], student: str, teacher: str) -> tuple[Estimate, Estimate]:
    """Excess agreement and excess of shared wrong answers of a pair, with every other model listed as control."""
    one = of_pair(sides, student, teacher)
    errors = estimates(findings(INHERITANCE, [one], RNG))["excess_vs_controls"]
    return estimates(findings(EXCESS, [one], RNG))[""], errors


RELATED = [
    ("Meta-Llama-3_1-8B", "Meta-Llama-3-8B"),
    ("Yi-6b-Chat", "Yi-6B"),
    ("Meta-Llama-3_1-70B-Instruct", "Meta-Llama-3-70B"),
]


@pytest.mark.parametrize(("student", "teacher"), RELATED)
def test_real_relatives_agree_and_err_alike(
    mmlu_pro: dict[str, Side], student: str, teacher: str
) -> None:
    for estimate in judged(mmlu_pro, student, teacher):
        assert estimate.low is not None
        assert estimate.low > 0
        assert (estimate.level, estimate.n) == ("models", 5)


def test_real_siblings_without_distillation_show_no_inherited_errors(
    mmlu_pro: dict[str, Side],
) -> None:
    for estimate in judged(mmlu_pro, "Meta-Llama-3_1-8B-Instruct", "Meta-Llama-3_1-70B-Instruct"):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < 0 < estimate.high


def test_real_unrelated_pairs_are_rarely_outside(mmlu_pro: dict[str, Side]) -> None:
    """All 65 pairs of models of different labs, each judged by the four other labs; the script has the other tables."""
    everyone = align_choices_with_gold(of_equals(*mmlu_pro.values()))
    accuracy, lineages = everyone.right.mean(axis=1), everyone.lineages
    for values in (pairwise_kappa(everyone), shared_wrong(everyone)):
        outside = []
        for i, j in combinations(range(len(lineages)), 2):
            if lineages[i] != lineages[j]:
                rest = [k for k, x in enumerate(lineages) if x not in (lineages[i], lineages[j])]
                rows = [i, j, *rest]
                made = pair_excess(
                    values[np.ix_(rows, rows)], accuracy[rows], [lineages[k] for k in rows]
                )
                outside.append(not made.low <= 0 <= made.high)
        assert len(outside) == 65
        assert sum(outside) <= 0.09 * 65
