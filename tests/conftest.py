"""Fixtures that several areas of the tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from harness.board.answers import Read
from harness.board.record import RunRecord
from harness.cli import gathering
from harness.stages import report, run
from tests.report.agreement import contradictions

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_finish() -> None:
    """What is there by now stays: it need not be searched for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page cache is as good as a disk to those who read soon: runs in this process need not wait for it."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


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
