"""Common character n-grams: whose most frequent runs of characters are those of the suspect?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from harness.panel.evidence import Crowd, Opinion, Origin
from harness.panel.panel import View
from harness.types import DistillbenchError, Floats
from harness.verdicts import AbstractVerdict
from harness.verdicts._likenesses import Likenesses, likenesses, nearest, versions_of

_LONGEST = 8  # bytes in a machine word


class Profile(NamedTuple):
    """The commonest n-grams of a model."""

    grams: Annotated[NDArray[np.uint64], "L"]  # ascending
    rates: Annotated[Floats, "L"]  # of all its n-grams


@final
@dataclass(frozen=True)
class CharacterNgrams(AbstractVerdict):
    """The nearest family by profiles of byte n-grams.

    Source: Kešelj, Peng, Cercone and Thomas 2003, N-gram-based author profiles for authorship attribution, PACLING.
    """

    length: int = 6  # bytes of an n-gram, at most 8
    profile: int = 2000  # the commonest, that are compared

    looks_at: ClassVar[View] = View.STYLE
    explanation: ClassVar[str] = (
        "Profiles of the 2,000 commonest runs of 6 bytes, compared by their relative differences in frequency (Kešelj "
        "et al. 2003); the nearest teacher is supported. Subjects of the prompts and layout count with the wording. "
        "Like every nearest-neighbour rule it names somebody for every model, innocent ones included. No odds."
    )

    def __post_init__(self) -> None:
        if not 1 <= self.length <= _LONGEST:
            raise DistillbenchError(
                f"key length: expected 1 to {_LONGEST} bytes, got {self.length}"
            )
        if self.profile < 1:
            raise DistillbenchError(f"key profile: expected 1 or more, got {self.profile}")

    def prepare(self, crowd: Crowd, rng: np.random.Generator) -> Likenesses:
        """Likenesses of all profiles with those of all versions."""
        own = {m: self._profile(list(crowd.texts(m).values())) for m in crowd.sides}
        versions = versions_of(crowd)
        table = [[_likeness(own[m], own[v]) for v in versions] for m in crowd.sides]
        return likenesses(crowd, np.array(table, dtype=np.float64))

    def weigh(self, prepared: Likenesses, suspect: str, known: Sequence[Origin]) -> list[Opinion]:
        """The nearest is supported."""
        return nearest(prepared, suspect)

    def _profile(self, texts: Sequence[str]) -> Profile:
        """The commonest n-grams of texts; none crosses from one text into the next."""
        raw = "\0".join(t.replace("\0", " ") for t in texts).encode(errors="replace")
        grams = _grams(np.frombuffer(raw, dtype=np.uint8), self.length)
        each, counts = np.unique(grams, return_counts=True)
        most = np.sort(np.lexsort((each, -counts))[: self.profile])
        return Profile(each[most], counts[most] / max(len(grams), 1))


def _grams(
    raw: Annotated[NDArray[np.uint8], "T"], length: int
) -> Annotated[NDArray[np.uint64], "G"]:
    """All runs of so many bytes as numbers, but for those with a byte of 0."""
    n = max(len(raw) - length + 1, 0)
    grams, whole = np.zeros(n, dtype=np.uint64), np.ones(n, dtype=np.bool_)
    for k in range(length):
        own = raw[k : k + n]
        grams = (grams << np.uint64(8)) | own
        whole &= own > 0
    return grams[whole]


def _likeness(a: Profile, b: Profile) -> float:
    """1 less the share of the largest dissimilarity that two profiles can have; NaN where one is empty."""
    sizes = len(a.grams) + len(b.grams)
    if not len(a.grams) or not len(b.grams):
        return float("nan")
    _, here, there = np.intersect1d(a.grams, b.grams, assume_unique=True, return_indices=True)
    f, g = a.rates[here], b.rates[there]
    shared = float((((f - g) / ((f + g) / 2)) ** 2).sum())
    alone = 4.0 * (sizes - 2 * len(here))  # what an n-gram that only one of them has adds
    return 1 - (shared + alone) / (4 * sizes)
