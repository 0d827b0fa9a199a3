"""Writes docs/validity.md: what each measure was checked against, and when not to use it. Reads stored tables only.

python tests/calibration/validity.py        after any table of this folder, validity.yaml or results/reference changed
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
PAGE = REPOSITORY / "docs" / "validity.md"
REFERENCE = REPOSITORY / "results" / "reference" / "scores.csv"
ONE_SIDED = ("style_only", "task_only")  # students of the zoo that were taught half of a teacher
NONE = "–"
# the part of a measure that is asked who learned from whom, where it is not the measure itself
PART = {"error_inheritance": "excess_vs_controls", "ngram_similarity": "content"}


EVERYTHING = "each model's own prompts"  # the column of evidence.md that has every model


HEADS = (
    "measure",
    "checked against",
    "95 % intervals hold the truth",
    "found where there is nothing",
    "AUROC, real models",
    "AUROC, zoo",
    "do not use it when",
)
HEAD = """# Validity

What each measure was checked against, and when not to use it. Written by `python tests/calibration/validity.py` from
the tables in `tests/calibration` and `results/reference`; only the words of `validity.yaml` are typed in.

- *Intervals*: least share of simulated runs whose interval holds the truth, over all cells of that kind in `table.md`
  (bar: .93). A measure without cells of its own has the interval of a mean over prompts or texts.
- *Nothing*: largest share of simulated runs with p below .05 where nothing is to be found (bar: .065), and rates on
  real unrelated models. Over models n counts lineages.
- *AUROC*: chance that a documented student, or a relative, lies above a model that is neither; .5 is a coin. In the zoo
  the truth is known, but its models are tiny; in brackets the numbers of values, over tasks and teachers, of students
  and of others. Students that were taught half of a teacher are in neither.
