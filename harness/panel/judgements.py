"""Judgements of two models' answers to the same prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harness.panel.side import Side
from harness.text.clean import clean
from harness.types import Prompt

Winner = Literal["A", "B", "tie"]
_VERDICT = re.compile(r"[\W_]*(A|B|TIE|Tie|tie)[\W_]*")


def verdict(reply: str) -> Winner | None:
    """The verdict of a reply, whose last line must be A, B or TIE, apart from marks. None = it has no verdict."""
    lines = [line for line in reply.splitlines() if line.strip()]
    match = _VERDICT.fullmatch(lines[-1]) if lines else None
    if match is None:
        return None
    word = match.group(1)
    return "A" if word == "A" else "B" if word == "B" else "tie"


def contest(first: str, second: str) -> str:
    """The leaf of the comparison of two models."""
    return f"{first} against {second}"


@dataclass(frozen=True)
class Judgement:
    """What a judge says of two answers to one prompt, after both orders."""

    prompt: Prompt
    # of the first: 1 better, 0.5 tie, 0 worse; None = a reply holds no verdict
    points: float | None
    agree: bool  # both orders say the same
    unread: int  # replies without a verdict, of 2


def judgements(judge: Side, first: str, second: str) -> list[Judgement]:
    """Every judgement of two models, sorted by prompt id; empty where they were not compared.

    Slot 0 showed the first as A, slot 1 as B. Orders that disagree make a tie. Source: Zheng et al. 2023, Judging
    LLM-as-a-Judge, section 3.4.
    """
    straight, swapped = contest(first, second), contest(second, first)
    replies: dict[int, dict[bool, str]] = {}
    for row, index in enumerate(judge.outputs.request):
        request = judge.requests.requests[int(index)]
        if request.leaf in (straight, swapped):
            first_is_a = (request.slot == 0) == (request.leaf == straight)
            replies.setdefault(request.prompt, {})[first_is_a] = clean(
                judge.outputs.text[row] or "", judge.requests.think
            ).text
    made = [
        _judgement(judge.requests.prompts[p], r.get(True, ""), r.get(False, ""))
        for p, r in replies.items()
    ]
    return sorted(made, key=lambda j: j.prompt.id)


def _judgement(prompt: Prompt, as_a: str, as_b: str) -> Judgement:
    """The judgement from the replies that saw the first model's answer as A, and as B."""
    points = {"A": 1.0, "tie": 0.5, "B": 0.0}
    one, two = verdict(as_a), verdict(as_b)
    if one is None or two is None:
        return Judgement(prompt, None, False, (one is None) + (two is None))
    first, second = points[one], 1 - points[two]
    return Judgement(prompt, first if first == second else 0.5, first == second, 0)
