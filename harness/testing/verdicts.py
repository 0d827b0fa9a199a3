"""The contract of verdicts, as tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.panel.evidence import OUTCOMES, Crowd, Opinion, Origin, without_lineage
from harness.panel.panel import View
from harness.testing.crowds import crowd, quiz_crowd, reading_crowd
from harness.testing.making import made
from harness.verdicts import AbstractVerdict

_SUSPECTS = ("one-student-0", "two-student-1", "control-0")


def check_verdict(verdict: type[AbstractVerdict] | AbstractVerdict | str, **fields: Any) -> None:
    """Raises AssertionError with a sentence if a verdict breaks its contract.

    fields: its own, as a matrix has them.
    """
    method = made("verdicts", verdict, fields)
    everyone, origins = _crowd(method)
    said = _said(method, everyone, origins)
    for suspect, opinions in said.items():
        _check_opinions(method.name, suspect, opinions, everyone)
    assert said == _said(method, everyone, origins), f"{method.name}: two runs differ"
    _check_further_family(method, said)
    _check_right(method, said)


def _crowd(method: AbstractVerdict, families: int = 2) -> tuple[Crowd, tuple[Origin, ...]]:
    """A made-up crowd that gave what the method looks at."""
    if method.looks_at is View.ANSWERS:
        return reading_crowd(families)
    make = quiz_crowd if method.looks_at is View.CHOICES else crowd
    return make(families=families)


def _said(
    method: AbstractVerdict, everyone: Crowd, origins: Sequence[Origin]
) -> dict[str, list[Opinion]]:
    prepared = method.prepare(everyone, np.random.default_rng(7))
    return {s: method.weigh(prepared, s, without_lineage(origins, s)) for s in _SUSPECTS}


def _check_opinions(name: str, suspect: str, opinions: Sequence[Opinion], everyone: Crowd) -> None:
    families = [o.family for o in opinions]
    assert families == list(everyone.families), (
        f"{name}: expected one opinion for each of {list(everyone.families)}, got {families}"
    )
    for o in opinions:
        assert o.outcome in OUTCOMES, f"{name}: unknown outcome {o.outcome!r}"
        assert o.version in everyone.families[o.family], (
            f"{name}: {o.version} is no version of {o.family}"
        )
        assert o.odds is None or 0 < o.odds < np.inf, f"{name}: odds of {o.odds}"
        assert o.score is not None or not o.is_told, (
            f"{name}: neither score nor reason for {suspect}"
        )
    assert sum(o.is_named for o in opinions) <= 1, f"{name}: names several families"


def _check_further_family(method: AbstractVerdict, before: dict[str, list[Opinion]]) -> None:
    """One candidate more, which nobody learned from, changes no other's odds or score."""
    everyone, origins = _crowd(method, families=3)
    small, _ = _crowd(method)
    fewer = {m: s for m, s in everyone.sides.items() if m in small.sides or m.startswith("three-v")}
    families = {f: everyone.families[f] for f in ("one", "three", "two")}
    more = Crowd(small.task, fewer, dict(sorted(families.items())), small.background)
    known = [o for o in origins if o.model in fewer]
    for suspect, opinions in _said(method, more, known).items():
        others = {o.family: o.odds for o in opinions if o.family != "three"}
        assert others == {o.family: o.odds for o in before[suspect]}, (
            f"{method.name}: one candidate more changes the odds of others"
        )
        scores = {o.family: o.score for o in opinions if o.family != "three"}
        assert _alike(scores, {o.family: o.score for o in before[suspect]}), (
            f"{method.name}: one candidate more changes the scores of others"
        )


def _alike(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> bool:
    """Whether scores are the same but for rounding."""
    pairs = [(first[f], second[f]) for f in second]
    return all(a == b or (a is not None and b is not None and np.isclose(a, b)) for a, b in pairs)


def _check_right(method: AbstractVerdict, said: dict[str, list[Opinion]]) -> None:
    """A made-up student is more like one of its own family than of the other."""
    for suspect in ("one-student-0", "two-student-1"):
        scores = {o.family: o.score for o in said[suspect] if o.score is not None}
        own = suspect.split("-")[0]
        most = max(scores, key=lambda f: scores[f], default="nobody")
        assert most == own, f"{method.name}: expected {suspect} to be most like {own}, got {scores}"
