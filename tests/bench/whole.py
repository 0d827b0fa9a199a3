"""Whole processes, from the command to its end, and the most memory that one of their processes takes."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.inputs import Case

_LOOK_S = 0.1  # how often its processes are looked at
MATRIX = """# @package _global_
models: {{m: {{kind: hf, path: {checkpoint}, dtype: float32, device: cpu}}}}
tasks:
{tasks}
metrics: {{task_score: }}
"""


class Process(NamedTuple):
    """What a finished process took."""

    wall_s: float
    cpu_s: float  # of all its processes
    peak_bytes: int  # of the largest of its processes


def ours(checkpoint: Path, folder: Path, case: Case) -> Process:
    """`distillbench` from an empty store to the graded answers, and the page of them."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "conf" / "matrix").mkdir(parents=True)
        tasks = [
            f"  {task}: {{kind: lm_eval, task: {task}, include: {folder}}}" for task in case.tasks
        ]
        matrix = MATRIX.format(checkpoint=checkpoint, tasks="\n".join(tasks))
        (place / "conf" / "matrix" / "bench.yaml").write_text(matrix, "utf-8")
        paths = [f"paths.{key}={place / key}" for key in ("results", "cache")]
        command = ["harness", "--config-dir", str(place / "conf"), "matrix=bench", *paths]
        process = run_command([sys.executable, "-W", "ignore", "-m", *command])
        if failed := [*(place / "results").glob("failures/*.txt")]:
            raise RuntimeError(failed[0].read_text("utf-8")[-2000:])
        return process


def theirs(checkpoint: Path, folder: Path, case: Case, batch_size: int) -> Process:
    """`lm_eval run --model hf`, with its results written."""
    with tempfile.TemporaryDirectory() as name:
        options = {
            "--model": "hf",
            "--model_args": f"pretrained={checkpoint},dtype=float32",
            "--tasks": ",".join(case.tasks),
            "--include_path": str(folder),
            "--device": "cpu",
            "--batch_size": str(batch_size),
            "--output_path": name,
        }
        words = [word for pair in options.items() for word in pair]
        return run_command([sys.executable, "-W", "ignore", "-m", "lm_eval", "run", *words])


def run_command(command: list[str]) -> Process:
    """Raises RuntimeError with the end of what it said where a command fails."""
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        seen: dict[int, tuple[float, int]] = {}
        while process.poll() is None:
            for pid, (seconds, peak) in _of_session(process.pid).items():
                seen[pid] = (seconds, max(peak, seen.get(pid, (0.0, 0))[1]))
            time.sleep(_LOOK_S)
        wall = time.perf_counter() - started
        if process.returncode not in (0, 3):  # 3: a score has no value, as of few questions
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {said.read().decode()[-2000:]}")
    return Process(wall, sum(s for s, _ in seen.values()), max(b for _, b in seen.values()))


def _of_session(session: int) -> dict[int, tuple[float, int]]:
    """Process of a session -> its seconds of processors and the most memory that it has taken, as Linux tells."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):  # it has ended
            fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
            if int(fields[3]) == session:
                peak = re.search(r"VmHWM:\s+(\d+)", (folder / "status").read_text("utf-8"))
                seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                found[int(folder.name)] = (seconds, int(peak[1]) * 1024 if peak else 0)
    return found
