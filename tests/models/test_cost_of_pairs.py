"""Teachers and students cost one collection each, whatever is paired with what; reading costs readers times authors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.config import packaged
from harness.stages.run import execute
from tests.core.running import run_of
from tests.models.tiny import byte_tokenizer, save_llama

TEACHERS = [f"teacher{i}" for i in range(3)]
STUDENTS = [f"student{i}" for i in range(10)]
PROMPTS = 4


def forward_tokens(folder: Path, models: list[str], pairs: int, **tasks: Any) -> int:
    """Tokens that go through models in one run over all tasks, with so many pairs."""
    every = [
        {"teacher": t, "student": s} for t in TEACHERS for s in STUDENTS if {t, s} <= {*models}
    ]
    common = {"kind": "hf", "device": "cpu", "dtype": "float32"}
    run = run_of(
        folder,
        models={name: {**common, "path": str(folder / name)} for name in models},
        tasks=tasks,
        metrics={"bits_per_byte": None},
        pairs=every[:pairs],
        controls=[],
        limit=PROMPTS,
        decoding={"max_new_tokens": 4},
    )
    execute(run, packaged("reference") / "scores.csv", alone=True)
    spent = json.loads((run.paths.results / "report" / "run.json").read_text())["spent"]
    return int(spent.get("forward_tokens", 0))


@pytest.mark.slow
def test_three_teachers_and_ten_students_are_thirteen_collections(tmp_path: Path) -> None:
    for seed, name in enumerate([*TEACHERS, *STUDENTS]):
        save_llama(tmp_path / name, byte_tokenizer(), seed=seed, max_position_embeddings=256)
    (tmp_path / "data").mkdir()
    texts = [{"text": f"The miller of Brask hums tune number {i}, and rests."} for i in range(9)]
    (tmp_path / "data" / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
    fixed = {"text": {"kind": "reading", "text": "texts.jsonl", "alternatives": 2}}
    alone = forward_tokens(tmp_path, TEACHERS[:1], 0, **fixed)
    assert alone > PROMPTS * 20
    everybody = [*TEACHERS, *STUDENTS]
    assert forward_tokens(tmp_path, everybody, 30, **fixed) == 12 * alone, "one is stored already"
    assert forward_tokens(tmp_path, everybody, 10, **fixed) == 0

    columns = {"prompt": "prompt"}
    answered = {"open": {"kind": "prompts", "file": "prompts.jsonl", "columns": columns}}
    assert forward_tokens(tmp_path, everybody, 30, **answered) > 0
    read = {"kind": "reading", "answers_to": "open", "by": TEACHERS, "alternatives": 2}
    first = forward_tokens(tmp_path, TEACHERS, 0, **answered, replies=read)
    assert first > 0
    rest = forward_tokens(tmp_path, everybody, 30, **answered, replies=read)
    assert (first + rest) * len(TEACHERS) == first * len(everybody)
