"""One small case and its bundle for all tests of this folder; copies of it may be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verdicts.bundles import small_case, write_bundle


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small case, its results, and its bundle `out`."""
    folder = tmp_path_factory.mktemp("bundle")
    small_case(folder)
    write_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def made(place: Path) -> Path:
    """The bundle of the small case."""
    return place / "out"
