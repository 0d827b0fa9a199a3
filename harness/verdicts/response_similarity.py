"""Similarity of responses to the same prompts: who answers each question as the suspect does?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, final

import numpy as np

from harness.panel.evidence import Crowd, Opinion, Origin, Test
from harness.panel.panel import View
from harness.panel.side import once
from harness.text.corpus import Corpus, gather
from harness.types import DistillbenchError, Floats, Ints
from harness.verdicts import AbstractVerdict
from harness.verdicts._likenesses import Likenesses, likenesses, silent, versions_of
from harness.verdicts._words import word_rates

_FUNCTION_WORDS = 200
_MARKS = ("\n", "\n\n", "-", "*", "#", ":", ".", "?", "!", "(", "`", "1", "2", "3")
_LOWEST, _STEPS = 1.0, 4.0  # the judge's scale of similarity: 1 to 5


@dataclass(frozen=True, eq=False)
class Judged:
    """Mean similarity of everybody to every version, and who is of which lineage."""

    likenesses: Likenesses
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @once
    def innocents(self, family: str, known: tuple[Origin, ...]) -> Mapping[str, float]:
        """Lineage -> the largest similarity of its models that did not learn from a family."""
        most: dict[str, float] = {}
        for o in known:
            if o.learned_from(family) is not False or o.model not in self.likenesses.models:
                continue
            closest = self.likenesses.closest(o.model, family)
            if closest is not None:
                lineage = o.lineage or o.model
                most[lineage] = max(closest.likeness, most.get(lineage, -np.inf))
        return most


@final
@dataclass(frozen=True)
class ResponseSimilarity(AbstractVerdict):
    """Families that the suspect answers more like than almost all innocents do.

    Source: the response similarity evaluation of Lee et al. 2025, Quantification of Large Language Model Distillation,
    ACL (arXiv 2501.12619): a language model judges the similarity of two responses in style, structure and content
    from 1 to 5, and the mean is the score. Ours differs: counts of words judge in its place, and since the paper has
    no threshold, ours is a share of innocents.
    """

    level: float = 0.05  # share of innocent lineages that may reach a similarity which is supported

    looks_at: ClassVar[View] = View.STYLE
    reads_tokens: ClassVar[bool] = True
    explanation: ClassVar[str] = (
        "Response similarity after Lee et al. 2025, with counts as the judge: to each prompt, how alike two responses "
        "are in style (cosine of function words), structure (lengths, line ends, marks) and content (other words that "
        "both use), as one mean from 1 to 5. Supported where at most 1 in 20 known innocent lineages comes as close, "
        "so that at least 19 of them are needed; the paper itself has no threshold. Good answers to one question are "
        "alike, whoever taught them. No odds."
    )

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise DistillbenchError(
                f"key level: expected a share between 0 and 1, got {self.level}"
            )

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Judged:
        """Mean similarities of all models to all versions."""
        function_words = word_rates(crowd, _FUNCTION_WORDS).words
        corpus = gather({m: crowd.replies(m) for m in crowd.sides}, crowd.asked())
        versions = [corpus.models.index(v) for v in versions_of(crowd)]
        judge = _Judge(corpus, function_words, np.array(versions))
        return Judged(likenesses(crowd, judge.means()))

    def weigh(self, prepared: Judged, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """Supports where almost no innocent is as similar."""
        own = prepared.likenesses
        best = {f: own.closest(suspect, f) for f in own.families}
        told = [(c.likeness, f) for f, c in best.items() if c is not None]
        first = max(told)[1] if told else ""
        opinions = []
        for family, closest in best.items():
            if closest is None:
                opinions.append(silent(own, suspect, family))
                continue
            innocent = prepared.innocents(family, tuple(known)).values()
            reached = sum(value >= closest.likeness for value in innocent)
            test = Test("response similarity", closest.likeness, reached, len(innocent))
            is_rare = test.p <= self.level
            opinions.append(
                Opinion(
                    family,
                    closest.version,
                    closest.likeness,
                    "supports" if is_rare else "cannot tell",
                    is_named=family == first,
                    tests=(test,),
                )
            )
        return opinions


class _Judge:
    """Compares responses, prompt by prompt."""

    def __init__(
        self, corpus: Corpus, function_words: Sequence[str], versions: Annotated[Ints, "K"]
    ) -> None:
        self._corpus, self._versions = corpus, versions
        places = {word: i for i, word in enumerate(corpus.words)}
        self._style = np.array([places[w] for w in function_words])
        self._structure = np.array([places[w] for w in _MARKS if w in places], dtype=np.int64)
        self._is_content = np.array([w[0].isalnum() for w in corpus.words])
        self._is_content[self._style] = False

    def means(self) -> Annotated[Floats, "M K"]:
        """Mean similarity of all models to the versions, over the prompts that both answered; NaN without one."""
        n_models = len(self._corpus.models)
        total, n = np.zeros((2, n_models, len(self._versions)))
        for prompt in range(len(self._corpus.prompts)):
            there = np.flatnonzero(self._corpus.lengths[prompt] > 0)
            columns = np.flatnonzero(np.isin(self._versions, there))
            at = np.ix_(there, columns)
            some = np.searchsorted(there, self._versions[columns])
            total[at] += self._prompt(prompt, there, some)
            n[at] += 1
        with np.errstate(invalid="ignore"):
            return np.asarray(_LOWEST + _STEPS * np.where(n > 0, total / n, np.nan))

    def _prompt(
        self, prompt: int, there: Annotated[Ints, "m"], versions: Annotated[Ints, "k"]
    ) -> Annotated[Floats, "m k"]:
        """Mean of the three similarities, each from 0 to 1, of the responses to one prompt."""
        codes, counts = self._counts(prompt, there)
        style = counts[:, np.searchsorted(codes, np.intersect1d(codes, self._style))]
        marks = counts[:, np.searchsorted(codes, np.intersect1d(codes, self._structure))]
        words = counts[:, self._is_content[codes]] > 0
        structure = np.concatenate([marks, counts.sum(axis=1, keepdims=True) / 20], axis=1)
        parts = (
            _cosine(style, style[versions]),
            _overlap(structure, structure[versions]),
            _dice(words, words[versions]),
        )
        return np.asarray(sum(parts) / len(parts))

    def _counts(
        self, prompt: int, there: Annotated[Ints, "m"]
    ) -> tuple[Annotated[Ints, "w"], Annotated[Floats, "m w"]]:
        """Words that occur in the responses to a prompt, ascending, and how often in each."""
        first = prompt * len(self._corpus.models)
        offsets = self._corpus.offsets
        rows = [self._corpus.codes[offsets[first + m] : offsets[first + m + 1]] for m in there]
        codes, flat = np.unique(np.concatenate(rows), return_inverse=True)
        row = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        cells = np.bincount(row * len(codes) + flat, minlength=len(rows) * len(codes))
        return codes, cells.reshape(len(rows), len(codes)).astype(np.float64)


def _cosine(a: Annotated[Floats, "m w"], b: Annotated[Floats, "k w"]) -> Annotated[Floats, "m k"]:
    """Cosines; 0 where a text has none of the words."""
    sizes = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None]
    return np.asarray((a @ b.T) / np.where(sizes > 0, sizes, 1))


def _overlap(a: Annotated[Floats, "m w"], b: Annotated[Floats, "k w"]) -> Annotated[Floats, "m k"]:
    """What two rows share of their counts: sum of the smaller over sum of the larger."""
    less = np.minimum(a[:, None], b[None]).sum(axis=2)
    more = np.maximum(a[:, None], b[None]).sum(axis=2)
    return np.asarray(less / np.where(more > 0, more, 1))


def _dice(a: Annotated[Any, "m w"], b: Annotated[Any, "k w"]) -> Annotated[Floats, "m k"]:
    """Twice the words that two texts share over those that they have."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    sizes = x.sum(axis=1)[:, None] + y.sum(axis=1)[None]
    return np.asarray(2 * (x @ y.T) / np.where(sizes > 0, sizes, 1))
