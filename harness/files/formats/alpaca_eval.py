"""AlpacaEval's `model_outputs.json` and other files in Alpaca's form: instruction, input (often blank), output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.files.formats import Format
from harness.files.formats.table import answers, settled
from harness.files.rows import Row


def _recognises(row: Row) -> bool:
    return {"instruction", "output"} <= row.keys()


def _columns(given: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    return settled({"prompt": "instruction", "answer": "output", **given}, names)


FORMAT = Format(
    "answers in Alpaca's form", _recognises, answers, _columns, files=("model_outputs.json",)
)
