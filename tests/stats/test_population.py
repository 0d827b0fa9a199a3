"""The metric of a population, against its definition in loops."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.pairs import Float32s
from harness.stats.population import pair_spread, population
from harness.types import Floats

N, WIDTH = 12, 4
PRIOR = np.array([0.005, 0.2, 0.01, 0.01])


def models(lineages: int, seed: int = 0) -> list[tuple[str, list[Float32s]]]:
    """Lineages of one model, the first of two; the last feature is the same in every reply."""
    rng = np.random.default_rng(seed)
    topic = rng.normal(size=(N, WIDTH))
    made = []
    for k in range(lineages):
        own = rng.normal(size=WIDTH)
        each = [topic + own + 0.3 * rng.normal(size=(N, WIDTH)) for _ in range(2 if k == 0 else 1)]
        for x in each:
            x[:, -1] = 3.3
        made.append((f"lab{k}", [x.astype(np.float32) for x in each]))
    return made


def by_definition(crowd: list[tuple[str, list[Float32s]]], pair: Floats) -> Floats:
    """The metric of lineages, step by step."""
    count = len(crowd)
    points = [np.mean(own, axis=0) for _, own in crowd]
    u = np.mean(points, axis=0)
    apart = [np.mean([np.var(x - u, axis=0, ddof=1) for x in own], axis=0) for _, own in crowd]
    spread = np.mean(apart, axis=0) * count / (count - 1)
    spreads = np.ones(WIDTH)
    rhos = PRIOR * 10 / (count - 1 + 10)
    for f in range(WIDTH - 1):
        noise = spread[f] / N * np.mean([1 / len(own) for _, own in crowd])
        raw = max(0, np.var([p[:, f].mean() for p in points], ddof=1) - noise) / spread[f]
        rhos[f] = ((count - 1) * raw + 10 * PRIOR[f]) / (count - 1 + 10)
        spreads[f] = (count * spread[f] + 2 * pair[f]) / (count + 2)
    # the last feature varies nowhere
    spreads[-1] = np.median(spreads[:-1])
    return np.asarray(rhos / (rhos + 1 / N) / spreads)


@pytest.mark.parametrize("without", ["", "lab0", "lab2"])
def test_metric_and_centre_by_definition(without: str) -> None:
    crowd, pair = models(5), np.array([0.5, 0.2, 0.1, 0.0])
    rest = [(name, own) for name, own in crowd if name != without]
    made = population(crowd)
    np.testing.assert_allclose(
        made.metric(without, pair, PRIOR, N), by_definition(rest, pair), rtol=1e-4, atol=1e-12
    )
    np.testing.assert_allclose(
        made.centre(without),
        np.mean([np.mean(own, axis=0) for _, own in rest], axis=0),
        rtol=1e-5,
    )


def test_leaving_a_lineage_out_is_a_population_without_it() -> None:
    crowd, pair = models(6), np.full(WIDTH, 0.3)
    left = population(crowd).metric("lab3", pair, PRIOR, N)
    np.testing.assert_allclose(
        left, population(crowd[:3] + crowd[4:]).metric("", pair, PRIOR, N), rtol=1e-4
    )


def test_few_lineages_say_nothing() -> None:
    pair = np.array([0.5, 0.2, 0.1, 0.0])
    expected = PRIOR / (PRIOR + 1 / N) / np.append(pair[:3], np.median(pair[:3]))
    for crowd in (models(3), []):
        made = population(crowd)
        assert not made.enough
        np.testing.assert_allclose(made.metric("", pair, PRIOR, N), expected)
    assert population(models(4)).enough


def test_spread_of_a_pair_is_half_that_of_its_difference() -> None:
    gap = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0]], dtype=np.float32)
    # a habit on every prompt: a sixteenth of its square
    np.testing.assert_allclose(pair_spread(gap), [1.0, 0.25, 0.0])
