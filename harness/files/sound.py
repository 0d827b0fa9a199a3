"""Which sources were read whole and without a fault, kept in the cache: a warm run reads none of them to look for one.

A source is known by the contents of its files, by how they are read, and by the code that reads them; deleting the memo
costs only time.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache as once_per_process
from pathlib import Path

import pyarrow as pa

from harness.files.formats import formats
from harness.files.hashes import file_sha256
from harness.files.sources import Source
from harness.keys import code_digest, digest
from harness.types import DistillbenchError

_MOST_BYTES = 1_000_000  # of the memo, beyond which it begins anew


def is_sound(source: Source, code: str, cache: Path) -> bool:
    """Whether the code whose digest is `code` read this source before, and found no fault."""
    key = _key(source, code, cache)
    return key is not None and key in _noted(_memo(cache))


def note_sound(source: Source, code: str, cache: Path) -> None:
    """Notes that this code read the source and found no fault."""
    key, memo = _key(source, code, cache), _memo(cache)
    if key is None or key in _noted(memo):
        return
    with suppress(OSError):  # a cache that cannot be written costs the next run its time
        memo.parent.mkdir(parents=True, exist_ok=True)
        anew = memo.exists() and memo.stat().st_size > _MOST_BYTES
        with memo.open("w" if anew else "a", encoding="ascii") as file:
            file.write(f"\n{key}\n")  # behind a line that may have been cut
        _noted.cache_clear()


def reading_code(*modules: str) -> str:
    """Digest of the code that reads answers: these modules, and all formats."""
    return _code(modules)


@once_per_process
def _code(modules: tuple[str, ...]) -> str:
    own = code_digest(*modules, *(f"harness.files.formats.{name}" for name in formats()))
    return digest(own, pa.__version__, sys.version)


def _memo(cache: Path) -> Path:
    return cache / "sound" / "sources.txt"


@once_per_process
def _noted(memo: Path) -> frozenset[str]:
    """The keys in the memo; a line that was cut or damaged is none of them."""
    try:
        return frozenset(memo.read_text("ascii", "replace").split())
    except OSError:
        return frozenset()


def _key(source: Source, code: str, cache: Path) -> str | None:
    """The key of a source; None where a file cannot be read, which its reader then says."""
    files = (*source.files, *([source.prompts_file] if source.prompts_file else []))
    try:
        contents = [[file.name, file_sha256(file, cache)] for file in files]
    except DistillbenchError:
        return None
    how = (source.format, source.columns, source.where, len(source.files))
    return digest("sound", code, contents, how)
