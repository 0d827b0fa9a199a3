"""Entries as they were written until two files took the place of four: people paid for their answers.

rows.parquet, spec.json, provenance.json      the rows, what they were made from, and how
done.json                                     name -> size and sha256 of these three; the key, but for the oldest
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from harness.store.damage import read_object

_SPEC, _PROVENANCE, _DONE = NAMES = ("spec.json", "provenance.json", "done.json")


def opened(key: str, rows: str, read: Callable[[str], bytes | None]) -> dict[str, Any] | None:
    """What the one sealed file says today, with the table's name `rows`; None where a file is not as it was written."""
    done = read_object(read(_DONE))
    says: dict[str, Any] = {"key": done.get("key", key), "rows": done.get(rows)}
    for field, name in (("spec", _SPEC), ("provenance", _PROVENANCE)):
        content = read(name) or b""
        if done.get(name) != [len(content), hashlib.sha256(content).hexdigest()]:
            return None
        says[field] = read_object(content)
    return says if _is_size_and_digest(says["rows"]) else None


def _is_size_and_digest(value: Any) -> bool:
    return isinstance(value, list) and [type(v) for v in value] == [int, str]
