"""How errors of evidence fall with the number of prompts and of lineages, and when one could have stopped asking.

python tests/calibration/evidence_curve.py DATA_DIR > tests/calibration/evidence_curve.md

DATA_DIR holds alpaca_eval and lineages_extra. Models that were asked all 805 prompts are each weighed as the suspect.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.stats.betting import Stop
from harness.stats.cllr import cllr
from harness.stats.odds import (
    Known,
    bounded,
    bounds_of,
    fit_odds,
    odds_left_out,
    quality,
)
from harness.text.attribution import ODDS, Member, Signals, attribute, name_teacher
from harness.text.corpus import Corpus
from tests.calibration.coefficients import rulings, worthless
from tests.calibration.lineages import (
    Model,
    background,
    candidates,
    read_corpus,
    read_models,
    suspects,
    truth,
)

PROMPTS = {25: 5, 50: 5, 100: 4, 200: 4, 400: 3, 805: 1}  # how many -> draws
LINEAGES = {8: 2, 12: 2, 16: 2, 20: 2}
FEW = 200  # prompts on which lineages are drawn
ASKED_ALL = "llama-2-13b-base"


class Figures(NamedTuple):
    """What one draw gives."""

    named: float  # share of students whose teacher comes first
    found: float  # share whose teacher is supported
    accused: float  # share of lineages innocent of all families of which one is supported
    cost: float  # Cllr within families, weighed by students
    stopped: float  # share of students for whose teacher one could have stopped
    stopped_wrongly: float  # share of false pairs
    prompts: float  # median after which one could have stopped for a teacher


@dataclass(frozen=True, eq=False)
class World:
    """The models that were asked everything."""

    corpus: Corpus
    models: dict[str, Model]
    members: list[Member]

    def lineages(self) -> dict[bool, list[str]]:
        """Lineages of the background by whether one of its models is a student."""
        taught = {m.lineage for m in self.members if self.models[m.name].role == "student"}
        other = {m.lineage for m in self.members} - taught
        return {True: sorted(taught), False: sorted(other)}


def figures(world: World, prompts: np.ndarray, lineages: set[str]) -> Figures:
    """Of everybody as a suspect, seen on these prompts from these lineages; a suspect's own is left out."""
    some = [m for m in world.members if m.lineage in lineages]
    models = list(world.models.values())
    able = [s for s in suspects(models) if s.name in world.corpus.models]
    given = [c for c in candidates(models) if c.name in world.corpus.models]
    signals = attribute(world.corpus.only(prompts), some, able, given)
    by_suspect: dict[str, list[Signals]] = {}
    for s in signals:
        by_suspect.setdefault(s.suspect, []).append(s)
    known = [
        _known(s, world.models, name_teacher(by_suspect[s.suspect]))
        for s in signals
        if not s.reason
    ]
    stops = {(s.suspect, s.family): s.stop for s in signals if not s.reason}
    return _summed(known, stops, lineages, {m.lineage for m in world.members})


def _known(signals: Signals, models: dict[str, Model], named: str) -> Known:
    model = models[signals.suspect]
    values = tuple(signals.values[name] for name in ODDS)
    return Known(
        signals.suspect, signals.family, model.lineage, values, truth(model, signals.family),
        signals.alike, signals.prompts, named == signals.family,
    )  # fmt: skip


def _summed(
    known: list[Known], stops: dict[tuple[str, str], Stop | None], some: set[str], every: set[str]
) -> Figures:
    taught = {k.family for k in known if k.truth}
    pairs = [k for k in known if k.truth is not None and k.family in taught]
    weighed = [w for lineage in sorted(every) for w in _weighed(pairs, lineage, some)]
    students = {k.suspect for k, *_ in weighed if k.truth}
    supported = [k for k, _, supports in weighed if supports]
    innocent = {k.lineage for k, *_ in weighed if k.truth is False and k.suspect not in students}
    accused = {k.lineage for k in supported if k.truth is False and k.suspect not in students}
    when = {k: s.prompts for k in pairs if (s := stops[k.suspect, k.family]) is not None}
    right = [n for k, n in when.items() if k.truth]
    wrong = [n for k, n in when.items() if not k.truth]
    told = [n for n in right if n is not None]
    return Figures(
        len({k.suspect for k, *_ in weighed if k.truth and k.named}) / len(students),
        len({k.suspect for k in supported if k.truth}) / len(students),
        len(accused) / len(innocent),
        _within([(k, odds) for k, odds, _ in weighed]),
        len(told) / len(right),
        float(np.mean([n is not None for n in wrong])),
        float(np.median(told)) if told else float("nan"),
    )


