"""What the test of the README puts in place of what a test cannot have; everything else runs as it stands.

| in the README | here | because |
| --- | --- | --- |
| `distillbench`, `python` | this checkout, run by the interpreter of the tests | nothing is installed anew for a test |
| checkpoints at the named paths | random models of two layers at those paths | the paths are placeholders |
| data sets of the hub | made-up rows of the same form, by `paths.datasets` | no test needs a network |
| the trained zoo | random models in its cache, where it looks first | training takes minutes |
| every prompt, two processes | `SHORT`: 20 prompts, one process | the same code in seconds |
| tasks of the first, quick look at a matrix | `style_prompts`, `zoo_style` | lm-eval's take up to ten seconds to find |
| tasks of `matrix=standard` | `only.tasks`: two of its nine | the other seven come from the hub too |
| models, tasks, metrics of `matrix=zoo` | `only`: three, two, two | sweeps multiply them |
| files of three models | `make_answers.py`'s answers, `split_answers` | they are the reader's own |
| a browser | `true` | no test opens one |
| `make`, `pip` | a dry run of the one, a recorded call of the other | they install for minutes |
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.zoo import Place
from harness.zoo import recipe as recipes
from tests.models.tiny import byte_tokenizer, save_llama
from tests.readme.blocks import REPOSITORY

CHECKPOINTS = (
    "some-org/teacher-7b",
    "checkpoints/before",
    "checkpoints/after_a",
    "checkpoints/after_b",
    "some-org/never-saw-the-teacher-1b",
)
SHORT = ("limit=20", "workers=1")
ROWS = 20  # as many prompts as a measure of style wants


def run(folder: Path, command: str, *changes: str) -> subprocess.CompletedProcess[str]:
    """A command of the README as a shell runs it in `folder`; `changes` stand behind every `distillbench`."""
    bin_folder = folder / ".bin"
    bin_folder.mkdir(exist_ok=True)
    python = f"{shlex.quote(sys.executable)} -W error::SyntaxWarning"
    _program(bin_folder / "python", f'exec {python} "$@"')
    _program(
        bin_folder / "distillbench", f'exec {python} -m harness.cli.main "$@" {shlex.join(changes)}'
    )
    _program(bin_folder / "pip", f'echo "$@" >> {shlex.quote(str(folder / "pip.log"))}')
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "DISTILLBENCH_CACHE": str(folder / ".cache"),
        "HF_HUB_OFFLINE": "1",
        "BROWSER": "true",
    }
    line = ["bash", "-euc", command]
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def split_answers(folder: Path) -> None:
    """The one file of answers as a file per model, with other columns."""
    names = {"teacher-v1": "teacher", "before": "before", "after": "student"}
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    for model, name in names.items():
        own = [
            {"instruction": r["question"], "reply": r["reply"]} for r in rows if r["model"] == model
        ]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in own))


def put_checkpoints(folder: Path) -> None:
    """Five random chat models at the paths that the README names."""
    for seed, path in enumerate(CHECKPOINTS):
        _save(folder / path, seed)


def put_training(folder: Path) -> None:
    """Two checkpoints of a training that goes on."""
    for step in (20, 100):
        _save(folder / f"runs/checkpoint-{step}", step)


def put_zoo(folder: Path, members: Sequence[str]) -> None:
    """Random models, and their states while they learned, where the trained ones lie."""
    place = Place(folder / ".cache" / "zoo")
    for seed, member in enumerate(members):
        for step in (None, *recipes.checkpoints(member, "full")):
            _save(place.folder / recipes.checkpoint_name(member, step), seed)


def _save(folder: Path, seed: int) -> None:
    """A random model whose replies are short: every eighth token ends them."""
    from transformers import GenerationConfig

    tokenizer = byte_tokenizer()
    save_llama(folder, tokenizer, seed=seed, max_position_embeddings=1024)
    GenerationConfig(
        eos_token_id=list(range(1, len(tokenizer), 8)), bos_token_id=0
    ).save_pretrained(folder)


def put_hub_data(folder: Path) -> str:
    """Made-up rows of ARC-Easy and GSM8K; the word that makes distillbench take them."""
    easy = {
        "question": "Which of these is {0}?",
        "choices": {"text": ["{0}", "{0}0", "-{0}", "1{0}"], "label": ["A", "B", "C", "D"]},
        "answerKey": "A",
    }
    sums = {"question": "What is {0} and 2?", "answer": "They are <<{0}+2>>\n#### {1}"}
    for name, config, row in (
        ("allenai/ai2_arc", "ARC-Easy", easy),
        ("openai/gsm8k", "main", sums),
    ):
        splits = ("train", "validation", "test") if config == "ARC-Easy" else ("train", "test")
        _write_data_set(folder / "hub" / name, config, splits, json.dumps(row))
    return f"paths.datasets={folder / 'hub'}"


def _write_data_set(folder: Path, config: str, splits: Sequence[str], row: str) -> None:
    (folder / config).mkdir(parents=True)
    lines = [row.replace("{0}", str(i)).replace("{1}", str(i + 2)) for i in range(ROWS)]
    for split in splits:
        (folder / config / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    files = "".join(f"  - split: {split}\n    path: {config}/{split}.jsonl\n" for split in splits)
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: {config}\n  data_files:\n{files}---\n"
    )
