"""The identity of a row of a data set: the same for a task that asks it and for a log that holds it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.types import DistillbenchError


def document_digest(leaf: str, row: Any) -> str:
    """sha256 of a task's name and a row of its data as canonical JSON; raises DistillbenchError for other values."""
    return hashlib.sha256(f"{leaf}\0{_canonical(leaf, row)}".encode()).hexdigest()


def _canonical(leaf: str, row: Any) -> str:
    def plain(value: Any) -> str:
        """What JSON does not know, as text; raises DistillbenchError for anything else."""
        if isinstance(value, bytes):
            return hashlib.sha256(value).hexdigest()
        if "datetime" in type(value).__module__ or type(value).__module__ == "numpy":
            return str(value)
        raise DistillbenchError(
            f"{leaf}: a row holds a {type(value).__name__}; expected text and numbers only"
        )

    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=plain)
