"""Runs for tests: a small matrix of fakes, built as the command line builds it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from harness.cli import exits, main, streams, sweep
from harness.cli.config import packaged, typed_run
from harness.plan.run import Run
from harness.store.store import Store

REPOSITORY = Path(__file__).resolve().parents[2]
FAKES: dict[str, dict[str, Any]] = {
    "teacher": {"kind": "fake", "style": "formal", "skill": 0.9, "seed": 1},
    "student": {"kind": "fake", "style": "formal", "skill": 0.7, "seed": 1},
    "base": {"kind": "fake", "style": "plain", "skill": 0.1, "seed": 2},
    "other": {"kind": "fake", "style": "odd", "skill": 0.7, "seed": 3},
}


def write_data(folder: Path, n: int = 40) -> None:
    """A file of open prompts and one of questions with right answers."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"prompt": [f"Tell me about thing {i}." for i in range(n)]}).to_json(
        folder / "prompts.jsonl", orient="records", lines=True
    )
    questions = {
        "question": [f"q{i}" for i in range(n)],
        "answer": [i % 4 for i in range(n)],
        "options": [4] * n,
    }
    pd.DataFrame(questions).to_json(folder / "quiz.jsonl", orient="records", lines=True)


def matrix(**changes: Any) -> dict[str, Any]:
    """The content of a small matrix file over write_data's folder."""
    quiz = {"question": "question", "answer": "answer", "n_options": "options"}
    return {
        "title": "Fakes",
        "models": FAKES,
        "tasks": {
            "open": {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}},
            "quiz": {"kind": "choices", "file": "quiz.jsonl", "columns": quiz},
        },
        "metrics": {"task_score": None, "capa": None, "gap_recovered": None},
        "pairs": [{"teacher": "teacher", "student": "student", "base": "base"}],
        "controls": [{"model": "other", "lineage": "other"}],
        "decoding": {"temperature": 1.0, "max_new_tokens": 256},  # replies of fakes are whole
        **changes,
    }


def promised(results: Path) -> dict[str, str]:
    """Key -> digest of what is promised to be the same bytes of an entry: what was measured of the machine is not."""
    store = Store(results)
    return {key: hashlib.sha256(b"".join(store.promised(key))).hexdigest() for key in store.loose()}


def run_of(tmp_path: Path, **changes: Any) -> Run:
    """A typed run of the small matrix."""
    write_data(tmp_path / "data")
    return typed_run(composed(matrix(**changes), tmp_path), [packaged("conf")])


def composed(content: Mapping[str, Any], tmp_path: Path) -> dict[str, Any]:
    """config.yaml, the greedy decoding and a matrix in one mapping, with all paths under tmp_path."""
    base, decoding = _own_files()
    paths: dict[str, Any] = {
        "results": str(tmp_path / "results"), "cache": str(tmp_path / "cache"), "data": str(tmp_path / "data"),
        "datasets": None, "tasks": [], "lock": True,
    }  # fmt: skip
    parts = {"decoding": decoding, "gate": {"conditions": []}}
    merged = OmegaConf.merge(base, parts, {"paths": paths}, content)
    container = OmegaConf.to_container(merged, resolve=True)
    assert isinstance(container, dict)
    return {str(k): v for k, v in container.items()}


@cache
def _own_files() -> tuple[Any, Any]:
    """config.yaml without what is Hydra's or a place, and the greedy decoding; read once, only to be merged."""
    base = OmegaConf.load(packaged("conf") / "config.yaml")
    for key in ("defaults", "hydra", "paths"):
        del base[key]
    return base, OmegaConf.load(packaged("conf") / "decoding/greedy.yaml")


def inside(
    tmp_path: Path, *words: str, files: Mapping[str, Any] | None = None, bare: bool = False
) -> subprocess.CompletedProcess[str]:
    """The same as `command` in this process, which is faster; `bare` = the words alone."""
    conf = write_files(tmp_path, files or {})
    line = [*words] if bare else ["--config-dir", str(conf), *words, *_places(tmp_path)]
    GlobalHydra.instance().clear()
    main._codes.clear()
    sweep._begun.clear()
    exits._said.clear()
    said, told = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(tmp_path),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(told),
        mock.patch.object(sys, "argv", ["distillbench", *line]),
        mock.patch.object(streams, "make_lasting"),
        mock.patch.dict(os.environ),
        pytest.raises(SystemExit) as ended,
    ):
        main.main()
    code = ended.value.code
    return subprocess.CompletedProcess(line, int(code or 0), told.getvalue(), said.getvalue())


def write_files(tmp_path: Path, files: Mapping[str, Any]) -> Path:
    """The user's --config-dir with `files` (name -> content)."""
    conf = tmp_path / "conf"
    conf.mkdir(exist_ok=True)
    for name, content in files.items():
        path = conf / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = "# @package _global_\n" if name.startswith("matrix/") else ""
        path.write_text(head + OmegaConf.to_yaml(OmegaConf.create(content)))
    return conf


def _places(tmp_path: Path) -> list[str]:
    return [f"paths.{k}={tmp_path / k}" for k in ("results", "cache", "data")]


def command(
    tmp_path: Path, *words: str, files: Mapping[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """`distillbench` as a process, with `files` (name -> content) as the user's --config-dir."""
    conf = write_files(tmp_path, files or {})
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
    line: Sequence[str] = [
        sys.executable,
        "-m",
        "harness.cli.main",
        "--config-dir",
        str(conf),
        *words,
        *_places(tmp_path),
    ]
    return subprocess.run(
        line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
