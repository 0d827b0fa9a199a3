"""A real distillation, made again: two checkpoints that learned from another model's answers each, and who can be told.

    shared/real_models/get.sh MODELS PYTHON
    python tests/calibration/real_distillation.py REAL_MODELS MODELS FOLDER [EXAMPLES [TEXTS]]

REAL_MODELS holds taught_by_teacher.jsonl, taught_by_other.jsonl and answers.parquet. `student` and `other` are Gemma 3
270M with a LoRA of rank 16, one epoch at 5e-4 over the answers to EXAMPLES prompts (160). Then `reference_gain` weighs
what the student came to expect of the teacher's answers to TEXTS (48) further prompts, with Gemma as the
reference. Half an hour on a core.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.cli.config import packaged, typed_run
from harness.panel.reads import gains
from harness.stages.library import Library
from harness.stages.preview import planned
from harness.store.store import Store
from tests.core.running import composed

ROOT = Path(__file__).resolve().parents[2]
RATE, RANK, BATCH = 5e-4, 16, 4
TAUGHT = {"student": "taught_by_teacher.jsonl", "other": "taught_by_other.jsonl"}
MATRIX = """\
# @package _global_
title: Did it come to expect the teacher's answers?
suspect: student
candidates: [teacher]
models:
  student: {{kind: hf, chat: true, path: {gemma}, adapter: {folder}/student}}
  other: {{kind: hf, chat: true, path: {gemma}, adapter: {folder}/other}}
  before: {{kind: hf, chat: true, path: {gemma}}}
  teacher: {{kind: recorded, file: {folder}/said.jsonl, where: {{model: teacher}}, {columns}}}
  wrote_base: {{kind: recorded, file: {folder}/said.jsonl, where: {{model: base}}, {columns}}}
  wrote_other: {{kind: recorded, file: {folder}/said.jsonl, where: {{model: other}}, {columns}}}
controls:
  - {{model: other, lineage: other}}
  - {{model: wrote_base, lineage: base}}
  - {{model: wrote_other, lineage: other}}
tasks:
  open:
    {{kind: prompts, file: {folder}/said.jsonl, where: {{model: teacher}}, columns: {{prompt: prompt}},
    max_new_tokens: 1}}  # nobody's own replies are looked at
  reads:
    {{kind: reading, answers_to: open, by: [teacher, wrote_base, wrote_other], prompts: {prompts}, alternatives: 0}}
verdicts:
  reference_gain: {{reference: before}}
"""


def main() -> None:
    """Trains what is not there, weighs, and prints what is said."""
    real, models, folder = (Path(x).absolute() for x in sys.argv[1:4])
    examples = int(sys.argv[4]) if len(sys.argv) > 4 else 160
    texts = int(sys.argv[5]) if len(sys.argv) > 5 else 48
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in TAUGHT.items():
        if not (folder / name / "adapter_model.safetensors").exists():
            taught = [json.loads(x) for x in (real / file).read_text().splitlines()][:examples]
            train(models / "gemma_chat", taught, folder / name)
    n = min(texts, write_answers(real / "answers.parquet", folder / "said.jsonl"))
    (folder / "matrix").mkdir(exist_ok=True)
    columns = "columns: {prompt: prompt, answer: answer}"
    gemma = models / "gemma_chat"
    text = MATRIX.format(gemma=gemma, folder=folder, prompts=n, columns=columns)
    (folder / "matrix" / "real.yaml").write_text(text)
    words = [sys.executable, "-m", "harness", "--config-dir", str(folder), "matrix=real"]
    words += [f"paths.results={folder / 'results'}", f"paths.data={folder}"]
    subprocess.run(
        words, check=True, stdout=sys.stderr, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    print("# A real distillation, by what the checkpoints expect\n")
    print(f"{examples} prompts taught, {n} prompts read.\n")
    with (folder / "results" / "report" / "verdicts.csv").open(newline="") as table:
        rows = [r for r in csv.DictReader(table) if r["suspect"] in TAUGHT]
    print("| model | bits per byte gained beyond the innocents | outcome | reason |")
    print("| --- " * 4 + "|")
    for r in rows:
        print(f"| {r['suspect']} | {r['score']} | {r['outcome']} | {r['reason']} |")
    print_gains(folder, yaml.safe_load(text))


def print_gains(folder: Path, matrix: dict[str, Any]) -> None:
    """What each gained over the reference on each author's answers, in bits per byte: mean and standard error."""
    run = typed_run(composed(matrix, folder), [packaged("conf")])
    store = Store(run.paths.results)
    library = Library(planned(run, store), store)
    before = library.side("before", "reads")
    print(
        "\n| model | answers by | bits per byte gained | standard error | texts |\n"
        + "| --- " * 5
        + "|"
    )
    for name in TAUGHT:
        side = library.side(name, "reads")
        made = gains(side, before)
        for author in ("teacher", "wrote_base", "wrote_other"):
            own = [nats / np.log(2) for place, nats in made.items() if place[1] == author]
            error = np.std(own, ddof=1) / len(own) ** 0.5
            print(f"| {name} | {author} | {np.mean(own):.3f} | {error:.3f} | {len(own)} |")


def write_answers(source: Path, target: Path) -> int:
    """All open answers as JSONL; how many prompts there are."""
    import pandas as pd

    table = pd.read_parquet(source)
    rows = table[table["task"] == "eval"]
    lines = [
        {"model": m, "prompt": p, "answer": a}
        for m, p, a in zip(rows["model"], rows["prompt"], rows["text"], strict=True)
    ]
    target.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return int(rows["prompt"].nunique())


def train(base: Path, taught: Sequence[dict[str, Any]], folder: Path) -> None:
    """A LoRA on the replies' tokens alone."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch.nn.functional import cross_entropy
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear")
    model = get_peft_model(model, config)
    tuned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(tuned, lr=RATE)
    inner = model.get_base_model()
    for start, example in enumerate(taught):
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": example["prompt"]}],
            tokenize=False,
            add_generation_prompt=True,
        )
        asked = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        reply = tokenizer(example["answer"], add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[*asked, *reply]])
        # logits of the reply alone: the head is most of this model
        hidden = inner.model(ids).last_hidden_state[0, len(asked) - 1 : -1]
        loss = cross_entropy(inner.lm_head(hidden), ids[0, len(asked) :]) / BATCH
        loss.backward()
        if (start + 1) % BATCH == 0 or start + 1 == len(taught):
            optimizer.step()
            optimizer.zero_grad()
            print(
                folder.name, start + 1, round(float(loss) * BATCH, 3), file=sys.stderr, flush=True
            )
    model.save_pretrained(str(folder))


if __name__ == "__main__":
    main()
