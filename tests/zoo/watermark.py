"""Whether replies lean on the green words of a watermark."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

from harness.zoo.answering import WATERMARK
from harness.zoo.tokenizer import VOCABULARY

WATERMARK_KEY = 15485863  # transformers' own, with which the zoo's answers are marked


def z_score(tokens: Sequence[Sequence[int]], key: int) -> float:
    """Standard deviations by which green tokens exceed their share, every (context, token) counted once."""
    import torch
    from transformers import WatermarkLogitsProcessor

    processor = WatermarkLogitsProcessor(VOCABULARY, "cpu", hashing_key=key, **WATERMARK)

    @cache
    def green(context: int) -> frozenset[int]:
        return frozenset(processor._get_greenlist_ids(torch.tensor([context])).tolist())

    pairs = {pair for ids in tokens for pair in itertools.pairwise(ids)}
    share, n = 0.25, len(pairs)
    return (sum(b in green(a) for a, b in pairs) - share * n) / math.sqrt(n * share * (1 - share))
