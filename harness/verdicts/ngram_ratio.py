"""Shared word pairs on the same prompts, as a plain likelihood ratio: what a first try would be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, NamedTuple, final

import numpy as np

from harness.panel.evidence import Crowd, Opinion, Origin, Outcome
from harness.panel.panel import View
from harness.types import Floats, Unavailable
from harness.verdicts import AbstractVerdict

_WORD = re.compile(r"\w+|[^\w\s]")
_RIDGE = 1.0


class Shares(NamedTuple):
    """How much of everyone's word pairs stands in everyone's answers to the same prompts."""

    places: dict[str, int]  # model -> row and column
    families: dict[str, tuple[str, ...]]
    background: tuple[str, ...]
    share: Annotated[
        Floats, "M M"
    ]  # [a, b] = of a's pairs, those that b has too; NaN where they share no prompt


@final
@dataclass(frozen=True)
class NgramRatio(AbstractVerdict):
    """A logistic curve over one number, fitted on the known pairs of other lineages, all of the same weight."""

    bound: float = 10.0  # odds from which a family is supported, or spoken against

    looks_at: ClassVar[View] = View.STYLE
    explanation: ClassVar[str] = (
        "Share of a model's word pairs that stand in a teacher's answer to the same prompt, beyond what it shares "
        "with unrelated models. Odds come from a logistic curve in which every known pair weighs the same. They carry "
        "a hidden prior, that most known students learned from one family, which Cllr within families lays bare."
    )

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Shares:
        """Shares of word pairs of all models."""
        if not crowd.background:
            raise Unavailable("no model of documented training answered this task")
        places = {model: i for i, model in enumerate(crowd.sides)}
        return Shares(places, dict(crowd.families), tuple(crowd.background), _shares(crowd))

    def weigh(self, prepared: Shares, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """Odds by the number of each family's best version."""
        there = [o for o in known if o.model in prepared.background]
        taught = [f for f in prepared.families if any(o.learned_from(f) for o in there)]
        told = [
            (_best(prepared, o.model, f, there)[1], truth)
            for o in there
            for f in taught
            if (truth := o.learned_from(f)) is not None
        ]
        x = np.array([value for value, _ in told], dtype=np.float64)
        y = np.array([truth for _, truth in told], dtype=np.float64)
        if len(set(y)) < 2:
            raise Unavailable(
                "nobody else is documented to have learned from these families, or nobody not to have"
            )
        slope, offset = _logistic(x, y)
        prior = np.log(y.mean() / (1 - y.mean()))
        best = {f: _best(prepared, suspect, f, there) for f in prepared.families}
        odds = {f: float(np.exp(offset + slope * value - prior)) for f, (_, value) in best.items()}
        first = max(odds, key=lambda f: (odds[f], f))
        return [
            Opinion(f, best[f][0], best[f][1], self._outcome(odds[f]), odds[f], f == first)
            for f in prepared.families
        ]

    def _outcome(self, odds: float) -> Outcome:
        return (
            "supports"
            if odds >= self.bound
            else "does not support"
            if odds <= 1 / self.bound
            else "cannot tell"
        )


def _best(shares: Shares, model: str, family: str, known: Sequence[Origin]) -> tuple[str, float]:
    """The version of a family that a model shares most with, and how much more than with unrelated models."""
    row = shares.share[shares.places[model]]
    others = [shares.places[o.model] for o in known if o.model != model]
    usual = float(np.nanmean(row[others]))
    own = {v: row[shares.places[v]] - usual for v in shares.families[family] if v != model}
    told = {v: x for v, x in own.items() if np.isfinite(x)}
    if not told:
        raise Unavailable(f"{model} and {family} answered no prompt in common")
    version = max(told, key=lambda v: (told[v], v))
    return version, float(told[version])


def _shares(crowd: Crowd) -> Annotated[Floats, "M M"]:
    """Mean over the prompts that two models answered of the share of one's word pairs that the other has."""
    texts = [crowd.texts(model) for model in crowd.sides]
    total, n = np.zeros((2, len(texts), len(texts)))
    for prompt in sorted(set().union(*texts)):
        rows = [i for i, own in enumerate(texts) if prompt in own]
        sets = [set(pairwise(_WORD.findall(texts[i][prompt].lower()))) for i in rows]
        table = _together(sets)
        sizes = np.array([len(s) for s in sets], dtype=np.float64)
        some = sizes > 0
        at = np.ix_(np.array(rows)[some], np.array(rows)[some])
        total[at] += table[np.ix_(some, some)] / sizes[some, None]
        n[at] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(n > 0, total / n, np.nan))


def _together(sets: Sequence[set[tuple[str, str]]]) -> Annotated[Floats, "m m"]:
    """How many elements each two sets share."""
    from scipy.sparse import csr_array

    columns: dict[tuple[str, str], int] = {}
    places = [columns.setdefault(pair, len(columns)) for own in sets for pair in sorted(own)]
    ends = np.concatenate([[0], np.cumsum([len(own) for own in sets])])
    shape = (len(sets), max(len(columns), 1))
    table = csr_array(
        (np.ones(len(places), dtype=np.float32), np.array(places, dtype=np.int64), ends),
        shape=shape,
    )
    return np.asarray((table @ table.T).toarray(), dtype=np.float64)


def _logistic(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and offset of a logistic curve with a small ridge, by Newton's method."""
    scale = float(x.std()) or 1.0
    design = np.stack([x / scale, np.ones_like(x)], axis=1)
    beta, ridge = np.zeros(2), np.diag([_RIDGE, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (y - p) - ridge @ beta
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design + ridge, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[0] / scale), float(beta[1])
