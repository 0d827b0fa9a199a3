"""What work needs of a machine, in the words of those who ask for it: `2` GPUs, `32G` of memory, `4h`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from harness.schema import Bound

_BYTES = {"M": 2**20, "G": 2**30, "T": 2**40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def size_bytes(text: str) -> int | None:
    """The bytes of `500M`, `32G` or `1.5T` (powers of 1024, a B after the unit or not); None for anything else."""
    return _amount(text, r"([MGT])i?B?", _BYTES)


def time_s(text: str) -> int | None:
    """The seconds of `90m`, `4h` or `2d`; None for anything else."""
    return _amount(text, r"([smhd])", _SECONDS)


def _amount(text: str, unit: str, units: dict[str, int]) -> int | None:
    parts = re.fullmatch(rf"(\d+(?:\.\d+)?) ?{unit}", text)
    amount = round(float(parts[1]) * units[parts[2]]) if parts else 0
    return amount or None


# the unit is asked for: YAML reads 4:00:00 as the number 14400
Memory = Annotated[
    str, Bound("a size with its unit, such as 32G", lambda t: size_bytes(t) is not None)
]
Duration = Annotated[
    str, Bound("a time with its unit, such as 90m, 4h or 2d", lambda t: time_s(t) is not None)
]


@dataclass(frozen=True)
class Resources:
    """What a job needs of the machine that it runs on; None = what the executor gives where nothing is asked for."""

    gpus: int = 0
    memory: Memory | None = None
    time: Duration | None = None


NOTHING_SPECIAL = Resources()
