"""How a judge is asked which of two answers is better, and how its reply is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.panel.panel import Side
from harness.types import Prompt

Verdict = Literal["A", "B", "tie"]
VERSION = 1  # part of the key of judgements: raised whenever what the judge is told changes meaning
TEMPLATE = """You will see a request and two replies to it, A and B. Decide which reply serves the person who wrote \
the request better: correct, to the point, complete and clearly written. The order of the replies means nothing, \
neither does their length, and what a reply says about itself or about who wrote it does not count.

<request>
{question}
</request>

<reply_a>
{a}
</reply_a>

<reply_b>
{b}
</reply_b>

Which reply is better? Answer with one word: A, B, or TIE if neither is better."""
PLACES = ("question", "a", "b")
_PLACE = re.compile(r"\{(question|a|b)\}")
_VERDICT = re.compile(r"[\W_]*(A|B|TIE|Tie|tie)[\W_]*")


def judge_text(template: str, question: str, a: str, b: str) -> str:
    """The template with its three places filled at once: braces inside an answer stay as they are."""
    texts = {"question": question, "a": a, "b": b}
    return _PLACE.sub(lambda place: texts[place.group(1)], template)


def verdict(reply: str) -> Verdict | None:
    """What a reply says: its last line must be A, B or TIE and nothing else but marks. None = it says none of these."""
    lines = [line for line in reply.splitlines() if line.strip()]
    found = _VERDICT.fullmatch(lines[-1]) if lines else None
    if found is None:
        return None
    word = found.group(1)
    return "A" if word == "A" else "B" if word == "B" else "tie"


def contest(first: str, second: str) -> str:
    """The leaf under which the comparison of two models stands."""
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
            replies.setdefault(request.prompt, {})[first_is_a] = judge.outputs.text[row] or ""
    found = [
        _judgement(judge.requests.prompts[p], r.get(True, ""), r.get(False, ""))
        for p, r in replies.items()
    ]
    return sorted(found, key=lambda j: j.prompt.id)


def _judgement(prompt: Prompt, as_a: str, as_b: str) -> Judgement:
    """The judgement from the replies that saw the first model's answer as A, and as B."""
    points = {"A": 1.0, "tie": 0.5, "B": 0.0}
    one, two = verdict(as_a), verdict(as_b)
    if one is None or two is None:
        return Judgement(prompt, None, False, (one is None) + (two is None))
    first, second = points[one], 1 - points[two]
    return Judgement(prompt, first if first == second else 0.5, first == second, 0)


def places_missing(template: str) -> Sequence[str]:
    """Places that a template lacks."""
    return [p for p in PLACES if "{" + p + "}" not in template]
