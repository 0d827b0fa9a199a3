"""Odds of models whose truth is documented, for figures about how good the odds of a method are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.board.board import Board
from harness.panel.evidence import tried
from harness.types import Floats


class Odds(NamedTuple):
    """Odds of one method on one task, of every documented model beside every family that it may have learned from."""

    name: str
    odds: Annotated[Floats, "n"]
    truth: Annotated[NDArray[np.bool_], "n"]


def documented_odds(board: Board) -> Iterator[Odds]:
    """The odds of each method and task that has both kinds of models, in the order of the run."""
    cells: dict[str, list[tuple[float, bool]]] = {}
    runs = ((run.case, run.verdicts) for run in board.record.runs().values())
    for v in (v for case, said in runs if case for v in tried(said, case.origins, case.suspect)):
        if v.truth is not None and v.opinion.odds is not None:
            cells.setdefault(f"{v.method}, {v.task}", []).append((v.opinion.odds, v.truth))
    for name, own in cells.items():
        truth = np.array([t for _, t in own], dtype=np.bool_)
        if truth.any() and not truth.all():
            yield Odds(name, np.array([o for o, _ in own], dtype=np.float64), truth)
