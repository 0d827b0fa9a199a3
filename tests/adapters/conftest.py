"""Fixtures of the task adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.plugins import Circumstance, Paths
from tests.adapters import tiny


@pytest.fixture(scope="session")
def tiny_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small lm-eval tasks."""
    return tiny.write_tasks(tmp_path_factory.mktemp("tasks") / "tasks")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random model."""
    return tiny.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the session: the index of lm-eval's stock tasks takes seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def here(tiny_tasks: Path, cache: Path) -> Circumstance:
    """A plain circumstance with the small tasks."""
    return Circumstance(Paths(cache / "results", cache, (tiny_tasks,)), False, None, None, 0)
