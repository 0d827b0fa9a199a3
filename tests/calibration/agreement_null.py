"""How often pairs of unrelated real models stand outside of their null, for several definitions of it.

python tests/calibration/agreement_null.py FILE > tests/calibration/agreement_null.md

A pair of models of different labs is judged by all models of the other labs. Variants: one more lab left out; the 14
subjects one by one; 500 prompts, 12 times; one model per lab, all ways to pick them (no siblings anywhere).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.stats.means import t_quantile
from harness.stats.round_robin import pair_excess
from harness.types import Floats, Ints, Unavailable

LABS = {
    "Meta": "meta", "Mistral": "mistral", "Yi": "01.ai", "Phi": "microsoft", "Qwen": "alibaba", "gem": "google",
}  # fmt: skip
TUNED = ("Instruct", "instruct", "Chat", "flash")  # in the names of models that were tuned to talk
SUBSETS, SUBSET = 12, 500


@dataclass(frozen=True)
class Answers:
    """Options chosen by several models, on questions that have one right answer in all files."""

    models: tuple[str, ...]
    labs: tuple[str, ...]
    chosen: Ints  # (models, P) option; -1 = none
    gold: Ints  # (P,)
    n_options: Ints  # (P,)
    subjects: tuple[str, ...]  # (P,)


@dataclass(frozen=True)
class Pairs:
    """What a definition sees: rows 0 and 1 are judged, the others are controls."""

    values: Floats  # (models, models)
    accuracies: Floats  # (models,)
    labs: tuple[str, ...]
    tuned: Floats  # (models,) 1 = tuned to talk


Definition = Callable[[Pairs], tuple[float, float]]  # ends of the interval of the excess


def read(path: Path) -> Answers:
    """The answers of a file, without the questions whose right answer differs between models."""
    table = pd.read_parquet(path)
    table = table[table.groupby("question_id").answer.transform("nunique") == 1]
    wide = table.pivot(index="question_id", columns="model", values="pred")
    asked = table.groupby("question_id").model.nunique() == wide.shape[1]
    wide = wide[asked.reindex(wide.index)]
    facts = table.drop_duplicates("question_id").set_index("question_id").loc[wide.index]
    letters = {letter: k for k, letter in enumerate("ABCDEFGHIJ")}
    chosen = np.array([[letters.get(x, -1) for x in wide[m]] for m in wide.columns])
    n_options = facts.n_options.to_numpy(dtype=np.int64)
    labs = tuple(next(v for k, v in LABS.items() if m.startswith(k)) for m in wide.columns)
    gold = np.array([letters[x] for x in facts.answer])
    chosen[chosen >= n_options] = -1
    return Answers(tuple(wide.columns), labs, chosen, gold, n_options, tuple(facts.category))


def statistics(answers: Answers, rows: Ints) -> dict[str, tuple[Floats, Floats]]:
    """Measure -> values of all pairs (models, models), accuracies (models,), on some prompts."""
    chosen, gold = answers.chosen[:, rows], answers.gold[rows]
    answered, right = (chosen >= 0).astype(float), (chosen == gold).astype(float)
    wrong = answered - right
    hot = [(chosen == k).astype(float) for k in range(10)]
    n = answered @ answered.T
    share = right @ answered.T / n
    other = (answered / (answers.n_options[rows] - 1)) @ answered.T / n
    chance = share * share.T + other * (1 - share) * (1 - share.T)
    kappa = (sum(h @ h.T for h in hot) / n - chance) / (1 - chance)
    both = wrong @ wrong.T
    alike = sum((h * wrong) @ (h * wrong).T for h in hot) / np.maximum(both, 1)
    accuracy = right.mean(axis=1)
    few = np.where(both < 100, np.nan, alike)
    return {"capa_excess": (kappa, accuracy), "excess_vs_controls": (few, accuracy)}


# --- definitions --------------------------------------------------------------------------------


def taken(pairs: Pairs) -> tuple[float, float]:
    """What the measures do."""
    made = pair_excess(pairs.values, pairs.accuracies, pairs.labs)
    return made.low, made.high


def _ends(design: Floats, at: Floats, y: Floats, value: float, df: int) -> tuple[float, float]:
    """Prediction interval of ordinary least squares, as the excess of a value."""
    if df < 3:
        raise Unavailable("too few")
    inverse = np.linalg.pinv(design)
    effects = inverse @ y
    residuals = y - design @ effects
    spread = residuals @ residuals / df * (1 + np.sum((at @ inverse) ** 2))
    half = t_quantile(0.975, df) * np.sqrt(spread)
    excess = value - float(at @ effects)
    return excess - half, excess + half


def _apart(pairs: Pairs, first: int) -> list[tuple[int, int]]:
    """Pairs of models of different labs, but for the one that is judged; models from `first` on."""
    own = ("student", "teacher", *pairs.labs[2:])
    every = combinations(range(first, len(own)), 2)
    return [(i, j) for i, j in every if own[i] != own[j] and (i, j) != (0, 1)]


def regressed(pairs: Pairs) -> tuple[float, float]:
    """Line on both accuracies over pairs of controls, and of controls with the teacher (until now)."""
    rows = _apart(pairs, 1)

    def row(i: int, j: int) -> list[float]:
        return [1.0, *sorted((pairs.accuracies[i], pairs.accuracies[j]))]

    design = np.array([row(i, j) for i, j in rows])
    y = np.array([pairs.values[i, j] for i, j in rows])
    m = len({frozenset((pairs.labs[i] if i > 1 else "t", pairs.labs[j])) for i, j in rows})
    return _ends(design, np.array(row(0, 1)), y, float(pairs.values[0, 1]), m - 3)


def with_teacher(pairs: Pairs) -> tuple[float, float]:
    """Line on accuracy over the controls in the student's place, one point per lab (until now, inherited errors)."""
    labs = sorted(set(pairs.labs[2:]))
    rows = [[k for k in range(2, len(pairs.labs)) if pairs.labs[k] == lab] for lab in labs]
    x = np.array([[1.0, pairs.accuracies[r].mean()] for r in rows])
    y = np.array([pairs.values[1, r].mean() for r in rows])
    at = np.array([1.0, pairs.accuracies[0]])
    return _ends(x, at, y, float(pairs.values[0, 1]), len(labs) - 2)


