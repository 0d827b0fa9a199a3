"""Shapes of arrays, checked while tests run: `DISTILLBENCH_SHAPES=1 python -m pytest ...`, or `make test-shapes`.

`Annotated[Floats, "P K"]` stands in the package; here it becomes jaxtyping's type of that element type and shape, and
beartype checks every call. Nothing of this is imported where the variable is not set.
"""

from __future__ import annotations

import os
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

SWITCH = "DISTILLBENCH_SHAPES"
CHECKED = ("harness.types", "harness.stats", "harness.panel", "harness.text")


def check_shapes() -> None:
    """From now on, if the switch is set, modules of these packages are imported with checks."""
    if not os.environ.get(SWITCH):
        return
    from jaxtyping import install_import_hook

    imported = sorted(name for name in sys.modules if name.startswith(CHECKED))
    assert imported == [], f"imported too early to be checked: {imported}"
    install_import_hook(CHECKED, f"{__name__}.checking")


def checking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with checks of the arguments and results whose shapes are said."""
    from beartype import beartype

    names = vars(sys.modules[function.__module__])
    said = {k: v for k, v in function.__annotations__.items() if "Annotated[" in str(v)}
    if not said:
        return function
    function.__annotations__ = {
        k: _shaped(eval(v, dict(names)) if isinstance(v, str) else v) for k, v in said.items()
    }
    checked: Callable[..., Any] = beartype(function)
    return checked


def _shaped(hint: Any) -> Any:
    """jaxtyping's type of an annotated array, or of one that may be absent."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return typing.Union[tuple(map(_shaped, typing.get_args(hint)))]  # noqa: UP007 - of a tuple
    if typing.get_origin(hint) is not typing.Annotated:
        return hint
    import jaxtyping

    array, shape = typing.get_args(hint)
    name = np.dtype(typing.get_args(typing.get_args(array)[1])[0]).name
    kind = name.capitalize().replace("Uint", "UInt")
    return getattr(jaxtyping, kind)[np.ndarray, shape]
