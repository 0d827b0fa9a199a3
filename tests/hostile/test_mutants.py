"""The second generator: odd bytes, places, names, values and checkpoints are each one clear line, or sound."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.core.running import inside, matrix, write_data, write_files
from tests.hostile.inputs import Input
from tests.hostile.mutants import FAMILIES, inputs, mutated
from tests.hostile.try_them import Answer, answer, fault

_SLOW = {"checkpoints": 6, "values": 6, "recorded": 6, "places": 3, "named": 4, "committed": 8}
_QUICK = {
    "values": 5,
    "recorded": 5,
    "named": 5,
}  # how many in the quick test; the others take seconds
_OF_GROUP = {"task": "tasks", "metric": "metrics"}


def own_copy(given: Input, folder: Path) -> Answer:
    """The answer to a plan with a user's own, changed copy of a YAML file of ours."""
    write_data(folder / "data", 24)
    ((name, content),) = given.files.items()
    group, stem = name.removesuffix(".yaml").split("/")
    changes = {_OF_GROUP[group]: {stem: None}} if group in _OF_GROUP else {}
    if group == "model":
        changes = {"models": {**matrix()["models"], stem: None}}
    conf = write_files(folder, {"matrix/m": matrix(**changes)})
    (conf / group).mkdir(exist_ok=True)
    assert isinstance(content, bytes)
    (conf / name).write_bytes(content)
    chosen = [f"{group}={stem}"] if group in ("decoding", "gate", "matrix") else []
    words = [*(["matrix=m"] if group != "matrix" else []), *chosen, "stages=[plan]"]
    done = inside(folder, *words)
    return Answer(done.returncode, done.stderr)


def unanswered(family: str, folder: Path, step: int) -> list[str]:
    """What is wrong with the answers to every so many inputs of a family."""
    wrong = []
    for i, given in enumerate(inputs(family)[::step]):
        place = folder / str(i)
        got = own_copy(given, place) if family == "committed" else answer(given, place)
        bad = fault(given, got, place)
        if family == "committed" and bad.startswith("neither"):
            bad = ""  # the data that some matrices name are not there
        if bad:
            wrong.append(f"{given.name}: {bad} ({got.code}): {got.said[-300:]}")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_odd_inputs_are_one_clear_line(family: str, tmp_path: Path) -> None:
    assert unanswered(family, tmp_path, _SLOW[family]) == []


@pytest.mark.parametrize("family", _QUICK)
def test_some_odd_inputs_are_one_clear_line(family: str, tmp_path: Path) -> None:
    assert unanswered(family, tmp_path, max(1, len(inputs(family)) // _QUICK[family])) == []


def test_a_mutation_is_a_change_and_the_same_for_the_same_chance() -> None:
    content = b"title: x\nmodels: {}\nseed: 3\n" * 4
    made = [mutated(content, random.Random(i)) for i in range(50)]
    assert made == [mutated(content, random.Random(i)) for i in range(50)]
    assert sum(m != content for m in made) > 40
