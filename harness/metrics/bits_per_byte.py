"""Bits per byte: how many bits a model needs for each byte of a text; the same number for any tokenizer.

Source: lm-eval's metric of that name, -sum of log-probabilities / ln 2 / sum of bytes in UTF-8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics import AbstractMetric
from harness.metrics._reading import authors, ratio, reads
from harness.panel.panel import Side, Sides
from harness.types import Better, Found, Ratio, Unavailable


def bits_per_byte(side: Side, author: str | None, minimum: int) -> Ratio:
    """Bits over bytes of one author's texts, or of all (None)."""
    read = [r for (_, leaf), r in reads(side).items() if author in (None, leaf)]
    return ratio(
        [(r.prompt, -r.logprob_nats / math.log(2), float(r.n_bytes)) for r in read], minimum
    )


@dataclass(frozen=True)
class BitsPerByte(AbstractMetric):
    """How surprising a text is to one model."""

    unit: ClassVar[str] = "bits per byte"
    better: ClassVar[Better] = "lower"
    needs: ClassVar[frozenset[str]] = frozenset({"reading"})
    of: ClassVar = "model"
    explanation: ClassVar[str] = (
        "How many bits the model needs for each byte of the text that it reads: the lower, the more it expected the "
        "text. Defined alike for every tokenizer. Where models read each other's answers there is a number for each "
        "author. A better model needs fewer bits for any text: see `preference` for whose text a student takes to."
    )

    def found(self, sides: Sequence[Sides], rng: np.random.Generator) -> list[Found]:
        """All texts together, and each author's where there are several."""
        one = sides[0]
        names = authors(one.student)
        leaves: list[str | None] = [None, *names] if len(names) > 1 else [None]
        return [_found(one, leaf) for leaf in leaves]


def _found(one: Sides, leaf: str | None) -> Found:
    try:
        return Found("", leaf or "", bits_per_byte(one.student, leaf, one.minimum))
    except Unavailable as error:
        return Found("", leaf or "", str(error))
