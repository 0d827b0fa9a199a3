"""Burrows's Delta: who uses the commonest words as the suspect does? The usual first method of stylometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from harness.panel.evidence import Crowd, Opinion, Origin
from harness.panel.panel import View
from harness.types import DistillbenchError
from harness.verdicts import AbstractVerdict
from harness.verdicts._likenesses import Likenesses, likenesses, nearest, versions_of
from harness.verdicts._words import standardized, word_rates


@final
@dataclass(frozen=True)
class BurrowsDelta(AbstractVerdict):
    """The nearest family by cosine Delta.

    Source: Burrows 2002, Literary and Linguistic Computing 17(3); the cosine in place of the mean difference and the
    number of words: Evert et al. 2017, Digital Scholarship in the Humanities 32(suppl. 2). All replies of a model are
    one text.
    """

    words: int = 500  # the commonest, that are counted

    looks_at: ClassVar[View] = View.STYLE
    reads_tokens: ClassVar[bool] = True
    explanation: ClassVar[str] = (
        "Burrows's Delta with cosines (Burrows 2002, Evert et al. 2017): frequencies of the 500 commonest words, as "
        "standard deviations from the mean of models of documented training; the nearest teacher is supported. It "
        "was made for texts of which one of the candidates is the author, so it names somebody for every model, "
        "innocent ones included. No odds."
    )

    def __post_init__(self) -> None:
        if self.words < 1:
            raise DistillbenchError(f"key words: expected 1 or more, got {self.words}")

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Likenesses:
        """Cosines of all models with all versions."""
        z = standardized(word_rates(crowd, self.words))
        with np.errstate(invalid="ignore"):
            unit = z / np.linalg.norm(z, axis=1, keepdims=True)
        rows = {m: i for i, m in enumerate(crowd.sides)}
        return likenesses(crowd, unit @ unit[[rows[v] for v in versions_of(crowd)]].T)

    def weigh(self, prepared: Likenesses, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """The nearest is supported."""
        return nearest(prepared, suspect)
