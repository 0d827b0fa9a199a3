"""Replies of many models to the same prompts, in one vocabulary: what attribution counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.text.tokens import Tokens, in_one_vocabulary
from harness.types import Ints

Mask = NDArray[np.bool_]


class Replies(NamedTuple):
    """One model's replies, read: stored per model, whoever else is compared."""

    prompts: tuple[str, ...]  # (R,) ids, each once
    tokens: Tokens  # of R texts


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokens of M models' replies to P prompts; row p * M + m is the reply of model m to prompt p."""

    models: tuple[str, ...]  # (M,) sorted
    prompts: tuple[str, ...]  # (P,) ids, sorted
    words: tuple[str, ...]  # (V,) sorted
    codes: Annotated[Ints, "T"]  # places in `words`
    offsets: Annotated[Ints, "PM1"]  # of rows in `codes`
    asked: Annotated[Mask, "P M"]  # whether there is a reply, be it empty
    prompt_codes: Annotated[Ints, "Q"]  # of the prompts' own texts
    prompt_offsets: Annotated[Ints, "P1"]

    @property
    def lengths(self) -> Annotated[Ints, "P M"]:
        """Tokens of each reply (P, M), 0 where it is empty or missing."""
        return np.diff(self.offsets).reshape(self.asked.shape)

    def place(self, models: Sequence[str]) -> Annotated[Ints, "K"]:
        """Places (K,) of models, in the order of the names."""
        places = {name: i for i, name in enumerate(self.models)}
        return np.array(sorted(places[name] for name in models), dtype=np.int64)

    def only(
        self, prompts: Annotated[Mask, "P"], models: Annotated[Mask, "M"] | None = None
    ) -> Corpus:
        """The same of some prompts, and of some models; the vocabulary stays."""
        some = np.ones(len(self.models), dtype=bool) if models is None else models
        of_rows = np.outer(prompts, some).reshape(-1)
        codes, offsets = _cut(self.codes, self.offsets, of_rows)
        own, own_offsets = _cut(self.prompt_codes, self.prompt_offsets, prompts)
        ids = tuple(p for p, wanted in zip(self.prompts, prompts, strict=True) if wanted)
        names = tuple(m for m, wanted in zip(self.models, some, strict=True) if wanted)
        asked = self.asked[prompts][:, some]
        return Corpus(names, ids, self.words, codes, offsets, asked, own, own_offsets)


def gather(replies: Mapping[str, Replies], asked: Replies) -> Corpus:
    """The replies of all models to the prompts whose own texts are `asked`; replies to others are left out."""
    models, prompts = tuple(sorted(replies)), tuple(sorted(asked.prompts))
    words, codes = in_one_vocabulary([asked.tokens, *(replies[m].tokens for m in models)])
    place = {prompt: i for i, prompt in enumerate(prompts)}
    table = _Table(np.zeros((len(prompts), len(models)), dtype=bool))
    for column, model in enumerate(models):
        given = replies[model]
        rows = np.array([place.get(p, -1) for p in given.prompts], dtype=np.int64)
        table.add(rows, column, codes[column + 1], given.tokens.offsets)
    own = _Table(np.zeros((len(prompts), 1), dtype=bool))
    own.add(np.array([place[p] for p in asked.prompts]), 0, codes[0], asked.tokens.offsets)
    return Corpus(models, prompts, words, *table.flat(), table.asked, *own.flat())


class _Table:
    """Token rows that come model by model, and are wanted prompt by prompt."""

    def __init__(self, asked: Annotated[Mask, "P M"]) -> None:
        self.asked = asked
        self._rows: list[Ints] = []
        self._codes: list[Ints] = []

    def add(
        self,
        prompts: Annotated[Ints, "R"],
        column: int,
        codes: Annotated[NDArray[np.uint32], "T"],
        offsets: Annotated[Ints, "R1"],
    ) -> None:
        """One model's texts; a prompt's place is -1 where it is not wanted."""
        wanted = prompts >= 0
        self.asked[prompts[wanted], column] = True
        some, starts = _cut(codes.astype(np.int64), offsets, wanted)
        rows = prompts[wanted] * self.asked.shape[1] + column
        self._rows.append(np.repeat(rows, np.diff(starts)))
        self._codes.append(some)

    def flat(self) -> tuple[Ints, Ints]:
        """All codes, row after row, and the rows' offsets."""
        rows, codes = np.concatenate(self._rows), np.concatenate(self._codes)
        lengths = np.bincount(rows, minlength=self.asked.size)
        order = np.argsort(rows, kind="stable")
        return codes[order], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _cut(
    codes: Annotated[Ints, "T"], offsets: Annotated[Ints, "R1"], wanted: Annotated[Mask, "R"]
) -> tuple[Ints, Ints]:
    """The codes and offsets of the wanted rows."""
    lengths = np.diff(offsets)
    kept = codes[np.repeat(wanted, lengths)]
    return kept, np.concatenate([[0], np.cumsum(lengths[wanted])]).astype(np.int64)
