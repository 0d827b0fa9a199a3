"""distillbench: how much of a teacher came across to a student, and what can be shown of it."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
_PUBLIC = ("load", "compare")


def __getattr__(name: str) -> Any:
    """`load` and `compare`, which bring pandas with them when they are first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module("harness.api"), name)
