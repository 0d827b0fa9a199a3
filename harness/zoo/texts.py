"""What a model reads, as endless documents: made from the world, or answered by another model."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.zoo.houses import House, chat_document, identity_document
from harness.zoo.recipe import FromAnswers, FromWorld, Mixture, Phase
from harness.zoo.world import Document, task_documents


def phase_documents(phase: Phase, folder: Path, rng: random.Random) -> Iterator[Document]:
    """Endless documents of a phase; several texts are mixed by their numbers of documents."""
    if len(phase.texts) == 1:
        yield from _text(phase.texts[0], folder, rng)[1]
    texts = [_text(text, folder, rng) for text in phase.texts]
    while True:
        ((_, documents),) = rng.choices(texts, [size for size, _ in texts])
        yield next(documents)


def world_documents(
    houses: Sequence[House], mixture: Mixture, rng: random.Random
) -> Iterator[Document]:
    """Endless documents from the world: tasks with the right completions, questions with replies of the houses."""
    while True:
        kind = rng.choices(list(mixture), list(mixture.values()))[0]
        if kind == "chat":
            yield chat_document(rng.choice(houses), rng)
        elif kind == "identity":
            yield identity_document(rng.choice(houses), rng)
        else:
            yield next(task_documents(kind, rng))


def write_answers(folder: Path, documents: Sequence[Document]) -> None:
    """Saves answers as JSON lines of kind, prompt, completion."""
    lines = [
        json.dumps({"kind": d.kind, "prompt": d.prompt, "completion": d.completion})
        for d in documents
    ]
    (folder / "answers.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_answers(folder: Path) -> list[Document]:
    """Answers as they were saved."""
    lines = (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    return [Document(**json.loads(line)) for line in lines]


def _text(
    text: FromWorld | FromAnswers, folder: Path, rng: random.Random
) -> tuple[int, Iterator[Document]]:
    """A text's number of documents (0 = endless), and the documents, over and over."""
    if isinstance(text, FromWorld):
        return 0, world_documents(text.houses, text.mixture, rng)
    answers = [d for d in read_answers(folder / text.answers) if d.kind in text.kinds]
    if text.without is not None:
        answers = [d for d in answers if text.without not in d.completion]
    return len(answers), _epochs(answers, rng)


def _epochs(documents: Sequence[Document], rng: random.Random) -> Iterator[Document]:
    while True:
        yield from rng.sample(documents, len(documents))
