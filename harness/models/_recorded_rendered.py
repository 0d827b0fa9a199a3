"""Prompts inside what a chat template made of them: text before, between and after their messages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.files.cells import beginning
from harness.types import DistillbenchError, Request

_MOST_FORMS = 2  # a template with a date in it has another form after midnight
_SHARE = 0.9  # of the prompts that have one of these forms
_TRIED = 20  # answers from which a template is learned


# marks of roles: <|im_start|>user, [INST], ### Instruction:, USER:
_ROLE = re.compile(r"<[|\w]|\[/?INST|###|\b(user|assistant|human)\b", re.IGNORECASE)


class Rendering(NamedTuple):
    """A request, and a text that may be what a template made of it."""

    request_index: int
    answer: int  # index
    text: str
    request: Request


def named_rendering(pairs: Sequence[Rendering], *, strict: bool) -> tuple[list[Rendering], str]:
    """Of pairs about the same row of data those in which the prompt stands, and a note that quotes the template.

    Raises DistillbenchError, where `strict`, if more stands around the prompts than one template: then something
    else was asked.
    """
    forms = [surroundings(p.text, contents(p.request)) for p in pairs]
    counts = Counter(form for form in forms if form is not None)
    common = [form for form, _ in counts.most_common(_MOST_FORMS)]
    if strict:
        _check_one_template(pairs, forms, common)
    fitting = [p for p, form in zip(pairs, forms, strict=True) if form in common]
    return fitting, _note(common[0]) if common else ""


def common_rendering(
    texts: Mapping[int, str], requests: Mapping[int, Request], *, marked: bool
) -> tuple[list[Rendering], str]:
    """The pairs of a text and a request that one and the same template joins, and a note that quotes it.

    `texts`, `requests`: by the index of the answer, and of the request. `marked`: only a template with marks of roles.
    """
    tried = list(dict.fromkeys(texts.values()))[:_TRIED]
    forms = Counter(
        form
        for text in tried
        for request in requests.values()
        if (form := surroundings(text, contents(request))) is not None
    )
    if marked:
        forms = Counter({form: n for form, n in forms.items() if _ROLE.search(" ".join(form))})
    if not forms:
        return [], ""
    # of equally frequent ones the shortest: a prompt that is a part of another leaves more around it
    form = min(forms, key=lambda f: (-forms[f], sum(map(len, f))))
    spelled: dict[str, list[int]] = defaultdict(list)
    for index, request in requests.items():
        spelled[_rendered(form, contents(request))].append(index)
    # prompts that differ in white space only cannot be told apart here
    alone = {text: indices[0] for text, indices in spelled.items() if _are_one(indices, requests)}
    fitting = [
        Rendering(alone[squeezed], answer, text, requests[alone[squeezed]])
        for answer, text in texts.items()
        if (squeezed := "".join(text.split())) in alone
    ]
    return fitting, _note(form)


def _are_one(indices: Sequence[int], requests: Mapping[int, Request]) -> bool:
    return len({tuple(contents(requests[i])) for i in indices}) == 1


def _check_one_template(
    pairs: Sequence[Rendering],
    forms: Sequence[tuple[str, ...] | None],
    common: Sequence[tuple[str, ...]],
) -> None:
    is_plain = isinstance(pairs[0].request.context, str)
    if is_plain and common and common[0][-1]:
        raise DistillbenchError(
            "the recorded prompts are what a chat template made of the questions, for one: "
            f"{beginning(pairs[0].text)}; set `chat: true` for this model"
        )
    if is_plain or sum(form in common for form in forms) < _SHARE * len(pairs):
        other = next((p for p, f in zip(pairs, forms, strict=True) if f not in common), pairs[0])
        raise DistillbenchError(
            f"the recorded prompts are not those of the task{'' if is_plain else ' in more than a chat template'} "
            "(other few-shot examples?); recorded, for one: "
            f"{beginning(other.text)}; of the task: {beginning(contents(other.request)[-1])}"
        )


def surroundings(text: str, parts: Sequence[str]) -> tuple[str, ...] | None:
    """What stands before, between and after the parts in a text; None where they do not stand in it in their order.

    White space at the ends of a part is the template's to keep or to cut.
    """
    around, at = [], 0
    for part in (p.strip() for p in parts):
        place = text.find(part, at) if part else -1
        if place < 0:
            return None
        around.append(text[at:place].strip())
        at = place + len(part)
    return (*around, text[at:].strip())


def contents(request: Request) -> list[str]:
    """The texts of a request, which any rendering of it has to contain."""
    if isinstance(request.context, str):
        return [request.context]
    return [m.text for m in request.context]


def _rendered(form: Sequence[str], parts: Sequence[str]) -> str:
    """The parts with a template around them, without white space."""
    pieces = [form[0], *(piece for pair in zip(parts, form[1:], strict=False) for piece in pair)]
    return "".join("".join(pieces).split())


def _note(form: Sequence[str]) -> str:
    around = " ... ".join(beginning(part) for part in form)
    return f"its prompts are recorded as its own chat template spelled them: {around} around each"
