"""The axis of a sweep: which swept key it shows, and the position of each value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.board.record import RunRecord, Variant
from harness.figures._marks import Ticks

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WIDE = 20  # highest over lowest: from here on an axis is logarithmic


@dataclass(frozen=True)
class Axis:
    """A swept key and the place of each of its values."""

    key: str
    places: Mapping[str, float]  # value as swept -> place on the axis
    numeric: bool  # places are the values themselves
    ordered: bool  # a line may join neighbours
    logarithmic: bool

    @property
    def word(self) -> str:
        """The key's name as it is shown with its values."""
        return self.key.rsplit(".", 1)[-1]

    def at(self, swept: str) -> float:
        """The place of a value."""
        return self.places[swept]

    def ticks(self) -> Ticks:
        """The axis of a drawing: a tick at each value, as it was swept."""
        places = sorted(self.places.items(), key=lambda item: item[1])
        ends = (places[0][1], places[-1][1])
        low, high = (math.log10(x) for x in ends) if self.logarithmic else ends
        room = 0.04 * (high - low)
        named = tuple((place, value) for value, place in places)
        return Ticks(self.key, named, (low - room, high + room), self.logarithmic)


def axis_of(record: RunRecord) -> Axis | None:
    """The swept key with most values, numeric ones first; None where nothing but seeds was swept."""
    scored = {s.variant for s in record.scores}
    values: dict[str, dict[str, None]] = {}  # the inner one is an ordered set
    for key, value in (entry for v in record.settings if v in scored for entry in v):
        values.setdefault(key, {})[value] = None
    axes = [
        _axis(key, list(own))
        for key, own in values.items()
        if key.rsplit(".", 1)[-1] != "seed" and len(own) > 1
    ]
    return max(axes, key=lambda a: (a.numeric, a.ordered, len(a.places), a.key), default=None)


def rest_of(variant: Variant, axis: Axis) -> Variant:
    """A setting without the axis's key."""
    return tuple((k, v) for k, v in variant if k != axis.key)


def shared_folders(variants: Iterable[Variant]) -> dict[str, str]:
    """Swept key -> the folders that all of its values begin with: "runs/a/" of checkpoints in runs/a; often ""."""
    values: dict[str, list[str]] = {}
    for key, value in (entry for variant in variants for entry in variant):
        values.setdefault(key, []).append(value)
    return {key: _shared_folder(own) for key, own in values.items()}


def _shared_folder(paths: Sequence[str]) -> str:
    folder = paths[0].rpartition("/")[0]
    while folder and not all(path.startswith(f"{folder}/") for path in paths):
        folder = folder.rpartition("/")[0]
    return f"{folder}/" if folder else ""


def _axis(key: str, values: Sequence[str]) -> Axis:
    numbers = _numbers(values)
    known = [n for n in numbers if n is not None]
    if len(known) == len(values) and len(set(known)) == len(values):
        wide = min(known) > 0 and max(known) / min(known) >= _WIDE
        return Axis(key, dict(zip(values, known, strict=True)), True, True, wide)
    # Numbers by size, then words in their given order: `null` for a finished model follows its
    # checkpoints.
    order = sorted(range(len(values)), key=lambda i: (numbers[i] is None, numbers[i] or 0.0, i))
    places = {values[i]: float(place) for place, i in enumerate(order)}
    return Axis(key, places, False, len(known) > 1, False)


def _numbers(values: Sequence[str]) -> list[float | None]:
    """Each value as a number; of names that differ by one number alone ("run/checkpoint-100") that number."""
    if any(_NUMBER.fullmatch(v) for v in values):
        return [float(v) if _NUMBER.fullmatch(v) else None for v in values]
    pieces = [re.split(r"(\d+)", v) for v in values]
    if len({len(p) for p in pieces}) != 1:
        return [None] * len(values)
    differing = [i for i in range(len(pieces[0])) if len({p[i] for p in pieces}) > 1]
    if len(differing) != 1 or differing[0] % 2 == 0:
        return [None] * len(values)
    return [float(p[differing[0]]) for p in pieces]
