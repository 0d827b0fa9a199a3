"""Labels of points: students are always named, others where there is room, and no name is cut."""

from __future__ import annotations

import numpy as np
import pytest

from harness.figures._marks import Side
from harness.figures._placing import _PLOT, _boxes, _cross, label_sides

SPANS = ((-0.2, 1.2), (-0.2, 1.2))


def boxes(
    spots: list[tuple[float, float]], names: list[str], sides: list[Side | None]
) -> list[tuple[float, float, float, float]]:
    """The boxes of the labels that stand, in pixels."""
    scale = [_PLOT[i] / (SPANS[i][1] - SPANS[i][0]) for i in (0, 1)]
    at = [((x - SPANS[0][0]) * scale[0], (y - SPANS[1][0]) * scale[1]) for x, y in spots]
    return [_boxes(a, n)[s] for a, n, s in zip(at, names, sides, strict=True) if s]


@pytest.mark.parametrize("seed", range(20))
def test_controls_cross_nothing_and_students_are_named(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spots = [(float(x), float(y)) for x, y in rng.uniform(0, 1, (14, 2))]
    names = [f"model_{i}" for i in range(14)]
    must = [i < 4 for i in range(14)]
    sides = label_sides(spots, names, SPANS, must)
    assert all(sides[:4])
    stand = [i for i, side in enumerate(sides) if side]
    made = dict(zip(stand, boxes(spots, names, sides), strict=True))
    for i in stand:
        if not must[i]:
            assert not any(_cross(made[i], made[j]) for j in stand if j != i)


def test_a_name_at_the_edge_turns_inwards() -> None:
    spots, names = [(1.15, 0.5), (-0.15, 0.5)], ["a_student", "another"]
    sides = label_sides(spots, names, SPANS, [True, True])
    assert all(b[0] >= 0 and b[2] <= _PLOT[0] for b in boxes(spots, names, sides))


def test_of_points_in_one_place_one_control_is_named_beside_the_student() -> None:
    sides = label_sides([(0.5, 0.5)] * 12, ["name"] * 12, SPANS, [True] + [False] * 11)
    assert sides[0]
    assert sides.count(None) > 0
