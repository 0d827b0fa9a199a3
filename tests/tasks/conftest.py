"""Fixtures of the task adapters."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.tasks import Setting
from harness.types import Paths
from tests.tasks import tiny


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
    """One cache for the session and its workers: the index of lm-eval's stock tasks takes seconds."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def here(tiny_tasks: Path, cache: Path) -> Setting:
    """A plain setting with the small tasks."""
    return Setting(Paths(cache / "results", cache, (tiny_tasks,)), False, None, None, 0)


@pytest.fixture
def no_look_at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """lm-eval's evaluation without its description of the machine, for which it starts a dozen programs."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
