"""Made-up models: a quiz with options, short graded answers, and open-ended talk, once or several times a prompt."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.models._rows import Row, outputs_of
from harness.panel.side import Side
from harness.testing.panels import Sides
from harness.types import (
    Floats,
    GradeColumn,
    Grades,
    Ints,
    Kind,
    Message,
    Outputs,
    Prompt,
    Request,
    RequestSet,
    Seen,
    TokenColumns,
)

Choices = list[int | None]
Samples = Sequence[Sequence[str]]  # (samples,) of (P,) texts
LETTERS = "ABCDEFGH"


def prompt_id(task: str, i: int) -> str:
    """An id whose order has nothing to do with i."""
    return hashlib.sha256(f"{task} {i}".encode()).hexdigest()[:16]


def quiz_prompts(n: int, task: str = "quiz") -> tuple[Prompt, ...]:
    """Questions with three to five options, each its own cluster; the right one goes round."""
    ids = [prompt_id(task, i) for i in range(n)]
    return tuple(
        Prompt(p, f"Question {i}?", p, "", 3 + i % 3, i % (3 + i % 3)) for i, p in enumerate(ids)
    )


def blank_outputs(n: int, kind: Kind) -> Outputs:
    """N rows without answers, one per request."""
    return outputs_of([Row(kind, answered=False)] * n)


def written_outputs(texts: Sequence[str]) -> Outputs:
    """Replies that ended by themselves, one per request."""
    return outputs_of([Row("generate", text, "eos") for text in texts])


def acc_grades(
    prompts: Sequence[Prompt], right: Sequence[bool], leaf: str = "", answers: Choices | None = None
) -> Grades:
    """The one column `acc`, with the options that were chosen where these are given."""
    value = np.array(right, dtype=np.float64)
    chosen = tuple(None if a is None else str(a) for a in answers or ())
    every, share = np.arange(len(prompts)), float(value.mean())
    return Grades((GradeColumn(leaf, "acc", "none", "higher", every, value, share, "", chosen),))


def chosen_side(model: str, prompts: Sequence[Prompt], choices: Choices, lineage: str = "") -> Side:
    """A model with recorded choices; None = no answer could be extracted."""
    requests = tuple(Request(i, "choose", p.text) for i, p in enumerate(prompts))
    outputs = outputs_of([Row("choose", choice=c) for c in choices])
    right = [c == p.gold for c, p in zip(choices, prompts, strict=True)]
    grades = acc_grades(prompts, right, answers=choices)
    return _quiz_side(model, lineage, prompts, requests, outputs, grades)


def scored_side(
    model: str, prompts: Sequence[Prompt], logprobs: Sequence[Sequence[float]], lineage: str = ""
) -> Side:
    """A model with a log-probability for every option."""
    requests = tuple(
        Request(i, "score", p.text, slot=k, continuation=f" {LETTERS[k]}")
        for i, p in enumerate(prompts)
        for k in range(p.n_options or 0)
    )
    outputs = outputs_of(
        [Row("score", logprob_nats=x, greedy=False) for row in logprobs for x in row]
    )
    right = [int(np.argmax(row)) == p.gold for row, p in zip(logprobs, prompts, strict=True)]
    return _quiz_side(model, lineage, prompts, requests, outputs, acc_grades(prompts, right))


def _quiz_side(
    model: str,
    lineage: str,
    prompts: Sequence[Prompt],
    requests: tuple[Request, ...],
    outputs: Outputs,
    grades: Grades,
) -> Side:
    task = RequestSet("quiz", tuple(prompts), requests, False, "1", ("grades", "choices"))
    return Side(model, lineage or model, task, outputs, grades, (f"key of {model}",))


def drawn_choices(
    model: str,
    prompts: Sequence[Prompt],
    accuracy: float,
    parent: Choices | None = None,
    copied: float = 0.0,
) -> Choices:
    """Choices of a model that knows some answers, falls for the popular wrong option, and copies its parent."""
    rng = random.Random(model)
    choices: Choices = []
    for i, prompt in enumerate(prompts):
        gold, options = prompt.gold or 0, prompt.n_options or 2
        wrong = [k for k in range(options) if k != gold]
        own = (
            gold
            if rng.random() < accuracy
            else wrong[0]
            if rng.random() < 0.5
            else rng.choice(wrong)
        )
        copies = parent is not None and rng.random() < copied
        answer = parent[i] if parent is not None and copies else own
        choices.append(None if rng.random() < 0.03 else answer)
    return choices


def quiz_sides(n: int = 700, minimum: int = 20) -> Sides:
    """A student that copied from its teacher, a base, and ten controls of eight lineages."""
    prompts = quiz_prompts(n)
    teacher = drawn_choices("teacher", prompts, 0.6)
    student = drawn_choices("student", prompts, 0.4, teacher, 0.5)
    controls = {f"control{i}": (0.3 + 0.04 * i, f"lab{min(i, 7)}") for i in range(10)}
    return Sides(
        task="quiz",
        student=chosen_side("student", prompts, student),
        teacher=chosen_side("teacher", prompts, teacher),
        base=chosen_side("base", prompts, drawn_choices("base", prompts, 0.35)),
        controls=tuple(
            chosen_side(m, prompts, drawn_choices(m, prompts, a), lab)
            for m, (a, lab) in controls.items()
        ),
        minimum=minimum,
    )


def trained_sides() -> Sides:
    """Sides where every third prompt occurs in the training data of both, every sixth word for word."""
    sides = quiz_sides()
    ids = [p.id for p in sides.student.requests.prompts]
    seen = {i: Seen(k % 2 == 0, 0.5) for k, i in enumerate(ids[::3])}
    assert sides.teacher is not None
    return replace(
        sides, student=replace(sides.student, seen=seen), teacher=replace(sides.teacher, seen=seen)
    )


@dataclass(frozen=True)
class House:
    """How a made-up model talks."""

    opening: str
    length: int  # sentences
    listed: float  # share of replies with a list
    temper: float = 0.8  # how often the opening is used


HOUSES = {
    "teacher": House("Certainly! ", 6, 0.7),
    "student": House("Certainly! ", 5, 0.5),
    "base": House("", 2, 0.05),
    "control0": House("Well, ", 3, 0.1),
    "control1": House("", 4, 0.2),
}
_TOPICS = [
    "rivers",
    "bread",
    "clocks",
    "maps",
    "snow",
    "engines",
    "gardens",
    "letters",
    "whales",
    "glass",
    "salt",
]
_TEXT = (
    "the of a most people think it often is not very old and then some new thing can be "
    "made with care"
)
_WORDS = _TEXT.split()


def talk(model: str, n: int, sample: int = 0) -> list[str]:
    """Replies of a house to n prompts."""
    house = HOUSES[model]
    texts = []
    for i in range(n):
        rng, topic = random.Random(f"{model} {i} {sample}"), _TOPICS[i % len(_TOPICS)]
        lines = [
            f"{topic} {' '.join(rng.choices(_WORDS, k=rng.randint(4, 11)))}."
            for _ in range(house.length)
        ]
        opening = house.opening if rng.random() < house.temper else ""
        listed = rng.random() < house.listed
        texts.append(opening + ("\n".join(f"- {x}" for x in lines) if listed else " ".join(lines)))
    return texts


def text_side(model: str, texts: Sequence[str], task: str = "talk", lineage: str = "") -> Side:
    """A model with one open-ended answer per prompt, asked in chat; prompts are of two categories."""
    ids = [prompt_id(task, i) for i in range(len(texts))]
    prompts = tuple(
        Prompt(p, f"Tell me about no. {i}.", p, ("explain", "list")[i % 2])
        for i, p in enumerate(ids)
    )
    requests = tuple(
        Request(i, "generate", (Message("user", p.text),)) for i, p in enumerate(prompts)
    )
    outputs = written_outputs(texts)
    asked = RequestSet(task, prompts, requests, True, "1", ("text", "style"))
    return Side(model, lineage or model, asked, outputs, None, (f"key of {model}",))


def talk_sides(n: int = 60) -> Sides:
    """A student that talks nearly like its teacher, the teacher's second sample as ceiling, a base, two controls."""
    side = {m: text_side(m, talk(m, n)) for m in HOUSES}
    return replace(sides_of("talk", side), ceiling=text_side("teacher", talk("teacher", n, 1)))


