"""Muon in float32: the momentum of each matrix is orthogonalised before it becomes a step.

Source: K. Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks",
kellerjordan.github.io/posts/muon. `torch.optim.Muon` takes the same steps, but multiplies in bfloat16, for which
processors without such instructions need ten to twenty times as long as for float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

QUINTIC = (3.4445, -4.7750, 2.0315)  # coefficients of X, X X' X and X X' X X' X: the steepest slope at 0
SMALLEST_NORM = 1e-7


def orthogonalise(matrices: Tensor, steps: int) -> Tensor:
    """(..., rows, columns): matrices with the same singular vectors, and singular values drawn towards 1.

    Newton-Schulz iteration; the values end between about 0.7 and 1.2 after five steps.
    """
    a, b, c = QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """For weight matrices only: Nesterov momentum, decoupled weight decay, longer steps for tall matrices."""

    def __init__(
        self, matrices: Iterable[Tensor], *, lr: float, weight_decay: float, steps: int, momentum: float = 0.95
    ) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "steps": steps, "momentum": momentum})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """One step along the orthogonalised gradients; matrices of one shape go together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                alike[matrix.shape].append(matrix)
            for matrices in alike.values():
                self._step_alike(matrices, group)

    def _step_alike(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        gradients = torch.stack([m.grad for m in matrices if m.grad is not None])
        state = self.state[matrices[0]]  # of all matrices of this shape
        average = state.setdefault("average", torch.zeros_like(gradients))
        average.lerp_(gradients, 1 - group["momentum"])
        ahead = gradients.lerp(average, group["momentum"])
        rows, columns = gradients.shape[-2:]
        length = group["lr"] * max(1.0, rows / columns) ** 0.5
        for matrix, direction in zip(matrices, orthogonalise(ahead, group["steps"]), strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-length)
