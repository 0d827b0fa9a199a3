"""A gate says which condition is broken and by how much; nothing missing passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.gate import broken_conditions, faults
from harness.matrix import Condition
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
        (Condition({"student": "x"}, min=0), ["value of student=x: expected one row of scores.csv, found 0"]),
        (Condition({"metric": "gap"}, min=0), ["value of metric=gap: expected one row of scores.csv, found 2"]),
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


def test_a_condition_without_a_bound_is_a_fault() -> None:
    assert faults([Condition({"student": "s"})]) == ["gate.conditions[0]: expected one of min, max, within; got none"]
