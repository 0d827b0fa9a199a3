"""Products with a model's weights by oneDNN, where torch's own choice leaves half of the processor idle.

In float32 torch multiplies with MKL, which keeps to AVX2 on AMD's processors, also on those that have AVX-512; oneDNN,
which is in torch as well, goes by what a processor can do. It adds up all inputs in one long sum, which rounds more
coarsely than MKL; sums of pieces of 128 inputs are finer. A layer's weights are laid out input by input, in the same
memory: a piece of them is then one block.
Measured with torch 2.13 (MKL 2024.2, oneDNN 3.12) on AMD EPYC of family 26, 345 rows: 95 (MKL), 200 to 230 and, in
pieces, 130 to 180 GFLOP/s a core; errors against float64, for 1,376 inputs: 2.5e-7, 5.3e-7 and 2.1e-7. What a model
says of a continuation differs by as much from float64 as with MKL if only the head and the square layers (of
attention) are added up in pieces: 2.7e-6 to 3.0e-6 nats a token (MKL: 2.8e-6 to 3.0e-6, pieces everywhere: 2.3e-6 to
2.6e-6, one sum everywhere: 4.8e-6).
"""

from __future__ import annotations

import platform
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# of torch: what another one's product does with weights in this layout is not known
_TRIED = "2.13."
_PIECE = 128  # inputs that are added up at once
_SMALL = 1 << 16  # weights of fewer numbers: what a call costs is more than what it saves
_LEAST_ROWS = 4  # inputs, and inputs x weights, from which on a call is faster
_LEAST_WORK = 1 << 20


def quicken(model: Any) -> None:
    """Lets the model's large layers go through oneDNN, where that is faster on this machine."""
    import torch

    if next(model.parameters()).device.type != "cpu" or not is_worth_it():
        return
    owners = Counter(id(p) for m in model.modules() for p in m._parameters.values())
    head = getattr(model, "get_output_embeddings", lambda: None)()
    for module in model.modules():
        # a subclass, as of a quantization, has a product of its own
        if type(module) is torch.nn.Linear and _is_large(module.weight):
            module.__class__ = quick_linear()
            square = module.in_features == module.out_features
            module.piece = _PIECE if square or module is head else module.in_features
            if owners[id(module.weight)] == 1:  # else an embedding looks up rows of it
                module.weight.data = module.weight.data.t().contiguous().t()


def is_worth_it() -> bool:
    """Whether oneDNN multiplies float32 faster than torch does of its own accord, and is there."""
    return _is_slow_at_home() and has_product()


@cache
def quick_linear() -> type[torch.nn.Linear]:
    """torch's Linear with another product: an object's class can be set to it, and copies of it stay right."""
    import torch

    class QuickLinear(torch.nn.Linear):  # type: ignore[misc]
        piece: int  # inputs that are added up at once

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            rows = input.numel() // self.in_features
            few = rows < _LEAST_ROWS or rows * self.weight.numel() < _LEAST_WORK
            dense = self.weight.is_contiguous() or self.weight.t().is_contiguous()
            if few or not dense:  # on others oneDNN's product crashes
                return super().forward(input)
            return product(input, self.weight, self.bias, self.piece)

    return QuickLinear


def product(
    rows: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    piece: int = _PIECE,
) -> torch.Tensor:
    """(..., out) rows (..., in) times weight (out, in), float32, by oneDNN.

    `piece` inputs are added up at once where the weights are laid out input by input.
    """
    import torch

    multiply = torch.ops.mkldnn._linear_pointwise
    n_inputs = weight.shape[1]
    if weight.is_contiguous() or n_inputs <= piece:
        whole: torch.Tensor = multiply(rows, weight, bias, "none", [], "")
        return whole
    flat = rows.reshape(-1, n_inputs)
    made: torch.Tensor = multiply(
        flat[:, :piece].contiguous(), weight[:, :piece], bias, "none", [], ""
    )
    for start in range(piece, n_inputs, piece):
        part = slice(start, start + piece)
        made += multiply(flat[:, part].contiguous(), weight[:, part], None, "none", [], "")
    return made.reshape(*rows.shape[:-1], len(weight))


def _is_large(weight: torch.Tensor) -> bool:
    import torch

    return bool(weight.dtype == torch.float32 and weight.numel() >= _SMALL)


def _is_slow_at_home() -> bool:
    """Whether torch multiplies with MKL, on a processor of AMD that has AVX-512, and is one that was tried."""
    import torch

    if not torch.__version__.startswith(_TRIED):
        return False
    wide = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return wide and torch.backends.mkl.is_available() and "AuthenticAMD" in _vendor()


def _vendor() -> str:
    told = Path("/proc/cpuinfo")
    return told.read_text("utf-8")[:2000] if told.is_file() else platform.processor()


@cache
def has_product() -> bool:
    """Whether this torch has oneDNN's product, and it is the product."""
    import torch

    draws = torch.Generator().manual_seed(0)
    rows, weight, bias = (
        torch.randn(*shape, generator=draws) for shape in ((5, 7, 64), (48, 64), (48,))
    )
    with torch.inference_mode():
        try:
            found = product(rows, weight, bias)
        except (AttributeError, RuntimeError):  # a torch without it, or with another of the name
            return False
        expected = torch.nn.functional.linear(rows, weight, bias)
    return found.shape == expected.shape and bool((found - expected).abs().max() < 1e-4)
