"""The page of a sweep of k values holds the k pages of its runs; that of one value is the page of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.board.board import Board, make_board
from harness.board.cautions import without_number
from harness.board.joined import Job, join
from harness.board.leaderboard import leaderboard_view
from harness.board.record import RunRecord, Variant
from harness.board.tables import (
    changes_table,
    collections_table,
    comparisons_table,
    leaderboard_table,
    scores_table,
)
from harness.cli.config import packaged
from harness.page.measures import described_models, described_tasks
from harness.stages.ask import ask
from harness.stages.collect import collect
from harness.stages.record import make_record
from harness.stages.score import score
from harness.store.store import Store
from tests.core.running import run_of

QUICK = ("smoke", "zoo_dose")  # the others have up to a dozen models
MATRICES = [  # those that compare models; what matrices of lineages say is in tests/verdicts/test_sweeps.py
    pytest.param(path, marks=() if path.stem in QUICK else pytest.mark.slow, id=path.stem)
    for path in sorted((packaged("conf") / "matrix").glob("*.yaml"))
    if "pairs" in path.read_text()
]
STYLES = ("formal", "plain", "odd")
Row = dict[str, Any]


def record_of(folder: Path, matrix: Path, limit: int) -> RunRecord:
    """The record of a committed matrix with fakes in place of its models, over two small tasks."""
    content: Any = OmegaConf.to_container(OmegaConf.load(matrix))
    models = {
        name: {"kind": "fake", "style": STYLES[i % 3], "skill": 0.2 + i % 7 / 10, "seed": i}
        for i, name in enumerate(content["models"])
    }
    roles = {key: content[key] for key in ("title", "pairs")}
    named = content.get("controls", [])  # `standard` names one that its user adds
    roles["controls"] = [c for c in named if (c if isinstance(c, str) else c["model"]) in models]
    metrics = {"task_score": None, "capa": None, "gap_recovered": None}
    run = run_of(folder, models=models, metrics=metrics, limit=limit, **roles)
    store = Store(run.paths.results)
    made = collect(ask(run, store), store)
    return make_record(made.plan, store, score(made.plan, store).scores)


def told(board: Board, variant: Variant) -> dict[str, list[Row]]:
    """Every table of a board, and what its page says of models and tasks, under one setting and without its values."""
    record, swept = board.record, [key for key, _ in variant]
    tables = {
        "leaderboard": leaderboard_table(board),
        "view": leaderboard_view(board),
        "scores": scores_table(record),
        "comparisons": comparisons_table(record),
        "changes": changes_table(record),
        "collections": collections_table(record),
    }
    rows: dict[str, list[Row]] = {}
    for name, table in tables.items():
        heads = [h.name for h in table.heads]
        lines = [
            dict(zip(heads, [(c.value, c.text, c.note) for c in row], strict=True))
            for row in table.rows
        ]
        own = [line for line in lines if all(line[k][0] in (v, "") for k, v in variant)]
        rows[name] = [{k: v for k, v in line.items() if k not in swept} for line in own]
    words = " ".join(f"{k}={v}" for k, v in variant)
    for name, described in (
        ("models", described_models(record)),
        ("tasks", described_tasks(record)),
    ):
        rows[name] = [
            {"name": d.name, "roles": d.roles, **d.facts}
            for d in described
            if not d.settings or words in d.settings
        ]
    return {name: sorted(own, key=repr) for name, own in rows.items()}


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_page_of_several_values_holds_their_pages(matrix: Path, tmp_path: Path) -> None:
    runs = {str(n): record_of(tmp_path, matrix, n) for n in (24, 30)}
    alone = {n: told(make_board(run), ()) for n, run in runs.items()}
    assert alone["24"] != alone["30"], (
        "the two runs differ, so that a fact of one is wrong for the other"
    )
    one = join([Job((), runs["24"])])
    assert told(make_board(one), ()) == alone["24"]
    assert one.warnings == runs["24"].warnings
    both = join([Job((("limit", n),), run) for n, run in runs.items()])
    board = make_board(both)
    for n, page in alone.items():
        swept = told(board, (("limit", n),))
        for name, rows in page.items():
            heads = {head for row in rows for head in row}
            more = [row[head] for row in swept[name] for head in row if head not in heads]
            assert all(cell[0] in (None, 0) for cell in more), "a column only the other job needs"
            kept = [{k: v for k, v in row.items() if k in heads} for row in swept[name]]
            assert sorted(kept, key=repr) == rows, name
        for line in runs[n].warnings:
            if line == without_number(runs[n]):
                continue
            shared = all(line in run.warnings for run in runs.values())
            assert (line if shared else f"limit={n}: {line}") in both.warnings
