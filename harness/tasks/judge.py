"""A judge: one model says which of two others answered an open-ended prompt better; blind, in both orders.

Source: Zheng et al. 2023, Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena. The words are our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from harness.keys import describes, digest
from harness.panel.judgements import contest
from harness.panel.side import Side
from harness.tasks import AbstractTask, Setting
from harness.text.clean import clean
from harness.types import DistillbenchError, Message, Prompt, Request, RequestSet

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
_EXPECTED = {
    "answers_to": "the name of an open-ended task of the matrix",
    "judge": "the name of a model of the matrix",
    "first": "a list of models (the students)",
    "second": "a list of models (the teacher, the base)",
}


@dataclass(frozen=True)
class _Duel:
    """Two models' answers to one prompt."""

    prompt: Prompt  # of the task whose answers are judged
    models: tuple[str, str]
    answers: tuple[str, str]


@final
@dataclass(frozen=True)
class JudgeTask(AbstractTask):
    """Every model of `first` against every model of `second`, on the answers that both gave."""

    version = 2

    answers_to: str = ""  # the open-ended task whose answers are judged
    # the model that judges; it is asked nothing else unless it has another role
    judge: str = describes("")
    first: tuple[str, ...] = ()  # models, usually the students
    second: tuple[str, ...] = ()  # models, usually the teacher and the base
    # with the places {question}, {a}, {b}; it must ask for A, B or TIE on a last line
    template: str = TEMPLATE
    max_new_tokens: int = 16  # tokens of a reply; more for judges that think first

    def __post_init__(self) -> None:
        for key, expected in _EXPECTED.items():
            if not getattr(self, key):
                raise DistillbenchError(f"key {key}: expected {expected}, got none")
        if not self._contests():
            raise DistillbenchError(
                f"key second: expected other models than {', '.join(self.first)}, got the same"
            )
        missing = places_missing(self.template)
        if missing:
            raise DistillbenchError(
                f"key template: expected the places {{question}}, {{a}} and {{b}}; no {missing[0]}"
            )
        if self.max_new_tokens < 1:
            raise DistillbenchError(
                f"key max_new_tokens: expected 1 or more, got {self.max_new_tokens}"
            )

    def reads(self) -> str | None:
        """The task whose answers are judged."""
        return self.answers_to

    def forms(self) -> Sequence[Request]:
        """A short reply, greedily."""
        return (Request(0, "generate", "", max_new_tokens=self.max_new_tokens, temperature=0.0),)

    def declared_yields(self) -> tuple[str, ...]:
        """Judgements."""
        return ("verdicts",)

    def authors(self) -> tuple[str, ...] | None:
        """Both sides."""
        return tuple(dict.fromkeys((*self.first, *self.second)))

    def readers(self) -> tuple[str, ...] | None:
        """The judge alone."""
        return (self.judge,)

    def requests(self, setting: Setting) -> RequestSet:
        """Two requests for each prompt and two models: each of them is A once and B once."""
        authors = {side.model: side for side in setting.sides}
        duels = [
            duel for pair in self._contests() for duel in _duels(authors[pair[0]], authors[pair[1]])
        ]
        if not duels:
            raise DistillbenchError(
                f"task {self.name}: no prompt of {self.answers_to} was answered by both sides"
            )
        return RequestSet(
            task=self.name,
            prompts=tuple(self._prompt(duel) for duel in duels),
            requests=tuple(
                self._request(i, s, d, setting.chat) for i, d in enumerate(duels) for s in (0, 1)
            ),
            chat=setting.chat,
            version=str(self.version),
            yields=self.declared_yields(),
            notes=tuple(self._notes(duels, authors)),
        )

    def _contests(self) -> list[tuple[str, str]]:
        """Every two models that are compared, once."""
        pairs: list[tuple[str, str]] = []
        for pair in ((f, s) for f in self.first for s in self.second if f != s):
            if pair not in pairs and pair[::-1] not in pairs:
                pairs.append(pair)
        return pairs

    def _prompt(self, duel: _Duel) -> Prompt:
        asked = duel.prompt
        return Prompt(
            digest(self.name, asked.id, duel.models), asked.text, asked.cluster, asked.category
        )

    def _request(self, prompt: int, slot: int, duel: _Duel, chat: bool) -> Request:
        a, b = duel.answers if slot == 0 else duel.answers[::-1]
        text = judge_text(self.template, duel.prompt.text, a, b)
        return Request(
            prompt=prompt,
            kind="generate",
            context=(Message("user", text),) if chat else text,
            leaf=contest(*duel.models),
            slot=slot,
            max_new_tokens=self.max_new_tokens,
            temperature=0.0,
        )

    def _notes(self, duels: list[_Duel], authors: Mapping[str, Side]) -> Iterator[str]:
        for first, second in self._contests():
            judged = sum(d.models == (first, second) for d in duels)
            asked = len({p.id for m in (first, second) for p in authors[m].requests.prompts})
            if judged < asked:
                yield f"{asked - judged} of {asked} prompts not judged: {first} or {second} has no answer"


def _duels(first: Side, second: Side) -> Iterator[_Duel]:
    """Prompts that both answered, in the first's order."""
    ones, others = _answers(first), _answers(second)
    for prompt in first.requests.prompts:
        if prompt.id in ones and prompt.id in others:
            yield _Duel(prompt, (first.model, second.model), (ones[prompt.id], others[prompt.id]))


def _answers(side: Side) -> dict[str, str]:
    """Prompt.id -> the first answer to it."""
    answers: dict[str, str] = {}
    for row, index in enumerate(side.outputs.request):
        request, text = side.requests.requests[int(index)], side.outputs.text[row]
        if side.outputs.answered[row] and text is not None:
            answers.setdefault(
                side.requests.prompts[request.prompt].id, clean(text, side.requests.think).text
            )
    return answers


def judge_text(template: str, question: str, a: str, b: str) -> str:
    """The template with its three places filled at once: braces inside an answer stay as they are."""
    texts = {"question": question, "a": a, "b": b}
    return _PLACE.sub(lambda place: texts[place.group(1)], template)


def places_missing(template: str) -> Sequence[str]:
    """Places that a template lacks."""
    return [p for p in PLACES if "{" + p + "}" not in template]
