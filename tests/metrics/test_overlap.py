"""Overlap with training data: shares and both scores by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.overlap import Overlap, score_gain
from harness.panel.side import Side
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import graded_text_side, text_side
from harness.types import Finding, Seen, Unavailable

RNG = np.random.default_rng(0)
OVERLAP = Overlap("overlap", "overlap")


def trained_side(n: int = 100, dirty: int = 30) -> Side:
    """A model that is right on the first 60 prompts and was trained on the first 30, 10 of them word for word."""
    side = graded_text_side("m", {"exact_match": (np.arange(n) < 60).astype(float)})
    ids = [p.id for p in side.requests.prompts]
    return replace(side, seen={ids[i]: Seen(i < 10, 1.0 if i < 10 else 0.25) for i in range(dirty)})


def found(measure: Overlap, side: Side, minimum: int = 20) -> dict[str, Finding]:
    return {f.name: f for f in findings(measure, [Sides("short", side, minimum=minimum)], RNG)}


def value(entry: Finding) -> Estimate:
    assert not isinstance(entry.statistic, str), entry.statistic
    return evaluate(entry.statistic, np.random.default_rng(0))


def test_shares_and_scores_by_hand() -> None:
    entries = found(OVERLAP, trained_side())
    numbers = {name: value(entry).value for name, entry in entries.items()}
    assert numbers == pytest.approx(
        {"exact": 0.1, "ngram": 0.3, "all": 0.6, "clean": 30 / 70, "gain": 0.6 - 30 / 70}
    )
    assert value(entries["clean"]).n == 70
    gain = value(entries["gain"])
    assert gain.low is not None
    assert gain.low > 0


def test_the_interval_of_the_gain_is_that_of_its_linearisation() -> None:
    side = trained_side()
    assert side.grades is not None
    right = side.grades.columns[0].value
    clean = (np.arange(100) >= 30).astype(float)
    # Delta method: x - mean(x), minus (c x - r c) / mean(c) with r the clean score
    parts = (right - right.mean()) - (clean * right - 30 / 70 * clean) / clean.mean()
    half = 1.984 * parts.std(ddof=1) / 10
    gain = value(found(OVERLAP, side)["gain"])
    assert gain.low is not None
    assert gain.high is not None
    assert (gain.high - gain.low) / 2 == pytest.approx(half, rel=0.08)


def test_a_larger_least_share_leaves_less_overlap() -> None:
    entries = found(Overlap("overlap", "overlap", least=0.5), trained_side())
    assert value(entries["ngram"]).value == pytest.approx(0.1)
    assert value(entries["clean"]).value == pytest.approx(50 / 90)


def test_nothing_seen_is_zero_and_no_gain() -> None:
    entries = found(OVERLAP, replace(trained_side(), seen={}))
    assert value(entries["exact"]).value == value(entries["ngram"]).value == 0
    assert value(entries["clean"]).value == value(entries["all"]).value
    assert "both scores are the same" in str(entries["gain"].statistic)


def test_too_few_clean_prompts_is_a_reason() -> None:
    entries = found(OVERLAP, trained_side(dirty=95))
    assert (
        entries["clean"].statistic
        == "5 of 100 graded prompts do not overlap with the training data; at least 20 are needed"
    )
    assert value(entries["all"]).value == 0.6


def test_open_ended_tasks_have_shares_alone_and_models_without_training_data_a_reason() -> None:
    side = text_side("m", ["x"] * 30)
    assert list(
        found(OVERLAP, replace(side, seen={side.requests.prompts[0].id: Seen(True, 1.0)}))
    ) == [
        "exact",
        "ngram",
    ]
    with pytest.raises(Unavailable, match="no training data is named"):
        found(OVERLAP, side)


def test_gain_without_clean_prompts_is_no_number() -> None:
    assert np.isnan(score_gain(np.array([0.5, 0.0, 0.0])))
