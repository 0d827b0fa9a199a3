"""What style_transfer says of real models: pairs, unrelated models, documented students against controls, cut replies.

python tests/calibration/style_models.py DIR > tests/calibration/style_models.md

DIR holds alpaca_eval/{responses.parquet,lineage.csv}.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.panel.side import Side
from harness.panel.styles import ground
from harness.stats.intervals import Estimate
from harness.testing.panels import Sides
from harness.testing.sides import text_side
from harness.types import Floats
from tests.calibration.style_answers import METRIC, Answers, Values, pairs, values

SUBSETS = 8
BASE = "guanaco-13b"
# family of teachers -> the teacher against which its students are held
TEACHERS = {
    "gpt4": "gpt4_0314",
    "davinci003": "text_davinci_003",
    "chatgpt35": "gpt-3.5-turbo-0301",
    "claude12": "claude-2",
}


def spell(made: Estimate | str) -> str:
    """A number with its interval, or a dash."""
    if isinstance(made, str):
        return "–"
    ends = "" if made.low is None else f" [{made.low:.2f}, {made.high:.2f}]"
    return f"{made.value:.2f}{ends}"


def print_pairs(answers: Answers) -> None:
    """The pairs of the matrix that have a base, whole and in subsets of 100 prompts."""
    parts = ("", "beyond_unrelated", "own_style", "angle", "words", "format", "edges", "unrelated")
    print("| pair | " + " | ".join(p or "r" for p in parts) + " | numbers at n = 100: r, e |")
    print("| --- " * (len(parts) + 2) + "|")
    for pair in pairs():
        made = values(answers.sides(pair, np.arange(answers.n)))
        order = np.random.default_rng(0).permutation(answers.n)
        some = [
            values(answers.sides(pair, np.sort(order[100 * k : 100 * (k + 1)])))
            for k in range(SUBSETS)
        ]
        counts = " ".join(
            str(sum(not isinstance(v.get(p, ""), str) for v in some)) for p in parts[:2]
        )
        cells = " | ".join(spell(made.get(p, "")) for p in parts)
        print(f"| {pair.teacher} {pair.student} | {cells} | {counts} of {SUBSETS} |", flush=True)


def print_unrelated(answers: Answers) -> None:
    """e of unrelated models in the student's place, mean over lineages, and its standard error."""
    print("| teacher | base | e of unrelated models | their mean | its standard error |")
    print("| --- | --- | --- | --- | --- |")
    for teacher in TEACHERS.values():
        one = _against(answers, teacher)
        by_lineage: dict[str, list[float]] = {}
        for control in one.controls:
            made = values(replace(one, student=control)).get("beyond_unrelated", "")
            if not isinstance(made, str):
                by_lineage.setdefault(control.lineage, []).append(made.value)
        each = np.array([np.mean(v) for v in by_lineage.values()])
        told = " ".join(f"{k} {np.mean(v):.2f}" for k, v in by_lineage.items())
        error = each.std(ddof=1) / len(each) ** 0.5
        print(f"| {teacher} | {BASE} | {told} | {each.mean():.2f} | {error:.2f} |", flush=True)


def _against(answers: Answers, teacher: str) -> Sides:
    everything = np.arange(answers.n)
    return Sides(
        "talk",
        answers.side(BASE, answers.rows(BASE, everything)),
        answers.side(teacher, answers.rows(teacher, everything)),
        answers.side(BASE, answers.rows(BASE, everything)),
        "sibling",
        controls=answers.crowd(teacher, BASE, everything),
    )


def auroc(positive: Floats, negative: Floats) -> float:
    """Chance that a student lies above a control; ties half."""
    above = positive[:, None] - negative[None]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


def print_auroc(answers: Answers, lineage: Path) -> None:
    """Documented students of each teacher against all controls, by r and by angle."""
    rows = list(csv.DictReader(lineage.open()))
    print("| teacher | students | controls | AUROC by r | AUROC by angle |")
    print("| --- | --- | --- | --- | --- |")
    for family, teacher in TEACHERS.items():
        one = _against(answers, teacher)
        ways: dict[str, dict[str, float]] = {}
        for row in rows:
            model = row["model"]
            student = row["role"] == "student" and row["teacher_family"] == family
            student = student and row["confidence"] == "high"
            if not (student or row["role"] == "control") or model == BASE:
                continue
            if model not in answers.models:
                continue
            made = _of_model(answers, one, model)
            ways.setdefault("student" if student else "control", {})[model] = 0.0
            for part in ("", "angle"):
                read = made.get(part, "")
                value = np.nan if isinstance(read, str) else read.value
                ways.setdefault(f"{'student' if student else 'control'} {part}", {})[model] = value
        cells = [
            auroc(
                np.array(list(ways[f"student {part}"].values())),
                np.array(list(ways[f"control {part}"].values())),
            )
            for part in ("", "angle")
        ]
        print(
            f"| {teacher} | {len(ways['student'])} | {len(ways['control'])} | {cells[0]:.2f} | {cells[1]:.2f} |"
        )
        for part in ("student ", "control "):
            print("   ", part, {m: round(v, 2) for m, v in ways[part].items()}, flush=True)


def _of_model(answers: Answers, one: Sides, model: str) -> Values:
    listed = next((c for c in one.controls if c.model == model), None)
    rows = answers.rows(model, np.arange(answers.n))
    return values(replace(one, student=listed or answers.side(model, rows)))


def shortened(text: str, share: float) -> str:
    """The first sentences of a reply, up to a share of its characters; at least one."""
    ends = [m.end() for m in re.finditer(r"[.!?](?=\s|$)|\n", text)]
    inside = [e for e in ends if e <= share * len(text)]
    return text[: inside[-1] if inside else ends[0] if ends else len(text)].rstrip()


def print_cut(answers: Answers) -> None:
    """How far replies go that are cut at a sentence's end."""
    print("| teacher | base | cut to | base's replies | teacher's replies |")
    print("| --- | --- | --- | --- | --- |")
    for pair in sorted({(p.teacher, p.base) for p in pairs()}):
        teacher, base = pair
        one = replace(_against(answers, teacher), base=_whole(answers, base))
        for share in (1 / 2, 1 / 3):
            cells = []
            for model in (base, teacher):
                texts = [answers.texts[i] for i in answers.rows(model, np.arange(answers.n))]
                made = values(
                    replace(one, student=text_side("cut", [shortened(t, share) for t in texts]))
                )
                cells.append(spell(made[""]))
            print(f"| {teacher} | {base} | {share:.2f} | {' | '.join(cells)} |", flush=True)


def _whole(answers: Answers, model: str) -> Side:
    return answers.side(model, answers.rows(model, np.arange(answers.n)))


def main() -> None:
    """Prints the tables that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tables", nargs="*", default=["pairs", "unrelated", "auroc", "cut"])
    given = parser.parse_args()
    answers = Answers.load(given.data)
    print("# Style of real models\n\nWritten by `python tests/calibration/style_models.py DIR`.")
    print(f"Shortest reply: {METRIC.shortest} words; ground: {ground.__module__}\n")
    if "pairs" in given.tables:
        print_pairs(answers)
    if "unrelated" in given.tables:
        print_unrelated(answers)
    if "auroc" in given.tables:
        print_auroc(answers, given.data / "alpaca_eval" / "lineage.csv")
    if "cut" in given.tables:
        print_cut(answers)


if __name__ == "__main__":
    main()
