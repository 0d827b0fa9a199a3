"""The report's data files as text: scores.csv, scores.json, leaderboard.csv, run.json. Pure."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from harness.board.leaderboard import Leaderboard, Row
from harness.board.record import Comparison, RunRecord
from harness.types import Score

SCHEMA = 1  # of run.json and scores.json
# others script it
_PROMISED = "metric,task,student,teacher,base,value,low,high,n,unit,better,skipped_reason,inputs"
SCORE_COLUMNS = tuple(_PROMISED.split(","))


def scores_csv(record: RunRecord) -> str:
    """Every score, one row each, floats in full; swept keys follow as further columns."""
    head = [*SCORE_COLUMNS, *record.variants]
    return _csv(
        head,
        ([*_score_row(s).values(), *_swept(s, record.variants)] for s in ordered(record.scores)),
    )


def scores_json(record: RunRecord) -> str:
    """The same scores and the paired comparisons between students."""
    scores = [
        _score_row(s) | {"inputs": list(s.inputs), "level": s.level, "variant": dict(s.variant)}
        for s in ordered(record.scores)
    ]
    comparisons = [
        dataclasses.asdict(c) | {"variant": dict(c.variant)}
        for c in sorted(record.comparisons, key=_comparison_key)
    ]
    return _json({"schema": SCHEMA, "scores": scores, "comparisons": comparisons})


def run_json(record: RunRecord) -> str:
    """How the run was made: models, tasks, cells, pairs, controls, warnings, versions."""
    return _json(
        {
            "schema": SCHEMA,
            "title": record.title,
            "versions": dict(record.versions),
            "models": {
                name: dict(facts) | {"role": record.roles.get(name, "other")}
                for name, facts in record.models.items()
            },
            "tasks": {name: dict(facts) for name, facts in record.tasks.items()},
            "metrics": [dataclasses.asdict(m) for m in record.metrics],
            "pairs": [dataclasses.asdict(p) for p in record.pairs],
            "controls": [dataclasses.asdict(c) for c in record.controls],
            "cells": [dataclasses.asdict(c) for c in record.cells],
            "variants": list(record.variants),
            "warnings": list(record.warnings),
        }
    )


def leaderboard_csv(board: Leaderboard, variants: Sequence[str]) -> str:
    """One row per student and teacher, with value, interval, n, marks and reason of every column.

    Measured speed is left out: the same stored answers give the same bytes.
    """
    head = ["rank", "student", "teacher", "role", "base", "base_kind", *variants]
    for column in board.columns:
        name = column.metric.replace("/", "_")
        head += [
            name,
            *(
                f"{name}_{x}"
                for x in (
                    "low",
                    "high",
                    "n",
                    "above_base",
                    "above_all_controls",
                    "leads",
                    "skipped_reason",
                )
            ),
        ]
    head += ["parameters", "size_bytes"]
    return _csv(head, (_board_row(row, variants) for row in board.rows))


def ordered(scores: Iterable[Score]) -> list[Score]:
    """Scores by metric, task, teacher, student, variant."""
    return sorted(scores, key=lambda s: (s.metric, s.task, s.teacher, s.student, s.base, s.variant))


def _score_row(s: Score) -> dict[str, Any]:
    values = [
        s.metric,
        s.task,
        s.student,
        s.teacher,
        s.base,
        s.value,
        s.low,
        s.high,
        s.n,
        s.unit,
        s.better,
        s.reason,
    ]
    return dict(zip(SCORE_COLUMNS, [*values, " ".join(key[:16] for key in s.inputs)], strict=True))


def _swept(score: Score, variants: Sequence[str]) -> list[str]:
    values = dict(score.variant)
    return [values.get(key, "") for key in variants]


def _board_row(row: Row, variants: Sequence[str]) -> list[Any]:
    s = row.subject
    values: list[Any] = [
        row.rank,
        s.student,
        s.teacher,
        s.role,
        s.base,
        s.base_kind if s.role == "student" else "",
    ]
    values += [dict(s.variant).get(key, "") for key in variants]
    for cell in row.cells:
        score = cell.score
        if score is None:
            values += [None] * 7 + ["not measured"]
            continue
        values += [score.value, score.low, score.high, score.n]
        values += [
            int(cell.above_base),
            int(cell.above_controls > 0),
            int(cell.leads),
            score.reason,
        ]
    return [*values, row.parameters, row.size_bytes]


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([repr(float(v)) if isinstance(v, float) else v for v in row] for row in rows)
    return out.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1) + "\n"


def _comparison_key(c: Comparison) -> tuple[Any, ...]:
    return (c.metric, c.task, c.teacher, c.first, c.second, c.variant)
