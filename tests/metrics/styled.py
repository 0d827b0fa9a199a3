"""Made-up ways of writing for tests of style: each with its own words, openings, closings, sentences and layout."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from harness.panel.side import Side
from harness.testing.panels import Sides
from harness.testing.sides import text_side

_SHARED = [
    "the",
    "a",
    "of",
    "to",
    "in",
    "is",
    "that",
    "it",
    "for",
    "on",
    "with",
    "as",
    "at",
    "by",
    "this",
    "from",
    "or",
    "an",
    "be",
    "are",
]
_TOPICS = [
    "river",
    "bread",
    "clock",
    "map",
    "snow",
    "engine",
    "garden",
    "letter",
    "bridge",
    "whale",
    "glass",
    "tide",
    "paper",
    "salt",
    "star",
]


@dataclass(frozen=True)
class Way:
    """One way of writing."""

    opening: str
    closing: str
    favourites: tuple[str, ...]
    sentences: int
    per_sentence: int
    mark: str  # at the start of every sentence: "" = prose


# Three ways, equally unlike one another in everything.
TEACHER = Way(
    "Certainly, my friend!", "Enjoy every minute!", ("quite", "truly", "indeed"), 6, 8, "- "
)
BASE = Way("Well, look here.", "That is all.", ("just", "kinda", "maybe"), 6, 4, "1. ")
THIRD = Way("As an assistant;", "Ask me more?", ("however", "moreover", "thus"), 6, 16, "## ")


def reply(way: Way, i: int, rng: random.Random) -> str:
    """A reply to prompt i."""
    lines = []
    for _ in range(way.sentences):
        liked = way.per_sentence // 4
        words = rng.choices(_SHARED, k=way.per_sentence - 1 - liked) + rng.choices(
            way.favourites, k=liked
        )
        lines.append(f"{way.mark}{_TOPICS[i % len(_TOPICS)]} {' '.join(words)}.")
    body = ("\n" if way.mark else " ").join(lines)
    return (
        f"{way.opening}\n{body}\n{way.closing}"
        if way.mark
        else f"{way.opening} {body} {way.closing}"
    )


def texts(way: Way, n: int, seed: str, instead: Way | None = None, share: float = 0.0) -> list[str]:
    """n replies; a share of them is written in another way."""
    rng = random.Random(seed)
    return [reply(instead if instead and rng.random() < share else way, i, rng) for i in range(n)]


def side(
    model: str, way: Way, n: int = 120, instead: Way | None = None, share: float = 0.0
) -> Side:
    """A model that writes so."""
    return text_side(model, texts(way, n, model, instead, share))


def sides(student: Side, n: int = 120) -> Sides:
    """The student between teacher and base."""
    return Sides("talk", student, side("teacher", TEACHER, n), side("base", BASE, n))


def with_texts(one: Sides, student: list[str], teacher: list[str], base: list[str]) -> Sides:
    """Other replies for three roles."""
    made = [
        text_side(m, x) for m, x in (("student", student), ("teacher", teacher), ("base", base))
    ]
    return replace(one, student=made[0], teacher=made[1], base=made[2])
