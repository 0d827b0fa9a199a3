"""What ten adapters of one base cost beside one: python -m tests.bench.adapters [--adapters N] [--questions N]

A random Llama of 60M parameters, LoRA adapters as peft writes them, questions of several options: whole processes from
an empty store, their largest memory, and the log-likelihoods beside those of checkpoints into which peft merged the
same adapters.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench import inputs
from tests.bench.whole import Process, run_command

MEMORY, NATS = (
    1.1,
    1e-4,
)  # the bars: of one adapter's memory; largest difference of a log-likelihood
TASK = "bench_easy_0"


def make_adapters(folder: Path, base: Path, n: int) -> list[Path]:
    """Adapters whose weights change every answer, and each merged into a checkpoint of its own beside it."""
    import peft
    import torch
    import transformers

    made = []
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    for seed in range(n):
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        settings = peft.LoraConfig(task_type="CAUSAL_LM", r=16, target_modules=targets)
        adapted = peft.get_peft_model(model, settings)
        for part in adapted.parameters():
            if part.requires_grad:
                part.data += 0.02 * torch.randn_like(part)
        place = folder / f"a{seed}"
        adapted.save_pretrained(str(place))
        adapted.merge_and_unload().save_pretrained(folder / f"merged{seed}")
        tokenizer.save_pretrained(folder / f"merged{seed}")
        made.append(place)
    return made


def measured(folder: Path, models: dict[str, Any]) -> tuple[Process, Path]:
    """The process that answers and grades, and its results."""
    folder.mkdir(parents=True)
    (folder / "conf" / "matrix").mkdir(parents=True)
    matrix = {
        "models": models,
        "tasks": {TASK: {"kind": "lm_eval", "task": TASK, "include": str(folder.parent / "tasks")}},
        "metrics": {"task_score": None},
    }
    text = f"# @package _global_\n{json.dumps(matrix)}\n"
    (folder / "conf" / "matrix" / "bench.yaml").write_text(text, "utf-8")
    paths = [f"paths.{key}={folder / key}" for key in ("results", "cache")]
    words = ["--config-dir", str(folder / "conf"), "matrix=bench", *paths]
    process = run_command([sys.executable, "-W", "ignore", "-m", "harness", *words])
    return process, folder / "results"


def nats_of(results: Path) -> dict[str, Any]:
    """Model -> the log-likelihoods of its options."""
    import pyarrow.parquet as pq

    from harness.store.store import Store

    store, found = Store(results), dict[str, Any]()
    for rows in (results / "store").glob("*/*/rows.parquet"):
        spec = store.spec(rows.parent.name)
        table = pq.read_table(rows)
        if "logprob_nats" in table.column_names:
            found[str(spec["model"])] = table["logprob_nats"].to_numpy(zero_copy_only=False)
    return found


def main() -> int:
    """Prints the table; 1 where a bar is missed."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--adapters", type=int, default=10)
    ask.add_argument("--questions", type=int, default=30)
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        inputs.make_tasks(work / "tasks", asked.questions, 1, asked.questions)
        inputs.make_model(work / "model")
        adapters = make_adapters(work / "adapters", work / "model", asked.adapters)
        common = {"kind": "hf", "dtype": "float32", "device": "cpu"}
        base = {**common, "path": str(work / "model")}
        models = {a.name: {**base, "adapter": str(a)} for a in adapters}
        one, _ = measured(work / "one", {"a0": models["a0"]})
        ten, results = measured(work / "ten", models)
        merged = {
            a.name: {**common, "path": str(a.with_name(a.name.replace("a", "merged")))}
            for a in adapters
        }
        whole, whole_results = measured(work / "whole", merged)
        mine, theirs = nats_of(results), nats_of(whole_results)
        worst = max(float(np.abs(mine[n] - theirs[n]).max()) for n in models)
    ratio = ten.peak_bytes / one.peak_bytes
    for what, process in (
        ("one adapter", one),
        (f"{len(models)} adapters", ten),
        ("merged", whole),
    ):
        print(
            f"{what}: {process.wall_s:.1f} s, {process.cpu_s:.1f} s of processors, {process.peak_bytes / 2**20:.0f} MiB"
        )
    print(
        f"memory {ratio:.2f} x (bar {MEMORY}), largest difference {worst:.1e} nats (bar {NATS:g})"
    )
    return int(ratio > MEMORY or worst > NATS)


if __name__ == "__main__":
    sys.exit(main())
