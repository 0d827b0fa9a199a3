"""How much of some work is done and how long the rest takes. Pure: the clock's readings come in.

Work is counted in any unit, such as expected tokens, and is divided by part (a model) and sort (what it does there).
How many seconds a unit takes is measured for every part and sort. What a part has not done yet is taken from the other
parts, times how much slower than they this part has been.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Sort(NamedTuple):
    """What is expected to cost alike per unit."""

    kind: str
    task: str = ""  # the same kind may cost differently in different tasks


Amounts = Mapping[Sort, float]
Place = tuple[str, Sort]  # part and sort

_ALL = 1 - 1e-9  # a share from which on everything is done: sums of floats are not exact
# of the time that a piece has taken: work that takes longer than expected is never shown as about to end
_LEAST_LEFT = 0.1
_NEW = 0.01  # share of what was measured that has to be new before costs are estimated again


class _Seen(NamedTuple):
    """What was measured."""

    units: float = 0.0
    seconds: float = 0.0

    def plus(self, units: float, seconds: float) -> _Seen:
        """The sum of what was seen and of this work."""
        return _Seen(self.units + units, self.seconds + seconds)

    def cost(self) -> float:
        """Seconds per unit of work."""
        return self.seconds / self.units


class Forecast:
    """Share and time left of pieces of work, each of one part; `at_once` parts are worked on at a time."""

    def __init__(self, pieces: Iterable[tuple[str, Amounts]], at_once: int = 1) -> None:
        self._total: dict[Place, float] = {}
        for part, amounts in pieces:
            for sort, units in amounts.items():
                self._total[part, sort] = self._total.get((part, sort), 0.0) + units
        self._places: dict[str, list[Place]] = {}
        for place in self._total:
            self._places.setdefault(place[0], []).append(place)
        self._done = dict.fromkeys(self._total, 0.0)
        self._seen: dict[Place, _Seen] = {}
        self._at_work: dict[str, tuple[Amounts, float]] = {}  # part -> its piece, and since when
        self._at_once = at_once
        # seconds per unit; None = to be recomputed
        self._costs: dict[Place, float] | None = None
        self._ended = 0  # pieces since then

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, in order."""
        return tuple(self._places)

    def begin(self, part: str, piece: Amounts, now_s: float) -> None:
        """Notes what a part is at from now on."""
        self._at_work[part] = (piece, now_s)

    def end(self, part: str, piece: Amounts, seconds: float | None) -> None:
        """Notes that a piece is done; `seconds` = None says nothing of how long such work takes."""
        self._at_work.pop(part, None)
        places = {
            (part, sort): units
            for sort, units in piece.items()
            if units > 0 and (part, sort) in self._total
        }
        # of a single place all seconds are: of very many pieces nobody asks what the rest costs
        expected = self.costs() if len(places) > 1 else dict.fromkeys(places, 1.0)
        whole = sum(expected[place] * units for place, units in places.items())
        for place, units in places.items():
            done, total = self._done[place] + units, self._total[place]
            self._done[place] = total if done > total * _ALL else done
            if seconds is not None and whole > 0:
                fraction = expected[place] * units / whole
                self._seen[place] = self._seen.get(place, _Seen()).plus(units, seconds * fraction)
        self._ended += 1
        if self._ended >= _NEW * len(self._seen):  # one piece of thousands changes next to nothing
            self._costs, self._ended = None, 0

    def finish(self, part: str) -> None:
        """Notes that nothing of a part is left, however it went."""
        self._at_work.pop(part, None)
        self._done |= {place: units for place, units in self._total.items() if place[0] == part}

    def finished(self) -> int:
        """Number of parts of which nothing is left."""
        return sum(
            all(self._done[p] >= self._total[p] for p in self._of(part)) for part in self.parts
        )

    def share(self, part: str | None = None) -> float:
        """Share of the time, from 0 to 1, that is behind us: of one part, or of all."""
        costs, places = self.costs(), self._of(part)
        whole = sum(costs[p] * self._total[p] for p in places)
        return min(1.0, sum(costs[p] * self._done[p] for p in places) / whole) if whole else 1.0

    def left_s(self, now_s: float, part: str | None = None) -> float | None:
        """Seconds left, of one part or of all; None while nothing has been measured."""
        if not self._seen:
            return None
        if part is not None:
            return self._part_left_s(part, now_s)
        lefts = [self._part_left_s(name, now_s) for name in self.parts]
        return max([sum(lefts) / self._at_once, *lefts])

    def guessed(self, part: str | None = None) -> bool:
        """Whether something is left, of one part or of all, of a kind that was never measured."""
        known = {sort.kind for _, sort in self._seen}
        return any(
            p[1].kind not in known and self._done[p] < self._total[p] for p in self._of(part)
        )

    def costs(self) -> dict[Place, float]:
        """Expected seconds per unit, in any scale while nothing has been measured."""
        if self._costs is None:
            self._costs = self._estimated()
        return self._costs

    def _of(self, part: str | None) -> list[Place]:
        return list(self._total) if part is None else self._places.get(part, [])

    def _part_left_s(self, part: str, now_s: float) -> float:
        costs = self.costs()
        rest = sum(costs[p] * (self._total[p] - self._done[p]) for p in self._of(part))
        piece, since_s = self._at_work.get(part, ({}, now_s))
        expected = sum(costs.get((part, sort), 0.0) * units for sort, units in piece.items())
        passed = now_s - since_s
        return max(rest - expected, 0.0) + max(expected - passed, _LEAST_LEFT * passed)

    def _estimated(self) -> dict[Place, float]:
        pooled = self._pooled()
        slowness: dict[str, float] = {}
        for part in self.parts:
            own = {p: self._seen[p] for p in self._of(part) if p in self._seen}
            usual = sum(pooled[p[1]] * seen.units for p, seen in own.items())
            slowness[part] = sum(seen.seconds for seen in own.values()) / usual if usual else 1.0
        return {
            p: self._seen[p].cost() if p in self._seen else slowness[p[0]] * pooled[p[1]]
            for p in self._total
        }

    def _pooled(self) -> dict[Sort, float]:
        """Seconds per unit of every sort over all parts; of its kind, or of everything, where it was not measured."""
        sums: dict[Sort | str, _Seen] = {}
        for (_, sort), seen in self._seen.items():
            for level in (sort, sort.kind, ""):
                sums[level] = sums.get(level, _Seen()).plus(*seen)
        costs = {}
        for sort in {sort for _, sort in self._total}:
            levels: tuple[Sort | str, ...] = (sort, sort.kind, "")
            costs[sort] = next((sums[level].cost() for level in levels if level in sums), 1.0)
        return costs
