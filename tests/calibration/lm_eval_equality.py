"""Task scores of checkpoints beside those of lm-eval's own run of the same: every metric and filter of every task.

Run by hand, with folders of checkpoints (the zoo's lie under the cache folder) and, for stock tasks, local data sets:
`python -m tests.calibration.lm_eval_equality --datasets DIR CHECKPOINT...`. 0/1 metrics and metrics of greedy text have
to be equal, continuous ones to a relative 1e-4. Exits 1 where one differs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from harness.cli.config import packaged, typed_run
from harness.stages.ask import ask
from harness.stages.collect import collect
from harness.stages.library import Library
from harness.store.store import Store

ZOO = ("zoo_facts", "zoo_cloze", "zoo_copy", "zoo_sums_seen", "zoo_sums_new")
STOCK = ("arc_easy", "winogrande", "lambada_openai")
LIMIT = 100


@dataclass(frozen=True)
class Mode:
    """How tasks are asked."""

    name: str
    num_fewshot: int | None = None
    chat: bool = False


MODES = (
    Mode("plain", num_fewshot=0),
    Mode("few-shot", num_fewshot=3),
    Mode("chat", num_fewshot=2, chat=True),
)


@contextlib.contextmanager
def working_folder(folder: Path | None) -> Iterator[None]:
    """lm-eval finds `owner/name` as a local folder when it works beside it."""
    before = Path.cwd()
    os.chdir(folder or before)
    try:
        yield
    finally:
        os.chdir(before)


def lm_eval_numbers(
    checkpoint: Path, tasks: Sequence[str], mode: Mode, datasets: Path | None
) -> dict[str, float]:
    """lm-eval's own results, "task metric,filter" -> value."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    with working_folder(datasets):
        found: Any = simple_evaluate(
            model="hf", model_args={"pretrained": str(checkpoint), "dtype": "float32"}, tasks=list(tasks), device="cpu",
            task_manager=TaskManager(include_path=str(packaged("tasks"))), num_fewshot=mode.num_fewshot, batch_size=1,
            apply_chat_template=mode.chat, fewshot_as_multiturn=mode.chat, limit=LIMIT, bootstrap_iters=0,
            log_samples=False,
        )  # fmt: skip
    return {
        f"{task} {key}": float(value)
        for task, row in found["results"].items()
        for key, value in row.items()
        if "," in key and "_stderr" not in key and not isinstance(value, str)
    }


def our_numbers(
    checkpoints: Sequence[Path],
    tasks: Sequence[str],
    mode: Mode,
    datasets: Path | None,
    folder: Path,
) -> dict[str, dict[str, float]]:
    """The aggregates that we store, checkpoint -> "task metric,filter" -> value."""
    config = OmegaConf.to_container(OmegaConf.load(packaged("conf") / "config.yaml"))
    assert isinstance(config, dict)
    content = {str(k): v for k, v in config.items() if k not in ("defaults", "hydra")}
    content |= {
        "models": {p.name: {"kind": "hf", "path": str(p), "chat": mode.chat, "device": "cpu"} for p in checkpoints},
        "tasks": {t: {"kind": "lm_eval", "task": t, "num_fewshot": mode.num_fewshot} for t in tasks},
        "limit": LIMIT,
        "decoding": {},
        "gate": {},
        "paths": {
            "results": str(folder / mode.name), "cache": str(folder / "cache"), "data": None, "tasks": [], "lock": True,
            "datasets": str(datasets) if datasets else None,
        },
    }  # fmt: skip
    run = typed_run(content, [packaged("conf")])
    store = Store(run.paths.results)
    plan = ask(run, store)
    collect(plan, store)
    library = Library(plan, store)
    numbers: dict[str, dict[str, float]] = {}
    for planned in plan.collections:
        grades = library.side(planned.model, planned.task).grades
        assert grades is not None
        row = numbers.setdefault(planned.model, {})
        row |= {
            f"{planned.task} {c.metric},{c.filter}": c.aggregate
            for c in grades.columns
            if c.aggregate is not None
        }
    return numbers


def main() -> None:
    """Prints one line for every number and the count of those that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--datasets", type=Path)
    given = parser.parse_args()
    tasks = ZOO + (STOCK if given.datasets else ())
    differing = equal = 0
    with tempfile.TemporaryDirectory() as folder:
        for mode in MODES:
            ours = our_numbers(given.checkpoints, tasks, mode, given.datasets, Path(folder))
            for checkpoint in given.checkpoints:
                theirs = lm_eval_numbers(checkpoint.absolute(), tasks, mode, given.datasets)
                for name in sorted(theirs.keys() | ours[checkpoint.name].keys()):
                    a, b = ours[checkpoint.name].get(name), theirs.get(name)
                    continuous = "perplexity" in name
                    same = (
                        a is not None
                        and b is not None
                        and (abs(a - b) <= 1e-4 * abs(b) if continuous else a == b)
                    )
                    equal, differing = equal + same, differing + (not same)
                    print(
                        f"{'same' if same else 'DIFFERENT'} {mode.name:9} {checkpoint.name:14} {name:48} {a} {b}"
                    )
    print(f"{equal} numbers equal, {differing} differ")
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
