"""The classifier of style: its arithmetic against brute force and scikit-learn 1.9, its null, and known styles."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.style_classifier import (
    BITS,
    PENALTY,
    StyleClassifier,
    bands,
    half,
    jackknifed,
    ngram_points,
    separation,
    train,
)
from harness.stats.intervals import Estimate, evaluate
from harness.stats.resample import jackknife_interval
from harness.testing.panels import Sides, findings, written
from harness.testing.sides import text_side
from harness.types import Ratio, Unavailable
from tests.metrics.styled import BASE, TEACHER, THIRD, side, sides, texts

METRIC = StyleClassifier("style_classifier", "style_classifier")


def values(one: Sides) -> dict[str, Estimate | str]:
    """All that it says."""
    found = findings(METRIC, [one], np.random.default_rng(0))
    return {
        f.name: f.statistic
        if isinstance(f.statistic, str)
        else evaluate(f.statistic, np.random.default_rng(0))
        for f in found
    }


def value(one: Sides, name: str = "") -> float:
    """One of them."""
    estimate = values(one)[name]
    assert isinstance(estimate, Estimate)
    return estimate.value


def test_every_classifier_equals_one_fitted_on_the_remaining_rows() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(24, 6)).astype(np.float32) for _ in range(2))
    block = np.arange(24) % 4
    judge = train(half(first), second, block, refits=True)
    for k in range(4):
        for j in range(4):
            kept = (block != k) & (block != j)
            x = np.concatenate([first[kept], second[kept]]).astype(np.float64)
            y = np.repeat([1.0, -1.0], kept.sum())
            expected = np.linalg.solve(x.T @ x + PENALTY * np.eye(6), x.T @ y)
            np.testing.assert_allclose(judge.weights[k, j], expected, rtol=1e-4, atol=1e-5)
    alone = train(half(first), second, block, refits=False)
    np.testing.assert_allclose(
        alone.weights[:, 0], judge.weights[np.arange(4), np.arange(4)], rtol=1e-5, atol=1e-6
    )


def test_points_have_length_one_half_of_it_from_words() -> None:
    points = ngram_points(written(["Wash the pears, then cut them.", "", "two two"]))
    assert points.shape == (3, 2 << BITS)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), [1, 0, 1], atol=1e-6)
    words = np.linalg.norm(points[:, 1 << BITS :], axis=1)
    np.testing.assert_allclose(words**2, [0.5, 0, 0.5], atol=1e-6)
    # "two" twice, "two two" once: 1 + log of the counts, at length one half
    assert sorted(points[2, 1 << BITS :])[-2:] == pytest.approx(
        np.array([1, 1 + np.log(2)]) / np.hypot(1, 1 + np.log(2)) / np.sqrt(2)
    )


def test_separation_is_that_of_the_area_under_the_curve() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    # with ties
    first, second = np.round(rng.normal(0.4, 1, 60), 1), np.round(rng.normal(0, 1, 60), 1)
    expected = 2 * roc_auc_score(np.repeat([1, 0], 60), np.concatenate([first, second])) - 1
    assert separation(first, second).mean() == pytest.approx(expected, abs=1e-12)


def test_jackknifed_keeps_the_value_and_has_the_jackknife_interval() -> None:
    rng = np.random.default_rng(3)
    block = np.arange(60) % 6
    table = rng.normal(size=(60, 6)) + 2
    found = jackknifed(table, block)
    own = table[np.arange(60), block].mean()
    out = np.array([table[block != j, j].mean() for j in range(6)])
    expected = jackknife_interval(float(own), out, block)
    spread = found[[int(np.flatnonzero(block == k)[0]) for k in range(6)]].std(ddof=1) / np.sqrt(6)
    assert found.mean() == pytest.approx(own)
    # t(5), 97.5 %
    assert 2.570582 * spread == pytest.approx(expected.high - expected.value, rel=1e-6)


def test_texts_of_one_kind_cannot_be_told_apart() -> None:
    block, found = np.arange(120) % 20, []
    for i in range(10):
        points = [ngram_points(written(texts(TEACHER, 120, f"{m}{i}"))) for m in "ab"]
        judge = train(half(points[0]), points[1], block, refits=False)
        found.append(
            separation(judge.held_out(points[0])[:, 0], judge.held_out(points[1])[:, 0]).mean()
        )
    assert abs(np.mean(found)) < 0.06  # AUC within .03 of one half
    assert np.max(np.abs(found)) < 0.3


def test_topics_do_not_help() -> None:
    # Every prompt has words of its own. Were its replies in different folds, they would betray each
    # other.
    rng = random.Random(0)
    own = [[f"word{i}{rng.choice('abcdef')}" for _ in range(12)] for i in range(100)]
    made = [[" ".join(rng.sample(w, 8)) for w in own] for _ in range(2)]
    points = [ngram_points(written(t)) for t in made]
    judge = train(half(points[0]), points[1], np.arange(100) % 20, refits=False)
    assert (
        abs(separation(judge.held_out(points[0])[:, 0], judge.held_out(points[1])[:, 0]).mean())
        < 0.25
    )


def test_known_styles() -> None:
    assert value(sides(side("another", TEACHER))) == pytest.approx(1, abs=0.1)
    assert value(sides(side("another", BASE))) == pytest.approx(0, abs=0.1)
    assert value(sides(side("mixed", BASE, instead=TEACHER, share=0.4))) == pytest.approx(
        0.4, abs=0.12
    )
    # one line only: somewhere between, which the page says
    assert 0.2 < value(sides(side("third", THIRD))) < 0.8
    assert value(sides(side("third", THIRD)), "told_from_teacher") > 0.95
    assert abs(value(sides(side("another", TEACHER)), "told_from_teacher")) < 0.3
    assert value(sides(side("another", BASE)), "base_told_from_teacher") > 0.95


def test_length_only_sees_length_only() -> None:
    same_length = replace(TEACHER, per_sentence=BASE.per_sentence)
    found = value(sides(side("student", same_length)), "length_only")
    assert abs(found) < 0.15
    assert value(sides(side("student", same_length))) > 0.6


def test_second_sample_is_the_ceiling() -> None:
    one = sides(side("student", TEACHER))
    assert values(one)["second_sample_told_from_teacher"] == "no second sample of the teacher"
    twice = replace(one, ceiling=side("teacher again", TEACHER))
    assert abs(value(twice, "second_sample_told_from_teacher")) < 0.3
    assert value(twice) == pytest.approx(1, abs=0.1)


def test_short_replies_count_as_the_base() -> None:
    assert value(sides(text_side("silent", [""] * 120))) == 0


def test_teacher_and_base_alike_have_no_gap() -> None:
    one = sides(side("student", THIRD))
    alike = replace(one, base=one.teacher)
    statistic = findings(METRIC, [alike], np.random.default_rng(0))[0].statistic
    assert isinstance(statistic, Ratio)
    with pytest.raises(Unavailable, match="gap within noise"):
        evaluate(statistic, np.random.default_rng(0))


def test_too_few_prompts_are_a_reason() -> None:
    few = replace(sides(side("student", TEACHER, 4), 4), minimum=2)
    with pytest.raises(Unavailable, match="a classifier needs 5"):
        findings(METRIC, [few], np.random.default_rng(0))


def test_ratio_has_blocks_as_clusters() -> None:
    ratio = findings(METRIC, [sides(side("student", TEACHER))], np.random.default_rng(0))[
        0
    ].statistic
    assert isinstance(ratio, Ratio)
    assert len(set(ratio.strata[0].clusters)) == 20


def test_bands_by_hand() -> None:
    assert bands(np.array([0.0, 1.0, 2.0, 1e9]), 1.0, 3) == pytest.approx(
        np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 2 - np.log2(3), np.log2(3) - 1, 0], [0, 0, 0, 1]])
    )
