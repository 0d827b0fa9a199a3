"""eval_results/MODEL/.eval_results/TASK.yaml: what a model's page on the Hugging Face hub shows.

Each folder MODEL is to be copied into the repository of its model.
Source: huggingface.co/docs/hub/eval-results, through huggingface_hub's `EvalResultEntry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import yaml

from harness.board.board import Board
from harness.board.numerals import estimate
from harness.exports import AbstractExporter
from harness.exports._models import Exported, exported, file_name
from harness.schema import unknown
from harness.types import Score


@dataclass(frozen=True)
class HubTask:
    """The benchmark on the hub that a task is."""

    id: str  # of the data set: openai/gsm8k
    task_id: str  # as the data set's eval.yaml calls it
    revision: str | None = None  # commit of the data set
    metric: str | None = None  # measure, or measure/part; None = the first that models have alone
    scale: float = 1.0  # 100 where the benchmark states per cent


@dataclass(frozen=True)
class EvalResults(AbstractExporter):
    """Each model's own number on the tasks that are named; others are left out."""

    datasets: Mapping[str, HubTask]  # task of the run -> the benchmark that it is

    always: ClassVar[bool] = False

    def faults(self, tasks: Sequence[str]) -> list[str]:
        """Tasks that are none of the run."""
        return [f"key datasets: {unknown(t, tasks)}" for t in self.datasets if t not in tasks]

    def export(self, board: Board, folder: Path) -> None:
        """Writes a file for each model and task that has a number."""
        alone = board.index.metrics("own_score")
        for one in exported(board):
            for task, hub in self.datasets.items():
                if (score := _score(one, task, hub.metric, alone)) is not None:
                    path = folder / one.file / ".eval_results" / f"{file_name(task)}.yaml"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(_entry(one, score, hub), encoding="utf-8", errors="replace")


def _score(one: Exported, task: str, metric: str | None, alone: list[str]) -> Score | None:
    """The model's number: of the measure that is named, else of the first that models have alone."""
    own = {s.metric: s for s in one.scores() if s.task == task and not s.teacher}
    wanted = alone if metric is None else [metric]
    whole = next((own[m] for m in wanted if m in own), None)
    parts = (s for m, s in own.items() if metric is None and m.partition("/")[0] in alone)
    return whole or next(parts, None)


def _entry(one: Exported, score: Score, hub: HubTask) -> str:
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    assert score.value is not None
    version = one.run.versions.get("distillbench", "")
    ends = (score.low, score.high)
    notes = (
        f"{score.metric} by distillbench {version}: {estimate(score.value, *ends)}, n = {score.n}"
    )
    entry = EvalResultEntry(
        dataset_id=hub.id,
        task_id=hub.task_id,
        value=score.value * hub.scale,
        dataset_revision=hub.revision,
        notes=notes,
    )
    text: str = yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False)
    return text
