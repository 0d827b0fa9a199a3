"""What is counted of replies, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.angles import Cohort
from harness.stats.mixture import FLOOR, PART, mixture_gains
from harness.text import habits
from harness.text.corpus import Corpus, Replies, gather
from harness.text.tokens import read_tokens


def corpus(**texts: list[str]) -> Corpus:
    """Replies of models to two prompts."""
    ids = ("p0", "p1")
    replies = {name: Replies(ids, read_tokens(some)) for name, some in texts.items()}
    return gather(replies, Replies(ids, read_tokens(["what is red", "go"])))


MADE = corpus(a=["red red fox ran", "fox"], b=["fox ran", "ran fox fox"], c=["zebra", ""])


def word(name: str) -> int:
    return MADE.words.index(name)


def test_rows_are_replies_by_prompt_and_model() -> None:
    counts = habits.word_counts(MADE).toarray()
    assert counts[0, [word("red"), word("fox"), word("ran")]].tolist() == [2, 1, 1]
    assert counts[4, [word("ran"), word("fox")]].tolist() == [1, 2]
    assert counts[5].sum() == 0
    assert MADE.lengths.tolist() == [[4, 2, 1], [1, 3, 0]]


def test_words_are_ranked_by_the_backgrounds_replies_and_ties_by_the_alphabet() -> None:
    order = habits.ranked(habits.word_counts(MADE), MADE, np.array([0, 1]))
    assert [MADE.words[i] for i in order] == ["fox", "ran", "red"]
    alone = habits.ranked(habits.word_counts(MADE), MADE, np.array([0]))
    assert [MADE.words[i] for i in alone] == ["fox", "ran", "red"]


def test_rates_are_roots_of_shares() -> None:
    counts = habits.word_counts(MADE)
    rates = habits.word_rates(counts, MADE, np.array([word("fox"), word("red")])).toarray()
    assert rates[0] == pytest.approx([0.5, np.sqrt(0.5)])
    assert rates[4] == pytest.approx([np.sqrt(2 / 3), 0])


def test_openings_by_hand() -> None:
    """a: red, fox, ran; red red, red fox, fox ran; begins red, red red, red red fox. Each once a reply."""
    made = habits.openings(MADE, np.array([0]))
    assert made.toarray()[0].sum() == 9
    assert made.shape[1] == 9 + 1  # and "begins with fox", of the other reply
    assert made.toarray()[3].tolist().count(1.0) == 2
    assert made.toarray()[1].sum() == 3 + 1  # fox, ran, fox ran; and "begins with fox"


def test_shares_leave_out_what_stands_in_the_prompt() -> None:
    """ "red" stands in the first prompt; an item of one model alone tells nothing of others."""
    made = habits.shares(MADE, 1)
    assert made.values.toarray() == pytest.approx(
        np.array([[1 / 2, 1 / 2, 0], [1 / 2, 1 / 2, 0], [1, 2 / 3, 0]])
    )
    assert made.answered.tolist() == [2, 2, 1]


def test_pairs_are_neighbours_in_a_reply() -> None:
    made = habits.shares(MADE, 2)
    assert made.values.toarray() == pytest.approx(np.array([[1 / 3, 1, 0]]))
    assert made.answered.tolist() == [1, 2, 0]


def test_the_gain_of_a_mixture_by_hand() -> None:
    """How much better b tells what a said than the cohort (c and a second b) does: per item, then over two prompts."""
    cohort = Cohort(np.array([1, 2]), np.array([0.5, 0.5]), 2)
    shares, nobody = habits.shares(MADE, 1), np.array([], dtype=np.int64)
    (made,) = mixture_gains(shares, 0, [cohort], [nobody])

    def gain(share: float, crowd: float) -> float:
        return float(np.log(1 - PART + PART * share / (crowd + FLOOR)))

    first = (gain(1 / 2, 1 / 4) + gain(1 / 2, 1 / 4)) / 2
    assert made[1] == pytest.approx((first + gain(2 / 3, 1 / 3)) / 2)
    assert made[2] == pytest.approx(np.log(1 - PART))
    assert np.isnan(made[0])
    (beside,) = mixture_gains(shares, 0, [cohort], [np.array([0])])
    assert beside[1:].tolist() == made[1:].tolist()
    assert beside[0] > 0
