"""The questions of a run: which measure of which student on which tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.metrics import AbstractMetric
from harness.plan.collections import Plan
from harness.plan.identities import asked
from harness.plan.run import Run
from harness.types import Pair


@dataclass(frozen=True)
class Question:
    """One metric asked of one student: with a teacher, or of the model alone."""

    metric: AbstractMetric
    tasks: tuple[str, ...]  # one, or all that fit where the metric is across tasks
    student: str
    pair: Pair | None  # None = about the model alone


def all_questions(plan: Plan) -> Iterable[Question]:
    """Every question of the matrix: models alone, pairs, and the same of controls and of a ceiling's other version.

    A metric that no task fits is asked once over all tasks, so that its reason is seen.
    """
    run = plan.run
    for metric in run.metrics.values():
        fitting = tuple(t for t in run.tasks if plan.fits(t, metric.looks_at.yields))
        groups = (
            [fitting or tuple(run.tasks)]
            if metric.across_tasks or not fitting
            else [(t,) for t in fitting]
        )
        for group in groups:
            if metric.looks_at.at_models:
                models = [m for m in run.models if any(asked(run, m, t) for t in group)]
                yield from (Question(metric, group, model, None) for model in models)
            if metric.looks_at.at_pairs:
                yield from (Question(metric, group, p.student, p) for p in compared_pairs(run))


def compared_pairs(run: Run) -> list[Pair]:
    """The pairs, then pairs with every control or other version of a teacher in the student's place."""
    pairs = list(run.pairs)
    seen = {(p.teacher, p.student, p.base) for p in pairs}
    for pair in run.pairs:
        stand_ins = [c.model for c in run.controls if not c.teachers or pair.teacher in c.teachers]
        if pair.ceiling not in (None, "second_sample"):
            stand_ins.append(str(pair.ceiling))
        for model in stand_ins:
            key = (pair.teacher, model, pair.base)
            if model not in (pair.teacher, pair.base) and key not in seen:
                seen.add(key)
                pairs.append(replace(pair, student=model))
    return pairs
