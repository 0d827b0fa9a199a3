"""What measures of open-ended replies share: whose samples there are, and which replies are long enough."""

from __future__ import annotations

import numpy as np

from harness.metrics.gap_recovered import GAP_UNIT
from harness.panel.align import AlignedTexts
from harness.panel.panel import Side, Sides
from harness.text.segment import read
from harness.types import Ints, Unavailable

__all__ = ["GAP_UNIT", "gated", "reply_words", "required", "second_sample", "teacher_samples"]


def required(side: Side | None, role: str) -> Side:
    """The side; raises Unavailable where the pair has none."""
    if side is None:
        raise Unavailable(f"this pair names no {role}")
    return side


def second_sample(one: Sides) -> Side | None:
    """The teacher's second sample, where the ceiling is one and not another version of the teacher."""
    return one.ceiling if one.ceiling_kind == "second_sample" else None


def teacher_samples(one: Sides) -> list[Side]:
    """The teacher's one or two samples."""
    second = second_sample(one)
    return [required(one.teacher, "teacher"), *([second] if second else [])]


def reply_words(texts: tuple[str, ...]) -> Ints:
    """Words (P,) of every reply."""
    return read(texts).n_words


def gated(everyone: AlignedTexts, shortest: int, minimum: int) -> Ints:
    """Rows of the prompts on which every sample of the teacher (texts[2:]) has at least `shortest` words."""
    counts = [reply_words(texts) for texts in everyone.texts[2:]]
    rows = np.flatnonzero(np.min(counts, axis=0) >= shortest)
    if len(rows) < max(minimum, 2):
        raise Unavailable(
            f"{len(rows)} prompts on which the teacher's replies have {shortest} words or more; {minimum} are needed"
        )
    return rows
