"""The executor that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.executors import AbstractExecutor
from harness.executors.local import LocalExecutor
from harness.plugins import kinds, plugin_class
from harness.schema import build_dataclass, unknown
from harness.types import DistillbenchError


def executor_of(asked: Any, faults: list[str]) -> AbstractExecutor:
    """The executor that a configuration names; a fault is recorded, and this machine's is used instead."""
    fields = dict(asked) if isinstance(asked, Mapping) else {"kind": asked}
    kind = fields.pop("kind", "")
    if kind not in kinds("executors"):
        faults.append(f"executor: kind: {unknown(str(kind), kinds('executors'))}")
        return LocalExecutor()
    try:
        made: AbstractExecutor = build_dataclass(
            plugin_class("executors", kind), fields, "executor"
        )
    except DistillbenchError as error:
        faults += str(error).splitlines()
        return LocalExecutor()
    return made
