"""The page on a real distillation (docs/real_distillation.md): its matrix runs, and says what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from harness import load
from tests.core.running import inside
from tests.readme.blocks import REPOSITORY, blocks

LETTERS = "ABCD"
PAGE = (REPOSITORY / "docs" / "real_distillation.md").read_text("utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the page's own matrix gives."""
    return _run(tmp_path_factory.mktemp("distillation"), {})


def _run(folder: Path, changes: Mapping[str, Any]) -> Any:
    """Results of the page's matrix with a few keys changed; skips where the answers are not beside the checkout."""
    file = REPOSITORY.parent / "shared" / "real_models" / "answers.parquet"
    if not file.is_file():
        pytest.skip(f"needs the recorded answers {file.name} beside the checkout")
    (folder / "data").mkdir()
    rows = [*_replies(pd.read_parquet(file)), *_choices(pd.read_parquet(file))]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "data" / "answers.jsonl").write_text(lines, "utf-8")
    block = next(b for b in blocks(PAGE) if b.section == "The matrix")
    done = inside(
        folder,
        "matrix=distillation",
        files={"matrix/distillation": {**yaml.safe_load(block.text), **changes}},
    )
    assert done.returncode == 0, done.stderr
    return load(folder / "results")


def _replies(answers: pd.DataFrame) -> list[dict[str, Any]]:
    told = answers[answers.task == "eval"].rename(
        columns={"text": "answer", "stop": "finish_reason"}
    )
    columns = ["model", "prompt", "category", "answer", "finish_reason"]
    rows: list[dict[str, Any]] = told[columns].to_dict("records")  # type: ignore[assignment]
    return [{"task": "open", **row} for row in rows]


def _choices(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Options as letters, in the order in which they were first chosen; a right one that nobody chose is D."""
    rows = []
    for prompt, group in answers[answers.task == "arc_easy"].groupby("prompt", sort=False):
        options = list(dict.fromkeys(group.text))
        right = [options.index(t) for t, r in zip(group.text, group.right, strict=True) if r]
        common = {"task": "arc_easy", "prompt": prompt, "options": 4}
        common["right"] = LETTERS[right[0] if right else 3]
        chosen = zip(group.model, group.text, strict=True)
        rows += [{**common, "model": m, "choice": LETTERS[options.index(t)]} for m, t in chosen]
    return rows


def _row(results: Any, metric: str, student: str) -> Mapping[str, Any]:
    scores = results.scores
    (row,) = scores[(scores.metric == metric) & (scores.student == student)].to_dict("records")
    return dict(row)


@pytest.mark.slow
def test_the_student_goes_further_than_the_model_that_another_taught(results: Any) -> None:
    student, other = (_row(results, "style_transfer", m) for m in ("student", "other"))
    assert student["value"] > other["value"]
    assert student["low"] > 0.5
    angles = [_row(results, "style_transfer/angle", m)["value"] for m in ("student", "other")]
    assert angles[0] > 0.9 > 0.7 > angles[1]


def test_listed_as_a_second_student_the_other_is_told_apart(tmp_path: Path) -> None:
    common = {"teacher": "teacher", "base": "base", "base_kind": "before", "ceiling": None}
    pairs = [{**common, "student": m} for m in ("student", "other")]
    found = _run(tmp_path, {"pairs": pairs, "controls": [], "metrics": {"style_transfer": None}})
    (row,) = found.comparisons.to_dict("records")
    assert (row["first"], row["second"], row["n"]) == ("student", "other", 48)
    assert row["p_adjusted"] < 0.05
    assert row["low"] > 0
    told = re.search(r"(\.\d\d) \[(\.\d\d), (\.\d\d)\] further", PAGE)
    assert told
    assert [row[k] for k in ("difference", "low", "high")] == pytest.approx(
        [float(x) for x in told.groups()], abs=0.1
    )


def test_nothing_is_claimed_of_choices(results: Any) -> None:
    """Teacher and base are level in arc_easy, and no mark stands at agreement."""
    marks = results.leaderboard[["capa_above_base", "capa_above_controls", "capa_leads"]]
    assert marks.shape == (2, 3)
    assert (marks != True).to_numpy().all()  # noqa: E712
    assert _row(results, "capability_transfer", "student")["skipped_reason"].startswith(
        "gap within noise"
    )
    for measure in ("capa_excess", "error_inheritance"):
        assert _row(results, measure, "student")["skipped_reason"]


def test_the_page_has_the_numbers_that_the_matrix_gives(results: Any) -> None:
    """Two decimals of a value; an end of an interval may move a little with the definition of style."""
    for metric in ("style_transfer", "style_transfer/angle", "style_transfer/words", "capa"):
        line = next(x for x in PAGE.splitlines() if re.match(rf"\| {metric}\b(?!/)", x))
        cells = re.findall(r"(-?\d\.\d\d) \[(-?\d\.\d\d), (-?\d\.\d\d)\]", line)
        for told, model in zip(cells, ("student", "other"), strict=True):
            row = _row(results, metric, model)
            assert [row[k] for k in ("value", "low", "high")] == pytest.approx(
                [float(x) for x in told], abs=0.1
            )
