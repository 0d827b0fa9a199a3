"""A gate says which condition is broken and by how much; nothing missing passes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.plan.run import Condition, Gate
from harness.stages.gate import applies, broken_conditions, gate_from, name_faults, targets
from harness.types import DistillbenchError, Score

SCORES = (
    Score("gap", "t", "s", "te", "b", 0.5, 0.4, 0.6, 100, "share", "higher", "", ()),
    Score("gap", "t", "hole", "te", "b", None, None, None, 0, "share", "higher", "no answers", ()),
)
HEADER = "metric,task,student,teacher,base,value,low,high,n,unit,better,skipped_reason,inputs\n"
NOWHERE = Path("nowhere.csv")


def broken(condition: Condition, reference: Path = NOWHERE) -> list[str]:
    return broken_conditions([condition], SCORES, reference)


@pytest.mark.parametrize(
    ("condition", "lines"),
    [
        (Condition({"student": "s"}, min=0.5, max=0.5), []),
        (Condition({"student": "s"}, "low", min=0.45), ["low of student=s: 0.4 is below 0.45"]),
        (Condition({"student": "s"}, "high", max=0.55), ["high of student=s: 0.6 is above 0.55"]),
        (Condition({"student": "s"}, "n", min=200), ["n of student=s: 100 is below 200"]),
        (Condition({"student": "hole"}, min=0), ["value of student=hole: no value (no answers)"]),
        (Condition({"student": "hole"}, "n", max=50), ["n of student=hole: no value (no answers)"]),
        (
            Condition({"student": "x"}, min=0),
            ["value of student=x: expected one row of scores.csv, found 0"],
        ),
        (
            Condition({"metric": "gap"}, min=0),
            ["value of metric=gap: expected one row of scores.csv, found 2"],
        ),
    ],
)
def test_conditions(condition: Condition, lines: list[str]) -> None:
    assert broken(condition) == lines


def test_within_compares_with_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(HEADER + "gap,t,other,te,b,0.7,0.6,0.8,100,share,higher,,\n")
    near = Condition({"student": "s"}, within=0.25, reference={"student": "other"})
    far = Condition({"student": "s"}, within=0.1, reference={"student": "other"})
    assert broken(near, path) == []
    assert broken(far, path) == ["value of student=s: 0.5 is not within 0.1 of the reference 0.7"]
    with pytest.raises(DistillbenchError, match="expected one row with student=s, found 0"):
        broken(Condition({"student": "s"}, within=0.1), path)
    with pytest.raises(DistillbenchError, match="it is missing"):
        broken(near)


ROW = {"metric": "gap", "student": "s"}


def test_a_good_gate_is_built() -> None:
    content = {"conditions": [{"where": {"student": 7}, "min": 0, "max": 1}]}
    (condition,) = gate_from(content, "mine").conditions or ()
    assert condition == Condition({"student": 7}, min=0.0, max=1.0)
    seven = replace(SCORES[0], student="7")
    assert broken_conditions([condition], [seven, *SCORES], NOWHERE) == []


@pytest.mark.parametrize("content", [None, {}, {"conditions": []}])
def test_where_no_gate_was_asked_for_nothing_is_said(content: Any) -> None:
    assert not gate_from(content, "").conditions


@pytest.mark.parametrize("content", [None, {}, {"conditions": None}, {"conditions": []}])
def test_a_gate_that_was_asked_for_and_looks_at_nothing_is_a_fault(content: Any) -> None:
    with pytest.raises(DistillbenchError, match="gate mine: no condition was looked at"):
        gate_from(content, "mine")


@pytest.mark.parametrize("chosen", ["", "mine"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"condition": [{}]}, "key 'condition' is unknown; did you mean 'conditions'?"),
        ({"conditions": [], "gate": {}}, "key 'gate' is unknown"),
        ({"conditions": None}, "no condition was looked at"),
        ([{"where": ROW, "min": 0}], "expected a mapping with a list `conditions`, got [{"),
        (
            {"conditions": {"where": ROW, "min": 0}},
            "key conditions: expected null or a list (each begins with `- `), got {",
        ),
        ({"conditions": [5]}, "key conditions[0]: expected a mapping, got 5"),
        (
            {"conditions": [{"where": ROW}]},
            ": conditions[0]: expected one of min, max, within; got none",
        ),
        ({"conditions": [{"where": ROW, "mn": 0}]}, "key 'mn' is unknown; did you mean 'min'?"),
        (
            {"conditions": [{"where": ROW, "min": math.nan}]},
            "min: expected a number, got nan, which bounds nothing",
        ),
        (
            {"conditions": [{"where": ROW, "max": math.inf}]},
            "max: expected a number, got inf, which bounds nothing",
        ),
        ({"conditions": [{"where": ROW, "min": 1, "max": 0}]}, "min 1 is above max 0"),
        ({"conditions": [{"where": ROW, "within": -1}]}, "within: expected 0 or more, got -1"),
        (
            {"conditions": [{"where": ROW, "min": 0, "reference": ROW}]},
            "reference: only `within` compares with it",
        ),
        ({"conditions": [{"where": {}, "min": 0}]}, "where: expected columns of scores.csv"),
    ],
)
def test_a_broken_gate_is_one_line(content: Any, message: str, chosen: str) -> None:
    with pytest.raises(DistillbenchError) as caught:
        gate_from(content, chosen)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gate_compares_with_a_file_of_one_s_own(tmp_path: Path) -> None:
    """By hand: 0.5 is within 0.25 of 0.7 and not within 0.1; a folder of results holds its report."""
    report = tmp_path / "before" / "report"
    report.mkdir(parents=True)
    (report / "scores.csv").write_text(HEADER + "gap,t,s,te,b,0.7,0.6,0.8,100,share,higher,,\n")
    for place in (report / "scores.csv", report, tmp_path / "before"):
        assert broken(Condition({"student": "s"}, within=0.25), place) == []
        assert len(broken(Condition({"student": "s"}, within=0.1), place)) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", HEADER.encode(), b"\xff\xfe\x00", HEADER.replace("low", "x").encode()],
)
def test_a_baseline_that_is_something_else_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(DistillbenchError, match=r"expected the scores\.csv of a run") as caught:
        broken(Condition({"student": "s"}, within=1), path)
    assert "\n" not in str(caught.value)


SWEPT = {"seed": "1", "decoding.temperature": "0.50", "student": "x"}


@pytest.mark.parametrize(
    ("where", "applied"),
    [
        ({"metric": "gap"}, True),
        ({"metric": "gap", "seed": 1}, True),
        ({"metric": "gap", "seed": "1"}, True),
        ({"metric": "gap", "seed": 2}, False),
        ({"decoding.temperature": 0.5}, True),
        ({"student": "s", "+student": "x"}, True),
        ({"student": "s", "+student": "y"}, False),
    ],
)
def test_a_condition_is_about_the_jobs_that_it_names(where: dict[str, Any], applied: bool) -> None:
    condition = Condition(where, min=0)
    assert applies(condition, SWEPT) == applied
    assert name_faults(Gate((condition,)), "", SWEPT) == []


def test_a_name_that_is_neither_column_nor_key_is_a_fault() -> None:
    (line,) = name_faults(Gate((Condition({"metirc": "gap"}, min=0),)), "mine", SWEPT)
    assert line.startswith(
        "gate mine: conditions[0]: where: 'metirc' is unknown; did you mean 'metric'?"
    )


def test_the_same_row_of_the_baseline_is_that_of_the_same_job_where_it_has_jobs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "scores.csv"
    rows = [f"gap,t,s,te,b,{v},,,100,share,higher,,,{seed}" for v, seed in ((0.5, 0), (0.9, 1))]
    path.write_text("\n".join([HEADER.strip() + ",seed", *rows]) + "\n")
    condition = Condition({"student": "s", "seed": 1}, within=0.1)
    assert targets([condition], path) == [0.9]
    with pytest.raises(DistillbenchError, match="column 'sed' is unknown; did you mean 'seed'"):
        targets([Condition({"student": "s"}, within=1, reference={"sed": 0})], path)
