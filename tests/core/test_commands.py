"""The commands beside a run: list, compare, plan."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.board.joined import Job, join
from harness.board.record import RunRecord
from harness.board.runs import compare_runs, job_of
from harness.board.saved import write_record
from harness.cli.again import open_page, report_again
from harness.cli.comparing import compare_results
from harness.cli.listing import list_names
from harness.cli.words import planned as plan_words
from harness.console.workload import spelled
from harness.plan.run import Run
from harness.plugins import build, kinds, use_folders
from harness.stages.ask import build_requests
from harness.stages.at_hand import at_hand
from harness.stages.preview import HEADS, planned, preview
from harness.stages.report import write_report
from harness.stages.run import execute
from harness.stats.multiple import holm
from harness.store.store import Store
from harness.store.tables import requests_from_table
from harness.types import DistillbenchError, Score
from tests.core.running import matrix, run_of
from tests.joints.small import collect_these
from tests.joints.small import planned as planned_small
from tests.report.records import record

# --- list ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "some"),
    [
        ("models", {"teacher_a", "smoke_base"}),
        ("tasks", {"gsm8k", "zoo_style"}),
        ("matrices", {"zoo", "standard"}),
    ],
)
def test_what_a_matrix_can_name_is_listed(
    what: str, some: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert list_names([what]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert some <= {line.split()[0] for line in lines}
    assert all(len(line.split()) > 2 for line in lines), "each says what it is"


def test_every_measure_is_listed_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    list_names(["metrics", "--json"])
    rows = json.loads(capsys.readouterr().out)
    names = [row["name"] for row in rows]
    assert set(kinds("metrics")) <= set(names)
    assert len(set(names)) == len(names)
    assert all(row["about"] for row in rows)


def test_files_of_the_user_s_own_are_listed_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "base.yaml").write_text("# Ours. And more.\nkind: hf\n")
    list_names(["models", "--json", "--config-dir", str(tmp_path)])
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["base"]["kind"], rows["base"]["about"]) == ("hf", "Ours.")


@pytest.mark.parametrize("words", [[], ["model"], ["models", "--what"]])
def test_a_word_that_is_no_kind_is_one_line(words: list[str]) -> None:
    with pytest.raises(DistillbenchError, match=r"distillbench list: .*usage"):
        list_names(words)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError, match=r"--config-dir: .*nowhere: expected a folder"):
        list_names(["models", "--config-dir", str(tmp_path / "nowhere")])


# --- compare ------------------------------------------------------------------------------------


def graded(values: dict[str, list[float]], metric: str = "task_score/acc") -> RunRecord:
    """A record with one graded score a student."""
    scores = tuple(
        Score(
            metric=metric, task="quiz", student=student, teacher="", base="",
            value=sum(own) / len(own), low=None, high=None, n=len(own), unit="share", better="higher",
            influence={f"p{i}": v for i, v in enumerate(own)}, inputs=(), reason="",
        )
        for student, own in values.items()
    )  # fmt: skip
    return replace(record(), scores=scores, comparisons=(), changes=())


RIGHT, WRONG, MIXED = [1.0] * 36 + [0.0] * 4, [0.0] * 30 + [1.0] * 10, [1.0, 0.0] * 20


def saved(folder: Path, run: RunRecord) -> str:
    folder.mkdir()
    write_record(run, folder)
    return str(folder)


@pytest.mark.parametrize(
    ("second", "gate", "code"), [(WRONG, True, 1), (WRONG, False, 0), (RIGHT, True, 0)]
)
def test_what_is_worse_is_listed_and_fails_where_that_is_asked_for(
    tmp_path: Path, second: list[float], gate: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    a = saved(tmp_path / "a", graded({"s": RIGHT, "t": MIXED}))
    b = saved(tmp_path / "b", graded({"s": second, "t": MIXED}))
    assert compare_results([a, b, *(["--gate"] if gate else [])]) == code
    out = capsys.readouterr().out
    assert ("worse in B, significantly after Holm's correction: 1" in out) is (second is WRONG)
    if second is WRONG:
        (line,) = (x for x in out.splitlines() if x.startswith("task_score/acc"))
        assert line.split()[:6] == ["task_score/acc", "quiz", "s", "–", "0.90", "0.25"]
        assert "−0.65 [" in line


def test_the_other_way_round_it_is_better(tmp_path: Path) -> None:
    rows = compare_runs(graded({"s": WRONG}), graded({"s": RIGHT}))
    assert [r.outcome for r in rows] == ["better"]
    rows = compare_runs(graded({"s": RIGHT}), graded({"s": WRONG}))
    assert [r.outcome for r in rows] == ["worse"]


def test_a_measure_with_no_better_end_is_different() -> None:
    one, two = (
        replace(r, scores=tuple(replace(s, better="none") for s in r.scores))
        for r in (graded({"s": RIGHT}), graded({"s": WRONG}))
    )
    assert [r.outcome for r in compare_runs(one, two)] == ["different"]


def test_all_students_of_a_measure_are_one_family() -> None:
    slightly = [0.0] * 6 + RIGHT[6:]
    students = {name: RIGHT for name in "abcde"}
    rows = compare_runs(graded(students), graded({**students, "a": slightly, "b": WRONG}))
    paired = [r for r in rows if r.p is not None]
    p = [r.p for r in paired if r.p is not None]
    assert len(p) == len(students)
    assert [r.p_adjusted for r in paired] == pytest.approx(holm(p).tolist())
    assert p[0] < 0.05, "alone it would be worse"
    assert [r.outcome for r in paired] == ["not told apart", "worse", *["not told apart"] * 3]


def test_jobs_of_a_sweep_are_compared_with_one_another(tmp_path: Path) -> None:
    jobs = [
        Job((("student.path", f"ckpt-{i}"),), graded({"s": own}))
        for i, own in enumerate((RIGHT, WRONG))
    ]
    sweep = saved(tmp_path / "sweep", join(jobs))
    first, second = (f"{sweep}:student.path=ckpt-{i}" for i in (0, 1))
    assert compare_results([first, second, "--gate"]) == 1
    assert compare_results([second, first, "--gate"]) == 0
    with pytest.raises(DistillbenchError, match=r"of one job.*got those of 0; there are: .*ckpt-1"):
        compare_results([first, f"{sweep}:student.path=ckpt-2"])


def test_a_run_alone_has_no_jobs() -> None:
    with pytest.raises(DistillbenchError, match="there are: no swept keys"):
        job_of(graded({"s": RIGHT}), {"seed": "1"})


def test_nothing_in_common_is_one_line(tmp_path: Path) -> None:
    a = saved(tmp_path / "a", graded({"s": RIGHT}))
    b = saved(tmp_path / "b", graded({"other": RIGHT}))
    with pytest.raises(DistillbenchError, match="have no score in common"):
        compare_results([a, b])


def test_every_row_goes_into_the_file(tmp_path: Path) -> None:
    a = saved(tmp_path / "a", graded({"s": RIGHT, "only_a": MIXED}))
    b = saved(tmp_path / "b", graded({"s": WRONG}))
    compare_results([a, b, "--csv", str(tmp_path / "rows.csv")])
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert (rows["s"]["outcome"], rows["only_a"]["outcome"]) == ("worse", "")
    assert rows["only_a"]["reason"] == "only in the first run"


# --- report and open -----------------------------------------------------------------------------


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A folder of results whose report has only its record."""
    folder = tmp_path / "results"
    (folder / "report").mkdir(parents=True)
    write_record(record(), folder / "report")
    return folder


