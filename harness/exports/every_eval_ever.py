"""every_eval_ever/MODEL.json: every number of a model, in the form of Every Eval Ever.

Source: evaleval/every_eval_ever 0.3.0, `every_eval_ever/schemas/eval.schema.json`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.board.board import Board
from harness.exports import AbstractExporter
from harness.exports._models import Exported, exported, write_json
from harness.types import Score

_SCHEMA = "0.3.0"
_LEVEL = 0.95  # of all our intervals
_OURS = ("hf", "zoo")  # kinds of model that ran on machines of who asked


@dataclass(frozen=True)
class EveryEvalEver(AbstractExporter):
    """A file for each model that has a number, to be given to a collection of evaluations."""

    organization: str  # who evaluated
    relationship: Literal["first_party", "third_party", "collaborative", "other"]  # to the models
    retrieved: int | None = None  # seconds since 1970, for equal bytes; None = when it is written

    always: ClassVar[bool] = False

    def export(self, board: Board, folder: Path) -> None:
        """Writes the files."""
        when = str(int(time.time()) if self.retrieved is None else self.retrieved)
        for one in exported(board):
            if results := [_result(one, s) for s in one.scores() if _is_sound(s)]:
                write_json(self._whole(one, results, when), folder / f"{one.file}.json")

    def _whole(self, one: Exported, results: list[dict[str, Any]], when: str) -> dict[str, Any]:
        return {
            "schema_version": _SCHEMA,
            "evaluation_id": f"distillbench {one.run.title}/{one.title}/{when}",
            "retrieved_timestamp": when,
            "source_metadata": {
                "source_name": one.run.title,
                "source_type": "evaluation_run",
                "source_organization_name": self.organization,
                "evaluator_relationship": self.relationship,
            },
            "eval_library": {
                "name": "distillbench",
                "version": one.run.versions.get("distillbench", "unknown"),
                "additional_details": {k: str(v) for k, v in one.run.versions.items()},
            },
            "model_info": _model(one),
            "evaluation_results": results,
        }


def _model(one: Exported) -> dict[str, Any]:
    facts = one.run.models[one.model]
    ours = facts.get("kind") in _OURS
    details = {k: str(v) for k, v in facts.items()}
    details["deployment_type"] = "self_deployed" if ours else "unknown"
    details["model_availability"] = "unknown"
    return {"name": one.title, "id": one.title, "additional_details": details}


def _is_sound(score: Score) -> bool:
    return score.value is not None and math.isfinite(score.value)


def _result(one: Exported, score: Score) -> dict[str, Any]:
    beside = {"teacher": score.teacher, "base": score.base}
    named = {k: v for k, v in beside.items() if v}
    note = next((n for n in one.run.metrics if n.name == score.metric.partition("/")[0]), None)
    details: dict[str, Any] = {"score": score.value}
    if score.low is not None and score.high is not None:
        ends = {"lower": score.low, "upper": score.high, "confidence_level": _LEVEL}
        details["uncertainty"] = {"confidence_interval": ends, "num_samples": score.n}
    return {
        "evaluation_result_id": "/".join([score.metric, score.task, *named.values()]),
        "evaluation_name": score.task,
        "source_data": {"dataset_name": score.task, "source_type": "other"},
        "metric_config": {
            "evaluation_description": note.explanation if note else "",
            "metric_id": f"distillbench.{score.metric}",
            "metric_name": score.metric,
            "metric_unit": score.unit,
            "lower_is_better": score.better == "lower",
            "score_type": "continuous",
            "min_score": None,
            "max_score": None,
            "additional_details": {"better": score.better, **named},
        },
        "score_details": details,
    }
