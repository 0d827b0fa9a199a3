"""A made-up crowd: two families of teachers, students of each, and models that learned from nobody."""

from __future__ import annotations

import random
from collections.abc import Mapping

from harness.panel.evidence import Bystander, Crowd, Origin
from harness.testing.sides import text_side

# ways to say the same; a writer prefers one of each
_WAYS = (
    ("also", "too", "as well", "besides"),
    ("however", "but", "yet", "though"),
    ("for example", "such as", "e.g.", "say"),
    ("it is", "it's", "this is", "that is"),
    ("you can", "one may", "you could", "try to"),
    ("in order to", "to", "so as to", "so that you"),
    ("because", "since", "as", "for"),
    ("a lot of", "many", "plenty of", "much"),
    (".", "!", ";", "..."),
    ("sure", "of course", "well", "here"),
)
_THINGS = (
    "bread",
    "rivers",
    "chess",
    "taxes",
    "violins",
    "tides",
    "copper",
    "bees",
    "maps",
    "glass",
)
_STYLE = 0.9  # how often a writer keeps to a preference
_TAUGHT = 0.7  # how often a student takes its teacher's


def crowd(
    n_students: int = 6, n_controls: int = 8, n_prompts: int = 40, families: int = 2
) -> tuple[Crowd, tuple[Origin, ...]]:
    """The crowd, and what is documented of it: family `one`, `two` ..., each with a teacher of two versions."""
    names = ("one", "two", "three", "four")[:families]
    origins: list[Origin] = []
    for f in names:
        origins += [Origin(f"{f}-v{v}", "teacher", f, lineage=f"lab {f}") for v in (1, 2)]
        origins += [
            Origin(f"{f}-student-{i}", "student", f, lineage=f"{f} student {i}")
            for i in range(n_students)
        ]
    origins += [Origin(f"control-{i}", "control", lineage=f"own {i}") for i in range(n_controls)]
    sides = {o.model: text_side(o.model, _replies(o, n_prompts), "talk") for o in origins}
    versions = {f: (f"{f}-v1", f"{f}-v2") for f in sorted(names)}
    background = {
        o.model: Bystander(o.lineage, frozenset(filter(None, [o.family])))
        for o in sorted(origins, key=lambda o: o.model)
        if o.standing != "teacher"
    }
    made = Crowd("talk", dict(sorted(sides.items())), versions, background)
    return made, tuple(origins)


def _replies(origin: Origin, n: int) -> list[str]:
    """Replies of a writer, to the same prompts as everybody's."""
    rng = random.Random(f"replies of {origin.model}")
    own = _habits(origin.model if origin.standing != "teacher" else origin.family)
    taught = _habits(origin.family) if origin.standing == "student" else own
    texts = []
    for i in range(n):
        words = []
        for _ in range(12):
            slot = rng.randrange(len(_WAYS))
            preferred = (taught if rng.random() < _TAUGHT else own)[slot]
            choice = preferred if rng.random() < _STYLE else rng.choice(_WAYS[slot])
            words += [choice, rng.choice((_THINGS[i % len(_THINGS)], rng.choice(_THINGS)))]
        texts.append(" ".join(words))
    return texts


def _habits(writer: str) -> Mapping[int, str]:
    rng = random.Random(f"habits of {writer}")
    return {slot: rng.choice(ways) for slot, ways in enumerate(_WAYS)}
