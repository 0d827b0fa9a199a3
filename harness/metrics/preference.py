"""Preference: whether the student came to like the teacher's text more than that of other models.

Source: ours; a difference in differences of log-probabilities per byte, so the length of texts, the tokenizer and how
good the student is at text in general drop out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._primary import required
from harness.metrics._reading import Place, authors, reads, require
from harness.panel.panel import Side, Sides
from harness.types import Better, Found, Mean, Prompt, Statistic, Unavailable


def gains(side: Side, base: Side) -> dict[Place, float]:
    """How much likelier than the base a model finds each text that both read, in nats per byte."""
    own, before = reads(side), reads(base)
    return {
        p: (r.logprob_nats - before[p].logprob_nats) / r.n_bytes
        for p, r in own.items()
        if p in before
    }


def preferences(
    gained: Mapping[Place, float], teacher: str, others: Sequence[str]
) -> dict[str, float]:
    """Prompt.id -> gain on the teacher's text minus the mean gain on those of the others that answered."""
    found = {}
    for prompt, leaf in gained:
        rest = [gained[prompt, o] for o in others if (prompt, o) in gained]
        if leaf == teacher and rest:
            found[prompt] = gained[prompt, teacher] - sum(rest) / len(rest)
    return found


@dataclass(frozen=True)
class Preference(AbstractMetric):
    """The student's gain over the base on the teacher's answers, less that on others' answers to the same prompts."""

    unit: ClassVar[str] = "nats per byte"
    better: ClassVar[Better] = "higher"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher", "base", "reading", "answers"})
    explanation: ClassVar[str] = (
        "By how much more than the base the student expects each byte of the teacher's answers, less the same for "
        "other models' answers to the same prompts: above 0, it took to this teacher's text and not to such text in "
        "general. Answers of the student itself and of the base do not count as others'. A student of another teacher "
        "who writes alike is above 0 too: `over_controls` takes the controls' mean preference off."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """The preference, and its difference to that of the controls."""
        one = sides[0]
        teacher, base = required(one.teacher, "teacher").model, required(one.base, "base")
        written = authors(one.student)
        if teacher not in written:
            raise Unavailable(
                f"{teacher} is not among those whose answers are read: {', '.join(written)}"
            )
        models = {side.model: side for side in (one.student, *one.controls)}
        others = {m: [a for a in written if a not in (teacher, base.model, m)] for m in models}
        if not others[one.student.model]:
            raise Unavailable(
                "no answers of any further model are read: nothing to prefer the teacher's to"
            )
        found = {
            m: preferences(gains(side, base), teacher, others[m]) for m, side in models.items()
        }
        prompts = {p.id: p for p in one.student.requests.prompts}
        own = found.pop(one.student.model)
        return [
            Found("", "", _mean(own, prompts, one.minimum)),
            Found("over_controls", "", _over_controls(own, found, prompts, one.minimum)),
        ]


def _over_controls(
    own: Mapping[str, float],
    controls: Mapping[str, Mapping[str, float]],
    prompts: Mapping[str, Prompt],
    minimum: int,
) -> Statistic | str:
    """Student minus mean of controls on the prompts that all have, or the reason why there is none."""
    if not controls or not all(controls.values()):
        return "no controls, or some of them have no other model's answers to read"
    shared = [i for i in own if all(i in c for c in controls.values())]
    above = {i: own[i] - sum(c[i] for c in controls.values()) / len(controls) for i in shared}
    try:
        return _mean(above, prompts, minimum)
    except Unavailable as error:
        return str(error)


def _mean(values: Mapping[str, float], prompts: Mapping[str, Prompt], minimum: int) -> Mean:
    require(len(values), minimum)
    ids = tuple(sorted(values))
    return Mean(np.array([values[i] for i in ids]), ids, tuple(prompts[i].cluster for i in ids))
