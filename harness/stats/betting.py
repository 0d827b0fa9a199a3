"""Evidence that may be looked at after every observation, and stopped whenever one likes: a bettor's capital."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from harness.types import Floats

STOPPING_ERROR = 0.05  # chance to stop wrongly, however often one looks
# Innocents beside whom it means something: one more would be nearer than all of them with a chance of 1 in 20 at most.
FEWEST_BESIDE = 19
_WINS, _ROUNDS = 1.5, 2.0  # of the bettor's experience before the first round


@dataclass(frozen=True)
class Stop:
    """When one could have stopped asking, with an error that holds however often one looked."""

    prompts: (
        int | None
    )  # after which a suspect was nearer than every innocent; None = not after all of them
    of: int  # prompts that there are
    lineages: int  # of the innocents


def capital(wins: Annotated[Floats, "K T"]) -> Annotated[Floats, "K T"]:
    """What a bettor who began with 1 has after each round of K games, when every stake is on a win; never below 0.

    wins (K, T): 1 = won, 0 = lost, 1/2 = a tie. Where the chance of a win is at most 1/2 in each round, whatever came
    before, the capital of a game ever reaches 1 / alpha with a chance of at most alpha (Ville 1939). The stake is known
    before the round: Kelly's for the share of wins so far, and none while that is below 1/2.
    Source: Waudby-Smith and Ramdas 2024, Journal of the Royal Statistical Society B 86, 1-27: the capital process, here
    for the mean 1/2 of values in [0, 1]; the share by Krichevsky and Trofimov 1981, who begin with even chances.
    """
    before = np.cumsum(wins, axis=1) - wins
    share = (before + _WINS) / (np.arange(wins.shape[1]) + _ROUNDS)
    stakes = np.maximum(2 * (2 * share - 1), 0)
    return np.asarray(np.cumprod(1 + stakes * (wins - 0.5), axis=1))


def rounds_until(wins: Annotated[Floats, "K T"], alpha: float) -> int | None:
    """The first round after which all K games have reached 1 / alpha; None if that never happens, or K = 0.

    It ever does with a chance of at most alpha where in at least one of the games the chance of a win is at most 1/2:
    the least of the K capitals is never above that game's.
    """
    if not len(wins):
        return None
    reached = np.flatnonzero(capital(wins).min(axis=0) >= 1 / alpha)
    return int(reached[0]) + 1 if len(reached) else None
