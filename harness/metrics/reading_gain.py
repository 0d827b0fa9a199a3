"""Reading gain: how many bits fewer than its base a student needs for each byte of the teacher's answers.

Source: ours; the difference of two of lm-eval's bits per byte, paired by text. Pairing takes the difficulty of the
texts off, which is most of the spread of a single model's bits per byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.panel import Looks, Panel, View
from harness.panel.reads import ratio, reads, require_author
from harness.panel.side import Side
from harness.types import Finding, Ratio


def reading_gain(student: Side, base: Side, author: str, minimum: int) -> Ratio:
    """(bits of the base - bits of the student) / bytes, summed over the author's texts that both read.

    Raises Unavailable below `minimum` prompts.
    """
    own, before = reads(student), reads(base)
    shared = [p for p in own if p in before and p[1] == author]
    return ratio(
        [
            (
                own[p].prompt,
                (own[p].logprob_nats - before[p].logprob_nats) / math.log(2),
                float(own[p].n_bytes),
            )
            for p in shared
        ],
        minimum,
    )


@dataclass(frozen=True)
class ReadingGain(AbstractMetric):
    """What the student gained over its base in expecting the teacher's text."""

    unit = "bits per byte"
    better = "higher"
    looks_at = Looks((View.READING, View.ANSWERS), needs=("teacher", "base"))
    explanation = (
        "By how many bits fewer than its base the student expects each byte of the teacher's answers, paired by text: "
        "above 0, it came nearer to this text. Tokenizers may differ, and a few dozen texts are enough. Any training "
        "on text of the kind moves it, whoever wrote it: compare it with the same number of the controls, which "
        "stands beside it, and see `preference` for whether it is this teacher's text that the student took to."
    )

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The gain on the teacher's answers."""
        panel = panels[0]
        require_author(panel.student, panel.teacher.model)
        return [
            Finding(
                reading_gain(panel.student, panel.side("base"), panel.teacher.model, panel.minimum)
            )
        ]
