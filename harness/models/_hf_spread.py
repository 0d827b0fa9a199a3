"""A checkpoint that one device cannot hold: layers on all devices, in memory and on disk, as accelerate places them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

_PLACE, _SIZE = re.compile(r"\d+|cpu|mps"), re.compile(r"\d+(\.\d+)?\s*[KMGT]i?B")


class Spread(NamedTuple):
    """How a checkpoint is to be spread."""

    most: tuple[tuple[str, str], ...]  # device -> most memory of it; the others: what is free
    folder: Path  # for what is on disk and is not in the checkpoint's own dtype

    @property
    def options(self) -> dict[str, Any]:
        """What transformers' `from_pretrained` takes."""
        most = {int(name) if name.isdigit() else name: size for name, size in self.most}
        return {
            "device_map": "auto",
            "offload_folder": str(self.folder),
            **({"max_memory": most} if most else {}),
        }


def memory_fault(most: Mapping[str, str]) -> str:
    """What is wrong with the sizes of devices; "" where nothing is."""
    for name, size in most.items():
        if not _PLACE.fullmatch(name):
            return f"expected the number of a GPU or cpu, such as {{0: 20GiB, cpu: 60GiB}}, got {name!r}"
        if not _SIZE.fullmatch(size):
            return f"expected a size such as 20GiB or 500MB for {name}, got {size!r}"
    return ""


def absent_devices(most: Mapping[str, str]) -> str:
    """That there are sizes of devices that this machine does not have; "" where there are none."""
    import torch

    n = torch.accelerator.device_count()
    absent = [name for name in most if name.isdigit() and int(name) >= n]
    named = f"numbered 0 to {n - 1}" if n else "without a GPU"
    return f"expected devices of this machine, {named}, got {', '.join(absent)}" if absent else ""


def main_device(model: Any) -> torch.device:
    """Where the work of most layers is done: the first device of the model that is neither memory nor disk."""
    import torch

    named = _places(model)
    if not named:  # one device has room for all of it
        return torch.device(model.device)
    name = next((p for p in named if p not in ("cpu", "disk")), "cpu")
    return torch.device(f"cuda:{name}" if name.isdigit() else name)


def places(model: Any) -> str:
    """Where its parts are, in words; "" for a model that is in one piece."""
    return " + ".join(sorted({f"cuda:{p}" if p.isdigit() else p for p in _places(model)}))


def _places(model: Any) -> list[str]:
    return [str(place) for place in getattr(model, "hf_device_map", {}).values()]


def weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and values of every weight, also of those that are read from memory or disk when they are needed."""
    from accelerate.utils import align_module_device

    for name, value in model.named_parameters():
        if value.device.type != "meta":
            yield name, value
            continue
        owner, _, own = name.rpartition(".")
        module = model.get_submodule(owner)
        with align_module_device(module):
            yield name, getattr(module, own)
