"""Prompts inside what a chat template made of them: text before, between and after their messages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from harness.files.cells import beginning
from harness.types import DistillbenchError, Request

_MOST_FORMS = 2  # a template with a date in it has another form after midnight
_SHARE = 0.9  # of the prompts that have one of these forms
_LONGEST_BETWEEN = 300  # characters that a template puts between two messages
_MOST_FITS = 200  # ways in which a request may stand in a text
_MOST = 0.5  # of the answers of a file that a template has to join where its format does not tell
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
    tried = pairs[:: max(len(pairs) // _TRIED, 1)]
    forms = Counter(f for p in tried for f in set(surroundings(p.text, p.request)))
    common = [form for form, _ in forms.most_common(_MOST_FORMS)]
    fitting = [p for p in pairs if _bare(p.text) in {_rendered(f, p.request) for f in common}]
    if strict:
        _check_one_template(pairs, fitting, common)
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
        for form in set(surroundings(text, request))
    )
    if marked:
        forms = Counter({form: n for form, n in forms.items() if _ROLE.search(" ".join(form))})
    if not forms:
        return [], ""
    # of equally frequent ones the shortest: a prompt that is a part of another leaves more around it
    form = min(forms, key=lambda f: (-forms[f], sum(map(len, f))))
    spelled: dict[str, list[int]] = defaultdict(list)
    for index, request in requests.items():
        spelled[_rendered(form, request)].append(index)
    # prompts that differ in white space only cannot be told apart here
    alone = {text: indices[0] for text, indices in spelled.items() if _are_one(indices, requests)}
    fitting = [
        Rendering(alone[bare], answer, text, requests[alone[bare]])
        for answer, text in texts.items()
        if (bare := _bare(text)) in alone
    ]
    if marked and len(fitting) < _MOST * len(texts):
        return [], ""
    return fitting, _note(form)


def _are_one(indices: Sequence[int], requests: Mapping[int, Request]) -> bool:
    return len({tuple(contents(requests[i])) for i in indices}) == 1


def _check_one_template(
    pairs: Sequence[Rendering], fitting: Sequence[Rendering], common: Sequence[tuple[str, ...]]
) -> None:
    is_plain = isinstance(pairs[0].request.context, str)
    if is_plain and common and common[0][-1]:
        raise DistillbenchError(
            "the recorded prompts are what a chat template made of the questions, for one: "
            f"{beginning(pairs[0].text)}; set `chat: true` for this model"
        )
    # copies of a row are asked after other examples: one of its rows has to fit
    joined, every = ({p.request_index for p in some} for some in (fitting, pairs))
    if is_plain or len(joined) < _SHARE * len(every):
        others = [p for p in pairs if p.request_index not in joined] or list(pairs)
        cause = "a chat template (then `chat: true`), or " if is_plain else ""
        more = "" if is_plain else " in more than a chat template"
        raise DistillbenchError(
            f"the recorded prompts are not those of the task{more} ({cause}other few-shot examples?); recorded, for "
            f"one: {beginning(others[0].text)}; of the task: {beginning(contents(others[0].request)[-1])}"
        )


def surroundings(text: str, request: Request) -> Iterator[tuple[str, ...]]:
    """What may stand before, between and after the messages of a request in a text, in every way in which it fits.

    What stands between two roles is always the same; white space at its ends is the template's to keep or to cut.
    """
    parts = [part.strip() for part in contents(request)]
    steps = _steps(request)

    def fit(at: int, k: int, around: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Every way to find the parts from the k-th on in the text behind `at`: the texts around them."""
        if k == len(parts):
            yield (*around, text[at:].strip())
            return
        known = next((around[i] for i in range(k) if steps[i] == steps[k]), None)
        last = len(text) if k == 0 else at + len(parts[k]) + _LONGEST_BETWEEN
        place = text.find(parts[k], at, last)
        while place >= 0:
            between = text[at:place].strip()
            if known is None or between == known:
                yield from fit(place + len(parts[k]), k + 1, (*around, between))
            place = text.find(parts[k], place + 1, last)

    if all(parts):
        yield from islice(fit(0, 0, ()), _MOST_FITS)


def _steps(request: Request) -> list[tuple[str, str]]:
    """(role before, role) of every message; of the first, ("", role)."""
    if isinstance(request.context, str):
        return [("", "user")]
    roles = ["", *(m.role for m in request.context)]
    return list(pairwise(roles))


def contents(request: Request) -> list[str]:
    """The texts of a request, which any rendering of it has to contain."""
    if isinstance(request.context, str):
        return [request.context]
    return [m.text for m in request.context]


def _rendered(form: Sequence[str], request: Request) -> str:
    """The messages with a template around them, without white space."""
    after = zip(contents(request), form[1:], strict=False)
    return _bare("".join([form[0], *(piece for pair in after for piece in pair)]))


def _bare(text: str) -> str:
    return "".join(text.split())


def _note(form: Sequence[str]) -> str:
    around = " ... ".join(beginning(part) for part in form)
    return f"its prompts are recorded as its own chat template spelled them: {around} around each"
