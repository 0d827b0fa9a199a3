"""What the table of the zoo panel says: `results/reference/zoo_panel.csv` in numbers, from its rows alone."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.stats.means import clopper_pearson
from harness.stats.multiple import holm
from harness.stats.roc import auroc
from tests.calibration.zoo_members import FROM_ANSWERS, INNOCENT, MIXED, SPECIAL

TABLE = Path(__file__).resolve().parents[2] / "results" / "reference" / "zoo_panel.csv"
LEVEL = 0.05
RESAMPLES = 2000


@dataclass(frozen=True)
class Row:
    """What is said of one model and one of the two teachers of its seed; None = nothing can be told."""

    seed: int
    way: str  # how the model came to be
    teacher: str  # a or b
    # 1 = it learned from this teacher's replies, 0 = it did not, None = from its task answers or rewritten replies only
    learned: int | None
    outcome: str  # of `attribution`
    odds: float | None
    p: float | None  # of its function words, among innocents
    named: int  # whether this teacher is named, of those of all seeds
    elsewhere: str  # outcome where nothing of this seed was known
    elsewhere_odds: float | None
    errors_p: float  # of wrong answers shared with the teacher, among innocents
    read: str  # outcome of `reference_gain`
    read_named: int  # whether it gained more on this teacher's replies than on the other's
    read_bits: float | None  # per byte gained beyond innocents
    read_odds: float | None

    @property
    def model(self) -> tuple[int, str]:
        """Whose row it is."""
        return self.seed, self.way

    @property
    def kind(self) -> str:
        """How it came to be, whoever the teacher was."""
        return self.way[:-2] if self.way[-2:] in ("_a", "_b") else self.way

    def cells(self) -> list[str]:
        """The row as text."""
        values = (getattr(self, f.name) for f in fields(self))
        return ["" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for v in values]


def read_rows(path: Path = TABLE) -> list[Row]:
    """The rows of the table."""
    kinds: dict[str, Callable[[str], object]] = {
        "int": int, "str": str, "float": float, "int | None": int, "float | None": float,
    }  # fmt: skip
    made = []
    with path.open(newline="", encoding="utf-8") as file:
        for cells in csv.DictReader(file):
            values = {
                f.name: kinds[str(f.type)](cells[f.name])
                if cells[f.name] or f.type == "str"
                else None
                for f in fields(Row)
            }
            made.append(Row(**values))  # type: ignore[arg-type]
    return made


def truth(way: str, teacher: str) -> int | None:
    """Whether a model learned from a teacher's replies; None where it is a case of its own."""
    if way in MIXED:
        return 1
    if way in INNOCENT or not way.endswith(f"_{teacher}"):
        return 0
    return 1 if f"{way[:-1]}{{t}}" in FROM_ANSWERS else None


class Share(NamedTuple):
    """How many of how many models; intervals of the share with 95 %."""

    n: int
    of: int
    exact: tuple[float, float]  # Clopper and Pearson's
    seeds: tuple[float, float]  # of a bootstrap over seeds

    @property
    def text(self) -> str:
        """For a table."""
        (low, high), (least, most) = self.exact, self.seeds
        return f"{self.n} of {self.of} | [{low:.3f}, {high:.3f}] | [{least:.3f}, {most:.3f}]"


def share(models: dict[tuple[int, str], bool]) -> Share:
    """The share of models of which something holds."""
    seeds = sorted({seed for seed, _ in models})
    counts = np.array([[sum(v for (s, _), v in models.items() if s == seed),
                        sum(s == seed for s, _ in models)] for seed in seeds])  # fmt: skip
    drawn = np.random.default_rng(0).integers(len(seeds), size=(RESAMPLES, len(seeds)))
    totals = counts[drawn].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    n, of = (int(x) for x in counts.sum(axis=0))
    return Share(n, of, clopper_pearson(n, of), (float(low), float(high)))


def by_model(rows: Iterable[Row]) -> dict[tuple[int, str], list[Row]]:
    """The two rows of every model."""
    made: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        made.setdefault(row.model, []).append(row)
    return made


def accused(rows: Iterable[Row], says: Callable[[Row], bool]) -> Share:
    """Models that learned from neither teacher, and of which one of them is supported."""
    own = by_model(r for r in rows if r.way in INNOCENT)
    return share({m: any(says(r) for r in two) for m, two in own.items()})


def accused_at_level(rows: Sequence[Row]) -> Share:
    """The same by p, Holm's over both teachers."""
    own = by_model(r for r in rows if r.way in INNOCENT)
    return share({m: _least(two) <= LEVEL for m, two in own.items()})


def has_low_p(row: Row) -> bool:
    """Whether at most 5 % of innocents look so guilty."""
    return row.p is not None and row.p <= LEVEL


def _least(rows: Sequence[Row]) -> float:
    return float(min(holm([1.0 if r.p is None else r.p for r in rows])))


def false_pairs(rows: Sequence[Row], says: Callable[[Row], bool]) -> Share:
    """Pairs of a model and a teacher that it did not learn from, and of how many something holds."""
    return share({(r.seed, r.way + r.teacher): says(r) for r in rows if r.learned == 0})


def guilty(rows: Sequence[Row], says: Callable[[Row], bool], kind: str = "") -> Share:
    """Models that learned from one teacher's replies (of a kind), and what holds of that teacher."""
    true = [r for r in rows if r.learned == 1 and r.way not in MIXED and kind in ("", r.kind)]
    return share({r.model: says(r) for r in true})


