"""The one rule by which recorded answers are joined to requests: by content or by an id, never by position.

Tried in this order, for all requests of a collection together:

1. the exact text of the prompt (of a conversation: the whole of it, then its last user message);
2. the same in Unicode's canonical form (NFC), then with runs of white space as one space; both only where neither
   another request nor another answer of the file is then the same;
3. the id that a prompt has in its file, or the row of data that an lm-eval task asks about;
4. the prompt inside what a chat template made of it, where that template is the same for every prompt.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from harness.files.answers import Answer
from harness.files.cells import beginning, name_of
from harness.files.conversations import flattened
from harness.models._recorded_rendered import Rendering, common_rendering, named_rendering
from harness.types import DistillbenchError, Kind, Request

Key = tuple[Kind, str, str, str | None]  # kind, context, continuation, system message
Draws = Mapping[int, Answer]  # number of the sample -> its answer


@dataclass(frozen=True)
class Wanted:
    """One request to find the answer of."""

    request: Request
    # ids of its prompt: the one in its file, and the digest of its row of data
    names: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """All that is asked but the system message."""
        context = self.request.context
        return context if isinstance(context, str) else flattened(context)[0]


@dataclass
class Joined:
    """Answers by request, and what is left over."""

    draws: dict[int, Draws] = field(default_factory=dict)  # index of the request -> samples
    notes: list[str] = field(default_factory=list)
    used: set[int] = field(default_factory=set)  # indices of the answers


class Spelling(NamedTuple):
    """One way in which an answer or a request may be filed."""

    key: Key
    place: int  # its index


def join(answers: Sequence[Answer], wanted: Sequence[Wanted]) -> Joined:
    """Answers of a file by request; raises DistillbenchError where two answers to one request contradict."""
    joined = Joined()
    filed = [Spelling(key, i) for i, a in enumerate(answers) for key in _answer_keys(a)]
    for form in (_whole, _last):
        asked = [Spelling(key, i) for i, w in enumerate(wanted) for key in form(w.request)]
        for spelled in (str, canonical, squeezed):
            if len(joined.draws) == len(wanted):
                return joined
            _join_texts(joined, answers, wanted, filed, asked, spelled)
    _join_names(joined, answers, wanted)
    _join_rendered(joined, answers, wanted)
    return joined


def check_consistent(answers: Sequence[Answer]) -> None:
    """Raises DistillbenchError where two answers to the same words, of one id and sample, contradict."""
    first: dict[tuple[object, ...], Answer] = {}
    clashes = []
    for answer in answers:
        where = (
            answer.kind, answer.name, answer.context, answer.continuation, answer.system, answer.draw, answer.slot,
        )  # fmt: skip
        known = first.setdefault(where, answer)
        if not _is_equal(known, answer):
            clashes.append((known, answer))
    if clashes:
        raise DistillbenchError(_contradiction(*clashes[0], more=len(clashes) - 1))


def canonical(text: str) -> str:
    """`text` in Unicode's canonical form: an accent in one spelling."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def squeezed(text: str) -> str:
    """Its canonical form with every run of white space as one space, none at the ends."""
    return " ".join(canonical(text).split())


# --- by text ----------------------------------------------------------------------------------------


def _join_texts(
    joined: Joined,
    answers: Sequence[Answer],
    wanted: Sequence[Wanted],
    filed: Sequence[Spelling],
    asked: Sequence[Spelling],
    spelled: Callable[[str], str],
) -> None:
    """Joins what is equal in one spelling, as far as nothing else is."""
    answered: dict[Key, set[Key]] = defaultdict(set)
    places: dict[Key, list[int]] = defaultdict(list)
    for key, index in filed:
        near = _spelled(key, spelled)
        answered[near].add(key)
        places[near].append(index)
    requested: dict[Key, set[str]] = defaultdict(set)
    for key, index in asked:
        requested[_spelled(key, spelled)].add(wanted[index].text)
    for key, index in asked:
        near = _spelled(key, spelled)
        if index in joined.draws or near not in places or len(requested[near]) > 1:
            continue
        candidates = _of_name(places[near], answers, wanted[index].names)
        if len(answered[near]) > 1 and not _agree([answers[i] for i in candidates]):
            continue
        joined.draws[index] = _draws([answers[i] for i in candidates])
        joined.used.update(places[near])


def _spelled(key: Key, spelled: Callable[[str], str]) -> Key:
    kind, context, continuation, system = key
    return (
        kind,
        spelled(context),
        spelled(continuation),
        None if system is None else spelled(system),
    )


def _answer_keys(answer: Answer) -> Iterator[Key]:
    """An answer as it may be asked for: with its system message apart, and in plain text before the prompt."""
    if answer.context is None:
        return
    yield answer.kind, answer.context, answer.continuation, answer.system
    if answer.system is not None:
        yield answer.kind, f"{answer.system}\n\n{answer.context}", answer.continuation, None


def _whole(request: Request) -> Iterator[Key]:
    """The request as its whole text; an answer whose file says nothing of a system message fits any."""
    if isinstance(request.context, str):
        yield recorded_kind(request), request.context, request.continuation, None
        return
    context, system = flattened(request.context)
    for known in dict.fromkeys([system, None]):
        yield request.kind, context, request.continuation, known


def recorded_kind(request: Request) -> Kind:
    """What the answer to a request is in a file: a text behind plain text is a continuation that lm-eval scores."""
    behind = request.kind == "read" and isinstance(request.context, str) and request.context != ""
    return "score" if behind else request.kind


