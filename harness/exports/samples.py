"""samples.parquet: every answer of the run in one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.board.answers import TaskAnswers
from harness.board.board import Board
from harness.exports import AbstractExporter

_NAMES = ("task", "prompt_id", "category", "prompt", "model", "text", "stored", "stop", "right")
_SCHEMA = pa.schema([(n, pa.bool_() if n == "right" else pa.string()) for n in _NAMES])


@dataclass(frozen=True)
class Samples(AbstractExporter):
    """Prompts and each model's first answer, whole: as measures see it, and as it came where that differs."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes one row group per task."""
        with pq.ParquetWriter(folder / "samples.parquet", _SCHEMA, compression="zstd") as file:
            for answers in board.answers():
                file.write_table(_rows(answers))


def _rows(answers: TaskAnswers) -> pa.Table:
    columns: dict[str, list[str | bool | None]] = {n: [] for n in _NAMES}
    for model, own in sorted(answers.answers.items()):
        ids = sorted(own)
        asked, given = [answers.prompts[i] for i in ids], [own[i] for i in ids]
        columns["task"] += [answers.task] * len(ids)
        columns["prompt_id"] += ids
        columns["category"] += [p.category for p in asked]
        columns["prompt"] += [p.text for p in asked]
        columns["model"] += [model] * len(ids)
        for name in ("text", "stored", "stop", "right"):
            columns[name] += [getattr(answer, name) for answer in given]
    return pa.table({f.name: _column(columns[f.name], f.type) for f in _SCHEMA}, schema=_SCHEMA)


def _column(values: list[str | bool | None], type_: pa.DataType) -> pa.Array:
    """The values with lone surrogates replaced, which UTF-8 cannot hold."""
    try:
        return pa.array(values, type_)
    except UnicodeEncodeError:
        return pa.array([_storable(v) for v in values], type_)


def _storable(value: str | bool | None) -> str | bool | None:
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
