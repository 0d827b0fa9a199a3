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
        for i, answer in sorted(own.items()):
            prompt = answers.prompts[i]
            asked = (answers.task, i, prompt.category, prompt.text)
            row = (*asked, model, answer.text, answer.stored, answer.stop, answer.right)
            for name, value in zip(_NAMES, row, strict=True):
                columns[name].append(_storable(value))
    return pa.table(columns, schema=_SCHEMA)


def _storable(value: str | bool | None) -> str | bool | None:
    """The value with lone surrogates replaced, which UTF-8 cannot hold."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
