"""The method `dli` of knowlyr-modelaudit as a verdict: somebody else's detector, weighed as ours are.

`pip install knowlyr-modelaudit==0.4.1`, and give `paths.plugins=[docs/examples]`. The package asks models itself, by
probes of its own; here it is given the answers that are there, and its signature, similarity and threshold decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from harness.panel.evidence import Crowd, Opinion, Origin, Outcome
from harness.panel.panel import View
from harness.types import Unavailable
from harness.verdicts import AbstractVerdict


class Comparison(NamedTuple):
    """What the package says of two models."""

    similarity: float
    is_derived: bool


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Of every model with every version of every family."""

    families: Mapping[str, tuple[str, ...]]
    made: Mapping[tuple[str, str], Comparison]  # (model, version)


@final
@dataclass(frozen=True)
class Dli(AbstractVerdict):
    """Whoever is similar enough, by the package's own threshold."""

    looks_at: ClassVar[View] = View.STYLE
    explanation: ClassVar[str] = (
        "knowlyr-modelaudit 0.4.1, method dli: 0.4 times the similarity of the 100 commonest word pairs plus 0.6 times "
        "the cosine of eight features, of which the length of replies is by far the largest; derived from .80 on. "
        "No odds."
    )

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Comparisons:
        """Compares everybody with every version."""
        audit = _Audit()
        prints = {m: audit.fingerprint(m, list(crowd.texts(m).values())) for m in crowd.sides}
        versions = [v for own in crowd.families.values() for v in own]
        made = {
            (m, v): audit.compare(prints[m], prints[v])
            for m in crowd.sides
            for v in versions
            if v != m
        }
        return Comparisons(crowd.families, made)

    def weigh(self, prepared: Comparisons, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """One opinion per family, about its most similar version."""
        best: dict[str, tuple[Comparison, str]] = {}
        for family, own in prepared.families.items():
            some = [(prepared.made[suspect, v], v) for v in own if v != suspect]
            if some:
                best[family] = max(some)
        first = max(best, key=lambda f: (best[f][0], f), default="")
        return [
            _opinion(f, *best[f], is_named=f == first) if f in best else _no_version(f, own[0])
            for f, own in prepared.families.items()
        ]


class _Audit:
    """The package, as far as it is needed."""

    def __init__(self) -> None:
        try:
            self._method: Any = import_module("modelaudit.methods.dli")
            self._models: Any = import_module("modelaudit.models")
        except ImportError:
            raise Unavailable(
                "dli needs its package: pip install knowlyr-modelaudit==0.4.1"
            ) from None
        self._judge = self._method.DLIFingerprinter()

    def fingerprint(self, model: str, texts: list[str]) -> Any:
        """The package's fingerprint of a model, from its answers."""
        signature = self._method._extract_behavior_signature(texts)
        kind = self._judge.fingerprint_type
        return self._models.Fingerprint(
            model_id=model, method="dli", fingerprint_type=kind, data={"signature": signature}
        )

    def compare(self, first: Any, second: Any) -> Comparison:
        """The package's similarity, and whether that is enough for it."""
        made = self._judge.compare(first, second)
        return Comparison(float(made.similarity), bool(made.is_derived))


def _opinion(family: str, made: Comparison, version: str, *, is_named: bool) -> Opinion:
    outcome: Outcome = "supports" if made.is_derived else "does not support"
    return Opinion(family, version, made.similarity, outcome, is_named=is_named)


def _no_version(family: str, version: str) -> Opinion:
    reason = "the suspect is the only version of this family"
    return Opinion(family, version, None, "cannot tell", reason=reason, is_told=False)
