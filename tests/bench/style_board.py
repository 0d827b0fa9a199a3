"""What the measures of style of 100 models cost: from a file of recorded answers to the page, again, and with one more.

    python -m tests.bench.style_board DATA_DIR [FOLDER]

DATA_DIR holds alpaca_eval: answers to 805 prompts. One teacher with its base, nine lineages of controls, and students;
a student more has the answers of another one in capitals. Seconds by the clock mean something on a quiet machine only.
The bars, on two processors: 60 s for the first, 30 s for a student more.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.calibration.board_cost import timed, write_newcomer
from tests.calibration.style_cost import BASE, CONTROLS, TEACHER

MODELS = 100
CEILING = "gpt4_0613"  # the teacher's later version
# those of matrix=alpaca_eval
METRICS = (
    "length", "truncation", "style_profile", "style_transfer", "style_classifier", "ngram_similarity",
    "capability_transfer",
)  # fmt: skip
STUDENTS = """\
# @package _global_
title: Style of {n} models
models:
{recorded}
{newcomer}
tasks: {{alpaca_eval: }}
metrics: {{{metrics}}}
pairs:
{pairs}
controls:
{controls}
workers: 2
"""  # fmt: skip


def main() -> None:
    """Prints the table."""
    data = Path(sys.argv[1]).absolute()
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).absolute()
    (folder / "matrix").mkdir(parents=True, exist_ok=True)
    write_newcomer(data, folder / "new.jsonl")
    for name, newcomer in (("styles", ""), ("styles_and_one", str(folder / "new.jsonl"))):
        (folder / "matrix" / f"{name}.yaml").write_text(matrix(data, newcomer))
    print("| run | wall s | busy processor s of the machine | memory GB |")
    print("| --- | --- | --- | --- |")
    for title, name in (
        (f"{MODELS} models, from nothing", "styles"),
        ("again", "styles"),
        ("a student more", "styles_and_one"),
    ):
        print(f"| {title} | {timed(name, data, folder)} |", flush=True)


def matrix(data: Path, newcomer: str) -> str:
    """The configuration; `newcomer`: a file with the answers of a student more, "" = there is none."""
    import pandas as pd

    named = pd.read_parquet(data / "alpaca_eval" / "responses.parquet", columns=["model"])["model"]
    special = (TEACHER, BASE, CEILING, *CONTROLS)
    others = [m for m in sorted(set(named)) if m not in special]
    students = others[: MODELS - len(special)]
    own = 'file: alpaca_eval/responses.parquet, where: {model: "{name}"}'
    columns = "columns: {prompt: prompt, answer: response}"
    added = f"newcomer: {{kind: recorded, file: {newcomer}, columns: {{prompt: question, answer: reply}}}}"
    taught = f"base: {BASE}, base_kind: sibling, ceiling: {CEILING}"
    pairs = [*students, *(["newcomer"] if newcomer else [])]
    return STUDENTS.format(
        n=MODELS,
        metrics=", ".join(f"{name}: " for name in METRICS),
        recorded="\n".join(f"  {m}: {{kind: recorded, {own}, {columns}}}" for m in (*special, *students)),
        newcomer=f"  {added}" if newcomer else "",
        pairs="\n".join(f"  - {{teacher: {TEACHER}, student: {m}, {taught}}}" for m in pairs),
        controls="\n".join(f"  - {{model: {m}, lineage: {m}}}" for m in CONTROLS),
    )  # fmt: skip


if __name__ == "__main__":
    main()