- –: there is no such number. A measure without an AUROC on real models is not known to work on them.
- Forgetting (students against their bases, by `task_score`): {forgetting}
"""


@dataclass(frozen=True)
class Note:
    """What validity.yaml says of a measure."""

    against: str
    test: str
    coverage: tuple[str, ...]
    nulls: tuple[str, ...]
    not_when: str


def notes() -> dict[str, Note]:
    """Measure -> its note."""
    said = yaml.safe_load((FOLDER / "validity.yaml").read_text("utf-8"))
    return {
        name: Note(n["against"], n["test"], tuple(n["coverage"]), tuple(n["nulls"]), n["not_when"])
        for name, n in said.items()
    }


def rows_of(text: str) -> list[list[str]]:
    """Cells of the rows of Markdown tables, heads included."""
    lines = [x for x in text.splitlines() if x.startswith("|") and not x.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def read(name: str) -> str:
    """A stored table of this folder."""
    return (FOLDER / name).read_text("utf-8")


def rates(text: str, prefixes: Sequence[str]) -> list[float]:
    """Rates of the cells whose name begins so; every prefix has to name some."""
    found = []
    for prefix in prefixes:
        own = [
            float(r[2])
            for r in rows_of(text)
            if r[0].startswith(prefix) and re.fullmatch(r"\d+", r[1])
        ]
        if not own:
            raise SystemExit(f"validity.yaml: no cell of table.md begins with {prefix!r}")
        found += own
    return found


def coverage(name: str, note: Note) -> str:
    """Least share of simulated intervals that hold the truth, over all cells."""
    if name == "style_transfer":
        match = re.search(r"Coverage ([\d.]+) over (\d+) numbers", read("style_dose.md"))
        return f"{float(match[1]):.3f} over {match[2]} doses of real replies" if match else NONE
    found = rates(read("table.md").split("## p-values")[0], note.coverage)
    return f"{min(found):.3f} at least, {len(found)} cells" if found else NONE


def false_rate(name: str, note: Note) -> str:
    """Largest share of nulls in which something is found: simulated, and real where there are real ones."""
    found = rates(read("table.md").split("## p-values")[1], note.nulls)
    said = [f"{max(found):.3f} at most, {len(found)} cells"] if found else []
    said += real_nulls(name)
    return "; ".join(said) or NONE


def real_nulls(name: str) -> Iterator[str]:
    """What tables of real answers say of nulls."""
    part = PART.get(name, name)
    tables = re.split(r"^#+ ", read("agreement_null.md"), flags=re.MULTILINE)
    own = next((t for t in tables if t.startswith(f"{part}\n")), "")
    for row in rows_of(own):
        if row[0].startswith("**"):
            rates = [sum(map(float, cell.split(" + "))) for cell in row if " + " in cell]
            yield f"{max(rates):.3f} at most of unrelated pairs of real models, {len(rates)} ways to draw them"
    if name == "attribution":
        yield from _accused()
    if name == "task_score":
        alarms = [re.match(r"(\d+) of (\d+)", row[4]) for row in rows_of(read("forgetting.md"))]
        told = [(int(m[1]), int(m[2])) for m in alarms if m]
        yield f"losses: {sum(a for a, _ in told)} alarms in {sum(n for _, n in told)} runs without one"


def _accused() -> Iterator[str]:
    """Innocent lineages of which evidence.md says that they are accused, and stops of evidence_curve.md."""
    text = read("evidence.md")
    match = re.search(r"(\d+ of \d+) lineages without a documented teacher accused (\[.+?\])", text)
    clean = [r for r in rows_of(text) if len(r) == 8 and r[2] == EVERYTHING]
    supported = {r[0] for r in clean if r[7] == "supports"}
    if match:
        yield f"{match[1]} real lineages without a documented teacher accused {match[2]}"
    yield f"{len(supported)} of {len({r[0] for r in clean})} clean ones"
    stops = [r[6].split()[0] for r in rows_of(read("evidence_curve.md")) if r[1][:1].isdigit()]
    yield f"asking would have stopped for {max(map(float, stops)):.3f} of false pairs at most"


def auroc_of_real(name: str) -> str:
    """How well it tells relatives, or documented students, from others among real models."""
    if name == "attribution":
        rows = [r for r in rows_of(read("evidence.md")) if r[0].startswith("AUROC")]
        return "; ".join(f"{r[0].removeprefix('AUROC ')}: {r[2]}" for r in rows)
    if name == "style_transfer":
        rows = [r for r in rows_of(read("style_models.md")) if len(r) == 5 and r[1].isdigit()]
        return "; ".join(f"{r[0]} {r[4]} by angle, {r[3]} by r" for r in rows)
    part = PART.get(name, name)
    rows = [r for r in rows_of(read("agreement_null.md")) if len(r) == 4 and r[0] == part]
    return "; ".join(f"{r[3]} ({r[1]} related, {r[2]} unrelated pairs)" for r in rows) or NONE


def auroc_of_zoo(name: str) -> str:
    """How well it tells a teacher's students from models that it did not teach, over all tasks of the zoo."""
    metric = f"{name}/{PART[name]}" if name in PART else name
    taught: list[float] = []
    others: list[float] = []
    with REFERENCE.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            student, teacher = row["student"], row["teacher"]
            if row["metric"] != metric or not teacher or not row["value"]:
                continue
            if student.startswith(ONE_SIDED):
                continue
            own = student.endswith(teacher[-2:]) and student != teacher
            (taught if own else others).append(float(row["value"]))
    if not taught or not others:
        return NONE
    above = [(a > b) + 0.5 * (a == b) for a in taught for b in others]
    return f"{sum(above) / len(above):.2f} ({len(taught)}, {len(others)})"


def page() -> str:
    """The text of docs/validity.md."""
    lines = [HEAD.format(forgetting=forgetting()), f"| {' | '.join(HEADS)} |"]
    lines.append("| --- " * len(HEADS) + "|")
    for name, note in sorted(notes().items()):
        cells = (
            f"`{name}`",
            f"{note.against} ([test](../{note.test}))",
            coverage(name, note),
            false_rate(name, note),
            auroc_of_real(name),
            auroc_of_zoo(name),
            note.not_when,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def forgetting() -> str:
    """What forgetting.md says, in a sentence."""
    rows = [r for r in rows_of(read("forgetting.md")) if r[1].isdigit()]
    found = [float(r[5]) for r in rows]
    alarms = max(int(r[4].split()[0]) for r in rows)
    return (
        f"a loss as large as is said to be detectable is found in {min(found):.2f} to {max(found):.2f} of cases "
        f"(80 % is claimed), with {alarms} false alarms in 200 runs at most."
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(REPOSITORY)}: {len(notes())} measures", file=sys.stderr)
