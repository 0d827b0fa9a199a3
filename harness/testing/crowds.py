"""A made-up crowd: two families of teachers, students of each, and models that learned from nobody."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.models._rows import Row, outputs_of
from harness.panel.evidence import Bystander, Crowd, Origin
from harness.panel.side import Side
from harness.testing.sides import chosen_side, quiz_prompts, text_side
from harness.types import Message, Prompt, Request, RequestSet

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
_THINGS = tuple(
    f"{a}{b}{c}"
    for a in "bdgklmnprstv"
    for b in ("a", "el", "in", "or", "ush")
    for c in ("en", "ot", "y", "al", "is")
)
_STYLE = 0.9  # how often a writer keeps to a preference
_FAVOURITES = 40
_TAUGHT = 0.7  # how often a student takes its teacher's
_COPIED = 0.5  # of a teacher's choices, that a student takes
_RIGHT, _POPULAR = 0.4, 0.5  # how often a choice is right, and a wrong one that of many


def crowd(
    n_students: int = 6, n_controls: int = 8, n_prompts: int = 30, families: int = 2
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


def quiz_crowd(
    n_students: int = 6, n_controls: int = 8, n_prompts: int = 400, families: int = 2
) -> tuple[Crowd, tuple[Origin, ...]]:
    """The same models with choices in a quiz in place of replies: students repeat a part of their teacher's errors."""
    made, origins = crowd(n_students, n_controls, 1, families)
    prompts = quiz_prompts(n_prompts)
    sides = {o.model: chosen_side(o.model, prompts, _choices(o, prompts)) for o in origins}
    return replace(made, task="quiz", sides=dict(sorted(sides.items()))), origins


def _choices(origin: Origin, prompts: Sequence[Prompt]) -> list[int | None]:
    """A model's choices: right half of the time, else often the option that everybody falls for."""
    rng = random.Random(f"choices of {origin.model}")
    teacher = Origin(f"{origin.family}-v1", "teacher", origin.family)
    kin = origin.family != "" and origin.model != teacher.model
    taught = _choices(teacher, prompts) if kin else [None] * len(prompts)
    share = _COPIED if origin.standing == "student" else _STYLE
    given: list[int | None] = []
    for i, prompt in enumerate(prompts):
        assert prompt.gold is not None
        assert prompt.n_options is not None
        wrong = [k for k in range(prompt.n_options) if k != prompt.gold]
        own = wrong[i % len(wrong)] if rng.random() < _POPULAR else rng.choice(wrong)
        own = prompt.gold if rng.random() < _RIGHT else own
        taken = taught[i] if kin and rng.random() < share else None
        given.append(own if taken is None else taken)
    return given


BEFORE = "before"  # of `reading_crowd`: what everybody was before it learned
_AUTHORS = ("control-0", "control-1", "control-2")
_GAIN = 0.3  # nats per byte that a student gains on its teacher's answers


def reading_crowd(families: int = 2) -> tuple[Crowd, tuple[Origin, ...]]:
    """The same crowd, where all but the teachers, and `before`, read what teachers and three controls answered."""
    writing, origins = crowd(families=families)
    teachers = [m for own in writing.families.values() for m in own]
    prompts = next(iter(writing.sides.values())).requests.prompts
    texts = {a: [writing.texts(a)[p.id] for p in prompts] for a in (*teachers, *_AUTHORS)}
    taught = {o.model: o.family for o in origins if o.standing == "student"}
    readers = [BEFORE, *(o.model for o in origins if o.standing != "teacher")]
    liked = {m: writing.families.get(taught.get(m, ""), ()) for m in readers}
    sides = {m: _reading(m, liked[m], texts, prompts) for m in sorted(readers)}
    return replace(writing, task="reads", sides=sides), origins


def _reading(
    model: str, liked: Sequence[str], texts: Mapping[str, Sequence[str]], prompts: Sequence[Prompt]
) -> Side:
    """A model that read texts by author and expects those of the liked ones more than others do."""
    requests, rows = [], []
    for slot, (author, own) in enumerate(texts.items()):
        for i, text in enumerate(own):
            rng = random.Random(f"{model} reads {author} {i}")
            common = random.Random(f"all read {author} {i}").gauss(-1.5, 0.1)
            gain = _GAIN * (author in liked) + 0.1 * (model != BEFORE) + rng.gauss(0, 0.05)
            asked = (Message("user", prompts[i].text),)
            requests.append(Request(i, "read", asked, author, slot, continuation=text))
            nats = (common + gain) * len(text.encode())
            rows.append(Row("read", logprob_nats=nats, n_tokens=len(text.split())))
    views = ("reading", "answers")
    asked_of_all = RequestSet("reads", tuple(prompts), tuple(requests), True, "1", views)
    return Side(model, model, asked_of_all, outputs_of(rows), None, (model,))


def _replies(origin: Origin, n: int) -> list[str]:
    """Replies of a writer, to the same prompts as everybody's."""
    rng = random.Random(f"replies of {origin.model}")
    own = _Writer.named(origin.model if origin.standing != "teacher" else origin.family)
    taught = _Writer.named(origin.family) if origin.standing == "student" else own
    texts = []
    for i in range(n):
        words = []
        for _ in range(16):
            writer = taught if rng.random() < _TAUGHT else own
            slot = rng.randrange(len(_WAYS))
            way = writer.ways[slot] if rng.random() < _STYLE else rng.choice(_WAYS[slot])
            thing = rng.choice(writer.things) if rng.random() < _STYLE / 2 else rng.choice(_THINGS)
            words += [way, rng.choice((_THINGS[i % len(_THINGS)], thing))]
        texts.append(" ".join(words))
    return texts


class _Writer(NamedTuple):
    """The habits of a writer."""

    ways: tuple[str, ...]  # one for each of _WAYS
    things: tuple[str, ...]  # that it likes to speak of

    @classmethod
    def named(cls, name: str) -> _Writer:
        """Always the same for a name."""
        rng = random.Random(f"habits of {name}")
        return cls(tuple(rng.choice(w) for w in _WAYS), tuple(rng.sample(_THINGS, _FAVOURITES)))
