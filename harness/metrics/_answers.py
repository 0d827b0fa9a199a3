"""What measures of several answers per prompt share: everyone's samples, rates, and where controls stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.metrics._population import unrelated
from harness.panel.align import answered_texts
from harness.panel.panel import Side, Sides
from harness.stats.controls import prediction_limit
from harness.types import Floats, Found, Given, Mean, Prompt, Smooth, Unavailable

Answers = tuple[tuple[str, ...], ...]  # (P,) of (samples,) texts
_COVERAGE = 0.9  # of the others' prompts: a control with fewer would cut the prompts of all


@dataclass(frozen=True)
class Panel:
    """Answers of student, teacher, base and unrelated controls to the same prompts, every side with all its samples."""

    prompts: tuple[Prompt, ...]  # (P,) sorted by id
    student: Answers
    teacher: Answers | None
    base: Answers | None
    controls: Mapping[str, Answers]  # by model, sorted by name
    lineages: Mapping[str, str]  # of the controls

    @property
    def ids(self) -> tuple[str, ...]:
        """Prompt ids (P,)."""
        return tuple(p.id for p in self.prompts)

    @property
    def clusters(self) -> tuple[str, ...]:
        """Resampling units (P,)."""
        return tuple(p.cluster for p in self.prompts)

    def where(self, rows: Sequence[int]) -> Panel:
        """The same on some of the prompts."""

        def cut(answers: Answers) -> Answers:
            return tuple(answers[i] for i in rows)

        return replace(
            self,
            prompts=tuple(self.prompts[i] for i in rows),
            student=cut(self.student),
            teacher=cut(self.teacher) if self.teacher is not None else None,
            base=cut(self.base) if self.base is not None else None,
            controls={name: cut(answers) for name, answers in self.controls.items()},
        )


def panel(one: Sides) -> Panel:
    """Everyone's answers on shared prompts; raises Unavailable where they are fewer than the task's minimum."""
    core = [s for s in (one.student, one.teacher, one.base) if s is not None]
    answers = [every_sample(s) for s in core]
    shared = set.intersection(*(set(a) for a in answers))
    controls = {} if one.teacher is None else {s.model: s for s in unrelated(one, one.controls)}
    others = {name: every_sample(controls[name]) for name in sorted(controls)}
    others = {
        name: a
        for name, a in others.items()
        if len(shared & set(a)) >= _COVERAGE * max(len(shared), 1)
    }
    ids = sorted(shared.intersection(*(set(a) for a in others.values())))
    if len(ids) < max(one.minimum, 1):
        fewest = min(range(len(core)), key=lambda i: len(answers[i]))
        raise Unavailable(
            f"{len(ids)} prompts answered by all of {', '.join(s.model for s in core)}; at least {one.minimum} are "
            f"needed ({core[fewest].model} answered {len(answers[fewest])})"
        )
    by_id = {p.id: p for p in one.student.requests.prompts}
    sides = {
        side.model: tuple(found[i] for i in ids) for side, found in zip(core, answers, strict=True)
    }
    return Panel(
        prompts=tuple(by_id[i] for i in ids),
        student=sides[one.student.model],
        teacher=sides[one.teacher.model] if one.teacher else None,
        base=sides[one.base.model] if one.base else None,
        controls={name: tuple(found[i] for i in ids) for name, found in others.items()},
        lineages={name: controls[name].lineage for name in others},
    )


def every_sample(side: Side) -> dict[str, tuple[str, ...]]:
    """Prompt.id -> the side's answers, one per sample, for prompts that every sample answered."""
    samples = [
        answered_texts(replace(side, outputs=outputs)) for outputs in (side.outputs, *side.samples)
    ]
    return {i: tuple(s[i] for s in samples) for i in samples[0] if all(i in s for s in samples)}


def require_samples(answers: Answers, model: str, least: int = 2) -> None:
    """Nothing; raises Unavailable where there are fewer samples per prompt than a spread needs."""
    if len(answers[0]) < least:
        raise Unavailable(
            f"{model} has {len(answers[0])} answer to each prompt; {least} or more are needed, drawn at a temperature "
            f"above 0 (samples: {least} in the task, or decoding.samples={least})"
        )


def bootstrapped(values: Floats, rows: Panel) -> Smooth:
    """The mean of values (P,), its interval by a bootstrap over prompts."""
    return Smooth(values[:, None], _first, rows.ids, rows.clusters)


def rate(values: Floats, rows: Panel) -> Mean | Smooth:
    """The mean of rates per prompt (P,): exact binomial bounds where each is 0 or 1, else a bootstrap over prompts."""
    if np.all((values == 0) | (values == 1)):
        return Mean(values, rows.ids, rows.clusters)
    return bootstrapped(values, rows)


def over_controls(
    names: tuple[str, str], mine: Floats, controls: Mapping[str, Floats], rows: Panel
) -> list[Found]:
    """The student's values (P,) minus the controls' mean (lineages weigh the same): over prompts, and over models.

    The second is a 95 % prediction interval for a further control, from 4 lineages on.
    """
    if not controls:
        return [
            Found(name, "", "no controls of another lineage than student and teacher")
            for name in names
        ]
    lineages = sorted({rows.lineages[c] for c in controls})
    siblings = [
        [v for c, v in controls.items() if rows.lineages[c] == lineage] for lineage in lineages
    ]
    each = np.array([np.mean(values, axis=0) for values in siblings])
    difference = mine - each.mean(axis=0)
    return [
        Found(names[0], "", bootstrapped(difference, rows)),
        _against_models(names[1], difference, each),
    ]


def _against_models(name: str, difference: Floats, each: Floats) -> Found:
    values = each.mean(axis=1)
    try:
        limit = prediction_limit(values, 0.975)
    except Unavailable as error:
        return Found(name, "", str(error))
    if limit.sd <= 1e-12 * max(1.0, abs(limit.mean)):
        return Found(
            name, "", f"{limit.lineages} control lineages, all alike: no spread to judge a model by"
        )
    value, half = float(difference.mean()), limit.limit - limit.mean
    return Found(name, "", Given(value, value - half, value + half, limit.lineages, "models"))


def _first(means: Floats) -> Floats:
    return np.asarray(means[..., 0])
