"""What the first run reads while its workers start: it needs none of it again, and other runs leave it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import keys
from harness.cli.config import packaged
from harness.page import render
from harness.stages import ahead, run
from harness.stages.measuring import code_of
from harness.store.store import Store
from tests.core.running import run_of

REFERENCE = packaged("reference") / "scores.csv"


def test_scores_and_page_read_no_code_and_no_template_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run_of(tmp_path)
    ahead.prepare(made)

    def again(*_: Any) -> Any:
        raise AssertionError("read again")

    monkeypatch.setattr(keys, "_parse", again)
    monkeypatch.setattr(render._environment(), "compile", again)
    for metric in made.metrics.values():
        assert code_of(metric)
    for template in render._FOLDER.joinpath("templates").iterdir():
        assert render._environment().get_template(template.name)


@pytest.mark.parametrize(
    ("stages", "stored", "imports", "begins"),
    [
        (("collect", "score"), False, ("torch",), True),
        (("collect", "score"), True, ("torch",), False),
        (("collect", "score"), False, (), False),
        (("score", "report"), False, ("torch",), False),
    ],
    ids=["first run", "later run", "no checkpoint", "nothing collected"],
)
def test_only_a_first_run_with_checkpoints_prepares(
    stages: tuple[Any, ...],
    stored: bool,
    imports: tuple[str, ...],
    begins: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = replace(run_of(tmp_path), stages=stages)
    (model, *_) = made.models.values()
    monkeypatch.setattr(type(model), "imports", imports)
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(ahead, "worker_context", lambda *names: asked.append(names))
    store = Store(made.paths.results, made.paths.lock)
    if stored:
        (store.root / "store").mkdir(parents=True)
    assert ahead.start_server(made, store) == begins
    assert [names[: len(imports)] for names in asked] == [imports] * begins


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_prepares_where_workers_start(
    begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[object] = []
    monkeypatch.setattr(run, "start_server", lambda *_: begun)
    monkeypatch.setattr(run, "prepare", prepared.append)
    run.execute(run_of(tmp_path), REFERENCE, alone=True)
    assert len(prepared) == begun
