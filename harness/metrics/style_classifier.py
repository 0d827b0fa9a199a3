"""Style classifier: how far a linear classifier places the student's replies from the base's to the teacher's.

Ridge regression on n-grams of characters and words, teacher +1, base -1, scores held out by prompt: all models'
replies to a prompt lie in one fold, since otherwise the topic gives them away. z = held-out score, unclipped. Gap
recovered = mean(z_s - z_b) / mean(z_t - z_b), with the teacher's second sample as t where there is one. Interval:
delete-block jackknife with refitting, into Fieller's set. Distinguishability is 2 AUC - 1, never made a ratio. Source:
Sun et al. 2025, Idiosyncrasies in Large Language Models (there with a large encoder); AUC: DeLong et al. 1988.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.texts import Texts, align_texts, long_enough
from harness.panel.topics import Column
from harness.stats.resample import blocks, jackknife_pseudo_values
from harness.text.grams import Float32s, character_grams, word_grams, write_damped
from harness.types import (
    Finding,
    Floats,
    Ints,
    Mean,
    Ratio,
    RatioStratum,
    Statistic,
    Unavailable,
)

N_BLOCKS = 20  # folds, and blocks of the jackknife
PENALTY = 1.0  # of the ridge; rows have length 1
BITS = 11  # 2 ** 11 columns each for characters and for words
FEWEST_BLOCKS = 5


class Judge(NamedTuple):
    """Linear classifiers of two models, each trained without the prompts of some blocks."""

    weights: Float32s  # (K, J, D): [k, j] knows neither block k nor block j; [k, k] all but k
    block: Ints  # (P,) 0..K-1

    def held_out(self, points: Float32s) -> Floats:
        """Scores (P, J) of replies (P, D): column j from the classifier that knows neither the prompt nor block j."""
        scores = np.zeros((len(points), self.weights.shape[1]))
        for k in range(len(self.weights)):
            rows = self.block == k
            scores[rows] = points[rows] @ self.weights[k].T
        return scores


class Half(NamedTuple):
    """One of two classes, with what its classifiers against any other class share."""

    points: Float32s  # (P, D)
    inverse: Floats  # (P, P) of the Gram matrix plus the penalty


def half(points: Float32s) -> Half:
    """One class of points (P, D)."""
    return Half(points, _inverted(_gram(points)))


class _Inverse(NamedTuple):
    """Inverse of both classes' Gram matrix plus the penalty, in parts, from that of the first by Schur's complement.

    In blocks: first + carried across' | -carried; -carried' | second. The first of them is not needed as a whole.
    """

    first: Floats  # (P, P) the inverse of the first class alone
    across: Floats  # (P, P) that times the products of the classes' points
    second: Floats  # (P, P)
    carried: Floats  # (P, P) across times second

    def times(self, values: Floats) -> Floats:
        """The inverse times values (2P, C)."""
        upper, lower = np.split(values, 2)
        moved = self.carried @ (self.across.T @ upper - lower)
        return np.concatenate(
            [self.first @ upper + moved, self.second @ lower - self.carried.T @ upper]
        )

    def among(self, some: Ints) -> Floats:
        """The inverse (2S, 2S) between the rows of some prompts (S,), the first class's before the second's."""
        own = np.ix_(some, some)
        upper = self.first[own] + self.carried[some] @ self.across[some].T
        return np.block([[upper, -self.carried[own]], [-self.carried[own].T, self.second[own]]])


def train(positive: Half, negative: Float32s, block: Ints, refits: bool) -> Judge:
    """Ridge classifiers of positive against negative (P, D), one per block (P,), with `refits` one per two blocks.

    Left-out rows B of the dual solution a = A y, A = (X X' + penalty)^-1: a_rest = a - A_.B A_BB^-1 a_B, exactly. As
    A_.B is the columns B of A, this is A times y less A_BB^-1 a_B on B: A is not needed as a whole.
    """
    n, inverse = len(negative), _inverse(positive, negative)
    target = np.repeat([1.0, -1.0], n)
    dual = inverse.times(target[:, None])[:, 0]
    n_blocks = int(block.max()) + 1
    left = [(k, j) for k in range(n_blocks) for j in (range(k, n_blocks) if refits else (k,))]
    targets = np.repeat(target[:, None], len(left), axis=1)
    outs = list[Ints]()
    for column, blocks_out in enumerate(left):
        some = np.flatnonzero(np.isin(block, blocks_out))
        out = np.concatenate([some, n + some])
        targets[out, column] -= np.linalg.solve(inverse.among(some), dual[out])
        outs.append(out)
    rest = inverse.times(targets)
    duals = np.zeros((n_blocks, n_blocks if refits else 1, 2 * n), dtype=np.float32)
    for column, ((k, j), out) in enumerate(zip(left, outs, strict=True)):
        rest[out, column] = 0
        duals[k, j if refits else 0] = rest[:, column]
        if refits:
            duals[j, k] = rest[:, column]
    flat = duals.reshape(-1, 2 * n)
    weights = flat[:, :n] @ positive.points + flat[:, n:] @ negative
    return Judge(weights.reshape(n_blocks, duals.shape[1], -1), block)


def _gram(points: Float32s) -> Floats:
    gram = (points @ points.T).astype(np.float64)
    gram[np.diag_indices_from(gram)] += PENALTY
    return gram


def _inverted(symmetric: Floats) -> Floats:
    """The inverse of a positive definite matrix, in half the time of numpy's, which takes any matrix."""
    from scipy.linalg import lapack

    factor, fault = lapack.dpotrf(symmetric, lower=1)
    if fault:
        raise np.linalg.LinAlgError("not positive definite")
    half_of_it, _ = lapack.dpotri(factor, lower=1)
    lower = np.tril(half_of_it)
    return np.asarray(lower + np.tril(lower, -1).T)


def _inverse(first: Half, second: Float32s) -> _Inverse:
    products = (first.points @ second.T).astype(np.float64)
    across = first.inverse @ products
    own = _inverted(_gram(second) - products.T @ across)
    return _Inverse(first.inverse, across, own, across @ own)


def jackknifed(values: Floats, block: Ints) -> Floats:
    """Values (P,) with the mean of the full statistic and the spread of its delete-block jackknife.

    values (P, K): column j from the classifiers that do not know block j; the full statistic takes each prompt's own
    block.
    """
    own = values[np.arange(len(block)), block]
    out = np.array([values[block != j, j].mean() for j in range(values.shape[1])])
    pseudo = jackknife_pseudo_values(float(own.mean()), out, np.bincount(block))[block]
    return np.asarray(pseudo - pseudo.mean() + own.mean())


def separation(first: Floats, second: Floats) -> Floats:
    """Values (P,) whose mean is 2 AUC - 1 of scores (P,): 0 = cannot be told apart, 1 = always told apart.

    A value is that of the prompt's two replies among all others. Source: DeLong, DeLong and Clarke-Pearson 1988.
    """
    wins = _share_below(first, second)
    losses = 1 - _share_below(second, first)
    return np.asarray(2 * (wins + losses - wins.mean()) - 1)


def _share_below(values: Floats, others: Floats) -> Floats:
    """Share of `others` below each value, ties half."""
    ranked = np.sort(others)
    low, high = np.searchsorted(ranked, values, "left"), np.searchsorted(ranked, values, "right")
    return (low + high) / 2 / len(others)


@lru_cache(maxsize=24)  # 13 MB for 805 prompts
def ngram_points(texts: Texts) -> Float32s:
    """N-grams of 1 to 3 characters and 1 to 2 words (P, 2 ** 12); rows have length 1, or 0 where there is no text."""
    table = np.zeros((len(texts.texts), 2 << BITS), dtype=np.float32)
    length = float(np.sqrt(0.5))  # of each half
    write_damped(character_grams(texts.texts, 1, 3, BITS), table[:, : 1 << BITS], length)
    write_damped(word_grams(texts.reading, 1, 2, BITS), table[:, 1 << BITS :], length)
    return table


def bands(amounts: Floats, step: float, top: int) -> Floats:
    """Amounts (P,) >= 0 as weights (P, top + 1) over bands at log2(1 + amount) = 0, step, 2 step ...; rows sum to 1.

    An amount between two bands is shared among them in proportion; beyond the last it belongs to the last.
    """
    place = np.minimum(np.log2(1 + amounts) / step, top)
    low = np.minimum(place.astype(np.int64), top - 1)
    weights = np.zeros((len(amounts), top + 1))
    rows = np.arange(len(amounts))
    weights[rows, low] = 1 - (place - low)
    weights[rows, low + 1] = place - low
    return weights


@lru_cache(maxsize=160)
def length_points(texts: Texts) -> Float32s:
    """Vectors (P, 14) of length alone: the control that every other classifier has to beat."""
    return np.asarray(bands(texts.n_words.astype(np.float64), 1.0, 13), dtype=np.float32)


Space = Callable[[Texts], Float32s]


@lru_cache(maxsize=8)
def _judge(
    teacher: Texts, base: Texts, block: tuple[int, ...], space: Space, rows: tuple[int, ...]
) -> Judge:
    """Teacher against base, shared by all their students."""
    at = np.array(rows)
    return train(half(space(teacher)[at]), space(base)[at], np.array(block), refits=True)


class _Replies(NamedTuple):
    """Aligned replies after the length gate."""

    student: Texts
    base: Texts
    teacher: Texts
    second: Texts | None
    rows: Ints  # (R,)
    short: Ints  # (R,) 1 = the student's reply is under the gate
    block: Ints  # (R,)
    prompts: tuple[str, ...]  # (R,)
    clusters: tuple[str, ...]  # (R,)


@dataclass(frozen=True)
class StyleClassifier(AbstractMetric):
    """Gap recovered on the axis along which teacher and base differ most, and which models can be told apart."""

    # words; a teacher's shorter reply drops the prompt, a student's counts as the base's level
    shortest: int = 3

    unit = "gap recovered"
    better = "higher"
    looks_at = Looks((View.STYLE,), needs=("teacher", "base"), also=("second",))
    explanation = (
        "A classifier learns to tell teacher from base by n-grams and then sees the student: 0 = the base, 1 = the "
        "teacher. It looks along one line only, so a style of its own may land anywhere on it: compare with the "
        "controls. length_only is the same with nothing but the length; style that is more than length lies above "
        "it. told_from_teacher: how well a classifier made for it tells the student from the teacher (0 = not at "
        "all, 1 = always); beside it the same for the base and for the teacher's own second sample."
    )
    leaderboard = (Column(5, "Style classifier", "of the gap", from_base=True),)

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The gap recovered by n-grams and by length alone, and three distinguishabilities."""
        replies, unit = self._replies(panels[0]), panels[0].gap_unit
        gaps = [
            Finding(_gap(replies, space), name, unit=unit)
            for name, space in (("", ngram_points), ("length_only", length_points))
        ]
        return [*gaps, *_told_apart(replies)]

    def _replies(self, panel: Panel) -> _Replies:
        everyone = align_texts(panel)
        rows = long_enough(everyone, self.shortest, panel.minimum)
        some = everyone.some(rows)
        short = (everyone["student"].n_words[rows] < self.shortest).astype(np.int64)
        return _Replies(
            everyone["student"],
            everyone["base"],
            everyone["teacher"],
            everyone.get("second"),
            rows,
            short,
            independent_blocks(some.clusters),
            some.ids,
            some.clusters,
        )


def independent_blocks(clusters: tuple[str, ...]) -> Ints:
    """Blocks (P,) of prompts for the classifiers; raises Unavailable where there are too few independent ones."""
    block = blocks(clusters, N_BLOCKS, 0)
    n = int(block.max()) + 1
    if n < FEWEST_BLOCKS:
        raise Unavailable(f"{n} independent prompts; a classifier needs {FEWEST_BLOCKS} or more")
    return block


def _gap(replies: _Replies, space: Space) -> Ratio:
    """mean(z_s - z_b) over mean(z_t - z_b); blocks of the jackknife are the clusters."""
    at = tuple(replies.rows.tolist())
    judge = _judge(replies.teacher, replies.base, tuple(replies.block.tolist()), space, at)
    base, teacher, student = (
        judge.held_out(space(texts)[replies.rows])
        for texts in (replies.base, replies.second or replies.teacher, replies.student)
    )
    moved = np.where(replies.short[:, None] == 1, 0.0, student - base)
    values = [jackknifed(x, replies.block) for x in (moved, teacher - base)]
    return Ratio(
        (
            RatioStratum(
                values[0], values[1], replies.prompts, tuple(f"block {k}" for k in replies.block)
            ),
        )
    )


def _told_apart(replies: _Replies) -> list[Finding]:
    """2 AUC - 1 of the teacher against student, base, and its own second sample."""
    against: dict[str, Texts | None] = {
        "student": replies.student,
        "base": replies.base,
        "second_sample": replies.second,
    }
    names = {
        "student": "told_from_teacher",
        "base": "base_told_from_teacher",
        "second_sample": "second_sample_told_from_teacher",
    }
    unit = "2 AUC - 1"
    entries = []
    for role, texts in against.items():
        statistic: Statistic | str = reasons.NO_SECOND
        if texts is not None:
            values = _separation(
                replies.teacher, texts, tuple(replies.block.tolist()), tuple(replies.rows.tolist())
            )
            statistic = Mean(values, replies.prompts, replies.clusters)
        entries.append(Finding(statistic, names[role], unit=unit, better="lower"))
    return entries


@lru_cache(maxsize=64)
def _separation(
    teacher: Texts, other: Texts, block: tuple[int, ...], rows: tuple[int, ...]
) -> Floats:
    taught, points = _half(teacher, rows), ngram_points(other)[np.array(rows)]
    judge = train(taught, points, np.array(block), refits=False)
    return separation(judge.held_out(taught.points)[:, 0], judge.held_out(points)[:, 0])


@lru_cache(maxsize=2)
def _half(teacher: Texts, rows: tuple[int, ...]) -> Half:
    """The teacher's side of the classifiers against all its students."""
    return half(ngram_points(teacher)[np.array(rows)])
