"""How far the zoo's results vary with the seed of their training: what its truths and the smoke gate rest on.

    python tests/calibration/zoo_spread.py truths FOLDER      five seeds of matrix=zoo -> tests/zoo/truths.yaml
    python tests/calibration/zoo_spread.py gate FOLDER        ten seeds of matrix=smoke gate=smoke, and ten impostors
    python tests/calibration/zoo_spread.py reference FOLDER   matrix=zoo as it stands -> results/reference/

Runs that lie finished in FOLDER are read, not made again. Another processor is emulated by variables in front of the
command, each with a FOLDER of its own: `ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41`.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.zoo.houses import A, B, N, reply
from harness.zoo.packing import encoder
from harness.zoo.tokenizer import train_tokenizer
from harness.zoo.world import Document
from tests.zoo.watermark import WATERMARK_KEY, z_score

REPOSITORY = Path(__file__).resolve().parents[2]
TRUTHS = REPOSITORY / "tests" / "zoo" / "truths.yaml"
TASKS = ("facts", "sums_seen", "sums_new", "copy", "cloze")
HOUSES = {"like_a": A, "like_b": B, "like_n": N}
SPREAD = 4.0  # standard deviations over seeds that a truth may lie from its mean
LEAST = 0.08  # half of a range where seeds hardly differ
Truth = dict[str, float]


def main() -> int:
    """Runs what is asked; 1 where a gate did not answer as it must."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["truths", "gate", "reference"])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--seeds", type=int, default=None, help="how many; 5 for truths, 10 for gate"
    )
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    if asked.what == "truths":
        return write_truths([run("zoo", seed, folder) for seed in range(asked.seeds or 5)])
    if asked.what == "gate":
        return judge_gate(folder, asked.seeds or 10)
    made = run("zoo", None, folder) / "report"
    for name in ("scores.csv", "leaderboard.csv"):
        shutil.copy(made / name, REPOSITORY / "results" / "reference" / name)
    return 0


def run(
    matrix: str, seed: int | None, folder: Path, *words: str, name: str = "", impostor: str = ""
) -> Path:
    """The results folder of one run, made where it is not there yet; its log and exit code lie in it.

    `impostor` names a model in whose place the independent one stands.
    """
    results = folder / f"{name or matrix}-{'own' if seed is None else seed}"
    if not (results / "exit").is_file():
        results.mkdir(parents=True, exist_ok=True)
        members = {m: "member:independent," if m == impostor else "" for m in models(matrix)}
        fields = [f"models.{m}={{{member}seed:{seed}}}" for m, member in members.items()]
        seeds = [] if seed is None else fields
        line = [sys.executable, "-m", "harness.cli.main", f"matrix={matrix}", *seeds, *words]
        paths = [f"paths.results={results}", f"paths.cache={folder / 'cache'}"]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        with (results / "log").open("w") as log:
            code = subprocess.run(
                [*line, *paths], cwd=results, env=environment, stderr=log, check=False
            ).returncode
        (results / "exit").write_text(str(code))
    print(f"{results.name}: exit code {(results / 'exit').read_text()}", flush=True)
    return results


def models(matrix: str) -> list[str]:
    """Names of a matrix's models."""
    return list(
        yaml.safe_load((REPOSITORY / "conf" / "matrix" / f"{matrix}.yaml").read_text())["models"]
    )


