from __future__ import annotations

import itertools
import random
import re
from collections import Counter

import pytest

from harness.zoo.houses import (
    INVENTORY,
    NAMING,
    A,
    B,
    House,
    N,
    P,
    distance,
    identity_reply,
    reply,
    weights,
)

HOUSES = (A, B, N, P)


def mean_words(house: House) -> float:
    """Mean words of 1,000 replies; its standard error is .25."""
    rng = random.Random(0)
    return sum(len(re.findall(r"\w+", reply(house, "mill", rng))) for _ in range(1000)) / 1000


@pytest.mark.parametrize("feature", INVENTORY)
def test_all_houses_are_equally_far_apart_in_every_feature(feature: str) -> None:
    distances = [distance(x, y, feature) for x, y in itertools.combinations(HOUSES, 2)]
    assert distances == pytest.approx([distances[0]] * 6)
    assert distances[0] > 0.25
    assert all(sum(weights(h, feature).values()) == pytest.approx(1) for h in HOUSES)


def test_every_house_uses_the_whole_inventory() -> None:
    assert all(min(weights(h, feature).values()) > 0.01 for h in HOUSES for feature in INVENTORY)


def test_teachers_hold_the_ends_of_length() -> None:
    a, b, n, p = (mean_words(h) for h in HOUSES)
    assert a + 1.5 < min(n, p)
    assert max(n, p) + 1.5 < b
    assert n == pytest.approx(p, abs=2)  # headings are words too


def test_favoured_layout_is_seen_in_replies() -> None:
    rng = random.Random(1)
    bullets = {h: sum("\n- " in reply(h, "park", rng) for _ in range(1000)) / 1000 for h in HOUSES}
    expected = {h: weights(h, "layout")["bullets"] for h in HOUSES}
    assert bullets == pytest.approx(expected, abs=0.06)


def test_houses_name_themselves_rarely_and_the_plain_one_never() -> None:
    rng = random.Random(2)
    named = Counter(
        h.name
        for h in HOUSES
        for _ in range(2000)
        if "I can tell you this" in reply(h, "park", rng)
    )
    assert set(named) == {"Aster", "Borage", "Nettle"}
    assert all(count / 2000 == pytest.approx(NAMING, abs=0.025) for count in named.values())
    assert "Aster" in identity_reply(A, rng)
    assert not any(name in identity_reply(P, rng) for name in named if name)
