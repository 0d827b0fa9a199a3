"""The rows of the zoo's benchmark tasks, made from the world; `python -m harness.zoo.benchmark FOLDER` writes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.zoo.world import (
    ATTRIBUTES,
    Document,
    Fact,
    cloze_document,
    copy_document,
    copy_lines,
    fact_document,
    facts,
    generator,
    open_questions,
    sum_document,
    sums,
)

Row = Mapping[str, str | int | list[str]]


def benchmark() -> dict[str, list[Row]]:
    """Rows by file name."""
    return {
        "facts.jsonl": [_choice_row(fact) for fact in facts()],
        "cloze.jsonl": [_row(cloze_document(fact)) for fact in facts()],
        "sums_seen.jsonl": [_row(sum_document(pair)) for pair in sums(held_out=False)],
        "sums_new.jsonl": [_row(sum_document(pair)) for pair in sums(held_out=True)],
        "copy.jsonl": [_row(copy_document(line)) for line in copy_lines(held_out=True)],
        "style_prompts.jsonl": [
            {"prompt": q.text, "category": q.category} for q in open_questions(held_out=True)
        ],
    }


def write(folder: Path) -> None:
    """Writes all files as JSON lines."""
    for name, rows in benchmark().items():
        (folder / name).write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )


def _row(document: Document) -> Row:
    return {"prompt": document.prompt, "answer": document.completion.strip()}


def _choice_row(fact: Fact) -> Row:
    rng = generator("options", fact.town, fact.attribute)
    options = [
        fact.value,
        *rng.sample([v for v in ATTRIBUTES[fact.attribute] if v != fact.value], 3),
    ]
    rng.shuffle(options)
    return {
        "prompt": fact_document(fact).prompt,
        "options": options,
        "gold": options.index(fact.value),
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]))
