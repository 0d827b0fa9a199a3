"""Bits per byte: how many bits a model needs for each byte of a text; the same number for any tokenizer.

Source: lm-eval's metric of that name, -sum of log-probabilities / ln 2 / sum of bytes in UTF-8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.panel import Looks, Panel, View
from harness.panel.reads import authors, ratio, reads
from harness.panel.side import Side
from harness.types import Finding, Ratio, Unavailable


def bits_per_byte(side: Side, author: str | None, minimum: int) -> Ratio:
    """Bits over bytes of one author's texts, or of all (None)."""
    read = [r for (_, leaf), r in reads(side).items() if author in (None, leaf)]
    return ratio(
        [(r.prompt, -r.logprob_nats / math.log(2), float(r.n_bytes)) for r in read], minimum
    )


@dataclass(frozen=True)
class BitsPerByte(AbstractMetric):
    """How surprising a text is to one model."""

    unit = "bits per byte"
    better = "lower"
    looks_at = Looks((View.READING,))
    explanation = (
        "How many bits the model needs for each byte of the text that it reads: the lower, the more it expected the "
        "text. Defined alike for every tokenizer. Where models read each other's answers there is a number for each "
        "author. A better model needs fewer bits for any text: see `preference` for whose text a student takes to."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """All texts together, and each author's where there are several."""
        panel = panels[0]
        names = authors(panel.student)
        leaves: list[str | None] = [None, *names] if len(names) > 1 else [None]
        return [_finding(panel, leaf) for leaf in leaves]


def _finding(panel: Panel, leaf: str | None) -> Finding:
    try:
        return Finding(bits_per_byte(panel.student, leaf, panel.minimum), leaf=leaf or "")
    except Unavailable as error:
        return Finding(str(error), leaf=leaf or "")
