"""Same-prompt similarity against brute force, and what it says of copies."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.ngram_similarity import BITS, SIZES, NgramSimilarity
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import text_side
from harness.text.grams import word_grams
from harness.text.likeness import similarity
from harness.text.segment import read, words
from harness.types import Floats, Unavailable
from tests.metrics.styled import BASE, TEACHER, side, sides, texts

METRIC = NgramSimilarity("ngram_similarity", "ngram_similarity")


def brute(first: list[str], second: list[str]) -> Floats:
    """Cosines (P, P) of 1 + log counts of pairs and triples of words."""

    def vector(text: str) -> dict[tuple[str, ...], float]:
        w = words(text)
        counts = Counter(tuple(w[i : i + n]) for n in (2, 3) for i in range(len(w) - n + 1))
        return {k: 1 + np.log(v) for k, v in counts.items()}

    def cosine(a: dict[tuple[str, ...], float], b: dict[tuple[str, ...], float]) -> float:
        if not a or not b:
            return 0.0
        norms = np.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
        return float(sum(x * b.get(k, 0.0) for k, x in a.items()) / norms)

    return np.array([[cosine(vector(a), vector(b)) for b in second] for a in first])


def said(one: Sides) -> dict[str, Estimate | str]:
    """Values and reasons by name."""
    return {
        f.name: f.statistic
        if isinstance(f.statistic, str)
        else evaluate(f.statistic, np.random.default_rng(0))
        for f in findings(METRIC, [one], np.random.default_rng(0))
    }


def value(entry: Estimate | str) -> float:
    """Its value; fails with the reason."""
    assert isinstance(entry, Estimate), entry
    return entry.value


def test_similarity_by_brute_force() -> None:
    first, second = [*texts(TEACHER, 11, "a"), ""], texts(BASE, 12, "b")
    table = brute(first, second)
    found = similarity(*(word_grams(read(tuple(t)), *SIZES, BITS) for t in (first, second)))
    np.testing.assert_allclose(found.total, np.diag(table), atol=1e-9)
    others = table[~np.eye(12, dtype=bool)].mean()
    assert found.apart.mean() == pytest.approx(others, abs=1e-9)
    assert found.content.mean() == pytest.approx(np.diag(table).mean() - others, abs=1e-9)
    rows = (table.sum(1) + table.sum(0) - 2 * np.diag(table)) / 11
    np.testing.assert_allclose(found.apart, rows - others, atol=1e-9)


def test_a_copy_is_alike_in_content_and_a_shuffled_copy_is_not() -> None:
    one = sides(side("student", TEACHER))
    taught = texts(TEACHER, 120, "teacher")
    copy, turned = (
        said(replace(one, student=text_side("s", t))) for t in (taught, [*taught[7:], *taught[:7]])
    )
    assert value(copy[""]) == pytest.approx(1)
    assert abs(value(turned["content"])) < 0.02
    # what is left of a copy is what all of the teacher's replies share
    assert value(copy["content"]) == pytest.approx(1 - value(turned[""]), abs=0.02)


def test_parts_of_a_pair_with_and_without_a_base() -> None:
    one = sides(side("student", TEACHER))
    own = {"", "content"}
    assert set(said(one)) == {*own, "above_base", "content_above_base", "gap"}
    assert set(said(replace(one, base=None))) == own


def test_gap_needs_a_second_sample() -> None:
    one = sides(side("student", TEACHER))
    assert "no second sample" in str(said(one)["gap"])
    assert value(said(one)["above_base"]) > 0.1
    again = replace(one, ceiling=side("again", TEACHER))
    assert value(said(again)["gap"]) == pytest.approx(1, abs=0.1)
    other = replace(again, ceiling_kind="other_version")
    assert value(said(other)[""]) == value(said(one)[""])  # another version is no second teacher
    assert value(said(other)["gap"]) == pytest.approx(1, abs=0.1)
    assert "gap" not in said(replace(one, base=None))


def test_replies_without_words() -> None:
    one = sides(text_side("silent", ["?!"] * 120))
    assert value(said(one)[""]) == 0
    with pytest.raises(Unavailable, match="reply has two words or more"):
        findings(
            METRIC, [replace(one, teacher=text_side("t", [""] * 120))], np.random.default_rng(0)
        )