def test_the_page_of_a_result_is_made_again(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_report(record(), tmp_path / "other" / "report", lambda c: None).parent
    assert report_again([str(result)]) == 0
    made = result / "report"
    assert {p.name for p in made.iterdir()} == {p.name for p in whole.iterdir()}
    assert all((made / p.name).read_bytes() == p.read_bytes() for p in whole.iterdir())
    assert str(made / "index.html") in capsys.readouterr().err


@pytest.mark.parametrize(("body", "code"), [("pass", 0), ("raise ValueError('broken')", 70)])
def test_a_page_is_made_again_with_plug_ins_of_one_s_own(
    result: Path, tmp_path: Path, body: str, code: int
) -> None:
    (tmp_path / "own/exports").mkdir(parents=True)
    lines = [
        "from dataclasses import dataclass",
        "from harness.exports import AbstractExporter",
        "@dataclass(frozen=True)",
        "class Again(AbstractExporter):",
        "    def export(self, board, folder):",
        "        (folder / 'again.txt').write_text(board.record.title)",
        f"        {body}",
    ]
    (tmp_path / "own/exports/again_of_mine.py").write_text("\n".join(lines))
    before = sys.path[:]
    try:
        assert report_again([str(result), f"paths.plugins={tmp_path / 'own'}"]) == code
    finally:
        use_folders([])
        sys.path[:] = before
    assert (result / "report/again.txt").exists() is (code == 0)
    assert (result / "report/index.html").is_file()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere"], "expected a folder with results"),
        (["results", "paths.results=elsewhere"], "whose page stays with them"),
    ],
)
def test_a_page_that_cannot_be_made_again_is_one_line(
    words: list[str], line: str, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(result.parent)
    with pytest.raises(DistillbenchError, match=line):
        report_again(words)


def test_the_page_is_opened_where_it_lies(
    result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def browser(address: str) -> bool:
        opened.append(address)
        return False

    monkeypatch.setattr("webbrowser.open", browser)
    with pytest.raises(DistillbenchError, match=f"distillbench report {result}"):
        open_page([str(result)])
    (result / "report" / "index.html").write_text("<p>")
    assert open_page([str(result)]) == 0
    assert opened == [(result / "report" / "index.html").as_uri()]
    assert "open this file" in capsys.readouterr().err


# --- plan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["matrix=zoo"], ["matrix=zoo"]),
        (["plan", "matrix=zoo"], ["matrix=zoo", "stages=[plan]"]),
        (["plan", "load=true", "limit=5"], ["limit=5", "stages=[build,plan]"]),
        (["plan", "load=False"], ["stages=[plan]"]),
    ],
)
def test_plan_is_a_run_of_other_stages(words: list[str], made: list[str]) -> None:
    assert plan_words(words) == made


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("load=yes", "plan: load: expected true or false, got 'yes'"),
        ("load", "plan: load: expected true or false, got ''"),
        ("stages=[score]", "plan: stages: expected none"),
    ],
)
def test_words_that_a_plan_cannot_take_are_one_line(word: str, line: str) -> None:
    with pytest.raises(DistillbenchError, match=re.escape(line)):
        plan_words(["plan", word])


