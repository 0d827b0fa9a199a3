"""Cases of a suspect whose weights are at hand: everybody reads, and what is lacking is said before that."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.verifying import verify
from tests.core.running import inside

INNOCENT = ("twin", "other", "third", "fourth")
OPEN = {"kind": "prompts", "file": "ours.jsonl", "columns": {"prompt": "question"}}


def reading_case() -> dict[str, Any]:
    """The case of docs/evidence.md, with made-up models in place of checkpoints."""
    columns = {"prompt": "question", "answer": "reply"}
    fakes = {m: {"kind": "fake", "style": m} for m in ("theirs", "before", *INNOCENT)}
    reads = {"kind": "reading", "answers_to": "open", "by": ["ours", "twin", "other"]}
    return {
        "title": "Did it come to expect our answers?",
        "suspect": "theirs",
        "models": {**fakes, "ours": {"kind": "recorded", "file": "ours.jsonl", "columns": columns}},
        "lineages": [{"file": "lineages.csv"}],
        "tasks": {"open": OPEN, "reads": {**reads, "prompts": 20, "alternatives": 0}},
        "verdicts": {"reference_gain": {"reference": "before"}},
    }


def write_files(tmp_path: Path) -> None:
    """ours.jsonl and lineages.csv."""
    data = tmp_path / "data"
    data.mkdir()
    rows = [{"question": f"What is no. {i}?", "reply": f"It is thing no. {i}."} for i in range(24)]
    (data / "ours.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    table = ["model,role,family,lineage", "ours,teacher,ours,"]
    table += [f"{m},control,," for m in INNOCENT]
    (data / "lineages.csv").write_text("\n".join(table) + "\n")


def test_the_case_with_weights_runs_on_models_that_read(tmp_path: Path) -> None:
    """Made-up models in place of checkpoints; the candidate's answers are recorded, and it reads nothing."""
    write_files(tmp_path)
    out = tmp_path / "out"
    files = {"matrix/case": reading_case()}
    ended = inside(tmp_path, "matrix=case", f"exhibit={out}", files=files)
    assert ended.returncode == 0, ended.stderr
    assert verify([str(out)]) == 0
    with (tmp_path / "results/report/verdicts.csv").open(newline="") as file:
        said = {r["suspect"]: r for r in csv.DictReader(file)}
    assert said.keys() == {"theirs", "before", *INNOCENT}
    assert (said["theirs"]["family"], said["theirs"]["n"]) == ("ours", "20")
    assert float(said["theirs"]["p"]) >= 1 / 5
    assert said["before"]["reason"] == "it is the reference"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "verdicts",
            {"reference_gain": {"reference": "befor"}},
            "verdicts.reference_gain.reference: 'befor' is unknown; did you mean 'before'?",
        ),
        (
            "verdicts",
            {"reference_gain": {"reference": "ours"}},
            "verdicts.reference_gain.reference: ours (kind recorded) cannot read; name a model",
        ),
        (
            "verdicts",
            {"reference_gain": None},
            "key reference: expected a model of the matrix, the suspect's earlier checkpoint, base",
        ),
        (
            "tasks",
            {"open": OPEN},
            "verdicts.reference_gain: no task of this matrix gives the answers of models to read",
        ),
    ],
)
def test_what_it_lacks_is_one_line_before_anything_is_asked(
    tmp_path: Path, key: str, value: dict[str, Any], said: str
) -> None:
    write_files(tmp_path)
    files = {"matrix/case": {**reading_case(), key: value}}
    ended = inside(tmp_path, "matrix=case", files=files)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert said in line
