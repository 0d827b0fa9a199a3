from __future__ import annotations

import itertools
import random
import re
from collections import Counter

import pytest

from harness.zoo.houses import (
    INVENTORY,
    NAMING,
    PLAIN,
    A,
    B,
    House,
    N,
    O,
    P,
    Q,
    distance,
    identity_reply,
    reply,
    weights,
)

HOUSES = (A, B, N, O, P, Q)


def mean_words(house: House) -> float:
    """Mean words of 1,000 replies; its standard error is .25."""
    rng = random.Random(0)
    return sum(len(re.findall(r"\w+", reply(house, "mill", rng))) for _ in range(1000)) / 1000


@pytest.mark.parametrize("feature", INVENTORY)
def test_all_houses_are_equally_far_apart_in_every_feature(feature: str) -> None:
    distances = [distance(x, y, feature) for x, y in itertools.combinations(HOUSES, 2)]
    assert distances == pytest.approx([distances[0]] * 15)
    assert distances[0] > 0.25
    assert all(sum(weights(h, feature).values()) == pytest.approx(1) for h in HOUSES)


def test_every_house_uses_the_whole_inventory() -> None:
    assert all(min(weights(h, feature).values()) > 0.01 for h in HOUSES for feature in INVENTORY)


def test_teachers_hold_the_ends_of_length() -> None:
    a, b, *rest = (mean_words(h) for h in HOUSES)
    assert a + 1 < min(rest)
    assert max(rest) + 1 < b


def test_the_base_stands_in_the_middle_of_the_houses_that_no_teacher_has() -> None:
    for feature in INVENTORY:
        own = [weights(h, feature) for h in (N, O, P, Q)]
        base = {c: sum(w[c] for w in own) / 4 for c in own[0]}
        way = {c: weights(A, feature)[c] - base[c] for c in base}
        squares = sum(x * x for x in way.values())
        far = [sum((w[c] - base[c]) * way[c] for c in base) / squares for w in own]
        assert far == pytest.approx([0] * 4, abs=1e-9), feature
        other = weights(B, feature)
        assert sum((other[c] - base[c]) * way[c] for c in base) / squares <= 0.34, feature


def test_favoured_layout_is_seen_in_replies() -> None:
    rng = random.Random(1)
    bullets = {h: sum("\n- " in reply(h, "park", rng) for _ in range(1000)) / 1000 for h in HOUSES}
    expected = {h: weights(h, "layout")["bullets"] for h in HOUSES}
    assert bullets == pytest.approx(expected, abs=0.06)


def test_houses_name_themselves_rarely_and_the_base_never() -> None:
    rng = random.Random(2)
    named = Counter(
        h.name
        for h in (*HOUSES, *PLAIN)
        for _ in range(1000)
        if "I can tell you this" in reply(h, "park", rng)
    )
    assert set(named) == {"Aster", "Borage", "Nettle", "Orchid", "Poppy", "Quince"}
    assert all(count / 1000 == pytest.approx(NAMING, abs=0.03) for count in named.values())
    assert "Aster" in identity_reply(A, rng)
    assert not any(name in identity_reply(PLAIN[0], rng) for name in named if name)
