"""The optimizer of the zoo's matrices, against torch's own and against the singular value decomposition."""

from __future__ import annotations

from typing import Any

import pytest

SHAPES = [(352, 128), (128, 352), (96, 96)]


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_equal_those_of_torch_up_to_its_bfloat16(shape: tuple[int, int]) -> None:
    import torch

    from harness.zoo.muon import Muon

    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator)
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    optimizers = (
        Muon([ours], lr=0.02, weight_decay=0.05, steps=3),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.05, ns_steps=3, adjust_lr_fn="original"),
    )
    for _ in range(4):
        gradient = torch.randn(shape, generator=generator)
        for matrix, optimizer in zip((ours, theirs), optimizers, strict=True):
            matrix.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).abs().mean()
    assert (ours - theirs).abs().max() < 0.05 * moved  # bfloat16 holds eight bits
    assert moved > 1e-3


def test_matrices_of_one_shape_do_not_mix() -> None:
    import torch

    from harness.zoo.muon import Muon

    gradients = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(1))
    together = [torch.ones(8, 8, requires_grad=True) for _ in range(2)]
    apart = [torch.ones(8, 8, requires_grad=True) for _ in range(2)]
    for matrices in (together, apart):
        for matrix, gradient in zip(matrices, gradients, strict=True):
            matrix.grad = gradient.clone()
    settings: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.0, "steps": 3}
    for optimizer in (Muon(together, **settings), *(Muon([m], **settings) for m in apart)):
        optimizer.step()
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other)


def test_singular_vectors_stay_and_singular_values_come_near_one() -> None:
    import torch

    from harness.zoo.muon import orthogonalise

    matrix = torch.randn(30, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    made = left.mT @ orthogonalise(matrix, 5) @ right.mT
    assert torch.allclose(made, torch.diag(made.diag()), atol=1e-9)
    assert made.diag().min() > 0.6
    assert made.diag().max() < 1.3
    assert values.max() / values.min() > 2


def test_a_matrix_of_zeros_stays() -> None:
    import torch

    from harness.zoo.muon import orthogonalise

    assert not orthogonalise(torch.zeros(3, 4), 5).any()
