"""Packed files: gzip, bzip2, xz and Zstandard, told from their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from harness.types import DistillbenchError

ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zstd")


def ending(path: Path) -> str:
    """The ending that says what a file is: of `answers.jsonl.gz`, `.jsonl`."""
    name = path.name.lower()
    packed = next((e for e in ENDINGS if name.endswith(e)), "")
    return Path(name.removesuffix(packed)).suffix


def unpacked(path: Path) -> bytes:
    """The whole of a file, unpacked where it is packed; raises DistillbenchError for one that is damaged."""
    try:
        data = path.read_bytes()
        unpack = next((u for magic, u in _UNPACK.items() if data.startswith(magic)), bytes)
        return unpack(data)
    except (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        raise DistillbenchError(
            f"{path}: expected a readable file, got a damaged or locked one ({error}); copy it again"
        ) from None


def _zstandard(data: bytes) -> bytes:
    """Python has no Zstandard of its own before 3.14."""
    import pyarrow as pa

    with pa.input_stream(pa.BufferReader(data), compression="zstd") as stream:
        whole: bytes = stream.read()
    return whole


_UNPACK: Mapping[bytes, Callable[[bytes], bytes]] = MappingProxyType(
    {
        b"\x1f\x8b": gzip.decompress,
        b"BZh": bz2.decompress,
        b"\xfd7zXZ\x00": lzma.decompress,
        b"\x28\xb5\x2f\xfd": _zstandard,
    }
)
