"""What may be said of whose answers a model learned from, and how often the method that says so is right. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.board.numerals import number, percent
from harness.board.record import CaseRecord, RunRecord, Variant
from harness.board.tables import DASH, Cell, Head, Table
from harness.panel.evidence import OUTCOMES, Confidence, Origin, Test, Verdict
from harness.panel.rates import Rates, rates_of
from harness.stats.betting import FEWEST_BESIDE, STOPPING_ERROR, Stop

_CONTROLS: Mapping[Confidence, str] = {
    "high": "learned from no model",
    "medium": "a control, as far as is known",
    "low": "training undisclosed",
}
Part = tuple[str, bool]  # text, strong
ALTERNATIVES = (
    "the same base model, or the same further training data, as those that did learn from this teacher",
    "answers of this teacher on the web, which every model of its time has read",
    "a common teacher of both, or models of one lab",
    "the other way round: resemblance has no direction, dates of release do",
)
SETTLING = (
    "controls on the suspect's own base model, trained on answers of nobody or of somebody else",
    "an earlier checkpoint of the suspect: how much better than it the suspect predicts the teacher's answers",
    "a watermark in the teacher's answers: the only test whose error rate is known by construction",
    "more models of documented training before more prompts: these are what the odds are short of",
)


@dataclass(frozen=True)
class Finding:
    """What one method says of one suspect on one task."""

    method: str
    task: str
    suspect: str
    n: int  # prompts
    verdicts: tuple[Verdict, ...]  # those asked for, the most supported first
    others: tuple[Verdict, ...]  # of families that were not asked for
    rates: Mapping[str, Rates]  # family, or "" for all -> how often the method is right
    prior_odds: Mapping[str, float]  # family -> as the user states them
    words: tuple[Part, ...]


@dataclass(frozen=True)
class Weighing:
    """All that a run, or a job of a sweep, says about whose answers models learned from."""

    variant: Variant
    case: CaseRecord
    findings: tuple[Finding, ...]  # about the suspect; () where everybody is one
    verdicts: tuple[Verdict, ...]
    rates: tuple[Rates, ...]  # method by method: of all families, then of each

    @property
    def is_documented(self) -> bool:
        """Whether the tables say something of the suspect."""
        return any(o.model == self.case.suspect for o in self.case.origins)


def weighings(record: RunRecord) -> list[Weighing]:
    """One for a run that weighs evidence, and one for every such job of a sweep."""
    runs = record.runs().items()
    return [weighing_of(r.case, r.verdicts, v, _prices(r)) for v, r in runs if r.case is not None]


def _prices(run: RunRecord) -> dict[str, float]:
    """Task -> dollars that the suspect's answers cost, where that is known."""
    assert run.case is not None
    own = (c for c in run.collections if c.model == run.case.suspect and c.sample == 0)
    return {c.task: c.usd for c in own if c.usd is not None}


def weighing_of(
    case: CaseRecord,
    verdicts: Sequence[Verdict],
    variant: Variant = (),
    usd: Mapping[str, float] | None = None,
) -> Weighing:
    """What the verdicts of a case say about its suspect, and how often they are right.

    usd: task -> dollars that the suspect's answers cost; None = not known.
    """
    rates = rates_of(verdicts, case.origins, case.suspect)
    own: dict[tuple[str, str], list[Verdict]] = {}
    for v in verdicts:
        if v.suspect == case.suspect:
            own.setdefault((v.method, v.task), []).append(v)
    findings = (_finding(v, case, rates, (usd or {}).get(v[0].task)) for v in own.values())
    return Weighing(variant, case, tuple(findings), tuple(verdicts), tuple(rates))


def _finding(
    verdicts: Sequence[Verdict], case: CaseRecord, rates: Sequence[Rates], usd: float | None
) -> Finding:
    first = verdicts[0]
    asked = case.candidates or tuple(v.family for v in verdicts)
    ranked = sorted(verdicts, key=_support)
    chosen = tuple(v for v in ranked if v.family in asked)
    own = {r.family: r for r in rates if (r.method, r.task) == (first.method, first.task)}
    others = tuple(v for v in ranked if v.family not in asked)
    return Finding(
        first.method,
        first.task,
        first.suspect,
        first.n,
        chosen,
        others,
        own,
        case.prior_odds,
        (*_words(first.suspect, chosen, own, case.prior_odds), *_saving(chosen, usd)),
    )


def _support(verdict: Verdict) -> tuple[int, float, str]:
    """The most supported first."""
    opinion = verdict.opinion
    strength = opinion.odds if opinion.odds is not None else opinion.score
    return (
        OUTCOMES.index(opinion.outcome),
        -(strength if strength is not None else -1e9),
        opinion.family,
    )


