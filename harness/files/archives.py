"""Logs of Inspect (`.eval`): a zip archive with one JSON file per sample.

Source: inspect.aisi.org.uk/eval-logs.html. Newer versions pack the members with Zstandard (method 93 of the zip
format, APPNOTE 6.3.8), which Python's own zipfile cannot read before 3.14.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from harness.files.jsons import json_rows
from harness.types import DistillbenchError

_ZSTANDARD = 93
_LOCAL_HEADER = struct.Struct("<26xHH")  # lengths of name and extra field, at the end of 30 bytes


def archive_rows(path: Path) -> list[dict[str, Any]]:
    """The samples of a log, in the order of their names; raises DistillbenchError for any other archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = sorted(archive.infolist(), key=lambda i: i.filename)
            members = [i for i in infos if i.filename.startswith("samples/") and not i.is_dir()]
            if not any(i.filename in ("header.json", "_journal/start.json") for i in infos):
                raise DistillbenchError(
                    f"{path}: expected a table or a log of Inspect, got another zip archive (an Excel workbook is "
                    "one); save it as CSV or JSONL"
                )
            texts = [(i.filename, _member(archive, i)) for i in members]
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise DistillbenchError(
            f"{path}: expected a log of Inspect, got a damaged archive ({error}); copy it again"
        ) from None
    return [row for name, text in texts for row in json_rows(path / name, text.decode())]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type != _ZSTANDARD:
        return archive.read(info)
    import pyarrow as pa

    assert archive.fp is not None
    archive.fp.seek(info.header_offset)
    name, extra = _LOCAL_HEADER.unpack(archive.fp.read(_LOCAL_HEADER.size))
    archive.fp.seek(info.header_offset + _LOCAL_HEADER.size + name + extra)
    packed = archive.fp.read(info.compress_size)
    with pa.input_stream(pa.BufferReader(packed), compression="zstd") as stream:
        data: bytes = stream.read()
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename} is not whole")
    return data
