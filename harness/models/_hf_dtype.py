"""The data type in which a checkpoint runs, and the cost of half precision on this processor."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

_SIZE, _TIMES = 256, 5  # of the products that are timed
_SLOWER = 1.5  # ratio from which on the user is told


def wished_dtype(name: str, device: torch.device) -> torch.dtype | Literal["auto"]:
    """On the CPU "auto" means float32: exact, and never slower by much; elsewhere it is the checkpoint's own."""
    import torch

    if name == "auto" and device.type != "cpu":
        return "auto"
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name, torch.float32)


def cost_of_half(dtype: torch.dtype) -> float:
    """Time of a matrix product in `dtype` on the CPU, as a multiple of the time in float32; measured."""
    import torch

    return _product_s(dtype) / _product_s(torch.float32)


def _product_s(dtype: torch.dtype) -> float:
    import torch

    factor, taken = torch.ones(_SIZE, _SIZE).to(dtype), []
    for _ in range(_TIMES + 1):
        started = time.perf_counter()
        factor @ factor
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])  # the first one includes setting up


def slow_note(dtype: torch.dtype, device: torch.device) -> str:
    """A note for users who asked for half precision on a processor that is slow at it; else ""."""
    import torch

    if device.type != "cpu" or dtype not in (torch.bfloat16, torch.float16):
        return ""
    ratio = cost_of_half(dtype)
    name = str(dtype).removeprefix("torch.")
    return (
        f"dtype: {name} takes {ratio:.0f} times as long as float32 on this processor (a matrix product, measured); "
        "dtype: float32 is faster and exact"
        if ratio >= _SLOWER
        else ""
    )
