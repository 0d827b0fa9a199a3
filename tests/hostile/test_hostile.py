"""Malformed inputs are answered by one clear line each: exit code 2, or 3 where only a cell is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.inputs import FAMILIES, base, inputs
from tests.hostile.try_them import Answer, answer, fault

_SAMPLE = 4  # of each family in the quick test
_EVERY = {"tasks": 3, "formats": 2}  # these take long: `try_them.py` tries all of them


def unanswered(family: str, folder: Path, step: int = 1) -> list[str]:
    """What is wrong with the answers to every so many inputs of a family."""
    wrong = []
    for i, given in enumerate(inputs(family)[::step]):
        place = folder / str(i)
        got = answer(given, place)
        bad = fault(given, got, place)
        if bad:
            wrong.append(f"{given.name}: {bad} ({got.code}): {got.said[-300:]}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_malformed_input_is_one_clear_line(family: str, tmp_path: Path) -> None:
    assert unanswered(family, tmp_path, _EVERY.get(family, 1)) == []


@pytest.mark.parametrize("family", [f for f in FAMILIES if f != "tasks"])  # lm-eval takes seconds
def test_some_malformed_inputs_are_one_clear_line(family: str, tmp_path: Path) -> None:
    step = max(1, len(inputs(family)) // _SAMPLE)
    assert unanswered(family, tmp_path, step) == []


def test_there_are_five_hundred() -> None:
    assert sum(len(inputs(family)) for family in FAMILIES) >= 500


def test_what_is_sound_is_accepted(tmp_path: Path) -> None:
    from tests.hostile.inputs import Input

    files, changes = base()
    assert answer(Input("sound", files, changes), tmp_path).code == 0


def test_a_traceback_a_riddle_and_a_silent_reading_are_faults(tmp_path: Path) -> None:
    given = inputs("contents")[0]
    for got in (
        Answer(70, "Traceback"),
        Answer(2, "error: something is wrong"),
        Answer(0, ""),
        Answer(3, "Traceback\nerror: odd.jsonl"),
    ):
        assert fault(given, got, tmp_path)
