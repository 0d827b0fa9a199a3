"""What scores and page of many models cost: seconds, memory, bytes and files, from answers that are stored.

    python -m tests.bench.board [MODELS TASKS PROMPTS] [--keep FOLDER]

Fakes answer first, which is not measured; then a process of its own scores everything and writes the page, and another
one says again what is finished. Seconds are those of all their processes; run it on a quiet machine for the clock's.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from harness.cli.config import packaged
from harness.stages.run import execute
from tests.core.running import run_of, write_data

_SCORE = """
import sys
from pathlib import Path
from harness.console.processes import collect_seldom
from tests.bench.board import finish
collect_seldom()
finish(Path(sys.argv[1]), *map(int, sys.argv[2:]))
"""


def matrix(folder: Path, models: int, tasks: int, prompts: int) -> dict[str, object]:
    """Students of one teacher and base with controls, over questions and one open task in fifty."""
    quiz = {"question": "question", "answer": "answer", "n_options": "options"}
    kinds = [
        {"kind": "choices", "file": "quiz.jsonl", "columns": quiz},
        {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}},
    ]
    names = ["teacher", "base", "other", "further", *(f"student{i}" for i in range(models - 4))]
    named = {
        f"task{i}": {**kinds[int(i % 50 == 49)], "limit": prompts - i % 50} for i in range(tasks)
    }
    write_data(folder / "data", prompts)
    return {
        "models": {n: {"kind": "fake", "seed": i, "skill": 0.3 + 0.5 * (i % 7) / 7} for i, n in enumerate(names)},
        "tasks": named,
        "metrics": dict.fromkeys(("task_score", "gap_recovered", "capability_transfer", "capa")),
        "pairs": [{"teacher": "teacher", "student": n, "base": "base"} for n in names[4:]],
        "controls": [{"model": n, "lineage": n} for n in ("other", "further")],
    }  # fmt: skip


def finish(folder: Path, models: int, tasks: int, prompts: int) -> None:
    """Scores and writes the page."""
    run = run_of(folder, **matrix(folder, models, tasks, prompts))
    execute(run, packaged("reference") / "scores.csv", alone=True)


def main() -> None:
    """Prints what each part took."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("sizes", type=int, nargs="*", default=[100, 50, 1000])
    ask.add_argument("--keep", type=Path, default=None, help="folder for the store")
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.keep or Path(name)
        run = run_of(folder, **matrix(folder, *asked.sizes))
        started = time.perf_counter()
        collect = replace(run, stages=("collect",))
        execute(collect, packaged("reference") / "scores.csv", alone=True)
        print(f"answers of {asked.sizes}: {time.perf_counter() - started:.0f} s", flush=True)
        for what in ("score and page", "nothing changed"):
            print(f"{what}: {_timed(folder, asked.sizes)}", flush=True)
        results = run.paths.results
        files = sum(1 for p in results.rglob("*") if p.is_file())
        page = (results / "report" / "index.html").stat().st_size
        print(f"page {page / 1e6:.1f} MB, {files} files in {results.name}/")


def _timed(folder: Path, sizes: list[int]) -> str:
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-W", "ignore", "-c", _SCORE, str(folder), *map(str, sizes)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    wall = time.perf_counter() - started
    return f"{wall:.1f} s by the clock, {cpu:.1f} s of processors, largest process {used.ru_maxrss / 2**20:.2f} GB"


if __name__ == "__main__":
    main()
