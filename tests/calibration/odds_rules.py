"""Other ways to make odds of a resemblance, each lineage left out: what calibration loses, and what it need not lose.

    python tests/calibration/evidence.py DATA_DIR --signals FILE > /dev/null
    python tests/calibration/odds_rules.py DATA_DIR FILE > tests/calibration/odds_rules.md

Every rule has the floor and the bounds of the procedure. Slope factors are chosen without the lineage in question too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import isotonic_regression, minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.stats.cllr import cllr, cllr_min, pav
from harness.stats.odds import (
    NO_TRACE,
    RIDGE,
    Known,
    bounded,
    bounds_of,
    fit_odds,
    odds_left_out,
    pair_weights,
)
from harness.text.attribution import Signals
from harness.types import Floats
from tests.calibration.coefficients import rulings
from tests.calibration.evidence import make_case
from tests.calibration.lineages import read_models

Odds = Callable[[Sequence[Known]], Floats]
Rule = Callable[[Sequence[Known]], Odds]
FACTORS = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5)  # of the log odds


def floored(logs: Floats) -> Floats:
    """Odds of log odds above the floor of no trace."""
    return np.asarray(NO_TRACE + (1 - NO_TRACE) * np.exp(np.clip(logs, -30, 30)))


def first(known: Sequence[Known]) -> Floats:
    """The function-word angle of each pair (n,)."""
    return np.array([k.signals[0] for k in known])


def truths(known: Sequence[Known]) -> Floats:
    """1 for true pairs (n,), else 0."""
    return np.array([float(bool(k.truth)) for k in known])


def procedure(known: Sequence[Known]) -> Odds:
    """As the product does."""
    made = fit_odds(known)
    return lambda some: made.odds(np.array([k.signals for k in some]))


def curve(ridge: float = RIDGE, spare: float = np.inf, *, through: bool = False) -> Rule:
    """A logistic curve of the angle. spare: ridge of an intercept for each family; through: fitted with the floor."""

    def fit(known: Sequence[Known]) -> Odds:
        x, y, weights = first(known), truths(known), pair_weights(known)
        families = sorted({k.family for k in known}) if np.isfinite(spare) else []
        middle = float(np.average(x, weights=weights))
        spread = float(np.average((x - middle) ** 2, weights=weights)) ** 0.5

        def logs(b: Floats, some: Sequence[Known]) -> Floats:
            own = dict(zip(families, b[2:], strict=True))
            extra = np.array([own.get(k.family, 0.0) for k in some])
            return np.asarray(b[0] + b[1] * (first(some) - middle) / spread + extra)

        def loss(b: Floats) -> float:
            odds = floored(logs(b, known)) if through else np.exp(np.clip(logs(b, known), -30, 30))
            cost = float(weights @ np.where(y, np.log1p(1 / odds), np.log1p(odds)))
            held = spare * float(b[2:] @ b[2:]) if families else 0.0
            return cost + ridge * float(b[1]) ** 2 + held

        bounds = [(-8, 8), (0, 30), *[(-8, 8)] * len(families)]
        starts = ([-1, 2], [-3, 5])
        fits = [minimize(loss, [*s, *[0] * len(families)], bounds=bounds) for s in starts]
        best = min(fits, key=lambda f: float(f.fun)).x
        return lambda some: floored(logs(best, some))

    return fit


def scaled(known: Sequence[Known]) -> Odds:
    """The procedure's log odds times a factor, chosen on the lineages left out once more."""

    def times(odds: Floats, factor: float) -> Floats:
        return floored(factor * np.log(np.maximum((odds - NO_TRACE) / (1 - NO_TRACE), 1e-12)))

    inner, y, weights = odds_left_out(known), truths(known), pair_weights(known)
    tried = [(times(inner, f), f) for f in FACTORS]
    costs = [(float(weights @ np.where(y, np.log1p(1 / o), np.log1p(o))), f) for o, f in tried]
    own, factor = procedure(known), min(costs)[1]
    return lambda some: times(own(some), factor)


