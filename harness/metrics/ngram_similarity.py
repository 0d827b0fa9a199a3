"""Same-prompt n-gram similarity: how much of the wording two models share.

Cosine of the n-gram vectors (1 + log count, pairs and triples of words) of two replies. Less the mean over replies to
*different* prompts, it is agreement about the content of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, Role, View
from harness.panel.texts import Texts, align_texts
from harness.text.grams import Sparse, word_grams
from harness.text.likeness import Similarity, similarity
from harness.types import Finding, Floats, Mean, Ratio, RatioStratum, Statistic

SIZES = (2, 3)  # words: single ones are mostly the topic, and lead to the wrong parent more often
BITS = 22  # 2 ** 22 columns: with 2 ** 20 accidents move a mean by 2e-4


@dataclass(frozen=True)
class NgramSimilarity(AbstractMetric):
    """Shared wording on the same prompts, and the part of it that is the content of the answer."""

    unit = "cosine"
    better = "higher"
    looks_at = Looks((View.STYLE,), needs=("teacher",), also=("base", "second", "ceiling"))
    explanation = (
        "Cosine of the pairs and triples of words in two models' replies to the same prompt. It mixes content"
        " with style: two strong models that give the same facts are alike without having learned from each other. "
        "`content` is without what replies to different prompts share. above_base compares with the base; "
        "`gap` needs a second sample of the teacher, since two samples of one model are not alike word for word "
        "either; against another version of the teacher it is too high rather than too low."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """Similarity, the part of it that is content, the same above the base, and the gap recovered."""
        panel = panels[0]
        at = _rows(panel)
        taught: list[Role] = ["teacher", "second"] if panel.get("second") else ["teacher"]
        own = at.similarity("student", taught)
        findings = [at.mean(own.total), at.mean(own.content, "content")]
        if panel.get("base") is None:
            return findings
        base = at.similarity("base", taught)
        findings += [
            at.mean(own.total - base.total, "above_base"),
            at.mean(own.content - base.content, "content_above_base"),
        ]
        top = at.similarity("teacher", ["ceiling"]).total if panel.get("ceiling") else None
        gap = _gap(own.total - base.total, top, base.total, at)
        return [*findings, Finding(gap, "gap", unit=panel.gap_unit)]


class _Rows(NamedTuple):
    """Aligned replies by role, and the prompts of them that are looked at."""

    texts: Mapping[Role, Texts]
    rows: tuple[int, ...]  # (R,) the teacher's reply has two words or more
    prompts: tuple[str, ...]  # (R,)
    clusters: tuple[str, ...]  # (R,)

    def similarity(self, role: Role, others: Sequence[Role]) -> Similarity:
        """Mean similarity of one model's replies to those of one or two samples."""
        each = [_of_texts(self.texts[role], self.texts[other], self.rows) for other in others]
        return Similarity(
            np.mean([s.total for s in each], axis=0), np.mean([s.apart for s in each], axis=0)
        )

    def mean(self, values: Floats, name: str = "") -> Finding:
        """The finding with the mean of values (R,)."""
        return Finding(Mean(values, self.prompts, self.clusters), name)


def _rows(panel: Panel) -> _Rows:
    everyone = align_texts(panel)
    rows = np.flatnonzero(everyone["teacher"].n_words >= SIZES[0])
    reasons.require(
        len(rows),
        max(panel.minimum, 2),
        "prompts to which the teacher's reply has two words or more",
        of=len(everyone.ids),
    )
    some = everyone.some(rows)
    return _Rows(everyone.core, tuple(rows.tolist()), some.ids, some.clusters)


@lru_cache(maxsize=64)
def _of_texts(first: Texts, second: Texts, rows: tuple[int, ...]) -> Similarity:
    """Similarity on these rows; cached, because all students of a teacher need the same base."""
    return similarity(_counts(first, rows), _counts(second, rows))


def _counts(texts: Texts, rows: tuple[int, ...]) -> Sparse:
    whole = word_grams(texts.reading, *SIZES, BITS)
    place = np.full(whole.shape[0], -1)
    place[list(rows)] = np.arange(len(rows))
    wanted = place[whole.rows] >= 0
    return Sparse(
        place[whole.rows[wanted]],
        whole.columns[wanted],
        whole.values[wanted],
        (len(rows), whole.shape[1]),
    )


def _gap(moved: Floats, top: Floats | None, base: Floats, at: _Rows) -> Statistic | str:
    if top is None:
        return "no second sample of the teacher, so it is not known how like itself it is"
    return Ratio((RatioStratum(moved, top - base, at.prompts, at.clusters),))