def sampled_side(model: str, samples: Samples, task: str = "talk", lineage: str = "") -> Side:
    """A model with several answers per prompt."""
    first, *further = [text_side(model, texts, task, lineage) for texts in samples]
    return replace(first, samples=tuple(side.outputs for side in further))


def sets_of(task: str, answers: dict[str, Samples], minimum: int = 20) -> Sides:
    """Student, teacher, base and whatever controls there are; each control is a lineage."""
    side = {name: sampled_side(name, samples, task) for name, samples in answers.items()}
    return sides_of(task, side, minimum)


def sides_of(task: str, side: Mapping[str, Side], minimum: int = 20) -> Sides:
    """Sides by their names; whoever is neither student, teacher nor base is a control."""
    controls = tuple(s for name, s in side.items() if name not in ("student", "teacher", "base"))
    return Sides(
        task, side["student"], side["teacher"], side.get("base"), controls=controls, minimum=minimum
    )


def talk_sets(n: int = 40, samples: int = 3) -> Sides:
    """Models that talk at length."""
    models = ("student", "teacher", "base", "control0", "control1")
    return sets_of("talk", {m: [talk(m, n, k) for k in range(samples)] for m in models})


def graded_text_side(model: str, values: dict[str, Floats], task: str = "short") -> Side:
    """A model with short graded answers; values: "metric,filter" -> one number per prompt."""
    n = len(next(iter(values.values())))
    side = text_side(model, ["an answer"] * n, task)
    columns = []
    for name, value in values.items():
        metric, _, way = name.partition(",")
        column = np.asarray(value, dtype=np.float64)
        columns.append(
            GradeColumn(
                "", metric, way or "none", "higher", np.arange(n), column, float(column.mean())
            )
        )
    return replace(
        side, requests=replace(side.requests, yields=("grades",)), grades=Grades(tuple(columns))
    )