def test_before_requests_are_built_a_plan_says_so_and_writes_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    said = preview(planned(run, Store(run.paths.results)), Store(run.paths.results))
    assert all(set(row[1:]) == {"–"} for row in said.rows)
    assert any("plan load=true" in line for line in said.notes)
    assert not (run.paths.results / "store").exists()


def recorded_run(folder: Path, counts: Mapping[str, int], **changes: Any) -> Run:
    """A run over recorded answers: as many of each model as `counts` says, to 30 prompts."""
    for name, n in counts.items():
        rows = [{"prompt": f"p{i}", "response": f"{name} {i}"} for i in range(n)]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows))
    models = {m: {"kind": "recorded", "file": str(folder / f"{m}.jsonl")} for m in counts}
    task = {"kind": "prompts", "file": str(folder / "t.jsonl")}
    pairs = [{"teacher": "t", "student": "s", "base": None, "ceiling": None}]
    whole: dict[str, Any] = {
        "models": models,
        "tasks": {"open": task},
        "metrics": {"length": None},
        "pairs": pairs,
    }
    whole["controls"] = []
    return run_of(folder, **{**whole, **changes})


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"t": 30, "s": 12}, "t 30, s 12; no model is asked"),
        ({"t": 30, "s": 12, **dict.fromkeys("abcdefg", 30)},
         "s 12, all 30 from the others; no model is asked"),
        (dict.fromkeys("tsabcdefg", 30), "all 30 from each of 9 models; no model is asked"),
        ({"t": 30, **dict.fromkeys("sabcdefg", 12)},
         "s 12, a 12, b 12, c 12, d 12, e 12, 2 more with fewer, all 30 from the other; no model is asked"),
    ],
)  # fmt: skip
def test_a_plan_counts_recorded_answers_and_writes_nothing(
    tmp_path: Path, counts: dict[str, int], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded_run(tmp_path, counts, stages=["plan"])
    execute(run, tmp_path / "none.csv", alone=True)
    lines = capsys.readouterr().err.splitlines()
    assert f"open: 30 prompts; recorded answers: {said}" in lines
    for model in counts:
        (row,) = (line.split() for line in lines if line.split()[0] == model)
        assert row[1:] == ["1", "0", "0", "0", "none", "–"]
    assert not any("not built yet" in line for line in lines)
    assert not (run.paths.results / "store").exists()


def test_what_a_plan_counts_at_once_are_the_keys_of_the_run(tmp_path: Path) -> None:
    asked = {"fake": {"kind": "fake"}}
    run = recorded_run(tmp_path, {"t": 30, "s": 30})
    mixed = replace(run, models={**run.models, "fake": build("models", "fake", asked["fake"])})
    store = Store(mixed.paths.results)
    before = at_hand(planned(mixed, store), store)
    after = build_requests(mixed, store).plan
    assert before.plan.collections == after.collections
    assert [note.rpartition("; ")[2] for note in before.notes()] == ["these models are not asked"]
    rows = dict((row[0], row[3]) for row in preview(before.plan, store).rows)
    assert rows == {"t": "0", "s": "0", "fake": "30", "together": "30"}
    collect_these(after, store)
    assert list(at_hand(planned(mixed, store), store).notes()) == []


def test_a_file_that_takes_long_to_read_is_left_to_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded_run(tmp_path, {"t": 30, "s": 30})
    store = Store(run.paths.results)
    size = (tmp_path / "t.jsonl").stat().st_size
    for most, known in ((size, 2), (size - 1, 0)):
        monkeypatch.setattr("harness.files.find._SMALL_BYTES", most)
        assert len(at_hand(planned(run, store), store).plan.collections) == known


def test_faults_of_requests_that_are_read_at_once_are_one_line(tmp_path: Path) -> None:
    run = recorded_run(tmp_path, {"t": 30, "s": 30})
    empty = replace(run.tasks["open"], columns={"prompt": "nope"})  # type: ignore[call-arg]
    wrong = replace(run, tasks={"open": empty})
    store = Store(run.paths.results)
    with pytest.raises(DistillbenchError, match=r"^task open: .*column 'nope' is unknown") as fault:
        at_hand(planned(wrong, store), store)
    assert "\n" not in str(fault.value)


def test_a_plan_counts_what_a_run_asks(tmp_path: Path) -> None:
    plan, store = planned_small(tmp_path, limit=5)
    rows = [dict(zip(HEADS, row, strict=True)) for row in preview(plan, store).rows]
    for row in rows[:-1]:
        own = [c for c in plan.collections if c.model == row["model"]]
        assert row["collections"] == str(len(own))
        assert row["requests left"] == str(sum(c.summary.n_requests for c in own))
        assert (row["stored"], row["time"]) == ("0", "–")
    collect_these(plan, store)
    after = [dict(zip(HEADS, row, strict=True)) for row in preview(plan, store).rows]
    for row, before in zip(after[:-1], rows[:-1], strict=True):
        assert (row["stored"], row["requests left"]) == (before["collections"], "0")
        assert row["time"] == "none"


@pytest.mark.parametrize(("collect", "share"), [("now", 1.0), ("batch", 0.5)])
def test_a_plan_knows_what_a_server_costs_at_most_before_anything_is_stored(
    tmp_path: Path, collect: str, share: float
) -> None:
    plan, store = planned_small(tmp_path, limit=5)
    student = {"kind": "server", "url": "http://127.0.0.1:9/v1", "model": "m", "collect": collect}
    prices = {"usd_per_million_input": 1e6, "usd_per_million_output": 1e7}
    server = build("models", "student", {**student, **prices})
    priced = replace(plan, run=replace(plan.run, models={**plan.run.models, "student": server}))
    [row] = [r for r in preview(priced, store).rows if r[0] == "student"]
    own = [c for c in plan.collections if c.model == "student"]
    sets = [requests_from_table(store.table(c.requests_key)) for c in own]
    asked = [(r, c.decoding) for c, s in zip(own, sets, strict=True) for r in s.requests]
    read = sum(16 + (len(spelled(r.context)) + len(r.continuation)) / 3 for r, _ in asked)
    written = sum(r.max_new_tokens or d.max_new_tokens for r, d in asked if r.kind == "generate")
    assert written > 0
    assert row[-1] == f"≤ {share * (read + 10 * written):.2f} USD"


def test_a_run_of_the_stage_plan_asks_nobody(tmp_path: Path) -> None:
    run = run_of(tmp_path, stages=["build", "plan"])
    ended = execute(run, tmp_path / "none.csv", alone=True)
    assert (ended.code, ended.record) == (0, None)
    plan = build_requests(run, Store(run.paths.results)).plan
    assert plan.collections
    assert not any(Store(run.paths.results).has(c.key) for c in plan.collections)


def test_faults_are_said_before_anything_is_built(tmp_path: Path) -> None:
    models = {**matrix()["models"], "teacher": {"kind": "hf", "path": str(tmp_path / "gone")}}
    run = run_of(tmp_path, models=models, stages=["plan"])
    with pytest.raises(DistillbenchError, match="gone"):
        execute(run, tmp_path / "none.csv", alone=True)