def _words(
    suspect: str,
    verdicts: Sequence[Verdict],
    rates: Mapping[str, Rates],
    prior_odds: Mapping[str, float],
) -> Iterable[Part]:
    """A sentence about the suspect: what is supported, what is not, and how often that would be wrong."""
    kinds = {o: [v for v in verdicts if v.opinion.outcome == o] for o in OUTCOMES}
    if kinds["supports"]:
        yield f"The answers of {suspect} support that it learned from those of ", False
        for i, v in enumerate(kinds["supports"]):
            yield (" and of " if i else ""), False
            yield f"{v.family}{_odds_words(v, prior_odds)}", True
        yield ". ", False
    else:
        yield "Cannot tell. " if kinds["cannot tell"] else "No candidate is supported. ", True
        yield f"The answers of {suspect} support none of the candidates. ", False
    if kinds["does not support"]:
        yield f"They speak against {_listed(v.family for v in kinds['does not support'])}. ", False
    if kinds["supports"] and kinds["cannot tell"]:
        yield f"Of {_listed(v.family for v in kinds['cannot tell'])} nothing can be told. ", False
    whole = rates.get("")
    if whole is not None:
        yield (
            f"Tried on {whole.n_innocent} models that learned from none of them, as far as is documented, and "
            f"{whole.n_guilty} that learned from one, this procedure accuses {len(whole.accused)} wrongly"
            f"{_undisclosed(whole)} and finds {whole.n_found} of these {whole.n_guilty}.",
            False,
        )


def _saving(verdicts: Sequence[Verdict], usd: float | None) -> Iterable[Part]:
    """How many prompts would have been enough for what is supported, and what the others cost."""
    told = [(v, v.opinion.stop) for v in verdicts if v.opinion.outcome == "supports"]
    for v, stop in told:
        if stop is None or stop.prompts is None:
            continue
        left = stop.of - stop.prompts
        price = "" if usd is None else f", ${number(usd * left / stop.of)} of ${number(usd)}"
        yield (
            f" {stop.prompts} of the {stop.of} prompts, in random order, would have been enough to say that it "
            f"resembles {v.family} more than each of {stop.lineages} innocent lineages of its length does, with an "
            f"error of at most {percent(STOPPING_ERROR)} however often one looks: {left} prompts{price} less.",
            False,
        )


def _undisclosed(rates: Rates) -> str:
    """How many of the accused disclose nothing, so that nobody knows."""
    n = len(rates.undisclosed)
    return f" (the training of {n} of them is undisclosed, so perhaps rightly)" if n else ""


def _odds_words(verdict: Verdict, prior_odds: Mapping[str, float]) -> str:
    odds, prior = verdict.opinion.odds, prior_odds.get(verdict.family, 1.0)
    if odds is None:
        return ""
    after = f"; after the stated prior odds of {prior_text(prior)}: {odds_text(odds * prior)}"
    return f" (odds {odds_text(odds)}{after if prior != 1 else ''})"


def odds_text(odds: float) -> str:
    """Odds as readers say them: "8 : 1", "1 : 12"."""
    return f"{number(odds)} : 1" if odds >= 1 else f"1 : {number(1 / odds)}"


def prior_text(odds: float) -> str:
    """Odds as they were stated: "1 : 1", "1 : 100"."""
    return f"{odds:.4g} : 1" if odds >= 1 else f"1 : {1 / odds:.4g}"


def _listed(names: Iterable[str]) -> str:
    *most, last = list(names)
    return f"{', '.join(most)} and {last}" if most else last


def finding_table(verdicts: Sequence[Verdict], prior_odds: Mapping[str, float]) -> Table:
    """A row per family: verdict, odds, and every number that it rests on with the innocents that reach it.

    prior_odds: of each family, as the user states them.
    """
    tests = list(dict.fromkeys(t.name for v in verdicts for t in v.opinion.tests))
    heads = [
        Head("Candidate"),
        Head("Verdict"),
        Head("Odds", "of the answers; the verdict goes by them", numeric=True),
        Head("Prior odds", "as stated; 1 : 1 if not", numeric=True),
        Head("Posterior odds", "their product", numeric=True),
    ]
    stops = any(v.opinion.stop for v in verdicts)
    heads += [Head("Enough prompts", "in random order", numeric=True)] if stops else []
    heads += [Head(name, "innocent lineages that reach it", numeric=True) for name in tests]
    return Table(tuple(heads), tuple(_row(v, tests, prior_odds, stops=stops) for v in verdicts))


def _row(
    verdict: Verdict, tests: Sequence[str], prior_odds: Mapping[str, float], *, stops: bool
) -> tuple[Cell, ...]:
    opinion = verdict.opinion
    name = opinion.family
    if opinion.version and opinion.version != opinion.family:
        name = f"{name} ({opinion.version})"
    odds = (
        Cell(
            opinion.odds,
            odds_text(opinion.odds),
            "the family that it would name" if opinion.is_named else "",
        )
        if opinion.odds is not None and opinion.is_told
        else Cell(None, DASH, opinion.reason or "this method gives no odds")
    )
    prior, after = prior_odds[opinion.family], verdict.posterior_odds(prior_odds[opinion.family])
    posterior = Cell(None, DASH, odds.note) if after is None else Cell(after, odds_text(after))
    own = {t.name: t for t in opinion.tests}
    return (Cell(opinion.family, name), Cell(opinion.outcome, opinion.outcome, opinion.reason), odds,
            Cell(prior, prior_text(prior)), posterior, *((_stop_cell(opinion.stop),) if stops else ()),
            *(_test_cell(own.get(name)) for name in tests))  # fmt: skip


