"""Recorded answers and the one rule by which they are joined to requests: by content, never by position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.types import DistillbenchError, Kind, Message, Request

# text, or the label of an option; (nats, greedy); None = no option extracted
Value = str | tuple[float, bool | None] | None
Key = tuple[str, str, str, str | None]  # kind, context, continuation, system message


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a file."""

    kind: Kind
    context: str  # text, or a conversation as `flattened` spells it, without system messages
    value: Value
    place: str  # "FILE, row 12": for messages
    continuation: str = ""
    # None = the file does not say; such an answer fits any system message
    system: str | None = None
    draw: int = 0  # 0 is the first sample of this prompt, 1 the second ...


@dataclass(frozen=True)
class AnswerBook:
    """The answers of one model, indexed by request."""

    answers: tuple[Answer, ...]

    @cached_property
    def exact(self) -> Mapping[Key, Mapping[int, Answer]]:
        """Answers by the exact text of the request; raises DistillbenchError where two of them contradict."""
        book: dict[Key, dict[int, Answer]] = {}
        clashes: list[tuple[Answer, Answer]] = []
        for answer in self.answers:
            first = book.setdefault(_key(answer), {}).setdefault(answer.draw, answer)
            if not _equal(first, answer):
                clashes.append((first, answer))
        if clashes:
            raise DistillbenchError(_contradiction(*clashes[0], more=len(clashes) - 1))
        return book

    @cached_property
    def loose(self) -> Mapping[Key, Sequence[Answer]]:
        """All answers by the text of the request with runs of white space made one space."""
        book: dict[Key, list[Answer]] = {}
        for answer in self.answers:
            kind, context, continuation, system = _key(answer)
            book.setdefault((kind, squeezed(context), squeezed(continuation), system), []).append(
                answer
            )
        return book

    def draws(self, request: Request, prompt_id: str) -> Mapping[int, Answer] | None:
        """All samples of the answer to a request; None where the file has none. Exact text wins over squeezed."""
        keys = _keys(request, prompt_id)
        for key in keys:
            if key in self.exact:
                return self.exact[key]
        for kind, context, continuation, system in keys:
            found = self.loose.get((kind, squeezed(context), squeezed(continuation), system))
            if found:
                return AnswerBook(tuple(found)).only()
        return None

    def only(self) -> Mapping[int, Answer]:
        """Samples of answers whose prompts differ in white space only; the answers have to agree."""
        chosen: dict[int, Answer] = {}
        for answer in self.answers:
            first = chosen.setdefault(answer.draw, answer)
            if not _equal(first, answer):
                raise DistillbenchError(_contradiction(first, answer, more=0))
        return chosen


def flattened(messages: Iterable[Message]) -> tuple[str, str | None]:
    """(conversation as text, system message or None); a lone user message is its own text."""
    messages = list(messages)
    system = "\n".join(m.text for m in messages if m.role == "system")
    turns = [m for m in messages if m.role != "system"]
    alone = len(turns) == 1 and turns[0].role == "user"
    text = turns[0].text if alone else "\n".join(f"{m.role}: {m.text}" for m in turns)
    return text, system or None


def squeezed(text: str) -> str:
    """`text` with every run of white space as one space, none at the ends."""
    return " ".join(text.split())


def beginning(text: str, length: int = 60) -> str:
    """The first characters of a text, quoted, on one line."""
    return repr(text if len(text) <= length else text[: length - 1] + "…")


def _key(answer: Answer) -> Key:
    return answer.kind, answer.context, answer.continuation, answer.system


def _keys(request: Request, prompt_id: str) -> list[Key]:
    """Keys under which the answer to a request may be filed, best first."""
    if isinstance(request.context, str):
        contexts, system = [request.context], None
    else:
        whole, system = flattened(request.context)
        users = [m.text for m in request.context if m.role == "user"]
        contexts = list(dict.fromkeys([whole, *users[-1:]]))
    systems = dict.fromkeys([system, None])
    return [
        (request.kind, c, request.continuation, s) for c in (*contexts, prompt_id) for s in systems
    ]


def _equal(first: Answer, second: Answer) -> bool:
    """Whether two answers say the same; log-probabilities differ a little with the batch they were computed in."""
    if isinstance(first.value, tuple) and isinstance(second.value, tuple):
        return abs(first.value[0] - second.value[0]) <= 0.1 + 0.01 * abs(first.value[0])
    return first.value == second.value


def _contradiction(first: Answer, second: Answer, *, more: int) -> str:
    further = f" (and {more} more)" if more else ""
    return (
        f"{first.place} and {second.place}: the prompt {beginning(first.context)} stands twice with different "
        f"answers{further}; expected one; choose one model with `where`, name the column that numbers the samples "
        "(columns: {sample: ...}), or delete one of the rows"
    )
