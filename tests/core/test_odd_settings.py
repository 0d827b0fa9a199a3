"""Settings that nobody means: infinite numbers, half characters, controls that count twice, absent folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cli.config import packaged, typed_run
from harness.plan.faults import matrix_faults
from harness.types import DistillbenchError
from tests.core.running import composed, matrix, run_of

_PROMPTS = {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 10**400], ids=str)
def test_no_setting_is_infinite(tmp_path: Path, value: float) -> None:
    with pytest.raises(DistillbenchError, match="decoding: key temperature: expected"):
        run_of(tmp_path, decoding={"temperature": value, "max_new_tokens": 256})


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "half \ud800"},
        {"tasks": {"\udcff": _PROMPTS}},
        {"controls": [{"model": "other", "lineage": "\ud83d"}]},
        {"models": {"a": {"kind": "fake", "style": ["\ud800"]}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_half_a_character_is_one_line_that_names_its_key(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(DistillbenchError, match="got half a character in") as raised:
        run_of(tmp_path, **changes)
    assert str(raised.value).startswith("configuration")
    assert next(iter(changes)) in str(raised.value)
    str(raised.value).encode()


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        ([{"model": "other", "lineage": x} for x in "abcd"], "under the lineages a, b, c, d"),
        ([{"model": "other", "lineage": "a"}] * 2, "other stands twice"),
        (["other", "other"], "other stands twice"),
    ],
)
def test_a_control_counts_once(tmp_path: Path, controls: list[Any], says: str) -> None:
    (fault,) = matrix_faults(run_of(tmp_path, controls=controls))
    assert says in fault


def test_a_minimum_is_not_negative(tmp_path: Path) -> None:
    (fault,) = matrix_faults(run_of(tmp_path, tasks={"open": {**_PROMPTS, "minimum": -1}}))
    assert fault == "task open: key minimum: expected 0 or more, got -1"
    assert not matrix_faults(run_of(tmp_path, tasks={"open": {**_PROMPTS, "minimum": 0}}))


@pytest.mark.parametrize("key", ["tasks", "datasets", "results", "cache"])
def test_places_are_folders(tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_text("x")
    config = composed(matrix(), tmp_path)
    place = str(tmp_path / "file")
    config["paths"] = {**config["paths"], key: [place] if key == "tasks" else place}
    with pytest.raises(DistillbenchError, match=f"paths: key {key}.*expected a folder"):
        typed_run(config, [packaged("conf")])