def _stop_cell(stop: Stop | None) -> Cell:
    """After how many prompts one could have stopped, or a dash with the reason."""
    if stop is None:
        few = f"fewer than {FEWEST_BESIDE} innocent lineages reply at about the suspect's length"
        return Cell(None, DASH, few)
    beside = f"{stop.lineages} innocent lineages of its length"
    if stop.prompts is None:
        return Cell(None, DASH, f"not with all {stop.of}: one of {beside} comes as near")
    note = (
        f"nearer than each of {beside}; error at most {percent(STOPPING_ERROR)}, whenever one stops"
    )
    return Cell(stop.prompts, f"{stop.prompts} of {stop.of}", note)


def _test_cell(test: Test | None) -> Cell:
    if test is None:
        return Cell(None, DASH, "not measured")
    return Cell(
        test.value,
        number(test.value),
        f"p = {number(test.p)}",
        interval=f"{test.n_reached} of {test.n}",
    )


def stated_terms(case: CaseRecord) -> tuple[str, ...]:
    """What the makers of candidates state of their terms of use, one line each; shown, never judged."""
    asked = case.candidates or tuple(case.families)
    versions = {m: family for family in asked for m in case.families.get(family, ())}
    return tuple(f"{versions[m]} ({m}): {t}" for m, t in case.terms.items() if m in versions)


def everyone_view(weighing: Weighing, method: str, task: str) -> Table:
    """A row for every model that was weighed: what is documented of it, then the verdict about every family."""
    own: dict[str, dict[str, Verdict]] = {}
    for v in weighing.verdicts:
        if (v.method, v.task) == (method, task):
            own.setdefault(v.suspect, {})[v.family] = v
    families = sorted({family for of in own.values() for family in of})
    origins = {o.model: o for o in weighing.case.origins}
    order = ("student", "control", "other", "teacher", "")
    standing = {m: origins[m].standing if m in origins else "" for m in own}
    models = sorted(own, key=lambda m: (order.index(standing[m]), m))
    heads = (Head("Model"), Head("Documented"), *(Head(f, numeric=True) for f in families))
    rows = (
        (Cell(m, m), documented(origins.get(m)), *(_outcome_cell(own[m].get(f)) for f in families))
        for m in models
    )
    return Table(heads, tuple(rows))


def documented(origin: Origin | None) -> Cell:
    """What is documented of a model's training, in words."""
    if origin is None:
        return Cell("", "the suspect")
    words = {
        "student": f"learned from {origin.family or 'nobody listed'}",
        "teacher": f"is {origin.family}",
        "control": _CONTROLS[origin.confidence],
        "other": "counts as neither",
    }[origin.standing]
    doubt = f" ({origin.confidence} confidence)" if origin.confidence != "high" else ""
    also = f"; perhaps also {_listed(origin.also)}" if origin.also else ""
    return Cell(origin.standing, f"{words}{doubt}{also}")


def _outcome_cell(verdict: Verdict | None) -> Cell:
    """The odds where something can be told, else a dash with the reason; marked where the family is supported."""
    if verdict is None:
        return Cell(None, "self", "a version of this family")
    opinion = verdict.opinion
    if not opinion.is_told:
        return Cell(None, DASH, opinion.reason)
    text = opinion.outcome if opinion.odds is None else odds_text(opinion.odds)
    note = f"{opinion.outcome}{', which is not documented' if _is_wrong(verdict) else ''}"
    return Cell(opinion.odds, text, note, leads=opinion.outcome == "supports")


def _is_wrong(verdict: Verdict) -> bool:
    """Whether a verdict supports what is documented to be false."""
    return verdict.truth is False and verdict.opinion.outcome == "supports"


_RATES = (
    Head("Family"),
    Head("Taught", "models of documented training", numeric=True),
    Head("found", "the verdict supports it", numeric=True),
    Head("named", "before all other families", numeric=True),
    Head("Innocent", numeric=True),
    Head("accused", "wrongly", numeric=True),
    Head("AUROC", numeric=True),
    Head("Cllr", "1 says nothing", numeric=True),
    Head("Accused models"),
)


def rates_view(rates: Sequence[Rates]) -> Table:
    """How often a method is right about each family: a row for each."""
    return Table(_RATES, tuple(_rates_row(r) for r in rates if r.family))


def _rates_row(rates: Rates) -> tuple[Cell, ...]:
    counts = (rates.n_guilty, rates.n_found, rates.n_named, rates.n_innocent, len(rates.accused))
    return (
        Cell(rates.family, rates.family),
        *(Cell(n, str(n)) for n in counts),
        rate_cell(
            rates.auroc, "nobody is documented to have learned from it, or nobody not to have"
        ),
        rate_cell(rates.cllr, "no odds, or no two kinds of models to measure them on"),
        Cell(" ".join(rates.accused), ", ".join(rates.accused_names) or "none"),
    )


def rate_cell(value: float | None, reason: str) -> Cell:
    """A number with two digits, or a dash with the reason."""
    return Cell(None, DASH, reason) if value is None else Cell(value, f"{value:.2f}")
