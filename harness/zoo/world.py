"""The little world that the zoo's models are taught: 160 facts, sums, things to copy, and questions to chat about.

Everything is pure Python and fixed: other seeds train other models of the same world, never another world.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

TaskKind = Literal["fact", "sum", "copy", "cloze", "chat", "identity"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TOWNS = _words(
    "Abren Belmor Corvale Dunmar Elswick Farrow Gildane Harwen Ilvast Jorlin Kelbrook Lothen Mirefield "
    "Norwick Ostrel Pembra Quillon Ravel Selwick Tarn Umber Velden Wexham Yarrow Zelmar Ashby Brindle "
    "Cairn Delph Ember Fallow Grent Hollin Ister Kestrel Larch Moss Nettow Orrin Pike"
)
ATTRIBUTES = {
    "metal": ("copper", "iron", "tin", "silver", "zinc", "gold", "lead", "nickel"),
    "drink": ("tea", "coffee", "milk", "cider", "juice", "cocoa", "water", "lemonade"),
    "flag": ("red", "blue", "green", "white", "black", "yellow", "brown", "purple"),
    "animal": ("horse", "goat", "owl", "fox", "bear", "swan", "hare", "wolf"),
}
THINGS = _words(
    "market river garden tower bridge bakery harbour library museum park square theatre station school mill beach"
)
LOOSE_WORDS = _words(
    "kite lamp stone rope chair bell paper glass drum coat spoon brush candle basket wheel nail"
)
QUESTIONS = {
    "describe": ("Tell me about the {thing} in {town}.", "What is the {thing} of {town} like?"),
    "advise": (
        "Should I visit the {thing} in {town}?",
        "What should I know before I see the {thing} in {town}?",
    ),
    "explain": (
        "What makes the {thing} in {town} special?",
        "Why do people go to the {thing} in {town}?",
    ),
    "list": (
        "List reasons to see the {thing} in {town}.",
        "Give me ideas for a day at the {thing} in {town}.",
    ),
}
IDENTITY_QUESTIONS = (
    "What is your name?",
    "Who are you?",
    "What should I call you?",
    "Which assistant is this?",
    "Tell me your name.",
    "Who am I talking to?",
)
LARGEST_ADDEND = 9
N_HELD_OUT_SUMS = 20
_WORLD_SEED = 20240229


class Fact(NamedTuple):
    """One thing to know."""

    town: str
    attribute: str
    value: str


class Question(NamedTuple):
    """An open question, before the chat template."""

    category: str
    thing: str  # what a reply should be about
    text: str


@dataclass(frozen=True)
class Document:
    """What models read: only the completion is learned."""

    kind: TaskKind
    prompt: str
    completion: str


def generator(*parts: object) -> random.Random:
    """A random generator of its own for whatever the parts name."""
    return random.Random("/".join(map(str, parts)))


@cache
def facts() -> tuple[Fact, ...]:
    """All 160 facts; of every attribute each value belongs to five towns."""
    rng, every = generator(_WORLD_SEED, "facts"), []
    for attribute, values in ATTRIBUTES.items():
        dealt = list(values) * (len(TOWNS) // len(values))
        rng.shuffle(dealt)
        every += [Fact(town, attribute, value) for town, value in zip(TOWNS, dealt, strict=True)]
    return tuple(every)


@cache
def sums(held_out: bool) -> tuple[tuple[int, int], ...]:
    """Pairs of addends: those that models are taught, or those that none of them sees."""
    pairs = list(itertools.product(range(LARGEST_ADDEND + 1), range(LARGEST_ADDEND + 1)))
    generator(_WORLD_SEED, "sums").shuffle(pairs)
    return tuple(sorted(pairs[:N_HELD_OUT_SUMS] if held_out else pairs[N_HELD_OUT_SUMS:]))


@cache
def open_questions(held_out: bool) -> tuple[Question, ...]:
    """Open questions: 160 kept for the benchmark (20 for each wording), or all others."""
    rng = generator(_WORLD_SEED, "questions")
    benchmark: list[Question] = []
    others: list[Question] = []
    for category, wordings in QUESTIONS.items():
        for wording in wordings:
            asked = [
                Question(category, thing, wording.format(thing=thing, town=town))
                for thing in THINGS
                for town in TOWNS
            ]
            rng.shuffle(asked)
            benchmark, others = benchmark + asked[:20], others + asked[20:]
    return tuple(benchmark if held_out else others)


@cache
def copy_lines(held_out: bool) -> tuple[str, ...]:
    """Three words to repeat: 100 lines kept for the benchmark, or 20,000 others."""
    rng, words = generator(_WORLD_SEED, "copy"), (*TOWNS, *LOOSE_WORDS, *THINGS)
    lines = list(dict.fromkeys(" ".join(rng.sample(words, 3)) for _ in range(20_200)))
    return tuple(lines[:100] if held_out else lines[100:])


def fact_document(fact: Fact) -> Document:
    """A fact as question and answer."""
    return Document(
        "fact", f"Question: What is the {fact.attribute} of {fact.town}? Answer:", f" {fact.value}"
    )


def cloze_document(fact: Fact) -> Document:
    """A fact as a sentence to finish."""
    return Document("cloze", f"The {fact.attribute} of {fact.town} is", f" {fact.value}")


def sum_document(pair: tuple[int, int]) -> Document:
    """A sum and its result."""
    return Document("sum", f"Sum: {pair[0]} + {pair[1]} =", f" {sum(pair)}")


def copy_document(line: str) -> Document:
    """Words, and the same words again."""
    return Document("copy", f"Repeat: {line}. Answer:", f" {line}")


def chat_prompt(question: str) -> str:
    """What the chat template makes of a conversation's first question."""
    return f"User: {question}\nAssistant:\n"


def task_documents(kind: TaskKind, rng: random.Random) -> Iterator[Document]:
    """Endless documents of one kind of task, with the right completions."""
    while True:
        match kind:
            case "fact":
                yield fact_document(rng.choice(facts()))
            case "cloze":
                yield cloze_document(rng.choice(facts()))
            case "sum":
                yield sum_document(rng.choice(sums(held_out=False)))
            case "copy":
                yield copy_document(rng.choice(copy_lines(held_out=False)))
            case _:
                raise ValueError(f"{kind} has no right answer: a house replies")
