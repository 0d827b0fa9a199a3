"""A bettor's capital by hand, and how often it accuses innocents whoever stops whenever they like."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.betting import capital, rounds_until

ALPHA = 0.05
NULLS = 2000


def test_capital_by_hand() -> None:
    """Shares before the rounds: 3/4, 2.5/3, 2.5/4; stakes twice (2 x share - 1); a tie pays nothing."""
    made = capital(np.array([[1.0, 0.0, 0.5], [0.0, 0.0, 1.0]]))
    stakes = [1.0, 2 * (5 / 3 - 1), 2 * (1.25 - 1)]
    assert made[0] == pytest.approx([1.5, 1.5 * (1 - stakes[1] / 2), 1.5 * (1 - stakes[1] / 2)])
    # after a loss the share is 1/2, after two it is below: nothing is staked
    assert made[1] == pytest.approx([0.5, 0.5, 0.5])


def test_no_stake_knows_its_own_round() -> None:
    rng = np.random.default_rng(0)
    wins = rng.integers(0, 2, (5, 40)).astype(float)
    other = wins.copy()
    other[:, 20:] = 1 - other[:, 20:]
    assert np.array_equal(capital(wins)[:, :20], capital(other)[:, :20])


@pytest.mark.parametrize("chance", [0.3, 0.5])
@pytest.mark.parametrize("ties", [0.0, 0.3])
def test_false_accusations_are_at_most_nominal_whenever_one_stops(
    chance: float, ties: float
) -> None:
    """2,000 innocents whom one of 12 others equals; 11 others are beaten nearly always. Looked at after every round."""
    rng = np.random.default_rng(7)
    accused = 0
    for _ in range(NULLS):
        wins = (rng.random((12, 80)) < 0.95).astype(float)
        wins[3] = np.where(rng.random(80) < ties, 0.5, rng.random(80) < chance)
        accused += rounds_until(wins, ALPHA) is not None
    assert accused <= ALPHA * NULLS


def test_the_bound_is_no_vain_one() -> None:
    """A bettor who looked at the round before staking would accuse most innocents."""
    wins = (np.random.default_rng(7).random((200, 80)) < 0.5).astype(float)
    late = np.cumprod(1 + np.maximum(wins - 0.5, 0), axis=1)
    assert np.mean(late.max(axis=1) >= 1 / ALPHA) > 0.9
    assert np.mean(capital(wins).max(axis=1) >= 1 / ALPHA) <= ALPHA


def test_true_students_stop_early() -> None:
    """Who is nearer in nine rounds of ten than each of 12 others is told after a third of 80 rounds, as a rule."""
    rng = np.random.default_rng(3)
    stops = [rounds_until((rng.random((12, 80)) < 0.9).astype(float), ALPHA) for _ in range(200)]
    told = [s for s in stops if s is not None]
    assert len(told) > 190
    assert np.median(told) <= 26


def test_nobody_is_told_beside_nobody() -> None:
    assert rounds_until(np.zeros((0, 10)), ALPHA) is None
