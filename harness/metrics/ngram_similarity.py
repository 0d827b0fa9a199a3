"""Same-prompt n-gram similarity: how much of the wording two models share, split into what is said and how.

Cosine of the n-gram vectors (1 + log count, one to three words) of two replies. The mean over replies to *different* prompts
is what their manner alone gives (style); the rest is agreement about the content of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from harness.align import AlignedTexts, align_texts
from harness.metrics._style import GAP_UNIT, gated, required
from harness.plugins import AbstractMetric
from harness.stats.means import require_spread
from harness.textstyle import read
from harness.textstyle_grams import Sparse, word_grams
from harness.types import Better, Floats, Found, Ints, Mean, Ratio, RatioStratum, Sides, Statistic

SIZES = (1, 3)  # words
BITS = 20  # 2 ** 20 columns: two replies of 500 n-grams share a column by accident every fourth time


class Similarity(NamedTuple):
    """Similarity of two models' replies, prompt by prompt."""

    total: Floats  # (P,) to the same prompt, in [0, 1]
    style: Floats  # (P,) pseudo-values whose mean is the similarity of replies to different prompts

    @property
    def content(self) -> Floats:
        """Pseudo-values (P,) of the rest."""
        return self.total - self.style


def similarity(first: Sparse, second: Sparse) -> Similarity:
    """Similarity of replies given as rows of counts; P >= 2. A reply without words is like nothing.

    style: a_i = mean over j != i of k(first_i, second_j), b_i the other way round; a_i + b_i - mean is the first-order
    pseudo-value of the mean over all pairs i != j, which is computed exactly.
    """
    one, two = _unit_rows(first), _unit_rows(second)
    n = first.shape[0]
    total = _row_products(one, two)
    forth = (_against_sum(one, two) - total) / (n - 1)
    back = (_against_sum(two, one) - total) / (n - 1)
    return Similarity(total, forth + back - (forth.mean() + back.mean()) / 2)


def _unit_rows(counts: Sparse) -> Sparse:
    values = 1 + np.log(counts.values)
    norms = np.sqrt(np.bincount(counts.rows, weights=values * values, minlength=counts.shape[0]))
    return counts._replace(values=values / norms[counts.rows])


def _row_products(one: Sparse, two: Sparse) -> Floats:
    """Products (P,) of equal rows."""
    first, second = (s.rows * s.shape[1] + s.columns for s in (one, two))
    place = np.minimum(np.searchsorted(second, first), max(len(second) - 1, 0))
    i = np.flatnonzero(second[place] == first) if len(second) else np.zeros(0, dtype=np.int64)
    j = place[i]
    return np.bincount(one.rows[i], weights=one.values[i] * two.values[j], minlength=one.shape[0]).astype(np.float64)


def _against_sum(one: Sparse, two: Sparse) -> Floats:
    """Products (P,) of one's rows with the sum of all rows of two."""
    whole = np.bincount(two.columns, weights=two.values, minlength=two.shape[1])
    return np.bincount(one.rows, weights=one.values * whole[one.columns], minlength=one.shape[0]).astype(np.float64)


@dataclass(frozen=True)
class NgramSimilarity(AbstractMetric):
    """Shared wording on the same prompts, with its part of content and its part of style."""

    unit: ClassVar[str] = "cosine"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "text"})
    explanation: ClassVar[str] = (
        "Cosine of the words, pairs and triples of words in two models' replies to the same prompt. It mixes content with "
        "style: two strong models that give the same facts are alike without having learned from each other. `style` is "
        "what replies to different prompts share, `content` the rest. above_base compares with the base; `gap` needs a second "
        "sample of the teacher, since two samples of one model are not alike word for word either; against another "
        "version of the teacher it is too high rather than too low."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """Similarity, its two parts, the same above the base, and the gap recovered."""
        one = sides[0]
        named = [s for s in (one.base, one.ceiling) if s]
        everyone = align_texts([one.student, required(one.teacher, "teacher"), *named], one.minimum)
        first_of_teacher = AlignedTexts(everyone.prompts, (*everyone.texts[:2], everyone.texts[1]))
        rows = gated(first_of_teacher, 1, one.minimum)
        require_spread(len(rows), len({everyone.clusters[i] for i in rows}))
        at = _Rows(everyone, rows)
        role = dict(
            zip(("student", "teacher", *(k for k in ("base", "ceiling") if getattr(one, k))), range(4), strict=False)
        )
        second = role.get("ceiling") if one.ceiling_kind == "second_sample" else None
        taught = [role["teacher"], *([second] if second is not None else [])]
        own = at.similarity(role["student"], taught)
        entries = [_found("", at, own.total), _found("style", at, own.style), _found("content", at, own.content)]
        if "base" not in role:
            return entries
        base = at.similarity(role["base"], taught)
        entries += [_found(f"{n}above_base", at, s - b) for n, s, b in
                    (("", own.total, base.total), ("style_", own.style, base.style), ("content_", own.content, base.content))]  # fmt: skip
        top = at.similarity(role["teacher"], [role["ceiling"]]).total if "ceiling" in role else None
        return [*entries, Found("gap", "", _gap(own.total - base.total, top, base.total, at), GAP_UNIT[one.base_kind])]


class _Rows(NamedTuple):
    """Aligned replies and the prompts of them that are looked at."""

    everyone: AlignedTexts
    rows: Ints  # (R,)

    def similarity(self, model: int, others: Sequence[int]) -> Similarity:
        """Mean similarity of one model's replies to those of one or two samples."""
        texts, rows = self.everyone.texts, tuple(self.rows.tolist())
        found = [_of_texts(texts[model], texts[other], rows) for other in others]
        return Similarity(np.mean([f.total for f in found], axis=0), np.mean([f.style for f in found], axis=0))

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Ids and clusters of the rows."""
        return tuple(self.everyone.ids[i] for i in self.rows), tuple(self.everyone.clusters[i] for i in self.rows)


@lru_cache(maxsize=64)
def _of_texts(first: tuple[str, ...], second: tuple[str, ...], rows: tuple[int, ...]) -> Similarity:
    """Similarity on these rows; remembered, because all students of a teacher ask for the same base."""
    return similarity(_counts(first, rows), _counts(second, rows))


def _counts(texts: tuple[str, ...], rows: tuple[int, ...]) -> Sparse:
    whole = word_grams(read(texts), *SIZES, BITS)
    place = np.full(whole.shape[0], -1)
    place[list(rows)] = np.arange(len(rows))
    kept = place[whole.rows] >= 0
    return Sparse(place[whole.rows[kept]], whole.columns[kept], whole.values[kept], (len(rows), whole.shape[1]))


def _found(name: str, at: _Rows, values: Floats) -> Found:
    return Found(name, "", Mean(values, *at.names))


def _gap(moved: Floats, top: Floats | None, base: Floats, at: _Rows) -> Statistic | str:
    if top is None:
        return "no second sample of the teacher, so it is not known how like itself it is"
    return Ratio((RatioStratum(moved, top - base, *at.names),))
