"""Rows of two scores.csv that differ: python tests/calibration/compare_scores.py OLD.csv NEW.csv

Numbers count as equal within 1e-9 of each other, relative; texts, n and reasons to the letter. Store keys
(`inputs`) are left out. Prints a table, and exits with 1 where there is any difference.
"""

from __future__ import annotations

import csv
import math
import sys
from collections import Counter
from pathlib import Path

KEY = ("metric", "task", "student", "teacher", "base")
NUMBERS = ("value", "low", "high")
TEXTS = ("n", "unit", "better", "skipped_reason")
TOLERANCE = 1e-9
Row = dict[str, str]


def rows(path: Path) -> dict[tuple[str, ...], Row]:
    """Rows by what tells one from another."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {tuple(row[k] for k in KEY): row for row in csv.DictReader(stream)}


def same(one: str, two: str) -> bool:
    """Whether two cells are the same number, or both empty."""
    if not one or not two:
        return one == two
    return math.isclose(float(one), float(two), rel_tol=TOLERANCE, abs_tol=1e-12)


def differing(old: Row, new: Row) -> list[str]:
    """Columns in which two rows differ."""
    numbers = [c for c in NUMBERS if not same(old[c], new[c])]
    return [*numbers, *(c for c in TEXTS if old[c] != new[c])]


def main(old_path: str, new_path: str) -> int:
    """Prints what differs; 1 where anything does."""
    old, new = rows(Path(old_path)), rows(Path(new_path))
    counts: Counter[str] = Counter()
    for key in sorted(old.keys() | new.keys()):
        where = " | ".join(key)
        if key not in new or key not in old:
            counts[f"{key[0]}: {'left' if key in old else 'came'}"] += 1
            print(f"{'-' if key in old else '+'} {where}")
            continue
        columns = differing(old[key], new[key])
        if columns:
            counts[f"{key[0]}: {', '.join(columns)}"] += 1
            changes = "; ".join(
                f"{c} {old[key][c] or '-'} -> {new[key][c] or '-'}" for c in columns
            )
            print(f"~ {where}: {changes}")
    print(f"{len(old)} rows before, {len(new)} after, {sum(counts.values())} differ")
    for what, n in sorted(counts.items()):
        print(f"{n:6d} {what}")
    return int(bool(counts))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
