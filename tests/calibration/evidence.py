"""How well teachers are told from answers: real models whose teachers are documented, whole lineages left out.

python tests/calibration/evidence.py DATA_DIR > tests/calibration/evidence.md

DATA_DIR holds alpaca_eval and lineages_extra. `--signals FILE` keeps the signals between two runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.stats.cllr import cllr, cllr_min
from harness.stats.means import clopper_pearson
from harness.stats.odds import NO_TRACE, Known, Ruling, odds_left_out, quality
from harness.text.attribution import ODDS, SIGNALS, Signals, attribute, name_teacher
from harness.text.corpus import Corpus, Mask
from harness.types import Floats, Ints
from tests.calibration.coefficients import (
    bounded_left_out,
    count_errors,
    rulings,
    worthless,
)
from tests.calibration.lineages import (
    Model,
    background,
    candidates,
    read_corpus,
    read_models,
    suspects,
    truth,
)

RESAMPLES = 500
# Sets of prompts, the largest first: those that this model of lineages_extra was asked.
SETS = {
    "805": "llama-2-13b-base",
    "332 (tulu)": "tulu1-7b",
    "252 (self-instruct)": "si-davinci-base",
    "80 (vicuna)": "qlora-7b-flan",
}
EVERYTHING = "each model's own prompts"
ALTERNATIVES: Mapping[str, tuple[str, ...]] = {
    "function and content words (the procedure)": ODDS,
    "function words": ("function_words",),
    "content words": ("content_words",),
    "function words, content words, word pairs": (*ODDS, "pairs"),
    "word pairs": ("pairs",),
    "function words, openings": ("function_words", "openings"),
    "all five": SIGNALS,
}


_INTRODUCTION = """\
Models of AlpacaEval and `lineages_extra` whose teachers are documented, each weighed as if it were the suspect, its
whole lineage left out of what was fitted and of the cohort it is seen from. Brackets: 95 % over lineages (drawn with
replacement, odds not fitted again). A column holds the models that were asked those prompts; the first one every model
on all the prompts that it was asked. "Raw" odds are those before their bounds: no more than the innocent lineages that
reply at about the suspect's length, and no more than ELUB. Controls that disclose nothing may be students: nobody can
say whether to name them is an error, so they stand by name.
"""


@dataclass(frozen=True, eq=False)
class Case:
    """All pairs of one set of prompts, with what would be said of them."""

    known: list[Known]
    raw: Floats  # (n,) odds, the suspect's lineage left out
    odds: Floats  # (n,) the same, bounded
    rulings: list[Ruling]
    costs: Mapping[str, float]
    high: float  # ELUB
    models: Mapping[str, Model]


class Figure(NamedTuple):
    """A number of some pairs, given by their places (n,)."""

    name: str
    bar: str
    of: Callable[[Case, Ints], float]


def make_case(
    signals: Sequence[Signals],
    models: Mapping[str, Model],
    weighed: Sequence[str] = ODDS,
    alike: int | None = None,
) -> Case:
    """The pairs of one set of prompts; alike: as many innocents of a like length for everybody."""
    by_suspect = defaultdict(list)
    for one in signals:
        by_suspect[one.suspect].append(one)
    named = {name: name_teacher(some) for name, some in by_suspect.items()}
    known = [
        Known(
            s.suspect,
            s.family,
            models[s.suspect].lineage,
            tuple(s.values[name] for name in weighed),
            truth(models[s.suspect], s.family),
            s.alike if alike is None else alike,
            s.prompts,
            named[s.suspect] == s.family,
        )
        for s in signals
        if not s.reason
    ]
    odds, bounds = bounded_left_out(known)
    costs = quality(known, odds).within
    ruled = [
        Ruling("cannot tell", why) if (why := worthless(k.family, costs)) else ruling
        for k, ruling in zip(known, rulings(known, list(odds)), strict=True)
    ]
    return Case(known, odds_left_out(known), odds, ruled, costs, bounds.high, models)


# --- figures ------------------------------------------------------------------------------------


def top_1(case: Case, places: Ints) -> float:
    """Share of students whose teacher the naming score chooses."""
    return float(np.mean([case.known[i].named for i in places if case.known[i].truth]))


def macro(case: Case, places: Ints) -> float:
    """The same, every family weighing the same."""
    by_family = defaultdict(list)
    for i in places:
        if case.known[i].truth:
            by_family[case.known[i].family].append(case.known[i].named)
    return float(np.mean([np.mean(some) for some in by_family.values()]))


def auroc(family: str, innocent: Callable[[Model], bool]) -> Callable[[Case, Ints], float]:
    """Chance that a student of a family has larger odds than an innocent; ties half."""

    def of(case: Case, places: Ints) -> float:
        here = [i for i in places if case.known[i].family == family]
        true = case.raw[[i for i in here if case.known[i].truth]]
        false = case.raw[
            [
                i
                for i in here
                if case.known[i].truth is False and innocent(case.models[case.known[i].suspect])
            ]
        ]
        above = true[:, None] - false[None]
        return float(np.mean((above > 0) + 0.5 * (above == 0))) if above.size else np.nan

    return of


def _costs(case: Case, places: Ints, family: str = "") -> tuple[float, float, int]:
    """Cllr, Cllr-min and true pairs, of a family or of all pairs."""
    some = [case.known[i] for i in places]
    sure = np.array([k.truth is not None and family in ("", k.family) for k in some])
    true = np.array([bool(k.truth) for k in some])[sure]
    if true.all() or not true.any():
        return np.nan, np.nan, 0
    odds = case.odds[places][sure]
    return cllr(odds, true), cllr_min(odds, true), int(true.sum())


def pooled(case: Case, places: Ints) -> float:
    """Cllr over all pairs."""
    return _costs(case, places)[0]


def loss(case: Case, places: Ints) -> float:
    """Cllr less Cllr-min over all pairs."""
    cost, least, _ = _costs(case, places)
    return cost - least


def within(case: Case, places: Ints) -> float:
    """Cllr within families, weighted by their true pairs."""
    made = [_costs(case, places, family) for family in case.costs]
    return float(np.nansum([c * n for c, _, n in made]) / max(sum(n for *_, n in made), 1))


def within_gpt4(case: Case, places: Ints) -> float:
    """Cllr within GPT-4."""
    return _costs(case, places, "gpt4")[0]


def _supported(case: Case, places: Ints) -> list[Known]:
    return [case.known[i] for i in places if case.rulings[i].verdict == "supports"]


def named_share(case: Case, places: Ints) -> float:
    """Share of students whose teacher is supported."""
    students = sum(bool(case.known[i].truth) for i in places)
    return sum(bool(k.truth) for k in _supported(case, places)) / students if students else np.nan


def precision(case: Case, places: Ints) -> float:
    """Share of what is supported of students that is true, or known to be neither true nor false."""
    students = {k.suspect for k in case.known if k.truth}
    made = [k.truth is not False for k in _supported(case, places) if k.suspect in students]
    return float(np.mean(made)) if made else np.nan


def is_documented(model: Model) -> bool:
    """Whether an innocent is known to be one: it learned from somebody else, or from nobody."""
    return model.role == "student" or model.clean


FIGURES = (
    Figure("naming: top-1", "≥ .80", top_1),
    Figure("naming: macro over families", "≥ .70", macro),
    Figure("AUROC GPT-4, all controls", "≥ .95", auroc("gpt4", lambda m: m.role == "control")),
    Figure(
        "AUROC ChatGPT, all controls", "≥ .70", auroc("chatgpt35", lambda m: m.role == "control")
    ),
    Figure("AUROC ChatGPT, documented innocents", "≥ .80", auroc("chatgpt35", is_documented)),
    Figure("Cllr pooled", "", pooled),
    Figure("Cllr within candidates", "≤ .80", within),
    Figure("Cllr within GPT-4", "≤ .50", within_gpt4),
    Figure("calibration loss", "≤ .12", loss),
    Figure("students whose teacher is supported", "≥ .25", named_share),
    Figure("precision of that", "≥ .80", precision),
)


def bootstrap(case: Case, figure: Figure) -> tuple[float, float]:
    """Interval of a figure over lineages drawn with replacement; odds are not fitted again. NaN where it has none."""
    rng = np.random.default_rng(0)
    lineages = np.array([k.lineage for k in case.known])
    places = [np.flatnonzero(lineages == name) for name in sorted(set(lineages))]
    made = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(places), size=len(places))
        with np.errstate(invalid="ignore"):
            made.append(figure.of(case, np.concatenate([places[d] for d in drawn])))
    able = np.array(made)[np.isfinite(made)]
    low, high = np.quantile(able, [0.025, 0.975]) if len(able) else (np.nan, np.nan)
    return float(low), float(high)


# --- tables -------------------------------------------------------------------------------------


def print_figures(cases: Mapping[str, Case]) -> None:
    """Every figure of every set of prompts."""
    print("| | bar | " + " | ".join(cases) + " |")
    print("| --- " * (len(cases) + 2) + "|")
    for figure in FIGURES:
        cells = []
        for case in cases.values():
            low, high = bootstrap(case, figure)
            value = figure.of(case, np.arange(len(case.known)))
            interval = f"{value:.2f} [{low:.2f}, {high:.2f}]"
            cells.append("–" if np.isnan(value) else interval)
        print(f"| {figure.name} | {figure.bar} | {' | '.join(cells)} |")
    perfect = [np.log2(1 + 1 / c.high) / 2 + np.log2(1 + NO_TRACE) / 2 for c in cases.values()]
    least = " | ".join(f"{p:.2f}" for p in perfect)
    print(f"| what floor and bound alone cost, nobody being mistaken | | {least} |")
    print("| ELUB: largest odds | | " + " | ".join(f"{c.high:.1f}" for c in cases.values()) + " |")
    counts = [
        f"{len({k.suspect for k in c.known})}, {len({k.lineage for k in c.known})}"
        for c in cases.values()
    ]
    print("| models, lineages | | " + " | ".join(counts) + " |\n")


def print_families(cases: Mapping[str, Case]) -> None:
    """Cllr within each family."""
    families = sorted({f for c in cases.values() for f in c.costs})
    print("| Cllr within | " + " | ".join(families) + " |")
    print("| --- " * (len(families) + 1) + "|")
    for name, case in cases.items():
        pairs = {f: sum(bool(k.truth) and k.family == f for k in case.known) for f in families}
        cells = [f"{case.costs[f]:.2f} ({pairs[f]})" if f in case.costs else "–" for f in families]
        print(f"| {name} | {' | '.join(cells)} |")
    print()


def print_supported(cases: Mapping[str, Case]) -> None:
    """Who is supported, and of what kind that is."""
    for name, case in cases.items():
        errors = count_errors(case.known, case.odds, case.costs)
        ends = clopper_pearson(errors.accused, errors.innocents)
        print(
            f"**{name}**: right for {errors.right} of {errors.students} students, wrong for {errors.wrong}; "
            f"{errors.accused} of {errors.innocents} lineages without a documented teacher accused "
            f"[{ends[0]:.2f}, {ends[1]:.2f}]\n"
        )
        for i, known in enumerate(case.known):
            if case.rulings[i].verdict == "supports":
                model = case.models[known.suspect]
                kind = (
                    "clean"
                    if model.clean
                    else "undisclosed"
                    if model.role == "control"
                    else "student"
                )
                told = {True: "right", None: "neither", False: f"NOT KNOWN, {kind}"}[known.truth]
                print(f"- {known.suspect}: {known.family}, odds {case.odds[i]:.1f}, {told}")
        print()


def print_clean(cases: Mapping[str, Case]) -> None:
    """Every clean model, each set of prompts that it was asked."""
    print(
        "| clean lineage | model | prompts | named | odds before bounds | odds | of a like length | ruling |"
    )
    print("| --- " * 8 + "|")
    for name, case in cases.items():
        for i, known in enumerate(case.known):
            model = case.models[known.suspect]
            if model.clean and known.named:
                print(
                    f"| {model.lineage} | {known.suspect} | {name} | {known.family} | {case.raw[i]:.2f} | "
                    f"{case.odds[i]:.2f} | {known.alike} | {case.rulings[i].verdict} |"
                )
    print()


def print_alternatives(signals: Sequence[Signals], models: Mapping[str, Model]) -> None:
    """How far other odds get: of other signals, and without the bound by lineages of a like length."""
    print("| odds of | Cllr | within | loss | teacher supported, wrong | clean lineages accused |")
    print("| --- " * 6 + "|")
    rows = [(name, make_case(signals, models, some)) for name, some in ALTERNATIVES.items()]
    rows.append(
        ("the procedure, not bounded by a like length", make_case(signals, models, alike=10**6))
    )
    for name, case in rows:
        errors = count_errors(case.known, case.odds, case.costs)
        every = np.arange(len(case.known))
        numbers = " | ".join(f"{of(case, every):.2f}" for of in (pooled, within, loss))
        print(
            f"| {name} | {numbers} | {errors.right} of {errors.students}, {errors.wrong} | "
            f"{', '.join(_clean_accused(case)) or 'none'} |"
        )
    print()


def _clean_accused(case: Case) -> list[str]:
    accused = [
        k
        for k, ruling in zip(case.known, case.rulings, strict=True)
        if ruling.verdict == "supports"
    ]
    clean = {case.models[k.suspect].lineage for k in accused if case.models[k.suspect].clean}
    return sorted(clean)


def print_experiment(case: Case) -> None:
    """One base in four sizes, one recipe, eight training sets: what is named, and at which odds."""
    sizes = (7, 13, 30, 65)
    print("| training set | " + " | ".join(f"{n}B" for n in sizes) + " |\n" + "| --- " * 5 + "|")
    sets = (
        "flan", "longform", "guanaco", "hh-rlhf", "chip2", "self-instruct", "unnatural-instructions", "alpaca",
    )  # fmt: skip
    named = {k.suspect: i for i, k in enumerate(case.known) if k.named}
    for one in sets:
        places = [named[f"qlora-{size}b-{one}"] for size in sizes]
        cells = [
            f"{case.known[i].family} {case.odds[i]:.1f} (raw {case.raw[i]:.1f})" for i in places
        ]
        print(f"| {one} | {' | '.join(cells)} |")
    print()


def collect_signals(data: Path, models: Sequence[Model]) -> dict[str, list[Signals]]:
    """Signals of all known models on each set of prompts; says how long it took."""
    start = time.process_time()
    corpus = read_corpus(data, models)
    print(
        f"- {len(corpus.models)} models are read in {time.process_time() - start:.0f} s of one core.",
        flush=True,
    )
    made = {}
    for name, model in SETS.items():
        start = time.process_time()
        some = corpus.only(_prompts(corpus, model))
        asked = dict(zip(some.models, some.asked.mean(axis=0), strict=True))
        able = [s for s in suspects(models) if asked[s.name] >= 0.9]
        made[name] = attribute(some, background(models), able, candidates(models), SIGNALS)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"- {len(some.prompts)} prompts, {len(able)} suspects: {time.process_time() - start:.0f} s of one core; "
            f"largest memory so far {peak:.1f} GB.",
            flush=True,
        )
    print()
    return made


def _prompts(corpus: Corpus, model: str) -> Mask:
    return np.asarray(corpus.asked[:, corpus.models.index(model)])


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--signals", type=Path)
    given = parser.parse_args()
    models = read_models(given.data)
    print(
        "# Evidence from recorded answers\n\nWritten by `python tests/calibration/evidence.py DATA_DIR`.\n"
    )
    if given.signals and given.signals.exists():
        stored = json.loads(given.signals.read_text())
        signals = {name: [Signals(**s) for s in some] for name, some in stored.items()}
    else:
        signals = collect_signals(given.data, models)
        if given.signals:
            plain = {name: [asdict(s) for s in some] for name, some in signals.items()}
            given.signals.write_text(json.dumps(plain))
    by_name = {m.name: m for m in models}
    own: dict[str, list[Signals]] = {}
    for some in signals.values():
        new = {s.suspect for s in some} - own.keys()
        for one in some:
            if one.suspect in new:
                own.setdefault(one.suspect, []).append(one)
    everything = [s for some in own.values() for s in some]
    cases = {EVERYTHING: make_case(everything, by_name)}
    cases |= {name: make_case(some, by_name) for name, some in signals.items()}
    print_figures(cases)
    print_families(cases)
    print("## How far other odds get, on each model's own prompts\n")
    print_alternatives(everything, by_name)
    print("## Who is supported\n")
    print_supported(cases)
    print("## Every clean model, by the family that it is named\n")
    print_clean(cases)
    print(
        "## One base, one recipe, eight training sets: the family named and its odds, on 80 prompts\n"
    )
    print_experiment(cases["80 (vicuna)"])


if __name__ == "__main__":
    main()
