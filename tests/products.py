"""Watches the matrix products that torch makes, to see in which number format they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LARGEST = 1000  # elements of a result


@contextmanager
def large_products() -> Iterator[list[str]]:
    """A list that grows with every product of more than LARGEST elements that is made inside: "mm float32"."""
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[str] = []

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            name = str(func.overloadpacket.__name__)
            if (
                name in ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "mv", "addmv")
                and result.numel() > LARGEST
            ):
                found.append(f"{name} {str(result.dtype).removeprefix('torch.')}")
            return result

    with Watch():
        yield found
