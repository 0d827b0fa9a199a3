"""Inherited errors: who gives a teacher's rare wrong answers again, more than strangers of like capability do?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, NamedTuple, final

import numpy as np

from harness.panel.agreement import pairwise_kappa
from harness.panel.choices import AlignedChoices, Mask, gather_choices
from harness.panel.evidence import Crowd, Opinion, Origin, Test
from harness.panel.panel import View
from harness.panel.side import once
from harness.stats.means import LEVEL, t_quantile, t_two_sided_p
from harness.stats.multiple import holm
from harness.stats.round_robin import pair_excess, strangers_excess
from harness.types import DistillbenchError, Floats, Ints, Unavailable
from harness.verdicts import AbstractVerdict

_BOTH_WRONG = 20  # prompts that two models got wrong, below which their errors are not compared
_STRANGERS = 24  # lineages at most, those nearest in accuracy to the suspect
_SMOOTH = 0.5  # added to the counts of every wrong option


class Excess(NamedTuple):
    """What a model has in common with a version beyond strangers, and how likely that is by chance."""

    value: float
    t: float  # in standard errors of a prediction
    p: float  # one-sided


@dataclass(frozen=True, eq=False)
class Choosers:
    """Everybody's choices on all keyed prompts."""

    choices: AlignedChoices
    rows: Mapping[str, int]  # model -> row
    accuracies: Annotated[Floats, "M"]  # of the prompts that it answered
    kappa: Annotated[Floats, "M M"]  # CAPA of every pair
    families: Mapping[str, tuple[str, ...]]
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @once
    def strangers(self, suspect: str, family: str, known: tuple[Origin, ...]) -> tuple[Origin, ...]:
        """Models that did not learn from a family: of the lineages that are nearest in accuracy to the suspect."""
        able = [
            o
            for o in known
            if o.standing in ("student", "control")
            and o.learned_from(family) is False
            and o.model in self.rows
            and o.model not in self.families[family]
        ]
        own = self.accuracies[self.rows[suspect]]
        gaps: dict[str, float] = {}
        for o in able:
            gap = float(abs(self.accuracies[self.rows[o.model]] - own))
            gaps[_lineage(o)] = min(gap, gaps.get(_lineage(o), gap))
        near = sorted(gaps, key=lambda name: (gaps[name], name))[:_STRANGERS]
        return tuple(o for o in able if _lineage(o) in near)

    @cached_property
    def errors(self) -> Annotated[Mask, "M P"]:
        """Where a wrong option was chosen, the same in every order that the options were asked in."""
        return np.asarray(self.choices.wrong & self.choices.steady)

    def both_wrong(self, first: str, second: str) -> int:
        """Prompts that both got wrong, see `errors`."""
        one, other = (self.errors[self.rows[m]] for m in (first, second))
        return int(np.count_nonzero(one & other))

    @property
    def in_orders(self) -> str:
        """What is added to "wrong" where options were asked in several orders."""
        return "" if self.choices.steady.all() else ", each with one option in every order"

    def rare_errors(self, models: Annotated[Ints, "K"]) -> Annotated[Floats, "K K"]:
        """Mean weight of the wrong options that two models share, over the prompts that both got wrong.

        A shared option weighs -log of the share of the other models here, wrong on the prompt, that chose it: 0 where
        every error is that one. NaN where both are wrong on few prompts.
        """
        chosen, wrong = self.choices.chosen[models], self.errors[models].astype(np.float64)
        others = np.maximum(wrong.sum(axis=0) - 2, 0)
        total = np.zeros((len(models), len(models)))
        for option in range(self.choices.probabilities.shape[2]):
            own = wrong * (chosen == option)
            rest = np.maximum(own.sum(axis=0) - 2, 0)
            share = (rest + _SMOOTH) / (others + _SMOOTH * (self.choices.n_options - 1))
            total += (own * -np.log(share)) @ own.T
        both = wrong @ wrong.T
        few = np.full(both.shape, np.nan)
        return np.asarray(np.divide(total, both, out=few, where=both >= _BOTH_WRONG))


