"""Trajectories that the Tinker cookbook's evaluations store: `trajectories.jsonl`, one example a line.

Prompts and replies are decoded tokens: a prompt is what the renderer made of it, a reply ends in its end token.
Source: thinking-machines-lab/tinker-cookbook `eval/benchmarks/_types.py` (StoredTrajectory) and `_runner.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.files.answers import Answer, turn_name
from harness.files.cells import beginning, name_of
from harness.files.formats import Format, Reading
from harness.files.rows import Row
from harness.text.clean import END_TOKENS

_CUT = ("max_tokens_reached", "context_overflow")  # measures that tell a cut reply


def _recognises(row: Row) -> bool:
    return {"benchmark", "turns", "reward"} <= row.keys() and isinstance(row["turns"], list)


def _answers(row: Row, place: str, reading: Reading) -> Iterator[Answer]:
    name = name_of(row.get("example_id")) or ""
    turns, error = row["turns"], row.get("error")
    said = [i for i, turn in enumerate(turns) if turn["role"] == "assistant"]
    if error or not said:
        why = f"an error: {beginning(error)}" if error else "a trajectory without a reply"
        yield Answer("generate", None, place, name=name, missing=why)
        return
    for turn, i in enumerate(said):
        # the observation before a reply is the whole of what the policy was given
        context = str(turns[i - 1]["content"]) if i else None
        text = turns[i]["content"]
        last = i == said[-1]
        yield Answer(
            "generate", text, place, context, turn_name(name, turn), rendered=True,
            stop=_stop(text, row.get("metrics") if last else None),
        )  # fmt: skip


def _stop(text: str, metrics: Any) -> str:
    """Why a reply ended: its end token, or a measure of the row that tells a limit."""
    if text.rstrip().endswith(END_TOKENS):
        return "eos"
    told = metrics if isinstance(metrics, Mapping) else {}
    return "length" if any(told.get(name) for name in _CUT) else "unknown"


FORMAT = Format(
    "trajectories of the Tinker cookbook", _recognises, _answers, files=("trajectories.jsonl",)
)
