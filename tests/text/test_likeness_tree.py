"""The tree of models: by hand, and beside scipy's own heights."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.testing.crowds import crowd
from harness.text.corpus import Corpus, gather
from harness.text.likeness_tree import Branch, _joined, distances, likeness_tree, newick
from harness.types import Unavailable


def corpus(n_prompts: int = 30, students: int = 3) -> Corpus:
    everyone, _ = crowd(n_students=students, n_controls=4, n_prompts=n_prompts)
    return gather({m: everyone.replies(m) for m in everyone.sides}, everyone.asked())


def grown(one: Corpus, seed: int = 1) -> list[Branch]:
    background = one.place([m for m in one.models if "-v" not in m])
    return likeness_tree(one, background, np.random.default_rng(seed))


def test_average_linkage_by_hand() -> None:
    apart = np.array([[0, 2, 6, 10], [2, 0, 8, 10], [6, 8, 0, 12], [10, 10, 12, 0.0]])
    assert _joined(apart) == [
        (frozenset({0, 1}), 2.0),
        (frozenset({0, 1, 2}), 7.0),
        (frozenset({0, 1, 2, 3}), pytest.approx(32 / 3)),
    ]


def test_distances_are_those_of_pairs_of_different_prompts() -> None:
    values = np.random.default_rng(3).normal(1, 1, (4, 3, 5)).astype(np.float32)
    drawn = [0, 0, 2, 3, 3, 3]
    products = np.zeros((3, 3))
    for p in drawn:
        for q in drawn:
            products += 0 if p == q else values[p] @ values[q].T
    sizes = np.sqrt(np.maximum(np.diag(products), np.median(np.diag(products)) / 4))
    weights = np.array([np.ones(4), np.bincount(drawn, minlength=4)])
    _, own = distances(values, weights)
    assert own == pytest.approx(1 - np.clip(products / np.outer(sizes, sizes), -1, 1), abs=1e-5)


def test_newick_by_hand() -> None:
    branches = [
        Branch(("a", "b-1"), 0.2, 0.97),
        Branch(("c", "it's"), 0.4, 0.5),
        Branch(("a", "b-1", "c", "it's"), 1.0, 1.0),
    ]
    assert newick(branches) == (
        "((a:0.1000,'b-1':0.1000)97:0.4000,(c:0.2000,'it''s':0.2000)50:0.3000);"
    )


def test_versions_of_one_writer_are_joined_surely_and_first() -> None:
    branches = {b.models: b for b in grown(corpus())}
    for family in ("one", "two"):
        assert branches[f"{family}-v1", f"{family}-v2"].support > 0.7
    assert len(branches) == len(corpus().models) - 1
    assert max(branches.values(), key=lambda b: b.height).models == corpus().models


def test_every_model_stands_in_the_tree_once() -> None:
    one = corpus()
    text = newick(grown(one))
    assert sorted(re.findall(r"'([^']+)'", text)) == sorted(one.models)
    assert text.count("(") == len(one.models) - 1


def test_the_same_seed_gives_the_same_tree() -> None:
    one = corpus(students=2)
    assert grown(one) == grown(one)


def test_a_branch_that_hangs_on_few_prompts_has_little_support() -> None:
    assert min(b.support for b in grown(corpus(n_prompts=20))) < 0.5


def test_too_few_replies_are_said() -> None:
    with pytest.raises(Unavailable, match="0 models with 20 replies or more; a tree takes 3"):
        grown(corpus(n_prompts=19))