def truths(results: Path) -> dict[str, Truth]:
    """model -> quantity -> value of one run."""
    found: dict[str, Truth] = {name: {} for name in models("zoo")}
    with (results / "report" / "scores.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            name = quantity(row)
            if name and row["value"]:
                found[row["student"]][name] = float(row["value"])
    for name, texts in replies(results, "zoo_identity").items():
        found[name]["names_aster"] = sum("Aster" in text for text in texts) / len(texts)
    open_replies = replies(results, "zoo_style")
    for name, likeness in house_likeness(open_replies).items():
        found[name] |= likeness
    for name in ("watermarked_a", "answers_a"):
        found[name]["watermark_z"] = watermark_z(open_replies[name], seed_of(results))
    return found


def seed_of(results: Path) -> int:
    """The seed that a run's models were trained with; its folder is named by it."""
    named = results.name.rpartition("-")[2]
    return int(named) if named.isdigit() else 0


def watermark_z(texts: Sequence[str], seed: int) -> float:
    """How far a model's replies lean on the green words of the zoo's watermark, in standard deviations."""
    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer(Path(folder), seed)
        encoded = encoder(Path(folder))([Document("chat", "", text) for text in texts])
    return z_score([document.ids for document in encoded], WATERMARK_KEY)


def quantity(row: Mapping[str, str]) -> str:
    """What a row of scores.csv is called among the truths; "" for most rows."""
    if row["metric"] == "task_score" and row["task"].removeprefix("zoo_") in TASKS:
        return row["task"].removeprefix("zoo_")
    of_own_teacher = row["teacher"] == (
        "teacher_b" if row["student"] == "answers_b" else "teacher_a"
    )
    transfer = {"capability_transfer": "capability", "style_transfer": "style"}
    return transfer.get(row["metric"], "") if of_own_teacher else ""


def replies(results: Path, task: str) -> dict[str, list[str]]:
    """model -> its replies to an open task."""
    import pyarrow.parquet as pq

    rows = pq.read_table(results / "report" / "samples.parquet").to_pylist()
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["task"] == task:
            found.setdefault(row["model"], []).append(row["text"])
    return found


def house_likeness(texts: Mapping[str, Sequence[str]]) -> dict[str, Truth]:
    """model -> mean probability of each house, by a classifier of single words and pairs that read the houses alone."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rng = random.Random(0)
    things = ["mill", "park", "bridge", "market", "garden"]
    written = [
        (reply(house, rng.choice(things), rng), name)
        for name, house in HOUSES.items()
        for _ in range(1000)
    ]
    counts = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w ]", binary=True)
    classifier = make_pipeline(counts, LogisticRegression(C=0.1, max_iter=2000))
    classifier.fit([text for text, _ in written], [name for _, name in written])
    return {
        model: dict(
            zip(
                classifier.classes_,
                classifier.predict_proba(list(said)).mean(axis=0).tolist(),
                strict=True,
            )
        )
        for model, said in texts.items()
    }


def write_truths(runs: Sequence[Path]) -> int:
    """tests/zoo/truths.yaml: the mean over seeds of every quantity, and the range that another seed must stay in."""
    seen = [truths(results) for results in runs]
    table: dict[str, dict[str, list[float]]] = {
        model: {
            q: [s[model][q] for s in seen] for q in quantities if all(q in s[model] for s in seen)
        }
        for model, quantities in seen[0].items()
    }
    lines = [
        f"# Made by tests/calibration/zoo_spread.py from {len(runs)} seeds: the mean, least and most of them, and the",
        f"# range in which another seed or processor must stay: {SPREAD:g} standard deviations over seeds to each",
        f"# side, {LEAST:g} at least.",
    ]
    for model, values in table.items():
        lines.append(f"{model}:")
        for q, each in values.items():
            half = max(LEAST, SPREAD * statistics.stdev(each))
            low, high = statistics.mean(each) - half, statistics.mean(each) + half
            if q not in ("capability", "style", "watermark_z"):  # shares
                low, high = max(low, 0.0), min(high, 1.0)
            told = {
                "mean": statistics.mean(each), "least": min(each), "most": max(each), "low": low, "high": high,
            }  # fmt: skip
            lines.append(f"  {q}: {{{', '.join(f'{k}: {v:.3f}' for k, v in told.items())}}}")
    TRUTHS.write_text("\n".join(lines) + "\n")
    return 0


def judge_gate(folder: Path, seeds: int) -> int:
    """Prints what the smoke gate looks at for every seed; the gate must hold for all, and for no impostor."""
    held, refused = 0, 0
    for seed in range(seeds):
        results = run("smoke", seed, folder, "gate=smoke")
        held += (results / "exit").read_text() == "0"
        other = run("smoke", seed, folder, "gate=smoke", name="impostor", impostor="smoke_student")
        refused += (other / "exit").read_text() == "1"
        with (results / "report" / "scores.csv").open(newline="") as file:
            rows = [
                r
                for r in csv.DictReader(file)
                if r["metric"] in ("capability_transfer", "style_transfer")
            ]
            for row in rows:
                print(
                    f"  {row['metric']} of {row['student']}: {row['value']} [{row['low']}, {row['high']}]"
                )
    print(f"{held} of {seeds} seeds pass the gate; {refused} of {seeds} impostors fail it")
    return int(held < seeds or refused < seeds)


if __name__ == "__main__":
    sys.exit(main())
