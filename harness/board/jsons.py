"""JSON files of a report: a line for every entry, so that two of them can be compared line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.console.invisible import as_escapes
from harness.keys import parse_json

RUN = "run.json"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes a line for every key, and for every entry of one that has several."""
    lines = (f"{_compact(key)}: {_entries(entry)}" for key, entry in value.items())
    text = "{" + ",\n".join(lines) + "}"
    path.write_bytes(f"{as_escapes(text)}\n".encode("utf-8", "replace"))


def note_spent(folder: Path, spent: Mapping[str, float], *, reused: bool = False) -> None:
    """Notes in a run's file where the time went, its page included; `reused` = all of it was in the store."""
    known = parse_json((folder / RUN).read_bytes())
    for row in known["work"] if reused else ():
        row["reused"] += row["computed"]
        row["computed"] = 0
    known["spent"] = {name: round(n, 3) for name, n in sorted(spent.items())}
    write_json(folder / RUN, known)


def _entries(value: Any) -> str:
    """A value as JSON, its entries line by line; json's own layout of them takes ten times as long."""
    if isinstance(value, dict):
        return "{" + ",\n ".join(f"{_compact(k)}: {_compact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",\n ".join(map(_compact, value)) + "]"
    return _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
