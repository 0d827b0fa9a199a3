"""Error inheritance and excess agreement: against loops, planted truth, and recorded predictions of real models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.capa import both_answered, capa
from harness.metrics.capa_excess import (
    CapaExcess,
    UnrelatedPairs,
    agreement_of,
    excess_agreement,
    pairs_apart,
    pairwise_kappa,
)
from harness.metrics.error_inheritance import ErrorInheritance, inheritance, lineage_excess
from harness.panel.choices import AlignedChoices, align_choices, align_choices_with_gold
from harness.panel.side import Side
from harness.stats.controls import prediction_interval_regression, regression_p
from harness.stats.intervals import Estimate, evaluate
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
    assert found.excess == pytest.approx((1 / 3 - 1 / 2 + 1 / 2) / 3)


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


def test_planted_copying_is_found_and_a_stranger_is_not() -> None:
    one = quiz_sides(1500)
    taught = estimates(findings(INHERITANCE, [one], RNG))["excess_vs_controls"]
    assert one.base is not None
    stranger = estimates(findings(INHERITANCE, [replace(one, student=one.base)], RNG))[
        "excess_vs_controls"
    ]
    assert taught.low is not None
    assert stranger.low is not None
    assert taught.low > 0
    assert stranger.low < 0
    assert (taught.level, taught.n) == ("models", 8)


def test_siblings_count_once_and_a_control_is_not_judged_by_its_own_lab() -> None:
    one = quiz_sides(1500)
    everyone = align_choices_with_gold(one.panel(INHERITANCE.looks_at))
    points = lineage_excess(everyone)
    assert points.accuracies.shape == (8, 1)
    siblings = [c for c in everyone.controls if everyone.lineages[c] == "lab7"]
    assert len(siblings) == 3
    crowd = [c for c in everyone.controls if everyone.lineages[c] != "lab7"]
    by_loops = []
    for sibling in siblings:
        shared, expected, _ = looped(everyone, sibling, crowd)
        by_loops.append(shared - expected)
    assert points.excesses[-1] == pytest.approx(float(np.mean(by_loops)), abs=1e-12)


def test_reasons_of_error_inheritance() -> None:
    one = quiz_sides()
    few = {
        f.name: f.statistic
        for f in findings(INHERITANCE, [replace(one, controls=one.controls[:5])], RNG)
    }
    assert not isinstance(few["shared_wrong"], str)
    for name in ("expected", "excess", "excess_vs_controls"):
        assert (
            few[name]
            == "5 controls of other lineages that answered nine in ten of the prompts; at least 6 are needed"
        )
    alike = tuple(replace(c, lineage=f"lab{i % 3}") for i, c in enumerate(one.controls))
    same_labs = {
        f.name: f.statistic for f in findings(INHERITANCE, [replace(one, controls=alike)], RNG)
    }
    assert not isinstance(same_labs["excess"], str)
    assert str(same_labs["excess_vs_controls"]).startswith("3 control lineages")
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


def test_excess_agreement_is_what_a_line_leaves() -> None:
    accuracies = np.sort(RNG.uniform(0.2, 0.8, (12, 2)), axis=1)
    kappas = 0.1 + accuracies @ np.array([0.3, 0.05]) + RNG.normal(0, 0.01, 12)
    pairs = UnrelatedPairs(accuracies, kappas, np.ones(12))
    found = excess_agreement(0.5, np.array([0.6, 0.4]), pairs)
    weights, *_ = np.linalg.lstsq(np.column_stack([np.ones(12), accuracies]), kappas, rcond=None)
    assert found.value == pytest.approx(0.5 - weights @ np.array([1, 0.4, 0.6]), abs=1e-12)
    assert found.value - found.low == pytest.approx(found.high - found.value, abs=1e-12)


def test_pairs_of_the_same_two_lineages_weigh_as_one() -> None:
    """A row that stands twice at half the weight says what it says once."""
    accuracies = np.sort(RNG.uniform(0.2, 0.8, (12, 2)), axis=1)
    kappas = 0.1 + accuracies @ np.array([0.3, 0.05]) + RNG.normal(0, 0.01, 12)
    once = UnrelatedPairs(accuracies, kappas, np.ones(12))
    twice = UnrelatedPairs(
        np.concatenate([accuracies, accuracies[:3]]),
        np.concatenate([kappas, kappas[:3]]),
        np.array([0.5] * 3 + [1.0] * 9 + [0.5] * 3),
    )
    at = np.array([0.6, 0.4])
    assert excess_agreement(0.5, at, twice) == pytest.approx(excess_agreement(0.5, at, once))
    one = quiz_sides(200)
    alike = tuple(replace(c, lineage=f"lab{i // 2}") for i, c in enumerate(one.controls))
    everyone = align_choices(of_equals(*alike))
    pairs = agreement_of(everyone, pairs_apart(everyone.lineages))
    assert len(pairs.kappas) == 40
    assert pairs.weights.tolist() == [0.25] * 40  # five lineages of two: ten pairs of lineages


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
    assert (taught.level, taught.n) == (
        "models",
        9,
    )  # eight labs of controls and the one other model that states its own


def test_too_few_unrelated_pairs_are_a_reason() -> None:
    one = quiz_sides(60)
    with pytest.raises(Unavailable, match=r"6 pairs of unrelated lineages; at least 8 are needed"):
        # three pairs, three with the teacher
        findings(EXCESS, [replace(one, controls=one.controls[:3], others=())], RNG)


def test_the_student_and_models_of_unknown_lineage_are_in_no_pair() -> None:
    one = quiz_sides(60)
    both = {f"m{i}": replace(one.controls[i], model=f"m{i}", lineage=f"m{i}") for i in range(4)}
    with pytest.raises(Unavailable, match=r"^6 pairs"):
        findings(
            EXCESS, [replace(one, controls=one.controls[:3], others=tuple(both.values()))], RNG
        )
    known = tuple(replace(s, lineage=f"lab of {s.model}") for s in list(both.values())[:1])
    # A fourth model makes three more pairs, none of them with the teacher, who might have taught
    # it.
    found = findings(EXCESS, [replace(one, controls=one.controls[:3], others=known)], RNG)
    assert isinstance(found[0].statistic, Given)
    assert found[0].statistic.n == 4


def test_pairwise_kappa_is_capa_of_every_pair() -> None:
    one = quiz_sides(300)
    models = (one.student, *one.controls[:4])
    kappas = pairwise_kappa(align_choices(of_equals(*models)))
    for i, first in enumerate(models):
        for j, second in enumerate(models):
            pair = both_answered(align_choices(of_equals(first, second)), 1)
            expected = capa(pair.probabilities[0], pair.probabilities[1], pair.gold, pair.n_options)
            assert kappas[i, j] == pytest.approx(expected, abs=1e-12)


def test_pairs_are_of_different_lineages_and_need_answers() -> None:
    assert pairs_apart(["a", "b", "a"]) == [(0, 1), (1, 2)]
    prompts = quiz_prompts(200)
    nulls: Choices = [None] * 200
    sides = [chosen_side(m, prompts, drawn_choices(m, prompts, 0.5)) for m in "xy"]
    choices = align_choices(of_equals(*sides, chosen_side("silent", prompts, nulls)))
    assert len(agreement_of(choices, [(0, 1), (0, 2), (1, 2)]).kappas) == 1


# --- real models: 13 recorded models on 11,999 questions --------------------------------------------------------------

# Known .19 and .14 where relatives are a reference too; without them .17 and .14.
RELATED = [("Meta-Llama-3_1-8B", "Meta-Llama-3-8B", 0.17), ("Yi-6b-Chat", "Yi-6B", 0.14)]


@pytest.mark.parametrize(("student", "teacher", "known"), RELATED)
def test_real_relatives_agree_and_err_alike(
    mmlu_pro: dict[str, Side], student: str, teacher: str, known: float
) -> None:
    one = of_pair(mmlu_pro, student, teacher)
    excess = estimates(findings(EXCESS, [one], RNG))[""]
    assert excess.value == pytest.approx(known, abs=0.02)
    assert excess.low is not None
    assert excess.low > 0
    errors = estimates(findings(INHERITANCE, [one], RNG))
    judged = errors["excess_vs_controls"]
    assert judged.low is not None
    assert judged.low > 0
    assert (judged.level, judged.n) == ("models", 5)
    assert (
        errors["uniform_chance"].value
        < 0.2
        < errors["expected"].value
        < errors["shared_wrong"].value
    )


def test_real_siblings_without_distillation_show_no_inherited_errors(
    mmlu_pro: dict[str, Side],
) -> None:
    one = of_pair(mmlu_pro, "Meta-Llama-3_1-8B-Instruct", "Meta-Llama-3_1-70B-Instruct")
    judged = estimates(findings(INHERITANCE, [one], RNG))["excess_vs_controls"]
    assert judged.low is not None
    assert judged.high is not None
    assert judged.low < 0 < judged.high
    # With every control a point of its own the one-sided p-value is .59; the known .60 had one vote per model, and not
    # per lineage, for what is expected.
    everyone = align_choices_with_gold(one.panel(INHERITANCE.looks_at))
    assert len(lineage_excess(everyone).excesses) == 5
    lineages, each = everyone.lineages, []
    for c in everyone.controls:
        crowd = [k for k in everyone.controls if lineages[k] != lineages[c]]
        each.append(inheritance(everyone.chosen, everyone.wrong, c, crowd, lineages).excess)
    accuracy = everyone.right.mean(axis=1)
    prediction = prediction_interval_regression(accuracy[2:, None], np.array(each), accuracy[:1])
    mine = inheritance(everyone.chosen, everyone.wrong, 0, everyone.controls, lineages).excess
    assert regression_p(mine, prediction).p == pytest.approx(0.586, abs=0.005)


def test_real_unrelated_pairs_lie_about_a_line(mmlu_pro: dict[str, Side]) -> None:
    sides = [mmlu_pro[name] for name in sorted(mmlu_pro)]
    pairs = agreement_of(align_choices(of_equals(*sides)), pairs_apart([s.lineage for s in sides]))
    design = np.column_stack([np.ones(len(pairs.kappas)), pairs.accuracies])
    weights, *_ = np.linalg.lstsq(design, pairs.kappas, rcond=None)
    residuals = pairs.kappas - design @ weights
    assert len(residuals) == 65
    assert float(np.sqrt(residuals @ residuals / 62)) == pytest.approx(0.022, abs=0.001)
    assert float(residuals.max()) == pytest.approx(0.07, abs=0.005)
