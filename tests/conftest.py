"""Fixtures that several areas of the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.board.answers import Read
from harness.board.record import RunRecord
from harness.cli import gathering
from harness.stages import report, run
from tests.report.agreement import contradictions

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded outputs of real models beside the checkout; skips where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs recorded outputs of real models in {folder.name}/ beside the checkout")
    return folder


@pytest.fixture(autouse=True)
def _pages_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page that a test makes in this process agrees with itself and with the files beside it."""
    write = report.write_report

    def checked(record: RunRecord, folder: Path, read: Read) -> Path:
        page = write(record, folder, read)
        assert contradictions(folder) == []
        return page

    for module in (report, run, gathering):
        monkeypatch.setattr(module, "write_report", checked)
