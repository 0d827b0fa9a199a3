"""A run of models that take their time, so that workers can be stopped at a piece of their work."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.core.running import REPOSITORY, matrix, promised, write_data, write_files

# As a file of the user's own, in every process: three requests at a time, after a wait.
SLOW = """
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final
from harness.models import AbstractModel
from harness.models.fake import FakeModel, FakeSession

class Session(FakeSession):
    def batches(self, ask):
        n = len(ask.requests)
        return [list(range(i, min(i + 3, n))) for i in range(0, n, 3)]

    def answer_batch(self, requests, ids, decoding):
        time.sleep(self.model.seed / 1000)
        with open(self.log, "a") as file:
            file.write(f"{self.model.name} {len(requests)}\\n")
        return super().answer_batch(requests, ids, decoding)

@final
@dataclass(frozen=True)
class SlowModel(AbstractModel):
    seed: int = 0
    skill: float = 0.5

    def offers(self):
        return FakeModel(kind="fake", name=self.name).offers()

    @contextmanager
    def open(self, paths, previous=None):
        session = Session(FakeModel(kind="fake", name=self.name, seed=self.seed, skill=self.skill))
        session.log = paths.cache / "asked"
        yield session
"""
MODELS = {"teacher": 0.9, "student": 0.7, "base": 0.1, "other": 0.6}


def write_run(folder: Path, wait_ms: int = 200) -> None:
    """The files of a run of four such models, 28 batches each."""
    write_data(folder / "data")
    (folder / "cache").mkdir()
    (folder / "plugins/models").mkdir(parents=True)
    (folder / "plugins/models/slow.py").write_text(SLOW)
    models = {
        name: {"kind": "slow", "seed": wait_ms + i, "skill": skill}
        for i, (name, skill) in enumerate(MODELS.items())
    }
    write_files(folder, {"matrix/slow": matrix(models=models)})


def start(folder: Path, results: str, *words: str, apart: bool = False) -> subprocess.Popen[str]:
    """`distillbench` at work on it; `apart` = with a process group of its own."""
    places = [f"paths.{k}={folder / k}" for k in ("cache", "data")]
    line = [
        sys.executable, "-m", "harness.cli.main", "--config-dir", str(folder / "conf"), "matrix=slow", "gate=none",
        f"paths.results={folder / results}", f"paths.plugins=[{folder / 'plugins'}]", *places, *words,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        line,
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=apart,
    )


def run(folder: Path, results: str, *words: str) -> tuple[int, str]:
    """Exit code and words of a whole run."""
    process = start(folder, results, *words)
    return ended(process)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The same of one that was started."""
    out, err = process.communicate(timeout=600)
    return process.returncode, out + err


def left(results: Path) -> dict[str, str]:
    """Digest of every entry, pack and score; what is measured of the machine is exempt."""
    files = [*(results / "packs").glob("*.parquet"), *(results / "report").glob("scores.csv")]
    return promised(results) | {
        p.relative_to(results).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def pieces(results: Path) -> int:
    """Batches that are answered and not published yet."""
    try:
        return len(list((results / "work").glob("*/[0-9]*.parquet")))
    except FileNotFoundError:  # published meanwhile
        return pieces(results)


def n_asked(folder: Path) -> int:
    """Batches that models were asked, of all runs."""
    log = folder / "cache/asked"
    return len(log.read_text().splitlines()) if log.exists() else 0


def workers(folder: Path) -> list[int]:
    """Workers of the run in a folder: they stand in the folder that the command was started in."""
    own = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            program = b"harness.cli.worker" in path.read_bytes().split(b"\0")
            if program and Path(os.readlink(path.parent / "cwd")) == folder:
                own.append(int(path.parent.name))
        except OSError:
            continue
    return own
