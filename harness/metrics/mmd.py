"""Maximum mean discrepancy between two models' sets of answers to the same prompts, with the Hamming kernel.

k(x, y) = share of the first `length` characters that are equal; shorter answers are padded, padding equals padding.
Source: Gao, Liang and Guestrin 2025, Model equality testing: which model is this API serving? Kernel of Gretton et al.
2012, unbiased, taken within each prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.samples import (
    Answers,
    Samples,
    align_samples,
    bootstrapped,
    over_controls,
    require_samples,
)
from harness.stats.permutation import permutation_p, sign_flip_permutation
from harness.types import DistillbenchError, Finding, Floats, Given, Ints, Mean, Smooth

_FLIPS = 4999


def differing(texts: Sequence[str], length: int) -> Floats:
    """Distances (N, N): the share of `length` characters in which two texts differ, padding included."""
    cut = [text[:length] for text in texts]
    width = max((len(text) for text in cut), default=0)
    codes: Ints = np.full((len(cut), width), -1, dtype=np.int64)
    for row, text in enumerate(cut):
        codes[row, : len(text)] = [ord(character) for character in text]
    return (
        np.array([(codes != row).sum(axis=1) for row in codes], dtype=np.float64).reshape(
            -1, len(cut)
        )
        / length
    )


def discrepancy(distances: Floats, first: Floats) -> Floats:
    """Unbiased MMD^2 (B,) of splits of N answers; distances (N, N), first (B, N): 1 = belongs to the first model."""
    second = 1 - first
    n, m = first[0].sum(), second[0].sum()
    to_first, to_second = first @ distances, second @ distances
    within = (to_first * first).sum(axis=1) / (n * (n - 1)) + (to_second * second).sum(axis=1) / (
        m * (m - 1)
    )
    return np.asarray(2 * (to_first * second).sum(axis=1) / (n * m) - within)


@dataclass(frozen=True)
class Mmd(AbstractMetric):
    """How far the student's answers are from the teacher's, as sets, and whether they could be the same model's."""

    length: int = 1000  # characters that are compared
    permutations: int = 999  # of the test of equality

    unit = "share of characters"
    better = "lower"
    looks_at = Looks((View.TEXT,), needs=("teacher",), also=("base", "controls"))
    explanation = (
        "Several answers of each model to the same prompt, compared character by character: how much more the answers "
        "of student and teacher differ than two answers of one of them do (0 = the same model; below 0 by chance). "
        "equality_p: could both be one model? With many prompts every pair of models differs, so it serves to check "
        "whether an API is still the same model. closer_than_base and closer_than_controls: above 0 = nearer to the "
        "teacher than those are, with its p-value on these prompts; closer_vs_controls compares it with how controls "
        "differ among themselves. Sees only what stands at which place of an answer."
    )

    def __post_init__(self) -> None:
        if self.length < 1 or self.permutations < 1:
            raise DistillbenchError("keys length and permutations: expected 1 or more")

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The discrepancy, its test, and how much nearer to the teacher than base and controls."""
        panel = panels[0]
        rows = align_samples(panel, least=2)
        require_samples(rows["teacher"], panel.teacher.model)
        require_samples(rows["student"], panel.student.model)
        mine = self._values(rows["student"], rows["teacher"])
        p = Given(self._equality_p(rows, rng), None, None, len(rows.ids), note="a p-value")
        findings = [
            Finding(Mean(mine, rows.ids, rows.clusters)),
            Finding(p, "equality_p", unit="p-value", better="none"),
        ]
        return [*findings, self._than_base(mine, rows), *self._than_controls(mine, rows, rng)]

    def _values(self, answers: Answers, teacher: Answers) -> Floats:
        """MMD^2 (P,) between a model's answers and the teacher's."""
        values = [
            discrepancy(differing([*a, *t], self.length), _split(len(a), len(t)))[0]
            for a, t in zip(answers, teacher, strict=True)
        ]
        return np.array(values, dtype=np.float64)

    def _equality_p(self, rows: Samples, rng: np.random.Generator) -> float:
        """p-value of the mean discrepancy when answers are swapped between the two models within prompts."""
        total = np.zeros(1 + self.permutations)
        for mine, teacher in zip(rows["student"], rows["teacher"], strict=True):
            split = _split(len(mine), len(teacher))
            swapped = rng.permuted(np.repeat(split, self.permutations, axis=0), axis=1)
            total += discrepancy(
                differing([*mine, *teacher], self.length), np.concatenate([split, swapped])
            )
        return permutation_p(float(total[0]), total[1:])

    def _than_base(self, mine: Floats, rows: Samples) -> Finding:
        base = rows.get("base")
        closer: Smooth | str = reasons.NO_BASE
        if base is not None and len(base[0]) < 2:
            closer = "the base has one answer to each prompt; 2 or more are needed"
        elif base is not None:
            closer = bootstrapped(self._values(base, rows["teacher"]) - mine, rows)
        return Finding(closer, "closer_than_base", better="higher")

    def _than_controls(
        self, mine: Floats, rows: Samples, rng: np.random.Generator
    ) -> list[Finding]:
        """D_i = MMD_i(controls, teacher) - MMD_i(student, teacher): its mean, sign-flip p-value, and over models."""
        several = {name: a for name, a in rows.controls.items() if len(a[0]) > 1}
        theirs = {
            name: -self._values(answers, rows["teacher"]) for name, answers in several.items()
        }
        prompts, models = over_controls(
            ("closer_than_controls", "closer_vs_controls"), -mine, theirs, rows
        )
        if isinstance(prompts.statistic, str):
            p: Given | str = prompts.statistic
        else:
            difference = np.asarray(prompts.statistic.parts[:, 0])  # type: ignore[union-attr]
            value = sign_flip_permutation(difference, rows.clusters, _FLIPS, rng)
            p = Given(value, None, None, len(rows.ids), note="a p-value")
        findings = [Finding(f.statistic, f.name, better="higher") for f in (prompts, models)]
        return [*findings, Finding(p, "closer_than_controls_p", unit="p-value", better="none")]


def _split(n: int, m: int) -> Floats:
    """(1, n + m): the first n answers belong to the first model."""
    return np.concatenate([np.ones(n), np.zeros(m)])[None, :]
