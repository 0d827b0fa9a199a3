"""What models wrote when asked several times: the samples of every side, on prompts that everyone answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from harness.panel import reasons
from harness.panel.controls import lineage_means
from harness.panel.grades import AlignedValues
from harness.panel.panel import Panel
from harness.panel.prompts import Aligned, Prompts, share
from harness.panel.side import Side, once
from harness.panel.texts import replies_of
from harness.stats.controls import prediction_limit
from harness.types import Finding, Floats, Given, Mean, Smooth, Unavailable

Answers = tuple[tuple[str, ...], ...]  # (P,) of (samples,) texts


@dataclass(frozen=True)
class Samples(Aligned[Answers]):
    """Answers of student, teacher, base and controls to the same prompts, every side with its samples."""

    def where(self, rows: Sequence[int]) -> Samples:
        """The same on some of the prompts."""

        def cut(answers: Answers) -> Answers:
            """The answers to these rows."""
            return tuple(answers[i] for i in rows)

        return replace(
            self,
            prompts=tuple(self.prompts[i] for i in rows),
            core={role: cut(answers) for role, answers in self.core.items()},
            controls={name: cut(answers) for name, answers in self.controls.items()},
        )


def align_samples(panel: Panel, least: int | None = None) -> Samples:
    """Everyone's answers on shared prompts; see `share` for what is raised.

    least: answers to a prompt that a side needs for it to count, or as many as it has samples where these are fewer;
    None: all of them, so that no prompt has fewer answers than another.
    """
    shared = share(panel, lambda side: some_samples(side, least))

    def own(side: Side) -> Answers:
        """A side's answers to the shared prompts, in their order."""
        given = some_samples(side, least)
        return tuple(given[i] for i in shared.ids)

    return Samples(shared.prompts, *shared.each(own), shared.lineages, shared.left_out)


@once
def some_samples(side: Side, least: int | None) -> dict[str, tuple[str, ...]]:
    """Prompt.id -> the side's answers, the first one first, for prompts with that and `least` or all of them."""
    first, *rest = [replies_of(side.requests, o) for o in (side.outputs, *side.samples)]
    needed = 1 + len(rest) if least is None else min(least, 1 + len(rest))
    given = {i: (reply.text, *(s[i].text for s in rest if i in s)) for i, reply in first.items()}
    return {i: texts for i, texts in given.items() if len(texts) >= needed}


def require_samples(answers: Answers, model: str, least: int = 2) -> None:
    """Raises Unavailable if there are fewer samples per prompt than a spread needs."""
    if len(answers[0]) < least:
        raise Unavailable(
            f"{model} has {len(answers[0])} answer to each prompt; {least} or more are needed, drawn at a temperature "
            f"above 0 (samples: {least} in the task, or decoding.samples={least})"
        )


def require_draws(counts: Sequence[int], model: str) -> None:
    """Raises Unavailable where no prompt has two graded answers; `counts`: graded answers of every prompt."""
    if max(counts, default=0) < 2:
        raise Unavailable(
            f"{model} has 1 graded answer to each prompt; 2 or more are needed, drawn at a temperature above 0 "
            "(`samples: 4` and `decoding: sampled` in the task), or recorded"
        )


def bootstrapped(values: Annotated[Floats, "P"], rows: Prompts) -> Smooth:
    """The mean of values (P,), its interval by a bootstrap over prompts."""
    return Smooth(values[:, None], _first, rows.ids, rows.clusters)


def rate(values: Annotated[Floats, "P"], rows: Prompts) -> Mean | Smooth:
    """The mean of rates per prompt (P,): exact binomial bounds where each is 0 or 1, else a bootstrap over prompts."""
    if np.all((values == 0) | (values == 1)):
        return Mean(values, rows.ids, rows.clusters)
    return bootstrapped(values, rows)


def share_of(aligned: AlignedValues) -> Mean | Smooth:
    """The same of the first side's values."""
    return rate(aligned.values[0], aligned)


def over_base(
    mine: Annotated[Floats, "P"], base: Annotated[Floats, "P"] | None, rows: Prompts
) -> Smooth | str:
    """The student's values (P,) minus the base's, or the reason where there is no base."""
    return reasons.NO_BASE if base is None else bootstrapped(mine - base, rows)


def over_controls(
    names: tuple[str, str],
    mine: Annotated[Floats, "P"],
    controls: Mapping[str, Floats],
    rows: Samples,
) -> list[Finding]:
    """The student's values (P,) minus the controls' mean: over prompts (names[0]), and over models (names[1]).

    The second is a 95 % prediction interval for a further control, from 4 lineages on. `controls`: values by name.
    """
    if not controls:
        return [Finding(reasons.no_controls(rows.left_out), name) for name in names]
    each = lineage_means(list(controls.values()), [rows.lineages[c] for c in controls])
    difference = mine - each.mean(axis=0)
    return [
        Finding(bootstrapped(difference, rows), names[0]),
        Finding(_over_models(difference, each), names[1]),
    ]


def _over_models(difference: Annotated[Floats, "P"], each: Floats) -> Given | str:
    try:
        limit = prediction_limit(each.mean(axis=1), 0.975)
    except Unavailable as error:
        return str(error)
    if limit.sd <= 1e-12 * max(1.0, abs(limit.mean)):
        return f"{limit.lineages} control lineages, all alike: no spread to judge a model by"
    value, half = float(difference.mean()), limit.limit - limit.mean
    return Given(value, value - half, value + half, limit.lineages, "models")


def _first(means: Floats) -> Floats:
    return means[..., 0]
