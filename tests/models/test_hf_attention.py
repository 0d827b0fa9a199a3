"""Attention by oneDNN: torch's own numbers, for every mask and architecture, and only inside passes over packs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.models import _hf_attention, _hf_linear
from harness.models._hf_attention import quick_attention
from harness.models._hf_linear import has_product
from harness.types import Decoding
from tests.models import architectures
from tests.models.test_hf_shared import SORTS, opened, requests

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not has_product(), reason="this torch has no oneDNN")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Any processor and packs of any length; the lengths of those that went by oneDNN."""
    seen: list[int] = []
    own = _hf_attention._attended

    def noted(query: Any, *rest: Any) -> Any:
        seen.append(query.shape[2])
        return own(query, *rest)

    monkeypatch.setattr(_hf_linear, "_is_slow_at_home", lambda: True)
    monkeypatch.setattr(_hf_attention, "_LEAST", 2)
    monkeypatch.setattr(_hf_attention, "_attended", noted)
    return seen


def sides(heads: int = 4, fewer: int = 2, n: int = 21, m: int = 30) -> dict[str, Any]:
    """What transformers hands to attention, with a mask that is not a triangle."""
    draws = torch.Generator().manual_seed(0)
    made = {
        name: torch.randn(1, length, count, 8, generator=draws).transpose(1, 2)
        for name, count, length in (
            ("query", heads, n),
            ("key", fewer, m),
            ("value", fewer, m),
        )
    }
    hidden = torch.rand(n, m, generator=draws) < 0.5
    hidden[:, 0] = False
    mask = torch.zeros(1, 1, n, m).masked_fill_(hidden, torch.finfo(torch.float32).min)
    return {**made, "attention_mask": mask, "dropout": 0.0, "scaling": 0.2}


def attend(given: dict[str, Any]) -> Any:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as functions

    module = SimpleNamespace(num_key_value_groups=given["query"].shape[1] // given["key"].shape[1])
    return functions["sdpa"](module, **given)[0]


@pytest.mark.parametrize("changed", [{}, {"scaling": None}, {"sliding_window": 4}], ids=str)
@pytest.mark.parametrize("fewer", [4, 2, 1])
def test_numbers_are_those_of_torch(changed: dict[str, Any], fewer: int, calls: list[int]) -> None:
    given = {**sides(fewer=fewer), **changed}
    expected = attend(given)
    with quick_attention(), torch.inference_mode():
        found = attend(given)
    assert calls == [21]
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize(
    "changed",
    [
        {"attention_mask": None},
        {"attention_mask": torch.ones(1, 1, 21, 30, dtype=torch.bool)},
        {"attention_mask": torch.zeros(1, 4, 21, 30)},
        {"position_bias": torch.ones(1, 4, 21, 30)},
        {"dropout": 0.1},
    ],
    ids=["none", "bool", "a head", "bias", "dropout"],
)
def test_what_only_torch_knows_is_left_to_it(changed: dict[str, Any], calls: list[int]) -> None:
    given = {**sides(fewer=4), **changed}
    torch.manual_seed(1)
    expected = attend(given)
    torch.manual_seed(1)
    with quick_attention():
        assert torch.equal(attend(given), expected)
    assert not calls


def test_halves_batches_and_short_inputs_are_torchs(calls: list[int]) -> None:
    whole = sides(fewer=4)
    tensors = ("query", "key", "value", "attention_mask")
    half = {**whole, **{name: whole[name].bfloat16() for name in tensors}}
    two = {**whole, **{name: whole[name].repeat(2, 1, 1, 1) for name in tensors}}
    short = {**whole, **{name: whole[name][:, :, :1] for name in ("query", "attention_mask")}}
    with quick_attention():
        for given in (half, two, short):
            attend(given)
    assert not calls


def test_it_ends_with_the_pass_also_with_one_that_fails(calls: list[int]) -> None:
    def failing() -> None:
        with quick_attention():
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    attend(sides())
    assert not calls


def test_elsewhere_nothing_is_changed(calls: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hf_linear, "_is_slow_at_home", lambda: False)
    with quick_attention():
        attend(sides())
    assert not calls


@pytest.mark.parametrize("name", SORTS)
def test_every_architecture_scores_as_without(
    name: str, calls: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = architectures.save(tmp_path, name), requests()
    made = list[Any]()
    for slow in (True, False):
        monkeypatch.setattr(_hf_linear, "_is_slow_at_home", lambda slow=slow: slow)
        with opened(folder) as session:
            shares = session._shared.longest > 0
            made.append(session.answer_batch(asked, ["p"] * len(asked), Decoding()).logprob_nats)
        if slow:
            assert bool(calls) == shares
    assert np.isfinite(made[1]).all()
    np.testing.assert_allclose(made[0], made[1], rtol=3e-6, atol=2e-6)
