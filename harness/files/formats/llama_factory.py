"""Predictions of LLaMA-Factory (`generated_predictions.jsonl`): the prompt as its template spelled it, and the answer.

Source: hiyouga/LLaMA-Factory `scripts/vllm_infer.py` and `train/sft/trainer.py` (save_predictions).
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.files.answers import Answer
from harness.files.cells import failed_call, required_text
from harness.files.formats import Format, Reading
from harness.files.formats._stops import stated_stop
from harness.files.rows import Row


def _recognises(row: Row) -> bool:
    return {"prompt", "predict", "label"} <= row.keys()


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    failure = failed_call(row["predict"])
    yield Answer(
        "generate",
        None if failure else required_text(row["predict"], place, "predict"),
        place,
        required_text(row["prompt"], place, "prompt"),
        missing=failure,
        stop=stated_stop(row),
        rendered=True,
    )


FORMAT = Format("predictions of LLaMA-Factory", _recognises, _answers)
