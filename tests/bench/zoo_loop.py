"""Ten models and five tasks of the zoo as whole processes, beside a loop of lm-eval: python -m tests.bench.zoo_loop

    python -m tests.bench.zoo_loop [--models N] [--each]

The models have to be trained already (distillbench matrix=zoo). The loop calls `lm_eval run --model hf` once per model
with all tasks, or with --each once per model and task; distillbench starts from an empty store, and writes its page.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from harness.cli.config import packaged
from tests.bench.whole import Process, run_command

MODELS = (
    "teacher_a", "teacher_b", "base", "answers_a", "logits_a", "answers_b", "independent", "style_only_a",
    "task_only_a", "nameless_a",
)  # fmt: skip
TASKS = ("zoo_facts", "zoo_cloze", "zoo_sums_seen", "zoo_sums_new", "zoo_copy")
BAR = 10.9


def ours(folder: Path, models: tuple[str, ...]) -> Process:
    """From an empty store to the page."""
    words = [
        "matrix=zoo",
        f"only.models=[{','.join(models)}]",
        f"only.tasks=[{','.join(TASKS)}]",
        "only.metrics=[task_score]",
        "controls=[]",
        f"paths.results={folder}",
    ]
    return run_command([sys.executable, "-W", "ignore", "-m", "harness", *words])


def theirs(checkpoint: Path, tasks: tuple[str, ...]) -> Process:
    """One call of lm-eval, with its results written."""
    with tempfile.TemporaryDirectory() as name:
        options = {
            "--model": "hf",
            "--model_args": f"pretrained={checkpoint},dtype=float32",
            "--tasks": ",".join(tasks),
            "--include_path": str(packaged("tasks") / "zoo"),
            "--device": "cpu",
            "--batch_size": "8",
            "--output_path": name,
        }
        words = [word for pair in options.items() for word in pair]
        return run_command([sys.executable, "-W", "ignore", "-m", "lm_eval", "run", *words])


def main() -> int:
    """Prints both times; 1 where the bar is missed."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--models", type=int, default=len(MODELS))
    ask.add_argument("--each", action="store_true", help="one call of lm-eval per task")
    ask.add_argument("--zoo", type=Path, default=None, help="folder of the trained models")
    asked = ask.parse_args()
    models = MODELS[: asked.models]
    zoos = (
        [asked.zoo]
        if asked.zoo
        else sorted(Path("~/.cache/distillbench/zoo").expanduser().glob("*"))
    )
    if not zoos or not (zoos[-1] / MODELS[0]).is_dir():
        raise SystemExit(
            "no trained zoo: run distillbench matrix=zoo, or name its folder with --zoo"
        )
    with tempfile.TemporaryDirectory() as name:
        mine = ours(Path(name) / "results", models)
        calls = [(t,) for t in TASKS] if asked.each else [TASKS]
        loop = [theirs(zoos[-1] / model, tasks) for model in models for tasks in calls]
    wall = sum(p.wall_s for p in loop)
    times = wall / mine.wall_s
    print(f"distillbench {mine.wall_s:.1f} s; lm_eval, {len(loop)} calls: {wall:.1f} s")
    print(f"{times:.1f} x, bar {BAR} x")
    return int(times < BAR)


if __name__ == "__main__":
    sys.exit(main())
