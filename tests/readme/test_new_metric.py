"""docs/new_metric.md, followed word by word in an empty folder."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from harness.plugins import PACKAGES, kinds, use_folders
from harness.testing import check_metric
from tests.readme import stand_ins
from tests.readme.blocks import REPOSITORY, blocks

PAGE = (REPOSITORY / "docs" / "new_metric.md").read_text()


def write_all(folder: Path) -> None:
    """The files of the page, where it says that they lie."""
    for block in blocks(PAGE):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)


def test_its_files_are_there_and_its_metric_keeps_the_contract(tmp_path: Path) -> None:
    write_all(tmp_path)
    files = {b.file for b in blocks(PAGE) if b.file}
    assert len(files) == 4
    use_folders([tmp_path / "my_plugins"])
    try:
        assert "same_opening" in kinds("metrics")
        check_metric("same_opening", words=2, itself={"": 1.0})
    finally:
        use_folders(())


def test_every_kind_of_plug_in_is_in_its_table() -> None:
    for package in PACKAGES:
        assert f"| `{package}/NAME.py` |" in PAGE


@pytest.mark.slow  # pytest and a whole run, each in a process of its own
def test_its_commands_give_what_it_promises(tmp_path: Path) -> None:
    write_all(tmp_path)
    for command in [c for b in blocks(PAGE) for c in b.commands]:
        done = stand_ins.run(tmp_path, command)
        assert done.returncode == 0, done.stderr + done.stdout
    report = tmp_path / "results/report"
    with (report / "scores.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["metric"].startswith("same_opening")]
    assert {(r["metric"], r["student"]) for r in rows if r["value"]} == {
        (metric, student)
        for metric in ("same_opening", "same_opening/base")
        for student in ("student", "other")
    }
    header = (report / "leaderboard.csv").read_text().splitlines()[0].split(",")
    assert {"same_opening", "same_opening_low", "same_opening_above_controls"} <= set(header)
    page = (report / "index.html").read_text()
    assert re.search(r">Same opening\s*<", page)
    assert "read it beside the base and the controls" in page
