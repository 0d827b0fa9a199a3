"""Tippett curves: how large odds are where they should be, and where they should not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.board.board import Board
from harness.board.numerals import percent
from harness.board.subjects import Subject
from harness.figures import AbstractFigure, Curve, Dot, Drawing, Guide, Plane, numbers_of
from harness.figures._odds import documented_odds
from harness.stats.cllr import tippett

_SPAN = 2.0  # powers of ten either way
_STEPS = 41


@dataclass(frozen=True)
class TippettCurves(AbstractFigure):
    """Share of documented models whose odds are at least so large, for those that learned and those that did not."""

    title: ClassVar[str] = "Odds where the truth is known"
    caption: ClassVar[str] = (
        "Share of pairs of model and family (upwards) whose odds are at least so large (to the right, powers of ten): "
        "where the model is documented to have learned from the family, and where it did not. A curve of innocents "
        "that is still high right of 0 accuses."
    )
    order: ClassVar[int] = 60

    def draw(self, board: Board, subject: Subject | None) -> Drawing | None:
        """The curves of the first method that gives odds."""
        made = next(documented_odds(board), None)
        if made is None:
            return None
        curves = tippett(made.odds, made.truth)
        levels = np.linspace(-_SPAN, _SPAN, _STEPS)
        at = np.searchsorted(curves.log10_odds, levels)
        shares = {
            name: np.append(own, 0.0)[at]
            for name, own in (("learned from it", curves.of_true), ("did not", curves.of_false))
        }
        roles = ("student", "control")
        drawn = tuple(
            Curve(name, role, _dots(name, levels, own), True, 0)
            for role, (name, own) in zip(roles, shares.items(), strict=True)
        )
        table = [
            [f"{level:+.1f}", *(percent(float(own[i])) for own in shares.values())]
            for i, level in enumerate(levels)
            if i % 5 == 0
        ]
        frame = Plane(
            "Odds, powers of ten", "Share of pairs", (-_SPAN, _SPAN), (0.0, 1.0), 0.25, 380
        )
        return Drawing(
            (Guide(0.0, "x", dotted=True), *drawn),
            frame,
            numbers_of(["Odds of at least 10 to the", *shares], table),
            notes=(
                f"{made.name}: {int(made.truth.sum())} pairs that did, {int((~made.truth).sum())} that did not.",
            ),
        )


def _dots(name: str, levels: np.ndarray, shares: np.ndarray) -> tuple[Dot, ...]:
    return tuple(
        Dot(
            float(x),
            float(y),
            told=(name, f"odds of 10 to the {x:+.1f} or more", percent(float(y))),
        )
        for x, y in zip(levels, shares, strict=True)
    )
