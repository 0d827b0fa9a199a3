"""A gate says which condition is broken and by how much; nothing missing passes."""

from __future__ import annotations

import math
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.board.record import Change
from harness.board.saved import write_record
from harness.plan.run import Condition, Gate
from harness.stages.checks import Checked, Remark, annotated, junit, publish, step_summary
from harness.stages.gate import applies, broken_conditions, gate_from, name_faults, targets
from harness.types import DistillbenchError, Score
from tests.report.records import record

SCORES = (
    Score("gap", "t", "s", "te", "b", 0.5, 0.4, 0.6, 100, "share", "higher", "", ()),
    Score("gap", "t", "hole", "te", "b", None, None, None, 0, "share", "higher", "no answers", ()),
)
HEADER = "metric,task,student,teacher,base,value,low,high,n,unit,better,skipped_reason,inputs\n"
NOWHERE = Path("nowhere.csv")


def broken(
    condition: Condition, reference: Path = NOWHERE, scores: Sequence[Score] = SCORES
) -> list[str]:
    run = replace(record(), scores=tuple(scores))
    return [line for _, line in broken_conditions([condition], run, reference)]


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
    assert broken(condition, scores=[seven, *SCORES]) == []


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
            ": conditions[0]: expected one of min, max, within, not_worse_than, required; got none",
        ),
        ({"conditions": [{"where": ROW, "mn": 0}]}, "key 'mn' is unknown; did you mean 'min'?"),
        (
            {"conditions": [{"where": ROW, "min": math.nan}]},
            "key min: expected null or a number, got nan",
        ),
        (
            {"conditions": [{"where": ROW, "max": math.inf}]},
            "key max: expected null or a number, got inf",
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


# --- relative conditions, tiers, what has to be there --------------------------------------------

WORSE = Change(
    "task_score", "quiz", "te", "b", "s", "base", -0.2, -0.3, -0.1, 0.001, 0.004, 100, 0.1, 5, 25, "share", "higher"
)  # fmt: skip


def relative(change: Change, **fields: Any) -> list[str]:
    where = {"metric": "task_score", "student": "s"}
    run = replace(record(), scores=SCORES, changes=(change,))
    condition = Condition(where, not_worse_than="base", **fields)
    return [line for _, line in broken_conditions([condition], run, NOWHERE)]


def test_a_student_may_not_be_significantly_worse_than_its_base() -> None:
    (line,) = relative(WORSE)
    assert line == (
        "value of metric=task_score student=s beside the base: quiz: worse: \N{MINUS SIGN}0.20 "
        "[\N{MINUS SIGN}0.30, \N{MINUS SIGN}0.10] beside b, n = 100"
    )


@pytest.mark.parametrize(
    "change",
    [
        replace(WORSE, p_adjusted=0.06),
        replace(WORSE, difference=0.2, low=0.1, high=0.3),
        replace(WORSE, better="none"),
    ],
    ids=["after correction not told apart", "better", "neither end is better"],
)
def test_what_is_not_significantly_worse_holds(change: Change) -> None:
    assert relative(change) == []


@pytest.mark.parametrize(
    "change", [replace(WORSE, against="teacher"), replace(WORSE, student="other")]
)
def test_what_was_not_compared_does_not_hold(change: Change) -> None:
    (line,) = relative(change)
    assert "nothing was compared" in line


def scored(shift: float) -> Score:
    """A measure of one model alone, with a prompt's part in it."""
    influence = {f"p{i}": 0.5 + shift * (0.9 + 0.1 * (i % 3)) for i in range(60)}
    return Score(
        "task_score", "quiz", "s", "", "", 0.5 + shift, 0.4, 0.6, 60, "share", "higher", "", (), influence=influence
    )  # fmt: skip


@pytest.mark.parametrize(("shift", "lost"), [(-0.2, 1), (0.0, 0), (0.2, 0)])
def test_a_run_may_not_be_significantly_worse_than_the_one_accepted_last(
    tmp_path: Path, shift: float, lost: int
) -> None:
    write_record(replace(record(), scores=(scored(0.0),)), tmp_path)
    (tmp_path / "index.html").write_text("")
    condition = Condition({"student": "s"}, not_worse_than="baseline")
    lines = broken(condition, tmp_path, [scored(shift)])
    assert len(lines) == lost
    assert all("quiz: worse: \N{MINUS SIGN}0.2" in line for line in lines)


def test_a_baseline_that_is_no_run_is_told_before_anything_runs(tmp_path: Path) -> None:
    condition = Condition({"student": "s"}, not_worse_than="baseline")
    with pytest.raises(DistillbenchError, match="expected a folder with results"):
        targets([condition], tmp_path)
    with pytest.raises(DistillbenchError, match="baseline: expected the results of a run"):
        Gate((condition,))


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"not_worse_than": "base", "min": 0.5}, "expected no bounds"),
        ({"not_worse_than": "base", "column": "low"}, "expected no bounds"),
        ({"not_worse_than": "sibling"}, "not_worse_than"),
        ({"tier": "may", "min": 0}, "tier"),
        ({}, "not_worse_than, required; got none"),
        ({"required": False}, "not_worse_than, required; got none"),
    ],
)
def test_conditions_that_say_nothing_are_refused(fields: dict[str, Any], line: str) -> None:
    content = {"conditions": [{"where": ROW, **fields}]}
    with pytest.raises(DistillbenchError, match=line):
        gate_from(content, "mine")


def test_a_required_row_has_a_value() -> None:
    assert broken(Condition({"student": "s"}, required=True)) == []
    (line,) = broken(Condition({"student": "hole"}, required=True))
    assert line.endswith("no value (no answers)")


GATES = (
    Checked(
        "step=1",
        {"a <1>": True, "b": True, "c": True, "d": False},
        (
            Remark("gate", "a <1>: 0.5 is\x00 below 1%", "a <1>"),
            Remark("gate", "b: x\ny", "b", "should"),
            Remark("warning", "something else"),
        ),
    ),
)


def test_results_are_junit_s() -> None:
    root = xml.fromstring(junit(GATES))
    (suite,) = root
    assert dict(suite.attrib) == {
        "name": "step=1", "tests": "4", "failures": "1", "skipped": "2", "errors": "0"
    }  # fmt: skip
    assert [(c.get("name"), [e.tag for e in c]) for c in suite] == [
        ("a <1>", ["failure"]),
        ("b", ["skipped"]),
        ("c", []),
        ("d", ["skipped"]),
    ]
    assert "0.5 is\ufffd below 1%" in junit(GATES).decode()


def test_a_runner_shows_what_is_lost() -> None:
    assert annotated(GATES) == [
        "::error title=distillbench gate::step=1: a <1>: 0.5 is\x00 below 1%25",
        "::warning title=distillbench gate::step=1: b: x%0Ay",
    ]
    summary = step_summary(GATES, NOWHERE)
    assert "- step=1: 1 of 3 conditions hold" in summary
    assert "  - should: b: x y" in summary


def test_results_lie_beside_the_page_and_on_a_runner_in_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    publish(GATES, tmp_path)
    assert (tmp_path / "gate.xml").read_bytes() == junit(GATES)
    assert capsys.readouterr().out.count("::error") == 1
    assert "1 of 3" in (tmp_path / "summary.md").read_text()
    publish([Checked("", {}, ())], tmp_path)
    assert not (tmp_path / "gate.xml").exists(), "of an earlier run"