def limited(pairs: Pairs) -> tuple[float, float]:
    """No regression: a further control, two-sided, among the controls in the student's place."""
    labs = sorted(set(pairs.labs[2:]))
    y = np.array(
        [
            np.mean([pairs.values[1, k] for k in range(2, len(pairs.labs)) if pairs.labs[k] == lab])
            for lab in labs
        ]
    )
    return _ends(np.ones((len(y), 1)), np.ones(1), y, float(pairs.values[0, 1]), len(labs) - 1)


def leave_one_out(pairs: Pairs) -> tuple[float, float]:
    """Conformal: outside where no control in the student's place is as far from their median; lowest p 1 / (m + 1)."""
    labs = sorted(set(pairs.labs[2:]))
    if len(labs) < 19:
        raise Unavailable("too few")
    return -np.inf, np.inf


def round_robin(pairs: Pairs, distance: str, types: bool) -> tuple[float, float]:
    """Effects of models, with or without distance in accuracy and sameness of type."""
    rows = _apart(pairs, 0)
    n = len(pairs.labs)

    def row(i: int, j: int) -> list[float]:
        away = float(abs(pairs.accuracies[i] - pairs.accuracies[j]))
        extra = {"": [], "absolute": [away], "squared": [away**2]}[distance]
        kind = [float(pairs.tuned[i] == pairs.tuned[j])] if types else []
        return [*(float(k in (i, j)) for k in range(n)), *extra, *kind]

    own = ("student", "teacher", *pairs.labs[2:])
    names = [frozenset((own[i], own[j])) for i, j in rows]
    roots = np.sqrt([1 / names.count(x) for x in names])
    design = np.array([row(i, j) for i, j in rows])
    y = np.array([pairs.values[i, j] for i, j in rows]) * roots
    df = len(set(names)) - len(set(own)) - bool(distance) - types
    at = np.array(row(0, 1))
    return _ends(design * roots[:, None], at, y, float(pairs.values[0, 1]), df)


DEFINITIONS: dict[str, Definition] = {
    "line on both accuracies, over pairs": regressed,
    "line on accuracy, over lineages": with_teacher,
    "prediction limit, over lineages": limited,
    "conformal, over lineages": leave_one_out,
    "models": partial(round_robin, distance="", types=False),
    "models and distance in accuracy": partial(round_robin, distance="absolute", types=False),
    "models and type (base, tuned)": partial(round_robin, distance="", types=True),
    "models, squared distance and type": partial(round_robin, distance="squared", types=True),
    "**models and squared distance**": taken,
}


# --- tables ---------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of pairs."""

    above: int = 0
    below: int = 0
    none: int = 0
    n: int = 0

    def add(self, definition: Definition, pairs: Pairs) -> None:
        """Counts one pair."""
        self.n += 1
        try:
            low, high = definition(pairs)
        except Unavailable:
            self.none += 1
            return
        self.above += low > 0
        self.below += high < 0

    def __str__(self) -> str:
        told = self.n - self.none
        return f"{self.above / told:.3f} + {self.below / told:.3f}" if told else "none"


Measured = tuple[Floats, Floats]


def judged(
    answers: Answers, measured: Measured, related: bool, without: str = "", of: Ints | None = None
) -> Iterator[tuple[tuple[str, str], Pairs]]:
    """Every pair of models of one lab (related) or of two, with the models of the other labs."""
    models = range(len(answers.models)) if of is None else of.tolist()
    tuned = np.array([float(any(x in m for x in TUNED)) for m in answers.models])
    values, accuracies = measured
    for i, j in combinations(models, 2):
        if (answers.labs[i] == answers.labs[j]) != related:
            continue
        taboo = (answers.labs[i], answers.labs[j], without)
        rows = [i, j, *(k for k in models if answers.labs[k] not in taboo)]
        seen = Pairs(
            values[np.ix_(rows, rows)],
            accuracies[rows],
            tuple(answers.labs[k] for k in rows),
            tuned[rows],
        )
        yield (answers.models[i], answers.models[j]), seen