def _weighed(
    pairs: Sequence[Known], lineage: str, some: set[str]
) -> Iterator[tuple[Known, float, bool]]:
    """Pairs of a lineage with their odds, fitted on the others of `some`, and whether the family is supported."""
    own = [k for k in pairs if k.lineage == lineage]
    rest = [k for k in pairs if k.lineage != lineage and k.lineage in some]
    taught = {k.family for k in rest if k.truth}
    rest = [k for k in rest if k.family in taught]
    if not own or len({k.truth for k in rest}) < 2:
        return
    left_out = bounded(odds_left_out(rest), np.array([k.alike for k in rest]))
    bounds = bounds_of(rest, left_out)
    costs = quality(rest, bounded(left_out, np.array([k.alike for k in rest]), bounds)).within
    raw = fit_odds(rest).odds(np.array([k.signals for k in own]))
    odds = bounded(raw, np.array([k.alike for k in own]), bounds)
    for k, value, ruling in zip(own, odds, rulings(own, list(odds)), strict=True):
        yield k, float(value), ruling.verdict == "supports" and not worthless(k.family, costs)


def _within(weighed: Sequence[tuple[Known, float]]) -> float:
    """Cllr within families that have both kinds, weighed by students."""
    total, students = 0.0, 0
    for family in sorted({k.family for k, _ in weighed}):
        own = [(odds, bool(k.truth)) for k, odds in weighed if k.family == family]
        true = np.array([t for _, t in own])
        if true.any() and not true.all():
            total += cllr(np.array([o for o, _ in own]), true) * true.sum()
            students += int(true.sum())
    return total / students if students else float("nan")


def read_world(data: Path) -> World:
    """Models and answers."""
    models = read_models(data)
    corpus = read_corpus(data, models)
    asked = np.asarray(corpus.asked[:, corpus.models.index(ASKED_ALL)])
    corpus = corpus.only(asked, corpus.asked[asked].mean(axis=0) >= 0.9)
    said = dict(zip(corpus.models, (corpus.lengths > 0).mean(axis=0), strict=True))
    members = [m for m in background(models) if said.get(m.name, 0) >= 0.5]
    return World(corpus, {m.name: m for m in models if m.name in said}, members)


def draws(world: World) -> Iterator[tuple[str, list[Figures]]]:
    """A row of each table after the other."""
    total, by_kind = len(world.corpus.prompts), world.lineages()
    every = {*by_kind[True], *by_kind[False]}
    for n, times in PROMPTS.items():
        made = [
            figures(world, _some(total, n, np.random.default_rng([n, i])), every)
            for i in range(times)
        ]
        yield f"{n} prompts, {len(every)} lineages ({times})", made
    for n, times in LINEAGES.items():
        made = []
        for i in range(times):
            rng = np.random.default_rng([n, i])
            part = {
                str(name)
                for kind in by_kind.values()
                for name in rng.choice(kind, round(n * len(kind) / len(every)), replace=False)
            }
            made.append(figures(world, _some(total, FEW, rng), part))
        yield f"{FEW} prompts, {n} lineages ({times})", made


def _some(total: int, n: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(total, dtype=bool)
    mask[rng.choice(total, n, replace=False)] = True
    return mask


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    world = read_world(parser.parse_args().data)
    print("# Evidence against the number of prompts and of lineages\n")
    print("Written by `python tests/calibration/evidence_curve.py DATA_DIR`.\n")
    print(
        f"{len({s.name for s in suspects(list(world.models.values()))})} models that were asked all prompts, each the "
        "suspect, its lineage left out; odds fitted on the same lineages that it is seen beside. Means over "
        "random draws of prompts and lineages (how many: in brackets), ± their standard deviation. Below 100 prompts "
        "nobody is supported, by rule. Stopped: nearer to the teacher than each innocent lineage of a like length, "
        "at an error of 5 % however often one looks (`harness/stats/betting.py`), here beside however few lineages.\n"
    )
    print(
        "| asked, seen beside (draws) | named | found | innocent lineages accused | Cllr within | students stopped "
        "for | false pairs stopped for | stopped after |"
    )
    print("| --- " * 8 + "|")
    for name, made in draws(world):
        columns = np.array(made).T
        cells = [_cell(c) for c in columns]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _cell(values: np.ndarray) -> str:
    able = values[np.isfinite(values)]
    if not len(able):
        return "–"
    places = 0 if able.mean() > 5 else 3 if able.mean() < 0.1 else 2
    return f"{able.mean():.{places}f}" + (f" ± {able.std():.{places}f}" if len(able) > 1 else "")


if __name__ == "__main__":
    main()
