"""Documents into rows of tokens: which tokens stand together, and which of them are learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.zoo.recipe import ROW
from harness.zoo.world import Document

NOT_LEARNED = -100  # what cross-entropy leaves out
_CHUNK = 256  # documents encoded at a time
_OPEN_ROWS = 16  # rows that still take documents


@dataclass(frozen=True)
class Encoded:
    """One document as tokens."""

    ids: tuple[int, ...]  # begins and ends with the END token
    completion: int  # index of the first token of the completion


@dataclass(frozen=True)
class Rows:
    """Documents packed into rows; those of a row do not see one another, because each restarts the positions."""

    ids: NDArray[np.int64]  # (rows, ROW)
    positions: NDArray[np.int64]  # (rows, ROW)
    # (rows, ROW) the token to come in a completion; NOT_LEARNED elsewhere
    targets: NDArray[np.int64]


Encode = Callable[[Sequence[Document]], list[Encoded]]


def encoder(tokenizer_folder: Path) -> Encode:
    """A function that turns documents into tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))

    def encode(documents: Sequence[Document]) -> list[Encoded]:
        prompts = tokenizer.encode_batch([d.prompt for d in documents])
        completions = tokenizer.encode_batch(
            [d.completion for d in documents], add_special_tokens=False
        )
        end = prompts[0].ids[0]
        return [
            Encoded((*p.ids, *c.ids, end), len(p.ids))
            for p, c in zip(prompts, completions, strict=True)
        ]

    return encode


def take(documents: Iterator[Document], tokens: int, encode: Encode) -> list[Encoded]:
    """As many documents as hold this many tokens."""
    taken: list[Encoded] = []
    while tokens > 0:
        for document in encode(list(islice(documents, _CHUNK))):
            if tokens > 0 and len(document.ids) <= ROW:
                taken.append(document)
                tokens -= len(document.ids)
    return taken


def pack(documents: Sequence[Encoded]) -> Rows:
    """Documents, whole, into rows: each into the first of the open rows that has room."""
    full: list[list[Encoded]] = []
    open_rows: list[list[Encoded]] = []
    room: list[int] = []  # tokens that the open rows still take
    for document in documents:
        length = len(document.ids)
        row = next((i for i, left in enumerate(room) if length <= left), None)
        if row is not None:
            open_rows[row].append(document)
            room[row] -= length
            continue
        open_rows.append([document])
        room.append(ROW - length)
        if len(open_rows) > _OPEN_ROWS:
            full.append(open_rows.pop(0))
            room.pop(0)
    return _arrays(full + open_rows)


def _arrays(packed: list[list[Encoded]]) -> Rows:
    shape = (len(packed), ROW)
    rows = Rows(
        np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, NOT_LEARNED, np.int64)
    )
    for i, documents in enumerate(packed):
        at = 0
        for document in documents:
            end = at + len(document.ids)
            rows.ids[i, at:end] = document.ids
            rows.positions[i, at:end] = np.arange(end - at)
            rows.targets[i, at + document.completion - 1 : end - 1] = document.ids[
                document.completion :
            ]
            at = end
        rows.positions[i, at:] = np.arange(ROW - at)
    return rows
