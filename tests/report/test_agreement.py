"""The reader of contradictions finds those that are put in; the fixture in tests/conftest.py runs it on every page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.stages.report import write_report
from tests.report.agreement import contradictions
from tests.report.records import read, record


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report, made once."""
    return write_report(record(), tmp_path_factory.mktemp("agreement") / "report", read).parent


@pytest.fixture
def report(written: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(written, tmp_path / "report")


def test_the_made_up_page_agrees_with_itself(report: Path) -> None:
    assert contradictions(report) == []


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("index.html", 'aria-label="above the controls"', 'aria-label="above the base"'),
        (
            "index.html",
            "above what unrelated models reach",
            "not above what unrelated models reach",
        ),
        ("leaderboard.csv", "\n1,", "\n9,"),
        ("index.html", 'z" data-student="independent"', 'z" data-student="nobody"'),
        ("index.html", 'class="num leads"', 'class="num"'),
        ("index.html", 'data-role="control"', 'data-role="student"'),
    ],
)
def test_a_contradiction_is_found(report: Path, file: str, right: str, wrong: str) -> None:
    path = report / file
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), "utf-8")
    assert contradictions(report) != []
