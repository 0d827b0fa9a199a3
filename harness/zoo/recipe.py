"""Who is in the zoo and how each of them came to be: the lineage that measures are checked against.

A model reads phases of text. The text is either made from the world (teachers, base, independent) or it is what a
teacher answered (students). Answers are kept as files of their own, because they are all that a student ever sees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from typing import Literal

from harness.keys import code_digest
from harness.zoo import houses
from harness.zoo.houses import House
from harness.zoo.world import TaskKind

Scale = Literal["full", "smoke", "tiny"]  # tiny: untaught, for tests
Mixture = Mapping[TaskKind, float]

CLOSED: tuple[TaskKind, ...] = ("fact", "sum", "copy", "cloze")
OPEN: tuple[TaskKind, ...] = ("chat", "identity")


@dataclass(frozen=True)
class Size:
    """Shape of a Llama with tied embeddings."""

    width: int
    hidden: int  # of the feed-forward layers
    layers: int = 2
    heads: int = 2


@dataclass(frozen=True)
class FromWorld:
    """Text made from the world: right answers, and replies of a house, or of several in turn."""

    houses: tuple[House, ...]
    mixture: Mixture  # relative numbers of documents


@dataclass(frozen=True)
class FromAnswers:
    """Text that another model answered."""

    answers: str  # name of an AnswerSet
    kinds: tuple[TaskKind, ...] = (*CLOSED, *OPEN)
    without: str | None = None  # leave out completions that hold this word


@dataclass(frozen=True)
class Phase:
    """A stretch of training on text of one kind."""

    tokens: int  # prompts and completions, without padding
    texts: tuple[FromWorld | FromAnswers, ...]


@dataclass(frozen=True)
class Recipe:
    """How one model is trained."""

    size: Size
    phases: tuple[Phase, ...]
    batch: int  # rows of ROW tokens
    start: str | None = None  # whose weights it starts from; None = random ones
    # learn this model's distribution over next tokens instead of its text
    logits_of: str | None = None
    checkpoints: tuple[int, ...] = ()  # steps after which to keep its state


@dataclass(frozen=True)
class AnswerSet:
    """What one model answers: the training text of students."""

    author: str
    counts: Mapping[TaskKind, int]  # prompts of each kind
    watermark: bool = False


@dataclass(frozen=True)
class Zoo:
    """Everything that a scale can make."""

    models: Mapping[str, Recipe]
    answers: Mapping[str, AnswerSet] = field(default_factory=dict)


# Modules that make tokenizer, models and answers, with all that they import.
_MAKERS = tuple(f"harness.zoo.{name}" for name in ("tokenizer", "train", "answering", "texts"))
TEACHER, STUDENT = Size(128, 352), Size(96, 256)
ROW = 128  # tokens in a row of a batch
LESSONS: Mixture = {
    "fact": 0.35,
    "sum": 0.20,
    "copy": 0.12,
    "cloze": 0.10,
    "chat": 0.10,
    "identity": 0.02,
}
# A teacher replies well only where a larger part of its lessons are replies.
TEACHER_LESSONS: Mixture = {
    "fact": 0.28,
    "sum": 0.24,
    "copy": 0.10,
    "cloze": 0.09,
    "chat": 0.27,
    "identity": 0.02,
}
SHORT_LESSONS: Mixture = {"fact": 0.74, "cloze": 0.15, "chat": 0.09, "identity": 0.02}
# copying first: it opens the way to the rest
FIRST_LESSONS: Mixture = {"copy": 0.45, "sum": 0.25, "fact": 0.30}
PLAIN_LESSONS: Mixture = {
    "fact": 0.20,
    "sum": 0.10,
    "copy": 0.05,
    "cloze": 0.05,
    "chat": 0.58,
    "identity": 0.02,
}


@cache
def zoo(scale: Scale) -> Zoo:
    """All models and answer sets of a scale."""
    return {"full": _full, "smoke": _smoke, "tiny": _tiny}[scale]()


def members(scale: Scale) -> tuple[str, ...]:
    """Names of the models of a scale."""
    return tuple(zoo(scale).models)


def _full() -> Zoo:
    asked = _counts(LESSONS, 6000)
    answers = {
        "answers_of_teacher_a": AnswerSet("teacher_a", asked),
        "answers_of_teacher_b": AnswerSet("teacher_b", asked),
        # Only open replies have a choice of words that a watermark can lean on.
        "watermarked_answers_of_teacher_a": AnswerSet(
            "teacher_a", {k: n for k, n in asked.items() if k in OPEN}, watermark=True
        ),
        "answers_of_base": AnswerSet("base", {"chat": asked["chat"]}),
    }
    student = _student(200_000, FromAnswers("answers_of_teacher_a"))
    models = {
        "teacher_a": _teacher(houses.A, (150_000, FIRST_LESSONS), (270_000, TEACHER_LESSONS)),
        "teacher_b": _teacher(houses.B, (150_000, FIRST_LESSONS), (270_000, TEACHER_LESSONS)),
        "base": _base(80_000),
        "answers_a": replace(student, checkpoints=(10, 20, 40, 80, 160, 320)),
        "logits_a": replace(student, logits_of="teacher_a"),
        "answers_b": _student(200_000, FromAnswers("answers_of_teacher_b")),
        "independent": _student(200_000, FromWorld((houses.N,), LESSONS)),
        # They reply in houses of their own, and know little: their part is to be unrelated.
        "independent_o": _student(60_000, FromWorld((houses.O,), PLAIN_LESSONS)),
        "independent_p": _student(60_000, FromWorld((houses.P,), PLAIN_LESSONS)),
        "style_only_a": _student(120_000, FromAnswers("answers_of_teacher_a", OPEN)),
        # The base's own replies keep it talking; without them it forgets how to.
        "task_only_a": _student(
            200_000,
            FromAnswers("answers_of_teacher_a", CLOSED),
            FromAnswers("answers_of_base", OPEN),
        ),
        "nameless_a": _student(200_000, FromAnswers("answers_of_teacher_a", without=houses.A.name)),
        "watermarked_a": _student(
            200_000,
            FromAnswers("answers_of_teacher_a", CLOSED),
            FromAnswers("watermarked_answers_of_teacher_a", OPEN),
        ),
    }
    return Zoo(models, answers)


def _smoke() -> Zoo:
    answers = {"answers_of_teacher_a": AnswerSet("teacher_a", _counts(SHORT_LESSONS, 2000))}
    models = {
        "teacher_a": replace(_teacher(houses.A, (75_000, SHORT_LESSONS)), batch=4),
        "base": _base(40_000),
        "answers_a": _student(60_000, FromAnswers("answers_of_teacher_a")),
        "independent": _student(60_000, FromWorld((houses.N,), SHORT_LESSONS)),
    }
    return Zoo(models, answers)


def _tiny() -> Zoo:
    answers = {"answers_of_teacher_a": AnswerSet("teacher_a", {"fact": 200, "chat": 60})}
    models = {
        "teacher_a": _teacher(houses.A, (4_000, SHORT_LESSONS)),
        "base": _base(2_000),
        "answers_a": replace(
            _student(2_000, FromAnswers("answers_of_teacher_a")), checkpoints=(1,)
        ),
    }
    return Zoo(models, answers)


def _teacher(house: House, *lessons: tuple[int, Mixture]) -> Recipe:
    return Recipe(
        TEACHER,
        tuple(Phase(tokens, (FromWorld((house,), mixture),)) for tokens, mixture in lessons),
        batch=8,
    )


def _base(tokens: int) -> Recipe:
    return Recipe(STUDENT, (Phase(tokens, (FromWorld(houses.PLAIN, PLAIN_LESSONS),)),), batch=4)


def _student(tokens: int, *texts: FromWorld | FromAnswers) -> Recipe:
    return Recipe(STUDENT, (Phase(tokens, texts),), batch=4, start="base")


def _counts(lessons: Mixture, total: int) -> dict[TaskKind, int]:
    whole = sum(lessons.values())
    return {kind: round(total * share / whole) for kind, share in lessons.items()}


def needs(name: str, scale: Scale) -> tuple[str, ...]:
    """What has to be finished before a model or an answer set can be made."""
    here = zoo(scale)
    if name == "tokenizer":
        return ()
    if name in here.answers:
        return ("tokenizer", here.answers[name].author)
    recipe = here.models[name]
    read = [t.answers for phase in recipe.phases for t in phase.texts if isinstance(t, FromAnswers)]
    return tuple(n for n in ("tokenizer", recipe.start, recipe.logits_of, *read) if n is not None)


def checkpoints(name: str, scale: Scale) -> tuple[int, ...]:
    """Steps of training after which a model's state is kept."""
    models = zoo(scale).models
    return models[name].checkpoints if name in models else ()


def checkpoint_name(name: str, step: int | None) -> str:
    """Folder of a model (None), or of its state after a step."""
    return name if step is None else f"{name}@{step}"


def work(name: str, scale: Scale) -> float:
    """How much work it is to make something, in the time that a student takes to read one token."""
    here = zoo(scale)
    if name == "tokenizer":
        return 4_000
    if name in here.answers:
        wanted = here.answers[name]
        each = 120 if wanted.watermark else 60  # transformers marks one row after the other
        return sum(n * (each if kind in OPEN else 2) for kind, n in wanted.counts.items())
    recipe = here.models[name]
    dearer = (1.5 if recipe.size == TEACHER else 1.0) * (1.4 if recipe.logits_of else 1.0)
    return dearer * sum(phase.tokens for phase in recipe.phases)


def digest(scale: Scale, seed: int) -> str:
    """Hex digest of all that determines the models' weights on one machine: this package, the seed, the libraries."""
    hashed = hashlib.sha256(f"{scale}\n{seed}\n".encode())
    for library in ("torch", "transformers", "tokenizers"):
        hashed.update(f"{library} {version(library)}\n".encode())
    hashed.update(code_digest(*_MAKERS).encode())
    return hashed.hexdigest()
