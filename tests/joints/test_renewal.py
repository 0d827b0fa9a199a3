"""What an upgrade invalidates is said, once, and only of what was there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.metrics import AbstractMetric
from harness.plan.questions import all_questions
from harness.stages import measuring
from harness.stages.score import score
from tests.joints.small import CONTENT, Small, scored
from tests.joints.small import planned as planned_small


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if "made again" in line]


def change(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """These measures have other code from now on."""
    own = measuring.code_of

    def code_of(metric: AbstractMetric) -> str:
        return "other" if metric.name in names else own(metric)

    for module in ("measuring", "renewal"):
        monkeypatch.setattr(f"harness.stages.{module}.code_of", code_of)


def test_what_other_code_made_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = CONTENT["pairs"]
    small: Small = scored(tmp_path, pairs=pairs[:2])
    assert said(capsys) == [], "what is new is not made again"
    n = sum(q.metric.name == "length" for q in all_questions(small.plan))
    change(monkeypatch, "length")
    plan, store = planned_small(tmp_path, pairs=pairs)  # a student more, whom nobody has scored yet
    score(plan, store)
    assert n > 1
    assert said(capsys) == [f"{n} scores of 1 measure are made again: their code changed (length)"]
    score(plan, store)
    assert said(capsys) == []
