"""Results read back in Python are those of the files, and two runs are compared by prompt."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.api import Results, load
from harness.board.joined import Job, join
from harness.board.saved import read_record, write_record
from harness.board.subjects import subjects_of
from harness.board.tables import scores_table
from harness.stages.report import write_report
from harness.stats.paired import compare
from harness.types import DistillbenchError, Score
from tests.report.records import read, record


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(record(), tmp_path_factory.mktemp("results") / "report", read).parent


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return load(folder)


def test_the_record_comes_back_as_it_was(folder: Path) -> None:
    back = read_record(folder)
    assert replace(back, scores=(), comparisons=()) == replace(record(), scores=(), comparisons=())
    assert set(back.comparisons) == set(record().comparisons)
    assert sorted(map(repr, back.scores)) == sorted(map(repr, record().scores))
    assert subjects_of(back) == subjects_of(record())


@pytest.mark.slow
def test_a_sweep_comes_back_too(tmp_path: Path) -> None:
    settings = [(("step", "2"), ("a.b", "x")), (("step", "10"), ("a.b", "y"))]
    joined = join([Job(v, record()) for v in settings])
    back = read_record(write_report(joined, tmp_path / "report", read).parent)
    assert {s.variant for s in back.scores} == set(settings)
    assert back.settings == tuple(settings)
    assert list(scores_table(back).columns())[-2:] == ["step", "a.b"]


@pytest.mark.parametrize("place", [".", "..", "run.json"])
def test_results_are_found_where_they_lie(folder: Path, place: str) -> None:
    assert harness.load(folder / place).title == "The zoo"


def test_a_folder_without_results_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError, match=r"expected a folder with results.*found none"):
        harness.load(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(DistillbenchError, match=r"run\.json: expected a file that a run left"):
        harness.load(tmp_path)
    (tmp_path / "run.json").write_text('{"schema": 1}')
    with pytest.raises(DistillbenchError, match="expected schema 3, got 1: another version"):
        harness.load(tmp_path)


@pytest.mark.parametrize("name", ["scores", "leaderboard"])
def test_a_frame_has_every_column_and_number_of_its_csv(
    folder: Path, results: Results, name: str
) -> None:
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    frame = getattr(results, name)
    assert len(frame) == len(rows)
    assert set(rows[0]) <= set(frame.columns)
    for column in rows[0]:
        for text, value in zip((r[column] for r in rows), frame[column], strict=True):
            if isinstance(value, float) and math.isnan(value):
                assert text == ""
            elif isinstance(value, (int, float, np.integer)):
                assert float(text) == value
            elif isinstance(value, str):
                assert text == value


def test_collections_and_warnings_are_there(results: Results) -> None:
    assert results.warnings == record().warnings
    assert {"key", "requests_key", "missing", "usd"} <= set(results.collections.columns)
    assert len(results.collections) == len(record().collections)


def moved(shift: float, student: str = "answers_of_a") -> tuple[Score, ...]:
    """The made-up scores, with pseudo-values of a student's agreement around a mean."""
    values = np.sin(np.arange(50)) * 0.1 + shift
    influence = {f"p{i}": float(v) for i, v in enumerate(values)}
    clusters = {"p0": "p1"}
    return tuple(
        replace(s, value=float(values.mean()), influence=influence, clusters=clusters)
        if (s.metric, s.task, s.student) == ("capa", "zoo_facts", student)
        else s
        for s in record().scores
    )


@pytest.mark.slow
def test_two_runs_are_compared_by_prompt(tmp_path: Path) -> None:
    first = {f"p{i}": v for i, v in enumerate((np.sin(np.arange(50)) * 0.1 + 0.6).tolist())}
    one = replace(record(), scores=moved(0.6))
    other = tuple(
        replace(s, influence={p: v + 0.01 * (i % 3) for i, (p, v) in enumerate(first.items())})
        if s.influence
        else s
        for s in moved(0.6)
    )
    two = replace(record(), scores=other)
    paths = [
        write_report(r, tmp_path / name / "report", read).parent.parent
        for r, name in ((one, "a"), (two, "b"))
    ]
    frame = harness.compare(*paths)
    assert len(frame) == len(record().scores)
    (row,) = frame[frame.p.notna()].to_dict("records")
    (a,) = (s for s in one.scores if s.influence)
    (b,) = (s for s in two.scores if s.influence)
    expected = compare(a.influence, b.influence, a.clusters)
    assert (row["metric"], row["task"], row["student"]) == ("capa", "zoo_facts", "answers_of_a")
    assert row["difference"] == pytest.approx(expected.difference)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    assert (row["p"], row["n"]) == pytest.approx((expected.p, 50))
    assert row["difference"] < 0, "the first minus the second"


def test_what_cannot_be_paired_has_its_reason(results: Results) -> None:
    frame = harness.compare(results, results)
    assert (frame.difference.dropna() == 0).all()
    assert set(frame.reason) == {
        "gap within noise: teacher minus base is 0.010 [-0.020, 0.040]",
        "7 graded prompts of this category",
        "not a mean over prompts: there is nothing to pair",
        "pseudo-values of prompts are stored for whole measures and own scores, not for parts",
    }


def test_nothing_else_is_public() -> None:
    with pytest.raises(AttributeError, match="no attribute 'record'"):
        harness.record  # noqa: B018


def test_own_scores_of_a_task_are_paired_though_they_are_parts(tmp_path: Path) -> None:
    influence = {f"p{i}": float(i % 2) for i in range(40)}
    part = replace(record().scores[0], metric="task_score/exact_match", influence=influence)
    other = replace(part, metric="capa/unanswered")
    first = replace(record(), scores=(part, other))
    flipped = {p: 1 - v if p in ("p0", "p2", "p4") else v for p, v in influence.items()}
    second = replace(first, scores=(replace(part, influence=flipped), other))
    folders = [tmp_path / name for name in "ab"]
    for run, folder in zip((first, second), folders, strict=True):
        folder.mkdir()
        write_record(run, folder)
    rows = {r["metric"]: r for r in harness.compare(*folders).to_dict("records")}
    assert rows["task_score/exact_match"]["n"] == 40
    assert rows["task_score/exact_match"]["difference"] == pytest.approx(-3 / 40)
    assert rows["capa/unanswered"]["reason"].startswith("pseudo-values of prompts")


def test_figures_of_the_page_are_drawn_for_notebooks(results: Results) -> None:
    figure = results.figure("transfer_map")
    students = {tuple(name) for trace in figure.data for name in trace.customdata or ()}
    assert ("answers_of_a", "teacher_a") in students
    assert figure.layout.title.text == "Transfer map"
    named = {a.text for a in figure.layout.annotations}
    assert {"clone", "<b>teacher_a</b>"} <= named
    own, first = (results.figure("task_dumbbell", s) for s in ("answers_of_b", ""))
    assert own != first
    assert results.figure("capa").layout.title.text == "capa"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("transfer_mop",), r"figure: 'transfer_mop' is unknown; did you mean 'transfer_map'\?"),
        (("task_dumbbell", "answers_of_c"), r"student: 'answers_of_c' is unknown; did you mean"),
        (("dose_curve",), "figure dose_curve: the run has no numbers that it could show"),
    ],
)
def test_a_figure_that_is_not_there_is_said_in_a_line(
    results: Results, asked: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DistillbenchError, match=words) as caught:
        results.figure(*asked)
    assert "\n" not in str(caught.value)
