"""Marks in recorded answers of real models: what is there is told, and nothing of models that have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.board.replies import of_answers
from harness.text.marks import read_marks
from tests.report.records import collection, record

TOLD = {
    "ultralm-13b": "ultralm-13b: end tokens behind replies are cut: open 6 of 805 (</s>).",
    "guanaco-13b": "guanaco-13b: replies have turns of a conversation in them: open 82 of 805 (### Human:)",
    "baichuan-13b-chat": "baichuan-13b-chat: replies have HTML entities in them: open 38 of 805 (&amp;)",
}
QUIET = ("alpaca-7b", "text_davinci_001")


@pytest.mark.slow
def test_marks_of_real_replies(shared_data: Path) -> None:
    frame = pd.read_parquet(
        shared_data / "alpaca_eval/responses.parquet",
        columns=["model", "prompt", "response"],
        filters=[("model", "in", [*TOLD, *QUIET])],
    )
    collections = tuple(
        collection(str(name), "open", marks=read_marks(list(rows.response), list(rows.prompt)))
        for name, rows in frame.groupby("model")
    )
    assert len(collections) == len(TOLD) + len(QUIET)
    tasks = {"open": {"yields": "text style"}}
    lines = list(of_answers(replace(record(), collections=collections, tasks=tasks)))
    assert len(lines) == len(TOLD)
    assert all(any(line.startswith(told) for line in lines) for told in TOLD.values())
