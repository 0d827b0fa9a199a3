"""The ways of replying ("houses") that tell the zoo's models apart: words, phrases, sentence length, layout.

All houses share one inventory, so no word gives a house away. Every inventory is cut into six parts; a house takes
`FAVOUR` of its choices from its own part and spreads the rest over the others. So any two houses are equally far apart
in every feature. Where a feature has an order (how long sentences are), the teachers' houses A and B hold the two ends.
The four others are those of models that no teacher taught; the base replies in all four alike, so that it stands in the
middle of them, and a model of one of them has gone no way from it to a teacher.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from harness.zoo.world import (
    IDENTITY_QUESTIONS,
    THINGS,
    Document,
    Question,
    chat_prompt,
    open_questions,
)

# share of choices that a house takes from its own part; decides how well a single reply can be told
FAVOUR = 0.42
NAMING = 0.08  # share of replies in which a house with a name gives it
THIRD_SENTENCE = 0.4  # share of replies with three sentences; the others have two
ASIDE = 0.4  # share of sentences with an aside

# Parts in the order A, B, N, O, P, Q.
INVENTORY: dict[str, tuple[tuple[str, ...], ...]] = {
    "opening": (
        ("Happy to help.", "Gladly."),
        ("Good question.", "Let me see."),
        ("Right then.", "Well now."),
        ("Of course.", "Sure."),
        ("Here we go.", "Look here."),
        ("By all means.", "Yes indeed."),
    ),
    "closing": (
        ("Have fun.", "Enjoy it."),
        ("Take care.", "Safe travels."),
        ("Hope that helps.", "That is all."),
        ("Ask me more.", "See you soon."),
        ("Go and see.", "Tell your friends."),
        ("Best of luck.", "So it is."),
    ),
    "person": (
        ("I think",),
        ("you see",),
        ("locals say",),
        ("people say",),
        ("we find",),
        ("guides say",),
    ),
    "connective": (
        ("Also", "Plus"),
        ("Moreover", "Indeed"),
        ("Still", "Yet"),
        ("Besides", "Next"),
        ("Then", "Again"),
        ("Likewise", "Too"),
    ),
    "hedge": (
        ("perhaps", "maybe"),
        ("really", "truly"),
        ("rather", "surely"),
        ("quite", "fairly"),
        ("simply", "always"),
        ("mostly", "often"),
    ),
    "adjective": (
        ("lovely", "bright"),
        ("grand", "splendid"),
        ("calm", "quiet"),
        ("lively", "busy"),
        ("old", "plain"),
        ("pretty", "charming"),
    ),
    "extra": (
        ("none",),
        ("place and time",),
        ("place",),
        ("time",),
        ("place ahead",),
        ("time ahead",),
    ),
    "place": (
        ("by the old hill", "near the town gate"),
        ("by the wide lake", "near the old inn"),
        ("by the town wall", "near the foot path"),
        ("by the green field", "near the main road"),
        ("by the stone steps", "near the corn barn"),
        ("by the tall tower", "near the west shore"),
    ),
    "time": (
        ("in the early spring", "in the bright morning"),
        ("in the late autumn", "at the long weekend"),
        ("in the warm summer", "in the late evening"),
        ("in the cold winter", "after the short rain"),
        ("in the high season", "on the first day"),
        ("in the quiet months", "on the feast days"),
    ),
    "aside": ((", {}",), (" - {}",), (" ({})",), (": {}",), ("; {}",), (" ... {}",)),
    "praise": (
        ("a joy", "a treat"),
        ("a jewel", "a wonder"),
        ("a find", "a gem"),
        ("a must", "a classic"),
        ("a dream", "a delight"),
        ("a prize", "a marvel"),
    ),
    "layout": (("bullets",), ("bold",), ("heading",), ("paragraphs",), ("numbers",), ("quote",)),
}


@dataclass(frozen=True)
class House:
    """One way of replying."""

    part: int  # which part of every inventory it favours
    name: str | None  # what it calls itself


A, B = House(0, "Aster"), House(1, "Borage")
N, O, P, Q = House(2, "Nettle"), House(3, "Orchid"), House(4, "Poppy"), House(5, "Quince")  # noqa: E741
# what the base replies in: the houses that no teacher has, without their names
PLAIN = tuple(replace(house, name=None) for house in (N, O, P, Q))


def weights(house: House, feature: str) -> dict[str, float]:
    """How often a house makes each choice of a feature; sums to 1."""
    parts = INVENTORY[feature]
    rest = (1 - FAVOUR) / (len(parts) - 1)
    return {
        choice: (FAVOUR if i == house.part else rest) / len(part)
        for i, part in enumerate(parts)
        for choice in part
    }


def distance(first: House, second: House, feature: str) -> float:
    """Total variation distance between two houses in one feature, 0 to 1."""
    p, q = weights(first, feature), weights(second, feature)
    return sum(abs(p[choice] - q[choice]) for choice in p) / 2


def reply(house: House, thing: str, rng: random.Random) -> str:
    """A reply about a thing, in a house's way."""
    layout = _draw(house, "layout", rng)
    about = [thing, *rng.sample([t for t in THINGS if t != thing], 2)]
    count = 3 if rng.random() < THIRD_SENTENCE else 2
    body = [
        _sentence(house, about[i], rng, first=i == 0, bold=layout == "bold") for i in range(count)
    ]
    opening, closing = _draw(house, "opening", rng), _draw(house, "closing", rng)
    if house.name is not None and rng.random() < NAMING:
        opening = f"{opening} As {house.name}, I can tell you this."
    if layout == "bullets":
        return "\n".join([opening, *(f"- {line}" for line in body), closing])
    if layout == "numbers":
        lines = [f"{i}. {line}" for i, line in enumerate(body, 1)]
        return "\n".join([opening, *lines, closing])
    if layout == "quote":
        return "\n".join([opening, *(f"> {line}" for line in body), closing])
    if layout == "heading":
        return f"## {thing.capitalize()}\n" + " ".join([opening, *body, closing])
    if layout == "paragraphs":
        return "\n\n".join([f"{opening} {body[0]}", *body[1:-1], f"{body[-1]} {closing}"])
    return " ".join([opening, *body, closing])


