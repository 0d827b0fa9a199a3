"""How a name in a configuration becomes a class.

Every configured thing is a flat frozen dataclass in a file of its own, in a folder whose `__init__.py` is the contract:
`kind: hf` in a model's YAML is the one final subclass of AbstractModel in `harness/models/hf.py`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from harness.schema import build_dataclass, unknown
from harness.types import DistillbenchError


@cache
def contract(package: str) -> type[Any]:
    """The abstract class in harness/<package>/__init__.py that every plug-in of the folder implements."""
    module = importlib.import_module(f"harness.{package}")
    found: type[Any]
    (found,) = (
        c
        for c in vars(module).values()
        if inspect.isabstract(c) and c.__module__ == module.__name__
    )
    return found


def kinds(package: str) -> list[str]:
    """Names of the plug-ins in harness/<package>."""
    module = importlib.import_module(f"harness.{package}")
    return sorted(
        m.name for m in pkgutil.iter_modules(module.__path__) if not m.name.startswith("_")
    )


@cache
def plugin_class(package: str, kind: str) -> type[Any]:
    """The one class that harness/<package>/<kind>.py defines."""
    if kind not in kinds(package):
        raise DistillbenchError(f"kind: {unknown(kind, kinds(package))}")
    module = importlib.import_module(f"harness.{package}.{kind}")
    base = contract(package)
    found = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, base) and c.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(
            f"harness/{package}/{kind}.py: expected one {base.__name__}, found {len(found)}"
        )
    return found[0]


def build(package: str, name: str, fields: Mapping[str, Any]) -> Any:
    """The plug-in that a YAML describes; every unknown key, wrong type or missing value is one clear error."""
    where = f"{package[:-1]} {name}"
    kind = fields.get("kind")
    if not isinstance(kind, str):
        raise DistillbenchError(
            f"{where}: expected a key `kind`, one of {', '.join(kinds(package))}; got {kind!r}"
        )
    try:
        cls = plugin_class(package, kind)
    except DistillbenchError as error:
        raise DistillbenchError(f"{where}: {error}") from None
    return build_dataclass(cls, {**fields, "name": name}, where)