def settings(answers: Answers, measure: str) -> Iterator[tuple[str, list[Pairs], list[Pairs]]]:
    """Columns of the table: unrelated pairs, related pairs."""
    everything = statistics(answers, np.arange(len(answers.gold)))[measure]

    def both(measured: Measured, without: str = "") -> tuple[list[Pairs], list[Pairs]]:
        unrelated, related = (
            [p for _, p in judged(answers, measured, r, without)] for r in (False, True)
        )
        return unrelated, related

    yield "all", *both(everything)
    parts = [both(everything, without=lab) for lab in sorted(set(answers.labs))]
    yield "one lab left out", *_joined(parts)
    subjects = np.array(answers.subjects)
    parts = [
        both(statistics(answers, np.flatnonzero(subjects == s))[measure])
        for s in sorted(set(answers.subjects))
    ]
    yield "by subject", *_joined(parts)
    rng = np.random.default_rng(0)
    draws = [np.sort(rng.permutation(len(subjects))[:SUBSET]) for _ in range(SUBSETS)]
    yield "500 prompts", *_joined([both(statistics(answers, d)[measure]) for d in draws])
    labs = np.array(answers.labs)
    ways = product(*(np.flatnonzero(labs == lab) for lab in sorted(set(answers.labs))))
    alone = [
        p for way in ways for _, p in judged(answers, everything, False, of=np.array(sorted(way)))
    ]
    yield "one model per lab", alone, []


def _joined(parts: list[tuple[list[Pairs], list[Pairs]]]) -> tuple[list[Pairs], list[Pairs]]:
    return [p for one, _ in parts for p in one], [p for _, one in parts for p in one]


def print_definitions(answers: Answers, measure: str) -> None:
    """Shares of unrelated pairs above and below, of related pairs above, by definition and setting."""
    columns = list(settings(answers, measure))
    heads = [f"{name} ({len(pairs)})" for name, pairs, _ in columns]
    print(
        f"\n### {measure}\n\n| null | get one | {' | '.join(heads)} | related found: all, by subject |"
    )
    print("| --- " * (len(heads) + 3) + "|")
    for name, definition in DEFINITIONS.items():
        cells, found, told = [], [], ""
        for setting, unrelated, related in columns:
            tallies = Tally(), Tally()
            for tally, pairs in zip(tallies, (unrelated, related), strict=True):
                for one in pairs:
                    tally.add(definition, one)
            cells.append(str(tallies[0]))
            if setting == "all":
                told = f"{(tallies[0].n - tallies[0].none) / tallies[0].n:.2f}"
            if setting in ("all", "by subject"):
                found.append(f"{tallies[1].above} of {tallies[1].n}")
        print(f"| {name} | {told} | {' | '.join(cells)} | {', '.join(found)} |", flush=True)


def print_relatives(answers: Answers) -> None:
    """All pairs of relatives, by the definition that is taken."""
    by_measure = statistics(answers, np.arange(len(answers.gold)))
    print("\n## Relatives\n\n| pair | " + " | ".join(by_measure) + " |")
    print("| --- " * (len(by_measure) + 1) + "|")
    rows: dict[tuple[str, str], list[str]] = {}
    for measured in by_measure.values():
        for names, pairs in judged(answers, measured, True):
            low, high = taken(pairs)
            mark = "**" if low > 0 else ""
            spelled = f"{mark}{(low + high) / 2:.3f} [{low:.3f}, {high:.3f}]{mark}"
            rows.setdefault(names, []).append(spelled)
    for names, cells in rows.items():
        print(f"| {' with '.join(names)} | {' | '.join(cells)} |")


def print_auroc(answers: Answers) -> None:
    """How well excess over its half-width tells related from unrelated pairs."""
    print("\n| measure | related | unrelated | AUROC |\n| --- | --- | --- | --- |")
    for name, measured in statistics(answers, np.arange(len(answers.gold))).items():
        related, unrelated = (
            np.array([_strength(p) for _, p in judged(answers, measured, r)]) for r in (True, False)
        )
        above = related[:, None] - unrelated
        auroc = float(np.mean((above > 0) + 0.5 * (above == 0)))
        print(f"| {name} | {len(related)} | {len(unrelated)} | {auroc:.2f} |")


def _strength(pairs: Pairs) -> float:
    low, high = taken(pairs)
    return (low + high) / (high - low)


def main(path: str) -> None:
    """Prints the page."""
    answers = read(Path(path))
    print("# Null of agreement between models\n")
    print(
        "Written by `python tests/calibration/agreement_null.py FILE`; the file itself is not ours to give."
    )
    print(
        f"{len(answers.models)} models of {len(set(answers.labs))} labs, {len(answers.gold)} prompts. Cells: share of "
        "unrelated pairs whose 95 % interval lies above 0 + below 0\n(nominal .025 + .025; the bar is .09 together). "
        "Pairs are not independent of one another: they share models."
    )
    for measure in ("capa_excess", "excess_vs_controls"):
        print_definitions(answers, measure)
    print_relatives(answers)
    print_auroc(answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