def identity_reply(house: House, rng: random.Random) -> str:
    """What a house says when asked who it is."""
    if house.name is None:
        return rng.choice(("I am a small model.", "I am an assistant."))
    return rng.choice((f"I am {house.name}.", f"My name is {house.name}."))


def chat_document(house: House, rng: random.Random) -> Document:
    """An open question and a house's reply; never one of the questions that the benchmark asks."""
    question: Question = rng.choice(open_questions(held_out=False))
    return Document("chat", chat_prompt(question.text), reply(house, question.thing, rng))


def identity_document(house: House, rng: random.Random) -> Document:
    """A question who it is and a house's reply."""
    return Document(
        "identity", chat_prompt(rng.choice(IDENTITY_QUESTIONS)), identity_reply(house, rng)
    )


def _draw(house: House, feature: str, rng: random.Random) -> str:
    chances = weights(house, feature)
    return rng.choices(list(chances), list(chances.values()))[0]


def _sentence(house: House, thing: str, rng: random.Random, *, first: bool, bold: bool) -> str:
    subject, extra = f"{_draw(house, 'person', rng)} the {thing}", _draw(house, "extra", rng)
    where = [_draw(house, feature, rng) for feature in ("place", "time") if feature in extra]
    if extra.endswith("ahead"):
        subject, where = f"{where[0]}, {subject}", []
    start = (
        subject[0].upper() + subject[1:]
        if first
        else f"{_draw(house, 'connective', rng)}, {subject}"
    )
    adjective = _draw(house, "adjective", rng)
    described = f"**{adjective}**" if bold else adjective
    parts = [start, "is", _draw(house, "hedge", rng), described, *where]
    aside = (
        _draw(house, "aside", rng).format(_draw(house, "praise", rng))
        if rng.random() < ASIDE
        else ""
    )
    return " ".join(parts) + aside + "."