def isotonic(known: Sequence[Known]) -> Odds:
    """A rising step function of the angle, shares between .01 and .99."""
    order = np.argsort(first(known), kind="stable")
    x, y, weights = first(known)[order], truths(known)[order], pair_weights(known)[order]
    share = isotonic_regression(y, weights=np.maximum(weights, 1e-9)).x.clip(0.01, 0.99)
    prior = float(weights @ y / (weights @ (1 - y)))
    logs = np.log(share / (1 - share) / prior)
    return lambda some: floored(np.interp(first(some), x, logs))


def normal(known: Sequence[Known]) -> Odds:
    """Two normal densities of one spread."""
    x, y, weights = first(known), truths(known), pair_weights(known)
    high, low = (float(np.average(x, weights=weights * c)) for c in (y, 1 - y))
    spread = float(np.average((x - np.where(y, high, low)) ** 2, weights=weights))
    return lambda some: floored((first(some) - (high + low) / 2) * (high - low) / spread)


RULES: Mapping[str, Rule] = {
    "the procedure: ridge .5": procedure,
    "ridge .1": curve(0.1),
    "fitted with the floor in place, ridge .5": curve(through=True),
    "fitted with the floor in place, ridge .1": curve(0.1, through=True),
    "one slope, an intercept for each family (ridge 1)": curve(spare=1.0),
    "one slope, an intercept for each family (ridge 4)": curve(spare=4.0),
    "log odds times a factor, nested": scaled,
    "isotonic": isotonic,
    "two normal densities": normal,
}


def left_out(known: Sequence[Known], rule: Rule) -> Floats:
    """Odds (n,) of each pair by what was fitted without its suspect's lineage."""
    made = np.ones(len(known))
    lineages = np.array([k.lineage for k in known])
    for lineage in sorted(set(lineages)):
        rest = [k for k in known if k.lineage != lineage]
        taught = {k.family for k in rest if k.truth}
        own = [k for k in known if k.lineage == lineage]
        made[lineages == lineage] = rule([k for k in rest if k.family in taught])(own)
    return made


def row(known: Sequence[Known], raw: Floats) -> str:
    """The cells of a rule."""
    alike = np.array([k.alike for k in known])
    bounds = bounds_of(known, bounded(raw, alike))
    odds, truth = bounded(raw, alike, bounds), truths(known) > 0
    cost, least = cllr(odds, truth), cllr_min(odds, truth)
    held = cllr(bounded(np.maximum(pav(raw, truth), NO_TRACE), alike, bounds), truth)
    families = np.array([k.family for k in known])
    within = {f: cllr(odds[families == f], truth[families == f]) for f in sorted(set(families))}
    pairs = {f: int(truth[families == f].sum()) for f in within}
    mean = sum(within[f] * pairs[f] for f in within) / sum(pairs.values())
    ruled = rulings(known, list(odds))
    said = [k for k, r in zip(known, ruled, strict=True) if r.verdict == "supports"]
    wrong = sorted({k.suspect for k in said if not k.truth})
    return (
        f"{cost:.2f} | {cost - least:.2f} | {held - least:.2f} | {mean:.2f} | {within['gpt4']:.2f} | "
        f"{bounds.high:.1f} | {sum(bool(k.truth) for k in said)} | {', '.join(wrong)}"
    )


def main() -> None:
    """Prints the table."""
    models = {m.name: m for m in read_models(Path(sys.argv[1]))}
    stored = json.loads(Path(sys.argv[2]).read_text())
    own: dict[str, list[Signals]] = {}
    for some in stored.values():
        new = {s["suspect"] for s in some} - own.keys()
        for one in some:
            if one["suspect"] in new:
                own.setdefault(one["suspect"], []).append(Signals(**one))
    case = make_case([s for some in own.values() for s in some], models)
    taught = {k.family for k in case.known if k.truth}
    known = [k for k in case.known if k.family in taught and k.truth is not None]
    print("# Other ways to make odds\n\nWritten by `python tests/calibration/odds_rules.py`.\n")
    print(
        f"{len(known)} pairs of {len({k.lineage for k in known})} lineages, each on its model's own prompts.\n"
    )
    print(
        "| rule | Cllr | loss | of it floor and bounds | within | GPT-4 | largest odds | found | wrong |"
    )
    print("| --- " * 9 + "|")
    for name, rule in RULES.items():
        print(f"| {name} | {row(known, left_out(known, rule))} |", flush=True)


if __name__ == "__main__":
    main()
