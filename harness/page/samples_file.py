"""samples.parquet: every answer of the run in one table beside the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.board.answers import TaskAnswers


def written(answers: Iterable[TaskAnswers], path: Path) -> Iterator[TaskAnswers]:
    """The same answers, each written to `path` on its way; the file is whole when the iterator is used up."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ("task", "prompt_id", "category", "prompt", "model", "text", "stop", "right")
    schema = pa.schema([(n, pa.bool_() if n == "right" else pa.string()) for n in names])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for task in answers:
            columns: dict[str, list[str | bool | None]] = {n: [] for n in names}
            for model, found in sorted(task.answers.items()):
                for i, answer in sorted(found.items()):
                    prompt = task.prompts[i]
                    row = (
                        task.task,
                        i,
                        prompt.category,
                        prompt.text,
                        model,
                        answer.text,
                        answer.stop,
                        answer.right,
                    )
                    for name, value in zip(names, row, strict=True):
                        columns[name].append(_storable(value))
            file.write_table(pa.table(columns, schema=schema))
            yield task


def _storable(value: str | bool | None) -> str | bool | None:
    """The value with lone surrogates replaced, which UTF-8 cannot hold."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
