"""The case of docs/evidence.md, copied as it stands, runs on files as it describes them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import yaml

from harness.cli.verifying import verify
from harness.files.origins import COLUMNS
from tests.core.running import REPOSITORY, inside
from tests.verdicts.cases import write_crowd

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


def test_the_case_with_weights_runs_on_models_that_read(tmp_path: Path) -> None:
    """Made-up models in place of checkpoints; the candidate's answers are recorded, and it reads nothing."""
    content = yaml.safe_load(BLOCKS[1])
    innocent = ("twin", "other", "third", "fourth")
    fakes = {m: {"kind": "fake", "style": m} for m in ("theirs", "before", *innocent)}
    content["models"] = {**fakes, "ours": content["models"]["ours"]}
    content["tasks"]["reads"]["prompts"] = 20
    data = tmp_path / "data"
    data.mkdir()
    rows = [{"question": f"What is no. {i}?", "reply": f"It is thing no. {i}."} for i in range(24)]
    (data / "ours.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    table = [
        "model,role,family,lineage",
        "ours,teacher,ours,",
        *(f"{m},control,," for m in innocent),
    ]
    (data / "lineages.csv").write_text("\n".join(table) + "\n")
    out = tmp_path / "out"
    ended = inside(tmp_path, "matrix=case", f"exhibit={out}", files={"matrix/case": content})
    assert ended.returncode == 0, ended.stderr
    assert verify([str(out)]) == 0
    with (tmp_path / "results/report/verdicts.csv").open(newline="") as file:
        said = {r["suspect"]: r for r in csv.DictReader(file)}
    assert said.keys() == {"theirs", "before", *innocent}
    assert (said["theirs"]["family"], said["theirs"]["n"]) == ("ours", "20")
    assert float(said["theirs"]["p"]) >= 1 / 5
    assert said["before"]["reason"] == "it is the reference"


def test_a_reference_that_is_not_in_the_matrix_is_one_line(tmp_path: Path) -> None:
    content = yaml.safe_load(BLOCKS[1])
    content["models"] = {m: {"kind": "fake"} for m in ("theirs", "before", "twin", "other", "ours")}
    content["verdicts"]["reference_gain"] = {"reference": "befor"}
    data = tmp_path / "data"
    data.mkdir()
    (data / "ours.jsonl").write_text(json.dumps({"question": "What?", "reply": "That."}) + "\n")
    (data / "lineages.csv").write_text("model,role,family,lineage\nours,teacher,ours,\n")
    ended = inside(tmp_path, "matrix=case", files={"matrix/case": content})
    assert ended.returncode == 2
    said = "verdicts.reference_gain.reference: 'befor' is unknown; did you mean 'before'?"
    assert said in ended.stderr
