"""Made-up verdicts of a judge about several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.panel.judgements import contest
from harness.panel.side import Side
from harness.testing.panels import Sides
from harness.testing.sides import prompt_id, written_outputs
from harness.types import Prompt, Request, RequestSet

Replies = tuple[str, str]  # with the first model as A, and as B


def judge_side(told: Mapping[tuple[str, str], Sequence[Replies]]) -> Side:
    """A judge with its replies about pairs of models."""
    prompts: list[Prompt] = []
    requests: list[Request] = []
    texts: list[str] = []
    for models, replies in told.items():
        for i, both in enumerate(replies):
            name = prompt_id(contest(*models), i)
            prompts.append(Prompt(name, f"Question {i}", name, ""))
            requests += [
                Request(len(prompts) - 1, "generate", "", leaf=contest(*models), slot=s)
                for s in (0, 1)
            ]
            texts += both
    asked = RequestSet("judged", tuple(prompts), tuple(requests), False, "1", ("verdicts",))
    return Side("judge", "judge", asked, written_outputs(texts), None, ("key of judge",))


def judged_sides(told: Mapping[tuple[str, str], Sequence[Replies]]) -> Sides:
    """The judge's verdicts in the place of student, teacher and base."""
    judge = judge_side(told)
    student, teacher, base = (replace(judge, model=m) for m in ("student", "teacher", "base"))
    return Sides("judged", student, teacher, base)


def drawn_replies(seed: int, n: int = 60) -> list[Replies]:
    """Random replies, some of them without a verdict."""
    rng = np.random.default_rng(seed)
    words = ("A", "B", "TIE", "I cannot say")
    return [(words[i], words[j]) for i, j in rng.choice(4, (n, 2), p=(0.4, 0.35, 0.15, 0.1))]


def drawn_sides() -> Sides:
    """Random verdicts about student, teacher and base, and about the teacher and itself."""
    pairs = (
        ("student", "teacher"),
        ("student", "base"),
        ("teacher", "teacher"),
        ("teacher", "base"),
    )
    return judged_sides({pair: drawn_replies(i) for i, pair in enumerate(pairs)})