def outcomes(rows: Iterable[Row], of: Callable[[Row], str]) -> str:
    """How often each outcome occurs, in words."""
    said = [of(r) for r in rows]
    kinds = ("supports", "cannot tell", "does not support")
    return ", ".join(f"{k} {said.count(k)}" for k in kinds)


def one_alone(rows: Sequence[Row]) -> list[str]:
    """Students of both teachers of whom one teacher alone is supported."""
    own = by_model(r for r in rows if r.way in MIXED)
    return [
        f"{way} of seed {seed} ({', '.join('-' if r.odds is None else f'{r.odds:.2g}' for r in two)})"
        for (seed, way), two in own.items()
        if sum(r.outcome == "supports" for r in two) == 1
    ]


def _auroc(rows: Sequence[Row], of: Callable[[Row], float | None]) -> float:
    """Of true pairs against false ones."""
    told = [(r.learned == 1, v) for r in rows if r.learned is not None and r.way not in MIXED
            and (v := of(r)) is not None]  # fmt: skip
    values, truths = (np.array(x) for x in zip(*[(v, t) for t, v in told], strict=True))
    return auroc(values.astype(np.float64), truths)


def summary(rows: Sequence[Row]) -> str:
    """The whole summary as Markdown."""
    seeds = len({r.seed for r in rows})
    readers = [
        r for r in rows if r.read_bits is not None
    ]  # the base is the reference, and has none
    lines = [
        "# Evidence where the truth is known: the zoo panel",
        "",
        f"Made by `python tests/calibration/zoo_panel.py` from {seeds} seeds; the rows are in `zoo_panel.csv`.",
        "",
        "| what | models | 95 %, Clopper and Pearson | 95 %, over seeds |",
        "| --- | --- | --- | --- |",
    ]
    named: list[tuple[str, Share]] = [
        ("innocents of whom a teacher is supported", accused(rows, lambda r: r.outcome == "supports")),
        ("the same, everything fitted on other seeds", accused(rows, lambda r: r.elsewhere == "supports")),
        ("innocents with p ≤ .05 (Holm over both teachers)", accused_at_level(rows)),
        ("false pairs with p ≤ .05", false_pairs(rows, has_low_p)),
        ("students whose teacher is named, of all seeds' teachers", guilty(rows, lambda r: r.named == 1)),
        ("students whose teacher is supported", guilty(rows, lambda r: r.outcome == "supports")),
        ("the same, everything fitted on other seeds", guilty(rows, lambda r: r.elsewhere == "supports")),
        ("students with p ≤ .05 for their teacher", guilty(rows, has_low_p)),
        ("`reference_gain`: innocents, a teacher supported", accused(readers, lambda r: r.read == "supports")),
        ("`reference_gain`: students whose teacher is named, of two", guilty(rows, lambda r: r.read_named == 1)),
        ("`reference_gain`: students whose teacher is supported", guilty(rows, lambda r: r.read == "supports")),
        ("shared wrong answers: false pairs with p ≤ .05", false_pairs(rows, lambda r: r.errors_p <= LEVEL)),
    ]  # fmt: skip
    lines += [f"| {what} | {made.text} |" for what, made in named]
    lines += ["", "| way | named | supported | fitted on other seeds | `reference_gain` | shared errors, p ≤ .05 |",
              "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    lines += [_way(rows, name.removesuffix("_{t}")) for name in (*FROM_ANSWERS, *SPECIAL)]
    lines += _further(rows)
    return "\n".join(lines) + "\n"


def _way(rows: Sequence[Row], kind: str) -> str:
    """A row per way of learning: of how many the teacher is found."""
    own = [r for r in rows if r.kind == kind and r.way.endswith(f"_{r.teacher}")]
    counts = (
        sum(r.named for r in own),
        sum(r.outcome == "supports" for r in own),
        sum(r.elsewhere == "supports" for r in own),
        sum(r.read == "supports" for r in own),
        sum(r.errors_p <= LEVEL for r in own),
    )
    return f"| {kind} | " + " | ".join(f"{n} of {len(own)}" for n in counts) + " |"


def _further(rows: Sequence[Row]) -> list[str]:
    """What the tables do not say."""
    task_only = [r for r in rows if r.kind == "task_only" and r.way.endswith(f"_{r.teacher}")]
    mixed = by_model(r for r in rows if r.way in MIXED)
    both = sum(all(r.outcome == "supports" for r in two) for two in mixed.values())
    alone = one_alone(rows)
    largest = max(r.odds or 0.0 for r in rows)
    wrong = max(r.odds or 0.0 for r in rows if r.learned == 0)
    return [
        "",
        f"- Students of a teacher's task answers alone, by style: {outcomes(task_only, lambda r: r.outcome)}.",
        f"- Students of both teachers, half and half: both supported for {both} of {len(mixed)}, one alone for "
        f"{len(alone)}{': odds for both of ' + '; '.join(alone) if alone else ''}.",
        f"- The largest odds of anybody are {largest:.3g}, for a teacher that one did not learn from {wrong:.2g}.",
        f"- AUROC of true against false pairs: odds {_auroc(rows, lambda r: r.odds):.3f}, fitted on other seeds "
        f"{_auroc(rows, lambda r: r.elsewhere_odds):.3f}, bits gained {_auroc(rows, lambda r: r.read_bits):.3f}.",
    ]
