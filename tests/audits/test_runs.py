"""Audits as whole runs: from a file of training answers to page and tables, and what is said of a wrong file."""

from __future__ import annotations

import csv
import html
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.board.saved import read_record
from harness.plan.run import Run
from harness.stages.run import CELLS_MISSING, DONE, execute
from harness.testing.crowds import crowd
from harness.types import DistillbenchError
from tests.audits.test_audits import rows
from tests.verdicts.cases import case_run, write_crowd

NOWHERE = Path("nowhere.csv")


def audit_run(folder: Path, data: Any, **changes: Any) -> Run:
    return case_run(folder, verdicts=None, data=data, **changes)


def write(folder: Path, name: str = "mine.jsonl") -> None:
    """A file of conversations, half of them answered by family one."""
    lines = [
        {"messages": [{"role": "user", "content": f"ask {r.place}"}, {"role": "assistant", "content": r.text}]}
        for r in rows(0.5)
    ]  # fmt: skip
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an audit of a file of conversations."""
    folder = tmp_path_factory.mktemp("audit")
    write_crowd(folder / "data", crowd(n_students=2, n_controls=18, n_prompts=40))
    write(folder / "data")
    ended = execute(audit_run(folder, "mine.jsonl", candidates=["one"]), NOWHERE, alone=True)
    assert ended.code == DONE
    return folder


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "results" / "report" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_page_and_tables_show_the_same(folder: Path) -> None:
    record = read_record(folder / "results" / "report")
    (audit,) = record.audits
    (share,) = audit.shares
    assert (audit.file, audit.n_rows) == ("mine.jsonl", 120)
    assert (share.family, share.outcome) == ("one", "supports")
    (row,) = table(folder, "shares.csv")
    assert (float(row["share"]), row["outcome"]) == (share.share, "supports")
    named = table(folder, "rows.csv")
    assert [r["row"] for r in named] == [r.place for r in audit.rows]
    assert all(int(r["row"].split()[1]) <= 60 for r in named)
    page = html.unescape((folder / "results" / "report" / "index.html").read_text())
    assert "Whose answers does mine.jsonl hold?" in page
    assert named[0]["beginning"] in page


def test_a_second_run_makes_nothing(folder: Path) -> None:
    store = folder / "results" / "store"
    before = sorted(p.name for p in store.rglob("*"))
    assert (
        execute(audit_run(folder, "mine.jsonl", candidates=["one"]), NOWHERE, alone=True).code
        == DONE
    )
    assert sorted(p.name for p in store.rglob("*")) == before
    assert before


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_every_kind_of_table_is_read(folder: Path, tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame([{"question": f"ask {r.place}", "reply": r.text} for r in rows(0.5)])
    path = tmp_path / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    data = {"file": str(path), "columns": {"prompt": "question", "answer": "reply"}}
    run = audit_run(folder, data, candidates=["one"])
    assert execute(run, NOWHERE, alone=True).code == DONE
    (audit,) = read_record(folder / "results" / "report").audits
    assert audit.file == name
    assert audit.shares[0].outcome == "supports"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("nothing.jsonl", "nothing.jsonl"),
        ({"file": "mine.jsonl", "column": {}}, "did you mean 'columns'"),
        ({"kind": "hf", "path": "x"}, "expected recorded, a file of answers; got 'hf'"),
        ({"columns": {}}, "key file is missing"),
    ],
)
def test_a_file_that_is_wrong_is_one_line(folder: Path, data: Any, words: str) -> None:
    with pytest.raises(DistillbenchError) as error:
        execute(audit_run(folder, data), NOWHERE, alone=True)
    (line,) = str(error.value).splitlines()
    assert words in line
    assert "data" in line


def test_columns_of_other_names_are_said_how_to_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "qa.jsonl").write_text('{"question": "who", "answer": "me"}\n')
    with pytest.raises(DistillbenchError, match=r"columns: \{prompt: NAME, answer: NAME\}\}'"):
        execute(audit_run(folder, str(tmp_path / "qa.jsonl")), NOWHERE, alone=True)


def test_a_file_of_choices_holds_no_answers(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "choices.csv").write_text("prompt,choice\nwho,A\nwhat,B\n")
    data = {
        "file": str(tmp_path / "choices.csv"),
        "columns": {"prompt": "prompt", "choice": "choice"},
    }
    with pytest.raises(DistillbenchError, match="expected answers in words, got none"):
        execute(audit_run(folder, data), NOWHERE, alone=True)


def test_plan_says_what_an_audit_would_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = audit_run(folder, "mine.jsonl", stages=["plan"])
    assert execute(run, NOWHERE, alone=True).code == DONE
    assert "together" in capsys.readouterr().err


def test_nothing_to_weigh_names_the_file_too(folder: Path) -> None:
    with pytest.raises(DistillbenchError, match="data=FILE"):
        audit_run(folder, None)


def test_a_crowd_that_is_too_small_is_said_on_the_page(tmp_path: Path) -> None:
    write_crowd(tmp_path / "data", crowd(n_students=1, n_controls=2))
    write(tmp_path / "data")
    assert execute(audit_run(tmp_path, "mine.jsonl"), NOWHERE, alone=True).code == CELLS_MISSING
    page = (tmp_path / "results" / "report" / "index.html").read_text()
    assert "Cannot tell whose answers mine.jsonl holds" in page
    assert "at least 10 lineages" in page
