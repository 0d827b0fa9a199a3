"""Empirical cross-entropy: what odds are worth at every prior, and what better calibration could still give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.board.board import Board
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Curve, Dot, Drawing, Guide, Plane, numbers_of
from harness.figures._odds import documented_odds
from harness.stats.cllr import cross_entropy

_PRIORS = np.linspace(-2.0, 2.0, 41)  # powers of ten


@dataclass(frozen=True)
class CrossEntropyCurves(AbstractFigure):
    """Bits that are still missing to the truth, over the odds beforehand."""

    title: ClassVar[str] = "What the odds are worth"
    caption: ClassVar[str] = (
        "Bits still missing to the truth (upwards, fewer is better) for every odds beforehand (to the right, powers of "
        "ten): with these odds, with the same odds ideally calibrated, and without any. At 0 the first is Cllr; "
        "where it lies above the last, the odds mislead."
    )
    order: ClassVar[int] = 61

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """The curves of the first method that gives odds."""
        made = next(documented_odds(board), None)
        if made is None:
            return None
        curves = cross_entropy(made.odds, made.truth, _PRIORS)
        shown = {
            "these odds": ("student", curves.of_odds),
            "ideally calibrated": ("teacher", curves.of_calibrated),
            "no odds": ("control", curves.of_nothing),
        }
        drawn = tuple(
            Curve(name, role, _dots(name, own), True, 0) for name, (role, own) in shown.items()
        )
        table = [
            [f"{prior:+.1f}", *(f"{own[i]:.3f}" for _, own in shown.values())]
            for i, prior in enumerate(_PRIORS)
            if i % 5 == 0
        ]
        top = max(1.0, float(curves.of_odds.max()))
        return Drawing(
            (Guide(0.0, "x", dotted=True), *drawn),
            Plane("Odds beforehand, powers of ten", "Bits", (-2.0, 2.0), (0.0, top), 0.25, 380),
            numbers_of(["Odds beforehand, 10 to the", *shown], table),
            notes=(f"{made.name}.",),
        )


def _dots(name: str, bits: np.ndarray) -> tuple[Dot, ...]:
    return tuple(
        Dot(float(x), float(y), told=(name, f"prior odds of 10 to the {x:+.1f}", f"{y:.3f} bits"))
        for x, y in zip(_PRIORS, bits, strict=True)
    )