def _last(request: Request) -> Iterator[Key]:
    """A conversation as its last user message."""
    if isinstance(request.context, str):
        return
    users = [m.text for m in request.context if m.role == "user"]
    _, system = flattened(request.context)
    for known in dict.fromkeys([system, None]) if users else ():
        yield request.kind, users[-1], request.continuation, known


def _of_name(
    places: Sequence[int], answers: Sequence[Answer], names: Sequence[str]
) -> Sequence[int]:
    """Of equal texts those that bear the prompt's own name, where any does."""
    own = [i for i in places if answers[i].name and answers[i].name in names]
    return own or places


# --- by name ----------------------------------------------------------------------------------------


def _join_names(joined: Joined, answers: Sequence[Answer], wanted: Sequence[Wanted]) -> None:
    """Joins by id: answers without a text, or whose text is an id because nothing was joined by text."""
    unread, texts = _by_name(answers, lambda a: a.name if a.context is None else ""), {}
    if not joined.draws:
        texts = _by_name(answers, lambda a: name_of(a.context) or "")
    ids = {name for one in wanted for name in one.names}
    for index, one in enumerate(wanted):
        kind, context = one.request.kind, one.request.context
        places = [
            i for n in one.names for known in (unread, texts) for i in known.get((kind, n), ())
        ]
        if not places and isinstance(context, str) and (name := name_of(context)) not in ids:
            places = unread.get((kind, str(name)), [])  # the text itself was given as the id
        if index not in joined.draws and places:
            joined.draws[index] = _draws([answers[i] for i in places])
            joined.used.update(places)


def _by_name(
    answers: Sequence[Answer], name: Callable[[Answer], str]
) -> dict[tuple[Kind, str], list[int]]:
    named: dict[tuple[Kind, str], list[int]] = defaultdict(list)
    for i, answer in enumerate(answers):
        if text := name(answer):
            named[answer.kind, text].append(i)
    return named


# --- by what a template made of it -------------------------------------------------------------------


def _join_rendered(joined: Joined, answers: Sequence[Answer], wanted: Sequence[Wanted]) -> None:
    """Joins prompts to what a template made of them: rows of data by their name, others by their text."""
    left = [i for i in range(len(wanted)) if i not in joined.draws]
    pairs = [Rendering(r, a, answers[a].context or "", wanted[r].request)
             for r, a in _same_rows(left, joined, answers, wanted)]  # fmt: skip
    if pairs:
        logged = answers[pairs[0].answer].slot is not None
        fitting, note = named_rendering(pairs, strict=logged)
    else:
        # what a file gives as messages, system message included, is not a template's text
        free = {
            i: a.context
            for i, a in enumerate(answers)
            if a.context and a.system is None and i not in joined.used
        }
        told = {i: text for i, text in free.items() if answers[i].rendered}
        asked = {i: wanted[i].request for i in left if wanted[i].request.kind == "generate"}
        unknown = not told and not joined.draws
        fitting, note = common_rendering(free if unknown else told, asked, marked=unknown)
    chosen: dict[int, list[int]] = defaultdict(list)
    for pair in fitting:
        chosen[pair.request_index].append(pair.answer)
    for index, places in chosen.items():
        joined.draws[index] = _draws([answers[i] for i in places])
        joined.used.update(places)
    joined.notes += [note] if note and chosen else []


def _same_rows(
    left: Sequence[int], joined: Joined, answers: Sequence[Answer], wanted: Sequence[Wanted]
) -> Iterator[tuple[int, int]]:
    """(request, answer) of one id or row of data, as far as the rest of what was asked is the same."""
    named: dict[tuple[Kind, str], list[int]] = defaultdict(list)
    for i, answer in enumerate(answers):
        if answer.name and answer.context and answer.system is None and i not in joined.used:
            named[answer.kind, answer.name].append(i)
    for index in left:
        request = wanted[index].request
        for i in (i for n in wanted[index].names for i in named.get((request.kind, n), ())):
            same_slot = answers[i].slot in (None, request.slot)
            if same_slot and squeezed(answers[i].continuation) == squeezed(request.continuation):
                yield index, i


# --- several answers to one request ------------------------------------------------------------------


def _draws(candidates: Sequence[Answer]) -> Draws:
    """Samples of the answers to one request; raises DistillbenchError where two of one sample contradict."""
    chosen: dict[int, Answer] = {}
    for answer in candidates:
        first = chosen.setdefault(int(answer.draw), answer)
        if not _is_equal(first, answer):
            raise DistillbenchError(_contradiction(first, answer, more=0))
    return chosen


def _agree(candidates: Sequence[Answer]) -> bool:
    first: dict[int | str, Answer] = {}
    return all(_is_equal(first.setdefault(a.draw, a), a) for a in candidates)


def _is_equal(first: Answer, second: Answer) -> bool:
    """Whether two answers say the same; log-probabilities differ a little with the batch they were computed in."""
    one, two = first.value, second.value
    if isinstance(one, tuple) and isinstance(two, tuple):
        return one[0] == two[0] or abs(one[0] - two[0]) <= 0.1 + 0.01 * abs(one[0])
    return one == two and bool(first.missing) == bool(second.missing)


def _contradiction(first: Answer, second: Answer, *, more: int) -> str:
    further = f" (and {more} more)" if more else ""
    return (
        f"{first.place} and {second.place}: the prompt {beginning(first.shown)} stands twice with different "
        f"answers{further}; expected one; choose one model with `where`, name the column that numbers the samples "
        "(columns: {sample: ...}), or delete one of the rows"
    )
