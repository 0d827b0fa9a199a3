"""A made-up crowd as files: answers of everybody and a table of who learned from whom; and runs over them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from harness.cli.config import packaged, typed_run
from harness.panel.evidence import Crowd, Origin
from harness.plan.run import Run
from harness.testing.crowds import crowd
from tests.core.running import composed

ANSWERS = {
    "kind": "recorded",
    "file": "answers.jsonl",
    "where": {"model": "{name}"},
    "columns": {"prompt": "prompt", "answer": "response"},
}


def write_crowd(
    folder: Path, made: tuple[Crowd, tuple[Origin, ...]] | None = None, /, **changes: dict[str, str]
) -> None:
    """answers.jsonl and lineages.csv; `changes`: model -> cells of its row, dashes of its name as underscores."""
    everyone, origins = made or crowd()
    folder.mkdir(parents=True, exist_ok=True)
    prompts = next(iter(everyone.sides.values())).requests.prompts
    asked = {p.id: p.text for p in prompts}
    with (folder / "answers.jsonl").open("w") as file:
        for model in everyone.sides:
            for i, text in everyone.texts(model).items():
                row = {"model": model, "prompt": asked[i], "response": text}
                file.write(json.dumps(row) + "\n")
    with (folder / "lineages.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("model", "role", "family", "also", "lineage", "confidence"))
        for o in origins:
            cells = {"role": o.standing, "family": o.family, "also": "", "lineage": o.lineage}
            cells |= {"confidence": "high"} | changes.get(o.model.replace("-", "_"), {})
            writer.writerow((o.model, *cells.values()))


def matrix(**changes: Any) -> dict[str, Any]:
    """A matrix that weighs everybody."""
    task = {
        "kind": "prompts",
        "file": "answers.jsonl",
        "where": {"model": "control-0"},
        "columns": {"prompt": "prompt"},
    }
    return {
        "title": "A case",
        "lineages": [{"file": "lineages.csv", "answers": ANSWERS}],
        "tasks": {"talk": task},
        "verdicts": {"ngram_ratio": None},
        **changes,
    }


def case_run(tmp_path: Path, **changes: Any) -> Run:
    """A typed run of the matrix; write the crowd first."""
    return typed_run(composed(matrix(**changes), tmp_path), [packaged("conf")])
