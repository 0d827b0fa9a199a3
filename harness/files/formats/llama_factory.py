"""Predictions of LLaMA-Factory (`generated_predictions.jsonl`): the prompt as its template spelled it, and the answer.

Source: hiyouga/LLaMA-Factory `scripts/vllm_infer.py` and `train/sft/trainer.py` (save_predictions).
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.files.answers import Answer
from harness.files.cells import NULL, failed_call, required_text
from harness.files.formats import Format, Reading
from harness.files.formats._stops import stated_stop, text_or_none, thoughts
from harness.files.rows import Row


def _recognises(row: Row) -> bool:
    return {"prompt", "predict", "label"} <= row.keys()


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    stop, trace = stated_stop(row), thoughts(row)
    text = text_or_none(required_text(row["predict"], place, "predict"), stop, trace)
    failure = NULL if text is None else failed_call(text)
    yield Answer(
        "generate",
        None if failure else text,
        place,
        required_text(row["prompt"], place, "prompt"),
        missing=failure,
        stop=stop,
        trace=trace,
        rendered=True,
    )


FORMAT = Format("predictions of LLaMA-Factory", _recognises, _answers)
