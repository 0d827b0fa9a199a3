"""Products by oneDNN: the numbers of torch's own, only where it is faster, and for whatever is done to a layer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models import _hf_linear
from harness.models._hf_linear import has_product, product, quick_linear, quicken
from harness.models.hf import HfModel
from harness.types import Decoding, Outputs, Paths, Request
from tests.models import architectures
from tests.models.test_hf_shared import SORTS, requests
from tests.models.tiny import byte_tokenizer, save_adapter, save_llama

torch = pytest.importorskip("torch")
needs_product = pytest.mark.skipif(not has_product(), reason="this torch has no oneDNN")
BLOCK = "The mill by the river. "


@pytest.fixture
def everywhere() -> Iterator[None]:
    """Any processor, layers and inputs of any size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_hf_linear, "_is_slow_at_home", lambda: True)
        for name, value in (("_SMALL", 0), ("_LEAST_ROWS", 1), ("_LEAST_WORK", 0)):
            patch.setattr(_hf_linear, name, value)
        yield


def answers(folder: Path, adapter: Path | None = None) -> tuple[Outputs, int]:
    """Scores and texts, and how many of its layers are quick."""
    asked = [*requests(), *(Request(50 + i, "generate", BLOCK + "x" * i) for i in range(4))]
    model = HfModel(kind="hf", name="m", path=str(folder), device="cpu", adapter=str(adapter or ""))
    with model.open(Paths(folder, folder)) as session:
        n = sum(isinstance(m, quick_linear()) for m in session._loaded.model.modules())
        decoding = Decoding(top_logprobs=2, max_new_tokens=8)
        return session.answer_batch(asked, ["p"] * len(asked), decoding), n


def assert_same(found: Outputs, expected: Outputs) -> None:
    scored = ~np.isnan(expected.logprob_nats)
    assert scored.any()
    np.testing.assert_allclose(
        found.logprob_nats[scored], expected.logprob_nats[scored], rtol=3e-6, atol=2e-6
    )
    assert list(found.text) == list(expected.text)


@needs_product
@pytest.mark.parametrize("shape", [(1, 8), (3, 8), (2, 5, 8), (1, 700, 8), (0, 8)], ids=str)
@pytest.mark.parametrize("biased", [True, False])
def test_the_product_is_that_of_float64(shape: tuple[int, ...], biased: bool) -> None:
    torch.manual_seed(0)
    rows, weight = torch.randn(*shape), torch.randn(11, 8)
    bias = torch.randn(11) if biased else None
    for given in (rows, rows.transpose(0, -2).contiguous().transpose(0, -2)):
        expected = given.double() @ weight.double().T + (0 if bias is None else bias.double())
        assert product(given, weight, bias).shape == expected.shape
        for laid_out in (weight, weight.t().contiguous().t()):
            assert torch.allclose(product(given, laid_out, bias).double(), expected, atol=1e-5)


@needs_product
def test_pieces_of_the_inputs_round_more_finely() -> None:
    torch.manual_seed(0)
    rows, weight, bias = torch.randn(2, 70, 1376), torch.randn(48, 1376), torch.randn(48)
    exact = rows.double() @ weight.double().T + bias.double()
    errors = [
        float((product(rows, w, bias) - exact).pow(2).mean().sqrt())
        for w in (weight, weight.t().contiguous().t())
    ]
    assert errors[1] < 0.75 * errors[0]