@final
@dataclass(frozen=True)
class InheritedErrors(AbstractVerdict):
    """Families whose rare wrong answers the suspect gives again. No odds.

    Source: our own; sharing of wrong answers as evidence of copying is old (Wesolowsky 2000, Journal of Applied
    Statistics 27, 909-921), rarity as its weight too (Angoff 1974, JASA 69, 44-49). Expected of strangers:
    `stats/round_robin`. CAPA: Goel et al. 2025.
    """

    level: float = 0.05  # of p after Holm's correction over families and versions

    looks_at: ClassVar[View] = View.CHOICES
    explanation: ClassVar[str] = (
        "Where suspect and teacher are both wrong: how often with the same wrong option, which weighs the more the "
        "fewer others fall for it. Compared with pairs of models that did not learn from each other, each allowed its "
        "own proneness to popular errors, at like accuracy: p is that of one unrelated pair more, Holm's over families "
        "and versions. Supported at 5 % where at most 1 in 20 known innocents shares as much. CAPA, agreement beyond "
        "what accuracy gives, is shown beside it and decides nothing. A common base, common data or a common teacher "
        "make models share errors too. Where a task asks its options in several orders, an "
        "error counts where its model chose the same option in each; with one order, an error that follows a position "
        "and not a content counts like any other."
    )

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise DistillbenchError(
                f"key level: expected a share between 0 and 1, got {self.level}"
            )

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Choosers:
        """Everybody's choices; raises Unavailable where no prompt states a right option."""
        choices = gather_choices(crowd.sides)
        if not choices.prompts:
            raise Unavailable("no multiple-choice prompt states a right option")
        rows = {model: i for i, model in enumerate(choices.models)}
        answered = choices.answered.sum(axis=1)
        accuracies = choices.right.sum(axis=1) / np.maximum(answered, 1)
        return Choosers(choices, rows, accuracies, pairwise_kappa(choices), crowd.families)

    def weigh(self, prepared: Choosers, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """Supports where rare errors are shared that no stranger shares."""
        made = {f: _weighed(prepared, suspect, f, tuple(known)) for f in prepared.families}
        told = {f: one for f, one in made.items() if isinstance(one, _Weighed)}
        # Holm over all families that are told, each with as many tries as versions
        tries = [min(one.errors.p * one.n_versions, 1.0) for one in told.values()]
        adjusted = dict(zip(told, holm(tries).tolist(), strict=True)) if told else {}
        first = max(told, key=lambda f: (told[f].errors.t, f), default="")
        return [
            one if isinstance(one, Opinion) else self._opinion(one, adjusted[f], first)
            for f, one in made.items()
        ]

    def _opinion(self, one: _Weighed, p: float, first: str) -> Opinion:
        is_rare = one.tests[0].n_reached <= self.level * one.tests[0].n
        reason = "" if p <= self.level else f"p = {p:.2g} after Holm's correction"
        reason = reason or ("" if is_rare else "known innocents share as much")
        return Opinion(
            one.family,
            one.version,
            one.errors.t,
            "cannot tell" if reason else "supports",
            is_named=one.family == first,
            reason=reason,
            tests=one.tests,
        )


class _Weighed(NamedTuple):
    """One family beside a suspect."""

    family: str
    version: str
    n_versions: int
    errors: Excess
    tests: tuple[Test, ...]


def _weighed(
    prepared: Choosers, suspect: str, family: str, known: tuple[Origin, ...]
) -> _Weighed | Opinion:
    """What suspect and family have in common; an opinion with the reason where that cannot be told."""
    strangers = prepared.strangers(suspect, family, known)
    versions = [v for v in prepared.families[family] if v != suspect]
    best: tuple[Excess, str] | None = None
    reason = ""
    for version in versions:
        n = prepared.both_wrong(suspect, version)
        if n < _BOTH_WRONG:
            reason = (
                f"{n} prompts that {suspect} and {version} both got wrong{prepared.in_orders}; at least {_BOTH_WRONG} "
                "are needed"
            )
            continue
        try:
            one = _excess(_scene(prepared, suspect, version, strangers, "errors"))
        except Unavailable as error:
            reason = str(error)
            continue
        best = max((one, version), best or (one, version), key=lambda b: (b[0].t, b[1]))
    if best is None:
        first = prepared.families[family][0]
        return Opinion(family, first, None, "cannot tell", reason=reason, is_told=False)
    excess, version = best
    tests = tuple(
        test
        for what, name in (("errors", "rare errors shared"), ("kappa", "CAPA above strangers"))
        if (test := _test(_scene(prepared, suspect, version, strangers, what), name)) is not None
    )
    return _Weighed(family, version, len(versions), excess, tests)


class _Scene(NamedTuple):
    """Suspect, version and strangers, in this order, as the round robin takes them."""

    values: Annotated[Floats, "K K"]
    accuracies: Annotated[Floats, "K"]
    groups: list[str]  # related models have the same
    lineages: list[str]


def _scene(
    prepared: Choosers, suspect: str, version: str, strangers: Sequence[Origin], what: str
) -> _Scene:
    """What is in common of every two."""
    rest = [o for o in strangers if o.model not in (suspect, version)]
    models = np.array([prepared.rows[m] for m in (suspect, version, *(o.model for o in rest))])
    values = (
        prepared.rare_errors(models) if what == "errors" else prepared.kappa[np.ix_(models, models)]
    )
    groups, lineages = [suspect, version, *_related(rest)], [_lineage(o) for o in rest]
    return _Scene(values, prepared.accuracies[models], groups, ["", "", *lineages])


def _excess(scene: _Scene) -> Excess:
    """What suspect and version have in common beyond unrelated pairs; raises Unavailable."""
    made = pair_excess(scene.values, scene.accuracies, scene.groups)
    t = made.value / (made.high - made.value) * t_quantile(0.5 + LEVEL / 2, made.df)
    half = t_two_sided_p(t, made.df) / 2
    return Excess(made.value, t, half if t > 0 else 1 - half)


def _test(scene: _Scene, name: str) -> Test | None:
    """The excess beside that of known innocents with the same version; None where it has none."""
    try:
        own = _excess(scene)
    except Unavailable:
        return None
    ts = strangers_excess(scene.values, scene.accuracies, scene.groups)
    most: dict[str, float] = {}
    for lineage, t in zip(scene.lineages[2:], ts[2:].tolist(), strict=True):
        if np.isfinite(t):
            most[lineage] = max(t, most.get(lineage, t))
    return Test(name, own.value, sum(t >= own.t for t in most.values()), len(most))


def _lineage(origin: Origin) -> str:
    return origin.lineage or origin.model


def _related(origins: Sequence[Origin]) -> list[str]:
    """A label for each: models of one lineage, or taught by one family, are of one group."""
    label = {_lineage(o): _lineage(o) for o in origins}
    first: dict[str, str] = {}
    for o in origins:
        for family in (*([o.family] if o.family else []), *o.also):
            mine, other = label[_lineage(o)], label[first.setdefault(family, _lineage(o))]
            label = {k: other if v == mine else v for k, v in label.items()}
    return [label[_lineage(o)] for o in origins]
