"""The files of a report: promised columns, safe HTML, the same bytes again."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import markupsafe
import pytest

from harness.board.joined import Job, join
from harness.board.record import CollectionRecord, RunRecord
from harness.page.measures import measures
from harness.page.render import page
from harness.stages.report import write_report
from tests.core.running import inside, matrix, write_data
from tests.report.records import CATEGORIES, FAMILIES, HOSTILE, board, read, record

FILES = [
    "changes.csv",
    "figures.json",
    "index.html",
    "influence.parquet",
    "leaderboard.csv",
    "leaderboard.md",
    "leaderboard.tex",
    "run.json",
    "samples.parquet",
    "scores.csv",
    "scores.json",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(record(), tmp_path_factory.mktemp("results") / "report", read).parent


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.slow
def test_the_same_record_gives_the_same_bytes_and_nothing_else_stays(
    report: Path, tmp_path: Path
) -> None:
    again = write_report(record(), tmp_path / "report", read).parent
    assert sorted(p.name for p in again.iterdir()) == FILES
    assert {f: (again / f).read_bytes() for f in FILES} == {
        f: (report / f).read_bytes() for f in FILES
    }
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_order_of_scores_changes_no_byte_of_the_tables(report: Path, tmp_path: Path) -> None:
    run = record()
    again = write_report(
        replace(run, scores=run.scores[::-1], comparisons=run.comparisons[::-1]),
        tmp_path / "report",
        read,
    ).parent
    for name in ("scores.csv", "scores.json", "leaderboard.csv", "index.html"):
        assert (again / name).read_bytes() == (report / name).read_bytes(), name


def test_scores_csv_has_the_promised_columns_and_full_floats(report: Path) -> None:
    text = (report / "scores.csv").read_text("utf-8")
    assert (
        text.splitlines()[0]
        == "metric,task,student,teacher,base,value,low,high,n,unit,better,skipped_reason,inputs"
    )
    run, found = record(), rows(report / "scores.csv")
    assert len(found) == len(run.scores)
    values = {(r["metric"], r["task"], r["student"], r["teacher"]): r["value"] for r in found}
    for s in run.scores:
        assert values[s.metric, s.task, s.student, s.teacher] == (
            "" if s.value is None else repr(s.value)
        )


def test_swept_keys_follow_as_columns(tmp_path: Path) -> None:
    swept = join([Job((("seed", "7"),), record())])
    folder = write_report(swept, tmp_path / "report", read).parent
    assert list(rows(folder / "scores.csv")[0])[-1] == "seed"
    assert {r["seed"] for r in rows(folder / "leaderboard.csv")} == {"7"}


def test_leaderboard_csv_tells_rank_value_and_marks(report: Path) -> None:
    found = {(r["student"], r["teacher"]): r for r in rows(report / "leaderboard.csv")}
    best = found["logits_of_a", "teacher_a"]
    assert (best["rank"], best["capability_transfer"], best["capability_transfer_leads"]) == (
        "1",
        "0.86",
        "1",
    )
    assert found["independent", "teacher_b"]["rank"] == ""


def test_json_files_hold_scores_comparisons_and_the_run(report: Path) -> None:
    scores = json.loads((report / "scores.json").read_text("utf-8"))
    assert (len(scores["scores"]), len(scores["comparisons"])) == (
        len(record().scores),
        len(record().comparisons),
    )
    run = json.loads((report / "run.json").read_text("utf-8"))
    assert run["title"] == "The zoo"
    assert run["pairs"][0] == {
        "base": "base",
        "base_kind": "before",
        "ceiling": "second_sample",
        "student": "answers_of_a",
        "teacher": "teacher_a",
    }


class Page(HTMLParser):
    """Tags, scripts and visible policy of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.scripts[-1][1] == "":
            self.scripts[-1] = (self.scripts[-1][0], data)


