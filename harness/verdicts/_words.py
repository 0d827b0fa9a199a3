"""How often everybody uses the commonest words."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np

from harness.panel.evidence import Crowd
from harness.text.tokens import in_one_vocabulary
from harness.types import Floats, Ints, Unavailable

_FEWEST = 4  # background models, below which nobody knows what is usual


class WordRates(NamedTuple):
    """Relative frequencies of the commonest words."""

    words: tuple[str, ...]  # the commonest first
    rates: Annotated[Floats, "M N"]  # rows as in `crowd.sides`; NaN for who wrote nothing
    background: Annotated[Ints, "B"]  # rows of the background


def word_rates(crowd: Crowd, n: int) -> WordRates:
    """Rates of the n words that are commonest in the background, in the mean over its models.

    Marks and line ends are no words. No candidate has a say in which words these are. Raises Unavailable.
    """
    places = np.array([i for i, m in enumerate(crowd.sides) if m in crowd.background])
    if len(places) < _FEWEST:
        raise Unavailable(
            f"{len(places)} models of documented training answered this task, at least {_FEWEST} are needed"
        )
    words, codes = in_one_vocabulary([crowd.replies(m).tokens for m in crowd.sides])
    is_word = np.array([w[0].isalnum() for w in words])
    counts = np.stack([np.bincount(c, minlength=len(words)) * is_word for c in codes])
    with np.errstate(invalid="ignore"):
        rates = counts / counts.sum(axis=1, keepdims=True)
    usual = np.nanmean(rates[places], axis=0)
    order = np.lexsort((np.arange(len(words)), -usual))[:n]
    order = order[usual[order] > 0]
    return WordRates(tuple(words[i] for i in order), rates[:, order], places)


def standardized(made: WordRates) -> Annotated[Floats, "M N"]:
    """The rates as standard deviations from the background's mean; words that all of it use alike are left out."""
    own = made.rates[made.background]
    spread = np.nanstd(own, axis=0)
    varied = spread > 0
    return np.asarray((made.rates - np.nanmean(own, axis=0))[:, varied] / spread[varied])
