"""How long a new checkpoint waits for its row on the page, with the tasks and measures of the smoke run.

    python -m tests.bench.watch_delay      needs the zoo and its steps (distillbench matrix=zoo_dose); a few minutes

Checkpoints of one student of the zoo are copied into a folder one after the other; printed are the seconds from the
last byte of each until the page was written again. The first one waits for the other models, too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = (10, 40, 160, 320)
MATRIX = """# @package _global_
title: A student while it learns
models:
  teacher: {{kind: hf, path: {zoo}/teacher_a}}
  base: {{kind: hf, path: {zoo}/base}}
  other: {{kind: hf, path: {zoo}/independent}}
  student: {{kind: hf, path: "runs/checkpoint-*"}}
tasks: {{zoo_facts: , zoo_cloze: , zoo_style: }}
metrics: [task_score, gap_recovered, capability_transfer, capa, length, truncation, style_profile, style_transfer]
pairs: [{{teacher: teacher, student: student, base: base, base_kind: before}}]
controls: [other]
decoding: {{temperature: 0.9, max_new_tokens: 96}}
"""


def main() -> None:
    """Prints a line per checkpoint and the exit code after Ctrl-C."""
    default = Path.home() / ".cache/distillbench"
    cache = Path(os.environ.get("DISTILLBENCH_CACHE", default))
    zoo = max(
        (p.parent for p in cache.glob("zoo/*/answers_a@320")), key=lambda p: p.stat().st_mtime
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conf/matrix").mkdir(parents=True)
        (folder / "conf/matrix/watched.yaml").write_text(MATRIX.format(zoo=zoo))
        words = ["--config-dir", "conf", "matrix=watched", "watch=true", "report.interactive=none"]
        line = [sys.executable, "-m", "harness.cli.main", *words]
        repository = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PYTHONPATH": repository}
        process = subprocess.Popen(line, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        page = folder / "results/report/index.html"
        for step in STEPS:
            before = page.stat().st_mtime_ns if page.exists() else 0
            shutil.copytree(zoo / f"answers_a@{step}", folder / f"runs/checkpoint-{step}")
            began = time.monotonic()
            while not page.exists() or page.stat().st_mtime_ns == before:
                assert process.poll() is None, f"the watch ended with {process.returncode}"
                time.sleep(0.1)
            print(f"checkpoint-{step}: {time.monotonic() - began:.1f} s", flush=True)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        print(f"Ctrl-C: exit code {process.wait(60)}")


if __name__ == "__main__":
    main()