def test_policy_allows_the_two_scripts_by_digest_and_nothing_else(report: Path) -> None:
    from plotly.offline import get_plotlyjs

    page = Page((report / "index.html").read_text("utf-8"))
    policy = next(
        str(a["content"])
        for t, a in page.tags
        if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    (app,) = [text for kind, text in page.scripts if kind is None]
    for script in (app, get_plotlyjs()):
        assert (
            f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
            in policy
        )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == 2


def test_page_loads_nothing_and_runs_no_handler(report: Path) -> None:
    page = Page((report / "index.html").read_text("utf-8"))
    for tag, attributes in page.tags:
        assert tag not in ("img", "link", "iframe", "base"), tag
        assert not [name for name in attributes if name.startswith("on") or name == "src"], (
            attributes
        )
        assert str(attributes.get("href", "#")).startswith("#")


def test_hostile_names_and_texts_stay_text(tmp_path: Path) -> None:
    run = record()
    bad = "</script><script>alert(1)</script>"
    changed = replace(run, title=bad, warnings=(HOSTILE[0], bad), versions={"x": bad})
    page = write_report(changed, tmp_path / "report", read).read_text("utf-8")
    assert "alert(1)</script>" not in page
    assert str(markupsafe.escape(HOSTILE[0])) in page
    assert len(re.findall(r"<script", page)) == 7


def test_page_works_without_scripts_for_numbers_and_reasons(report: Path) -> None:
    page = (report / "index.html").read_text("utf-8")
    assert "86\u00a0% [80, 92]" in page
    assert "gap within noise" in page
    assert "Fewer than 200 prompts" in page
    assert "the source holds no answers" in page


def test_parts_of_parts_come_after_parts_and_push_no_family_off_the_page() -> None:
    (style,) = (m for m in measures(board()) if m.name == "style_transfer")
    assert [part for part, _, _ in style.rows] == [
        "",
        *sorted((*FAMILIES, "short_replies", "unrelated")),
        *(f"category/{c}" for c in CATEGORIES),
    ]
    assert style.plots == (
        "style_transfer",
        *(f"style_transfer/{f}" for f in sorted((*FAMILIES, "short_replies", "unrelated"))),
    )


def test_a_run_without_anything_still_makes_a_page(tmp_path: Path) -> None:
    empty = replace(
        record(),
        scores=(),
        comparisons=(),
        pairs=(),
        controls=(),
        collections=(),
        models={},
        tasks={},
        metrics=(),
    )
    page = write_report(empty, tmp_path / "report", read).read_text("utf-8")
    assert "No pair of student and teacher" in page


def test_a_failed_report_leaves_the_old_one(report: Path, tmp_path: Path) -> None:
    folder = write_report(record(), tmp_path / "report", read).parent

    def broken(collection: CollectionRecord) -> None:
        raise OSError("no such store")

    with pytest.raises(OSError, match="no such store"):
        write_report(record(), folder, broken)
    assert (folder / "index.html").read_bytes() == (report / "index.html").read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def figures_of(run: RunRecord) -> list[str]:
    """Kinds of the figures of the page about the whole run and its first student, in their order."""
    ids = re.findall(r'data-figure="(?:run|student-0)-(\w+)"', page(board(run)))
    return list(dict.fromkeys(ids))


def test_a_matrix_chooses_and_orders_the_figures() -> None:
    every = figures_of(record())
    assert every[0] == "transfer_map"
    assert len(every) > 6
    asked = ("task_dumbbell", "inherited_errors", "agreement", "transfer_map")
    shown = figures_of(replace(record(), figures=asked))
    assert shown == ["transfer_map", "inherited_errors", "agreement", "task_dumbbell"]


def test_without_plotly_the_figures_stand_there_and_no_library() -> None:
    still = page(board(replace(record(), interactive=False)))
    assert 'id="plotly-data"' not in still
    assert 'id="plots-data"' not in still
    assert 'id="plotly-data"' in page(board())
    assert still.count("<svg") == page(board()).count("<svg") > 10
    assert len(still.encode()) < 1_000_000


@pytest.mark.slow
def test_the_command_line_chooses_figures_and_leaves_plotly_out(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    words = ("matrix=fakes", "figures=[task_dumbbell,agreement]", "report.interactive=none")
    done = inside(tmp_path, *words, files={"matrix/fakes": matrix()})
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "results/report/index.html").read_text("utf-8")
    kinds = re.findall(r'data-figure="(?:run|student-0)-(\w+)"', text)
    assert kinds == ["agreement", "task_dumbbell"]
    assert 'id="plotly-data"' not in text