@needs_product
@pytest.mark.usefixtures("everywhere")
def test_the_head_and_square_layers_are_added_up_in_pieces(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = save_llama(tmp_path / "m", byte_tokenizer(), tie_word_embeddings=False)
    model = AutoModelForCausalLM.from_pretrained(folder)
    quicken(model)
    found = {n.rpartition(".")[2]: m.piece for n, m in model.named_modules() if hasattr(m, "piece")}
    inner, outer = model.config.hidden_size, model.config.intermediate_size
    pieces = {"q_proj": 128, "o_proj": 128, "lm_head": 128}
    wholes = {"gate_proj": inner, "up_proj": inner, "down_proj": outer}
    assert found.items() >= (pieces | wholes).items()


@needs_product
@pytest.mark.usefixtures("everywhere")
def test_weights_that_an_embedding_shares_stay_as_they_lie() -> None:
    model = torch.nn.ModuleDict({"e": torch.nn.Embedding(9, 4), "own": torch.nn.Linear(4, 9)})
    model["head"] = torch.nn.Linear(4, 9, bias=False)
    model["head"].weight = model["e"].weight
    before = model["e"](torch.arange(9)).clone()
    quicken(model)
    assert [type(m) is quick_linear() for m in model.values()] == [False, True, True]
    assert model["e"].weight.is_contiguous()
    assert not model["own"].weight.is_contiguous()
    assert torch.equal(model["e"](torch.arange(9)), before)


@needs_product
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("name", SORTS)
def test_every_architecture_answers_as_without(name: str, tmp_path: Path) -> None:
    folder = architectures.save(tmp_path, name)
    found, n = answers(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_hf_linear, "_is_slow_at_home", lambda: False)
        expected, none = answers(folder)
    assert none == 0
    assert n > 0
    assert_same(found, expected)


@needs_product
@pytest.mark.usefixtures("everywhere")
def test_an_adapter_changes_quick_layers_too(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", byte_tokenizer(), max_position_embeddings=96)
    adapter = save_adapter(tmp_path / "a", base=str(folder))
    found, n = answers(folder, adapter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_hf_linear, "_is_slow_at_home", lambda: False)
        expected, _ = answers(folder, adapter)
        bare, _ = answers(folder)
    assert n > 0
    assert_same(found, expected)
    assert list(found.logprob_nats) != list(bare.logprob_nats)


@needs_product
@pytest.mark.usefixtures("everywhere")
def test_a_copy_of_a_layer_has_its_own_weights() -> None:
    """peft copies a layer that was trained whole, and changes weights where they stand."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4))
    quicken(model)
    rows = torch.ones(8, 4)
    with torch.inference_mode():
        other = copy.deepcopy(model)
        other[0].weight.zero_()
        assert torch.equal(other(rows), other[0].bias.expand(8, 4))
        before = model(rows)
        model[0].weight.mul_(2)
        apart = model(rows) - model[0].bias
        assert torch.allclose(apart, 2 * (before - model[0].bias), atol=1e-6)


@needs_product
@pytest.mark.parametrize(
    ("vendor", "capability", "quick"),
    [
        ("AuthenticAMD", "AVX512", True),
        ("AuthenticAMD", "AVX2", False),
        ("GenuineIntel", "AVX512", False),
        ("", "DEFAULT", False),
    ],
)
def test_only_where_mkl_is_slow(
    vendor: str, capability: str, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_hf_linear, "_vendor", lambda: vendor)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    large, small = torch.nn.Linear(256, 256), torch.nn.Linear(8, 8)
    half = torch.nn.Linear(256, 256, dtype=torch.bfloat16)
    model = torch.nn.Sequential(large, small, half)
    quicken(model)
    assert [isinstance(m, quick_linear()) for m in model] == [quick, False, False]


def test_few_rows_are_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of a row or two reads the weights, and does little else."""
    layer = torch.nn.Linear(512, 512)
    layer.__class__, layer.piece = quick_linear(), 128
    seen: list[int] = []

    def noted(rows: Any, weight: Any, bias: Any, piece: int) -> Any:
        seen.append(len(rows))
        return torch.nn.functional.linear(rows, weight, bias)

    monkeypatch.setattr(_hf_linear, "product", noted)
    with torch.inference_mode():
        for n in (1, 3, 4, 64):
            layer(torch.ones(n, 512))
    assert seen == [4, 64]


@pytest.mark.parametrize("damage", [AttributeError, RuntimeError, 0.01])
def test_a_torch_without_it_or_with_another_goes_on_as_before(
    damage: type[Exception] | float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(rows: Any, weight: Any, bias: Any) -> Any:
        if not isinstance(damage, float):
            raise damage
        return torch.nn.functional.linear(rows, weight, bias) + damage

    monkeypatch.setattr(_hf_linear, "product", other)
    assert not has_product.__wrapped__()
