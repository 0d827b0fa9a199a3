"""The data type in which a checkpoint runs, and the cost of half precision on this processor."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.models._hf_files import CONFIG, read_json

if TYPE_CHECKING:
    import torch

_DTYPES = ("float32", "bfloat16", "float16")
_SIZE, _TIMES = 256, 5  # of the products that are timed
_SLOWER = 1.5  # ratio from which on the user is told


def meant_dtype(name: str, device: str, folder: Path | None) -> str:
    """What `dtype` comes to: float32, bfloat16, float16; "checkpoint" where a hub's files are not looked at.

    On the CPU "auto" means float32: exact, and never slower by much; elsewhere it is the checkpoint's own. Does not
    import torch.
    """
    if name != "auto":
        return name
    if device.startswith("cpu") or (device == "auto" and not _has_accelerator()):
        return "float32"
    if folder is None:
        return "checkpoint"
    config = read_json(folder / CONFIG)
    nested = config.get("text_config")
    own = config.get("dtype") or config.get("torch_dtype")
    own = own or (isinstance(nested, dict) and (nested.get("dtype") or nested.get("torch_dtype")))
    return own if own in _DTYPES else "checkpoint"


def torch_dtype(name: str) -> torch.dtype | Literal["auto"]:
    """The dtype for transformers; "checkpoint" is what the weights are stored in."""
    import torch

    return getattr(torch, name) if name in _DTYPES else "auto"


def _has_accelerator() -> bool:
    """Whether torch will find one, by its own build and this machine's devices."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    spec = importlib.util.find_spec("torch")
    version = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    text = version.read_text("utf-8") if version and version.is_file() else ""
    built = re.search(r"^(cuda|hip)\b[^=]*= *['\"]", text, re.M) is not None
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    devices = (
        *Path("/dev").glob("nvidia[0-9]*"),
        *Path("/dev").glob("kfd"),
        *Path("/dev").glob("dxg"),
    )
    return built and not hidden and bool(devices)


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
