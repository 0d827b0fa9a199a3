"""Where each token ends in the UTF-8 bytes of its text: what makes two tokenizers comparable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from harness.types import Ints

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


def byte_ends(tokenizer: Any, ids: Sequence[int], text: str) -> Ints:
    """(n,) end of each token in the bytes of `text`; special tokens are empty, tokens behind a cut end at the cut.

    Exact for byte-level and sentencepiece vocabularies, whose tokens spell bytes; otherwise by decoding prefixes,
    where a token that ends inside a character ends with the character before it.
    """
    whole = text.encode()
    special = set(tokenizer.all_special_ids)
    # None beyond the tokenizer's entries
    names = [name or "" for name in tokenizer.convert_ids_to_tokens(list(ids))]
    for spell in (_byte_level, _sentencepiece):
        pieces = [b"" if i in special else spell(name) for i, name in zip(ids, names, strict=True)]
        joined = b"".join(pieces)
        for dropped in (0, 1):  # sentencepiece puts a space before the text
            if joined[dropped:].startswith(whole) and joined[:dropped].strip() == b"":
                return np.clip(
                    np.cumsum([len(p) for p in pieces], dtype=np.int64) - dropped, 0, len(whole)
                )
    prefixes = [tokenizer.decode(ids[: i + 1], skip_special_tokens=True) for i in range(len(ids))]
    settled = [p.rstrip("\ufffd") for p in prefixes[:-1]] + prefixes[-1:]
    ends = np.array([len(p.encode()) for p in settled], dtype=np.int64)
    return np.clip(np.maximum.accumulate(ends), 0, len(whole)) if len(ends) else ends


def _byte_level(name: str) -> bytes:
    alphabet = _alphabet()
    return bytes(alphabet[c] for c in name) if all(c in alphabet for c in name) else name.encode()


def _sentencepiece(name: str) -> bytes:
    match = _BYTE_PIECE.fullmatch(name)
    return bytes([int(match[1], 16)]) if match else name.replace("\u2581", " ").encode()


@cache
def _alphabet() -> dict[str, int]:
    """The printable character by which byte-level BPE (GPT-2's) writes each byte."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    rest = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(rest)}
