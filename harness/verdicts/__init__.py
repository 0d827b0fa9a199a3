"""Verdicts: from whose answers did a model learn? One file, one subclass of AbstractVerdict.

`harness/verdicts/attribution.py` is the verdict `attribution` of a matrix. A verdict sees a crowd: the suspect, the
candidate teachers by family, and models whose training is documented. It works in two steps, so that no method can
cheat by accident::

    prepare(crowd)                   all that is made once: likenesses, beside those of models innocent of a family
    weigh(prepared, suspect, known)  one suspect; `known` says who learned from whom, but for the suspect's own lineage

Every model of the crowd is weighed as if it were the suspect, and what comes out is compared with what is documented:
these are the error rates that stand beside every verdict. `harness.testing.check_verdict` is the contract as a test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.panel.evidence import Crowd, Opinion, Origin
from harness.panel.panel import View


@dataclass(frozen=True)
class AbstractVerdict(ABC):
    """A method that says which teacher's answers a model learned from, how sure that is, or that it cannot tell."""

    kind: str
    name: str

    looks_at: ClassVar[View]  # the kind of answers: which tasks fit
    reads_tokens: ClassVar[bool] = (
        False  # whether it looks at `Crowd.replies`: these are then stored
    )
    # of what `liken` makes for each family, a dataclass of plain values: then it is stored for each suspect by itself
    likeness: ClassVar[type | None] = None
    explanation: ClassVar[str]  # for the page: what it does, and when not to trust it

    def named_models(self) -> Mapping[str, str]:
        """Key of its own fields -> the model that it names there: each must stand in the matrix."""
        return {}

    @abstractmethod
    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Any:
        """What is made once for all suspects. May raise Unavailable(reason) where there is nothing to say."""

    def liken(self, crowd: Crowd, suspects: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        """What is made of each suspect beside candidates and background: without chance, and whoever else is suspected.

        Where a class names its `likeness`, `prepare` finds those that were made before in `crowd.likenesses`, and the
        crowd that `liken` is given may lack other suspects. May raise Unavailable(reason).
        """
        return {}

    @abstractmethod
    def weigh(self, prepared: Any, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """One opinion for every family of the crowd, in its order; `known` is sorted by name.

        The order of models and families changes nothing, and one family more changes no other's odds or
        score (the outcome it may change: only one can be the nearest).
        May raise Unavailable(reason) where there is nothing to say of this suspect.
        """

    def calibrated(self, prepared: Any, known: Sequence[Origin], date: str) -> Any:
        """What was fitted on all documented models, as a dataclass that a later run may be given; None = nothing.

        Its field `errors` is filled in from what is then said of everybody. date: today's.
        """
        return None
