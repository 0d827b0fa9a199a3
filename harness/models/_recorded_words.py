"""What is said of recorded answers that fit no request."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from harness.files.answers import Answer
from harness.files.cells import beginning
from harness.models import Ask
from harness.models._recorded_join import Joined, recorded_kind
from harness.types import Request

_COMPARED = 200  # prompts that are searched for the nearest


def leftovers(answers: Sequence[Answer], ask: Ask, joined: Joined) -> str:
    """A line on answers that fit no prompt, where prompts are without one too; "" where nothing is missing."""
    kinds = {recorded_kind(request) for request in ask.requests}
    left = [a for i, a in enumerate(answers) if i not in joined.used and a.kind in kinds]
    prompts = {a.shown for a in left}
    lonely = [
        ask.requests[i]
        for i, request in enumerate(ask.requests)
        if i not in joined.draws and not request.replies
    ]
    if not prompts or not lonely:
        return ""
    line = f"{len(prompts)} of its answers fit no prompt, and {len({_asked(r) for r in lonely})} prompts have no answer"
    if kinds == {"choose"}:  # ids: which of them look alike says nothing
        return (
            f"{line}; of each, for one: {beginning(left[0].shown)}, {beginning(_asked(lonely[0]))}"
        )
    present, wanted = _nearest(list(dict.fromkeys(a.shown for a in left)), lonely)
    return f"{line}; the nearest: {beginning(present)} beside {beginning(wanted)}"


def no_match(file: str, answers: Sequence[Answer], ask: Ask) -> str:
    """Why not one request is answered, with the nearest of both sides and the cures."""
    requests = [request for request in ask.requests if not request.replies]
    kinds = {answer.kind for answer in answers}
    kind = recorded_kind(requests[0])
    if kind not in kinds:
        present = ", ".join(sorted(kinds))
        return f"{file} holds answers to {present} requests, none to {kind} requests"
    same = [a for a in answers if a.kind == kind]
    shown, wanted = _nearest(list(dict.fromkeys(a.shown for a in same)), requests)
    systems = {a.shown: a.system for a in same}
    system = f" with the system message {beginning(systems[shown] or '')}" if systems[shown] else ""
    if system and " ".join(shown.split()) == " ".join(wanted.split()):
        return (
            f"{file} answers none of the {len(requests)} requests: {beginning(shown)} was answered{system}; the "
            "task asks without it: give the task the same one (`columns: {system: ...}`, or conversations as prompts)"
        )
    return (
        f"{file} answers none of the {len(requests)} requests; wanted, for one: {beginning(wanted)}; "
        f"present, for one: {beginning(shown)}{system}; answers are joined by the prompt's text (columns: {{prompt: "
        "...}) or by the id that the task's prompts have (columns: {id: ...}): name the right column"
    )


def _nearest(present: Sequence[str], requests: Sequence[Request]) -> tuple[str, str]:
    """The answered and the asked text that are most alike, of the first ones."""
    texts = list(dict.fromkeys(_asked(r) for r in requests))[:_COMPARED]
    for shown in present[:_COMPARED]:
        near = difflib.get_close_matches(shown[:400], [t[:400] for t in texts], n=1, cutoff=0.6)
        if near:
            return shown, next(t for t in texts if t.startswith(near[0]))
    return present[0], texts[0]


def _asked(request: Request) -> str:
    if isinstance(request.context, str):
        return request.context or request.continuation
    return next((m.text for m in reversed(request.context) if m.role == "user"), "")
