"""CAPA, error consistency, top-1 agreement: against lm-sim 0.1.1, scikit-learn, and by hand."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from harness.metrics.capa import Capa, both_answered, capa, capa_parts
from harness.metrics.error_consistency import ErrorConsistency, error_consistency
from harness.metrics.top1_agreement import Top1Agreement, same_choice
from harness.panel.agreement import kappa_p
from harness.panel.choices import align_choices, one_hot
from harness.panel.side import Side
from harness.stats.intervals import evaluate
from harness.testing.panels import Sides, findings, of_equals
from harness.testing.sides import (
    chosen_side,
    graded_text_side,
    quiz_prompts,
    quiz_sides,
    scored_side,
)
from harness.types import Floats, Ints, Unavailable

RNG = np.random.default_rng(0)


def random_models(n: int, seed: int) -> tuple[Floats, Floats, Ints, Ints]:
    """Two models' probabilities (n, 10) over two to ten options, the right options, and how many there are."""
    rng = np.random.default_rng(seed)
    k = rng.integers(2, 11, n)
    both = rng.gamma(0.5, size=(2, n, 10)) * (np.arange(10) < k[:, None])
    both /= both.sum(axis=2, keepdims=True)
    return both[0], both[1], rng.integers(0, k), k


def ragged(probabilities: Floats, n_options: Ints) -> list[Floats]:
    """As lm-sim takes them: one array per prompt."""
    return [row[:k] for row, k in zip(probabilities, n_options, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_capa_equals_lm_sim_on_random_predictions(lm_sim: ModuleType, seed: int) -> None:
    first, second, gold, k = random_models(400, seed)
    expected = lm_sim.CAPA(prob=True).compute_k(ragged(first, k), ragged(second, k), gold.tolist())
    assert capa(first, second, gold, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_one_hot_capa_and_error_consistency_equal_lm_sim(lm_sim: ModuleType, seed: int) -> None:
    first, second, gold, k = random_models(400, seed)
    one, two = one_hot(first.argmax(axis=1), 10), one_hot(second.argmax(axis=1), 10)
    rows = (ragged(one, k), ragged(two, k), gold.tolist())
    assert capa(one, two, gold, k) == pytest.approx(
        lm_sim.CAPA(prob=False).compute_k(*rows), abs=1e-12
    )
    right = [(p.argmax(axis=1) == gold).astype(np.float64) for p in (one, two)]
    assert error_consistency(*right) == pytest.approx(lm_sim.EC().compute_k(*rows), abs=1e-12)


def test_error_consistency_is_cohens_kappa() -> None:
    from sklearn.metrics import cohen_kappa_score

    first, second = (RNG.random((2, 300)) < 0.6).astype(np.float64)
    assert error_consistency(first, second) == pytest.approx(
        cohen_kappa_score(first, second), abs=1e-12
    )


def test_capa_by_hand() -> None:
    # Both right on the first of two prompts with 3 and 5 options, different wrong options on the
    # second.
    first = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=np.float64)
    second = np.array([[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]], dtype=np.float64)
    # observed 1/2; expected .5 * .5 + (1/2 + 1/4) / 2 * .5 * .5 = .34375; (.5 - .34375) / .65625
    assert capa(first, second, np.array([0, 0]), np.array([3, 5])) == pytest.approx(
        0.15625 / 0.65625, abs=1e-15
    )


def test_combine_is_vectorised_and_says_nan_where_it_is_not_defined() -> None:
    means = np.array([[[0.5, 0.5, 0.5, 0.375], [1.0, 1.0, 1.0, 0.5]]])
    found = kappa_p(means)
    assert found.shape == (1, 2)
    assert found[0, 0] == pytest.approx(0.15625 / 0.65625)
    assert np.isnan(found[0, 1])


def test_the_plug_in_gives_the_value_of_the_arithmetic_from_log_probabilities() -> None:
    prompts = quiz_prompts(60)
    rows = [[RNG.normal(-3, 1, p.n_options or 0).tolist() for p in prompts] for _ in range(2)]
    student, teacher = scored_side("s", prompts, rows[0]), scored_side("t", prompts, rows[1])
    (found,) = findings(Capa("capa", "capa"), [Sides("quiz", student, teacher)], RNG)
    assert not isinstance(found.statistic, str)
    estimate = evaluate(found.statistic, RNG)
    observed = other = 0.0
    shares = [[np.exp(r) / np.exp(r).sum() for r in model] for model in rows]
    for p, a, b in zip(prompts, *shares, strict=True):
        observed += float(a @ b) / 60
        other += 1 / ((p.n_options or 0) - 1) / 60
    right = [
        float(np.mean([x[p.gold] for p, x in zip(prompts, model, strict=True)])) for model in shares
    ]
    expected = right[0] * right[1] + other * (1 - right[0]) * (1 - right[1])
    assert estimate.value == pytest.approx((observed - expected) / (1 - expected), abs=1e-12)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high
    assert estimate.n == 60


def test_unanswered_prompts_are_left_out_and_their_share_is_said() -> None:
    prompts = quiz_prompts(40)
    right = [p.gold for p in prompts]
    student: list[int | None] = [None if i < 10 else (g or 0) for i, g in enumerate(right)]
    teacher = [((p.gold or 0) + (i % 2)) % (p.n_options or 1) for i, p in enumerate(prompts)]
    one = Sides(
        "quiz", chosen_side("s", prompts, student), chosen_side("t", prompts, list(teacher))
    )
    for metric in (Capa("capa", "capa"), Top1Agreement("top1_agreement", "top1_agreement")):
        main, missing = findings(metric, [one], RNG)
        assert missing.name == "unanswered"
        values = [
            evaluate(f.statistic, RNG) for f in (main, missing) if not isinstance(f.statistic, str)
        ]
        assert [v.n for v in values] == [30, 40]
        assert values[1].value == 0.25
    # top-1: the teacher is right on every second prompt, the student on all
    assert values[0].value == 0.5


def test_too_few_answers_of_both_are_a_reason() -> None:
    prompts = quiz_prompts(40)
    half: list[int | None] = [0 if i < 15 else None for i in range(40)]
    one = Sides("quiz", chosen_side("s", prompts, half), chosen_side("t", prompts, [0] * 40))
    with pytest.raises(Unavailable, match=r"15 of 40 prompts .*at least 20"):
        findings(Capa("capa", "capa"), [one], RNG)
    with pytest.raises(Unavailable, match=r"15 of 40 prompts .*at least 20"):
        findings(Top1Agreement("t", "t"), [one], RNG)


def test_two_models_without_a_mistake_have_no_kappa() -> None:
    prompts = quiz_prompts(40)
    perfect = chosen_side("s", prompts, [p.gold for p in prompts])
    one = Sides("quiz", perfect, replace(perfect, model="t"))
    with pytest.raises(Unavailable, match="right on every prompt"):
        findings(Capa("capa", "capa"), [one], RNG)
    (found,) = findings(ErrorConsistency("e", "e"), [one], RNG)
    assert (
        found.statistic
        == "both models are right on every prompt, or wrong on every one: consistency is not defined"
    )


def test_partial_credit_has_no_error_consistency() -> None:
    student = graded_text_side("s", {"exact_match": np.linspace(0, 1, 30)})
    (found,) = findings(ErrorConsistency("e", "e"), [Sides("short", student, student)], RNG)
    assert found.statistic == "grades that are not just right or wrong"


def test_same_choice_by_hand() -> None:
    assert same_choice(np.array([0, 1, 2]), np.array([0, 2, 2])).tolist() == [1, 0, 1]


def test_a_student_that_copies_agrees_more_than_a_base_that_does_not() -> None:
    one = quiz_sides()
    assert one.base is not None
    values = []
    for student in (one.student, one.base):
        found = findings(Capa("capa", "capa"), [replace(one, student=student)], RNG)[0]
        assert not isinstance(found.statistic, str)
        values.append(evaluate(found.statistic, RNG))
    assert values[0].low is not None
    assert values[1].high is not None
    assert values[0].low > values[1].high


@pytest.mark.slow
def test_real_predictions_equal_lm_sim(lm_sim: ModuleType, mmlu_pro: dict[str, Side]) -> None:
    pair = [mmlu_pro["Meta-Llama-3_1-70B-Instruct"], mmlu_pro["Meta-Llama-3-70B"]]
    kept = both_answered(align_choices(of_equals(*pair)), 100)
    k, gold = kept.n_options, kept.gold
    rows = (ragged(kept.probabilities[0], k), ragged(kept.probabilities[1], k), gold.tolist())
    ours = kappa_p(capa_parts(kept.probabilities[0], kept.probabilities[1], gold, k).mean(axis=0))
    assert float(ours) == pytest.approx(lm_sim.CAPA(prob=True).compute_k(*rows), abs=1e-12)
    assert float(ours) == pytest.approx(lm_sim.CAPA(prob=False).compute_k(*rows), abs=1e-12)
    right = [kept.right[i].astype(np.float64) for i in range(2)]
    assert error_consistency(*right) == pytest.approx(lm_sim.EC().compute_k(*rows), abs=1e-12)
    found = findings(Capa("capa", "capa"), [Sides("mmlu_pro", pair[0], pair[1])], RNG)[0]
    assert not isinstance(found.statistic, str)
    assert evaluate(found.statistic, RNG).value == pytest.approx(float(ours), abs=1e-14)


def test_all_columns_of_agreement_have_one_rule_for_unanswered_prompts() -> None:
    """Every third answer of the student names no option: agreement is about the others, whatever the grade says."""
    prompts = quiz_prompts(120)
    rng = np.random.default_rng(4)
    student, teacher = ([int(rng.integers(p.n_options or 2)) for p in prompts] for _ in range(2))
    silent: list[int | None] = [None if i % 3 == 0 else c for i, c in enumerate(student)]
    one = Sides(
        "quiz",
        chosen_side("s", prompts, silent),
        chosen_side("t", prompts, list[int | None](teacher)),
    )
    said = {}
    for metric in (
        Capa("capa", "capa"),
        Top1Agreement("top1_agreement", "top1_agreement"),
        ErrorConsistency("error_consistency", "error_consistency"),
    ):
        main, missing = findings(metric, [one], RNG)
        assert not isinstance(main.statistic, str)
        assert not isinstance(missing.statistic, str)
        said[metric.name] = evaluate(main.statistic, RNG)
        assert said[metric.name].n == 80
        assert missing.name == "unanswered"
        assert evaluate(missing.statistic, RNG).value == pytest.approx(1 / 3)
    kept = [i for i in range(120) if i % 3]
    right = [np.array([float(c[i] == prompts[i].gold) for i in kept]) for c in (student, teacher)]
    expected = error_consistency(*right)
    assert said["error_consistency"].value == pytest.approx(expected, abs=1e-12)