def shuffled(side: Side, seed: int) -> Side:
    """The same side with its prompts, requests, answers and grades in another order."""
    rng = np.random.default_rng(seed)
    asked = side.requests
    p, r = rng.permutation(len(asked.prompts)), rng.permutation(len(asked.requests))
    p_back, r_back = np.argsort(p), np.argsort(r)
    requests = tuple(
        replace(asked.requests[i], prompt=int(p_back[asked.requests[i].prompt])) for i in r
    )
    return replace(
        side,
        requests=replace(asked, prompts=tuple(asked.prompts[i] for i in p), requests=requests),
        outputs=_reordered(side.outputs, r_back, rng),
        samples=tuple(_reordered(s, r_back, rng) for s in side.samples),
        grades=_regraded(side.grades, p_back, rng) if side.grades else None,
        sample_grades=tuple(_regraded(g, p_back, rng) for g in side.sample_grades),
    )


def _regraded(grades: Grades, p_back: Ints, rng: np.random.Generator) -> Grades:
    """Grades in another order, for prompts in another order."""
    columns = []
    for column in grades.columns:
        c = rng.permutation(len(column.prompt))
        moved = replace(column, prompt=p_back[column.prompt[c]], value=column.value[c])
        columns.append(
            replace(moved, answers=tuple(column.answers[i] for i in c if column.answers))
        )
    return Grades(tuple(columns))


def _reordered(out: Outputs, r_back: Ints, rng: np.random.Generator) -> Outputs:
    """Rows in another order, for requests in another order."""
    o = rng.permutation(len(out.request))
    columns = {name: c for name, c in vars(out).items() if c is not None and name != "tokens"}
    moved: dict[str, Any] = {
        name: tuple(c[i] for i in o) if isinstance(c, tuple) else c[o]
        for name, c in columns.items()
    }
    moved["request"] = r_back[moved["request"]]
    return replace(out, **moved, tokens=_shuffled_tokens(out.tokens, o) if out.tokens else None)


def _shuffled_tokens(tokens: TokenColumns, order: Ints) -> TokenColumns:
    """The tokens of the rows `order` (N,), in that order."""
    rows = [np.arange(tokens.offsets[i], tokens.offsets[i + 1]) for i in order]
    places = np.concatenate(rows)
    names = ("token_ids", "logprobs", "top_ids", "top_logprobs", "byte_ends")
    columns: dict[str, Any] = {name: vars(tokens)[name] for name in names}
    moved = {name: c[places] for name, c in columns.items() if c is not None}
    return replace(tokens, offsets=np.cumsum([0, *map(len, rows)]), **moved)


def shuffled_sides(sides: Sides, seed: int = 5) -> Sides:
    """Every side in a different order."""
    roles = {"student": sides.student, "teacher": sides.teacher, "base": sides.base}
    roles["ceiling"] = sides.ceiling
    moved: dict[str, Any] = {
        role: shuffled(side, seed + i)
        for i, (role, side) in enumerate(roles.items())
        if side is not None
    }
    controls = tuple(shuffled(s, seed + 10 + i) for i, s in enumerate(sides.controls))
    return replace(sides, **moved, controls=controls)
