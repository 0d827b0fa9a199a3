"""Muon in float32: the momentum of each matrix is orthogonalised before it becomes a step.

Source: K. Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks",
kellerjordan.github.io/posts/muon. `torch.optim.Muon` takes the same steps, but multiplies in bfloat16, for which
processors without such instructions need ten to twenty times as long as for float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# coefficients of X, X X' X and X X' X X' X: the steepest slope at 0
QUINTIC = (3.4445, -4.7750, 2.0315)
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


@dataclass
class Muon:
    """For weight matrices only: Nesterov momentum, decoupled weight decay, longer steps for tall matrices."""

    matrices: Iterable[Tensor]
    lr: float  # the highest; a step may take a share of it
    weight_decay: float
    steps: int  # of the orthogonalisation
    momentum: float = 0.95
    # of the gradients, by shape
    averages: dict[torch.Size, Tensor] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for matrix in self.matrices:
            alike[matrix.shape].append(matrix)
        self.alike = dict(alike)

    def step(self, rate: float = 1.0) -> None:
        """One step along the orthogonalised gradients; matrices of one shape go together."""
        import torch

        with torch.no_grad():
            for shape, matrices in self.alike.items():
                gradients = torch.stack([m.grad for m in matrices])
                average = self.averages.setdefault(shape, torch.zeros_like(gradients))
                average.lerp_(gradients, 1 - self.momentum)
                ahead = gradients.lerp(average, self.momentum)
                length = rate * self.lr * max(1.0, shape[0] / shape[1]) ** 0.5
                for matrix, direction in zip(
                    matrices, orthogonalise(ahead, self.steps), strict=True
                ):
                    matrix.mul_(1 - rate * self.lr * self.weight_decay).add_(
                        direction, alpha=-length
                    )
