"""The case of docs/evidence.md, copied as it stands, runs on files as it describes them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import yaml

from harness.files.origins import COLUMNS
from tests.core.running import REPOSITORY, inside
from tests.verdicts.cases import write_crowd
from tests.verdicts.test_reading_cases import reading_case

TEXT = (REPOSITORY / "docs/evidence.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


def write_files(tmp_path: Path) -> None:
    """theirs.jsonl, answers.jsonl, lineages.csv, with the columns that the page names."""
    data = tmp_path / "data"
    write_crowd(data)
    rows = [json.loads(line) for line in (data / "answers.jsonl").read_text().splitlines()]
    rows = [{"model": r["model"], "question": r["prompt"], "reply": r["response"]} for r in rows]
    for name, some in (
        ("answers.jsonl", rows),
        ("theirs.jsonl", [r for r in rows if r["model"] == "one-student-0"]),
    ):
        (data / name).write_text("".join(json.dumps(r) + "\n" for r in some))
    with (data / "lineages.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    renamed = [{"group" if k == "lineage" else k: v for k, v in row.items()} for row in table]
    with (data / "lineages.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, renamed[0])
        writer.writeheader()
        writer.writerows(r for r in renamed if r["model"] != "one-student-0")


def test_the_case_runs_as_it_stands(tmp_path: Path) -> None:
    write_files(tmp_path)
    content = yaml.safe_load(BLOCKS[0].replace("candidates: [ours]", "candidates: [one]"))
    ended = inside(tmp_path, "matrix=case", files={"matrix/case": content})
    assert ended.returncode == 0, ended.stderr
    page = (tmp_path / "results/report/index.html").read_text()
    assert "From whose answers did theirs learn?" in page
    assert "tried on 8 models" in ended.stdout.lower() + ended.stderr.lower()


def test_the_table_of_columns_is_that_of_the_reader() -> None:
    needed = TEXT.split("## What you need")[1].split("## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", needed, flags=re.MULTILINE)
    assert rows == list(COLUMNS)


def test_the_case_with_weights_is_the_one_that_is_tried() -> None:
    """tests/verdicts/test_reading_cases.py runs it, on made-up models in place of checkpoints."""
    content = yaml.safe_load(BLOCKS[1])
    tried = reading_case()
    assert content["models"].keys() == {"theirs", "before", "twin", "other", "ours"}
    assert content["models"]["ours"] == tried["models"]["ours"]
    for key in ("suspect", "lineages", "verdicts"):
        assert content[key] == tried[key]
    content["tasks"]["reads"]["prompts"] = tried["tasks"]["reads"]["prompts"]
    assert content["tasks"] == tried["tasks"]
