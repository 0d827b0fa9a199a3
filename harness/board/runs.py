"""Comparison of two runs, score by score, paired by prompt where both have pseudo-values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.board.claims import Verdict, decide
from harness.board.record import RunRecord, Variant
from harness.stats.multiple import holm
from harness.stats.paired import compare
from harness.types import Better, DistillbenchError, Score, Unavailable


@dataclass(frozen=True)
class RunDifference:
    """One score in two runs; a value is None where its run has none."""

    metric: str
    task: str
    student: str
    teacher: str
    base: str
    variant: Variant
    unit: str
    first: float | None
    second: float | None
    difference: (
        float | None
    )  # first minus second, over the prompts that both have where there is an interval
    low: float | None
    high: float | None
    p: float | None  # two-sided, paired
    # the same after Holm's correction among all students and tasks of one measure, teacher and base
    p_adjusted: float | None
    n: int  # shared prompts; 0 where there is no interval
    reason: str  # why there is no interval, or no difference; "" where there is
    better: Better = "none"

    @property
    def outcome(self) -> Verdict | None:
        """Whether the second run is better or worse than the first; None where they are not paired."""
        if self.difference is None or self.p_adjusted is None:
            return None
        return decide(-self.difference, self.p_adjusted, self.better)


def compare_runs(first: RunRecord, second: RunRecord) -> list[RunDifference]:
    """A row for every score that either run has, in the order of metric, task, teacher and student."""
    ones, twos = ({_key(s): s for s in r.scores} for r in (first, second))
    rows = [_compared(ones.get(key), twos.get(key)) for key in sorted(ones.keys() | twos.keys())]
    return _adjusted(rows)


def job_of(record: RunRecord, wanted: Mapping[str, str]) -> RunRecord:
    """The record of the one job of a sweep that has these values of swept keys, as a run of its own.

    Raises DistillbenchError where no job has them, or several do.
    """
    fitting = {v: r for v, r in record.runs().items() if wanted.items() <= dict(v).items()}
    if len(fitting) != 1:
        every = [" ".join(f"{k}={x}" for k, x in v) for v in (fitting or record.runs())]
        asked = " ".join(f"{k}={v}" for k, v in wanted.items())
        raise DistillbenchError(
            f"{asked}: expected the values of one job of a sweep, got those of {len(fitting)}; "
            f"there are: {'; '.join(filter(None, every)) or 'no swept keys'}"
        )
    (one,) = fitting.values()
    alone = tuple(replace(s, variant=()) for s in one.scores)
    return replace(one, scores=alone, variants=(), jobs=())


def _adjusted(rows: list[RunDifference]) -> list[RunDifference]:
    families: dict[tuple[str, str, str, Variant], list[int]] = {}
    for place, row in enumerate(rows):
        if row.p is not None:
            family = (row.metric, row.teacher, row.base, row.variant)
            families.setdefault(family, []).append(place)
    for places in families.values():
        for place, p in zip(places, holm([rows[i].p or 0.0 for i in places]), strict=True):
            rows[place] = replace(rows[place], p_adjusted=float(p))
    return rows


def _key(s: Score) -> tuple[str, str, str, str, str, Variant]:
    return s.metric, s.task, s.teacher, s.student, s.base, s.variant


def _compared(first: Score | None, second: Score | None) -> RunDifference:
    either = first or second
    assert either is not None  # a key is that of a score
    a, b = (s.value if s else None for s in (first, second))
    row = RunDifference(
        metric=either.metric,
        task=either.task,
        student=either.student,
        teacher=either.teacher,
        base=either.base,
        variant=either.variant,
        unit=either.unit,
        first=a,
        second=b,
        difference=None if a is None or b is None else a - b,
        low=None,
        high=None,
        p=None,
        p_adjusted=None,
        n=0,
        reason=_reason(first, second),
        better=either.better,
    )
    if first is None or second is None or row.reason:
        return row
    try:
        paired = compare(first.influence, second.influence, {**first.clusters, **second.clusters})
    except Unavailable as error:
        return replace(row, reason=str(error))
    return replace(
        row,
        difference=paired.difference,
        low=paired.low,
        high=paired.high,
        p=paired.p,
        n=paired.n,
    )


def _reason(first: Score | None, second: Score | None) -> str:
    """Why two scores cannot be paired; "" where they can."""
    if first is None or second is None:
        return f"only in the {'first' if first else 'second'} run"
    if first.value is None or second.value is None:
        return first.reason or second.reason
    if first.unit != second.unit:
        return f"the units differ: {first.unit}, {second.unit}"
    if first.influence and second.influence:
        return ""
    if "/" in first.metric:
        return (
            "pseudo-values of prompts are stored for whole measures and own scores, not for parts"
        )
    return "not a mean over prompts: there is nothing to pair"
