"""A checkpoint that is spread over memory and disk answers as one that is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.models import _hf_model
from harness.models._hf_spread import Spread, main_device, places
from harness.models._kept import keeping
from harness.models.hf import HfModel
from harness.types import Decoding, DistillbenchError, Outputs, Paths, Request
from tests.models.test_hf_shared import requests
from tests.models.tiny import byte_tokenizer, save_llama

pytest.importorskip("torch")
BLOCK = "The mill by the river. "


def answers(folder: Path, **how: Any) -> tuple[Outputs, str, str]:
    """Scores, greedy and drawn texts; where the model is; its fingerprint."""
    asked = [*requests(), *(Request(50 + i, "generate", BLOCK + "x" * i) for i in range(4))]
    asked += [Request(60, "generate", BLOCK, temperature=1.0)]
    model = HfModel(kind="hf", name="m", path=str(folder), **how)
    with model.open(Paths(folder, folder / "cache")) as session:
        decoding = Decoding(top_logprobs=2, max_new_tokens=8)
        found = session.answer_batch(asked, ["p"] * len(asked), decoding)
        return found, places(session._loaded.model), session._loaded.fingerprint


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_on_disk_and_in_memory_it_answers_as_in_memory_alone(
    tmp_path: Path, tied: bool, dtype: str
) -> None:
    folder = save_llama(
        tmp_path / "m", byte_tokenizer(), num_hidden_layers=4, tie_word_embeddings=tied
    )
    alone, nowhere, own = answers(folder, device="cpu", dtype=dtype)
    size = {"float32": "165KB", "bfloat16": "83KB"}[dtype]
    spread, where, same = answers(folder, device_map="auto", max_memory={"cpu": size}, dtype=dtype)
    assert (nowhere, where) == ("", "cpu + disk")
    assert same == own  # so that drawn texts are the same
    rtol, atol = (1e-5, 1e-5) if dtype == "float32" else (0.02, 0.1)
    np.testing.assert_allclose(spread.logprob_nats, alone.logprob_nats, rtol=rtol, atol=atol)
    if dtype == "float32":
        assert spread.text == alone.text
    assert not list((folder / "cache").glob("offload-*"))  # nothing is left behind


def test_where_it_is_stands_among_the_facts(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", byte_tokenizer(), num_hidden_layers=4)
    model = HfModel(
        kind="hf", name="m", path=str(folder), device_map="auto", max_memory={"cpu": "165KB"}
    )
    with model.open(Paths(folder, folder / "cache")) as session:
        assert str(session.facts()["device"]).endswith("weights on cpu + disk")


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"device_map": "auto", "device": "cpu"}, "key device: expected none beside device_map"),
        ({"device_map": "auto", "adapter": "a"}, "key adapter: expected none beside device_map"),
        ({"max_memory": {"cpu": "1GiB"}}, "expected device_map: auto beside it"),
        ({"device_map": "auto", "max_memory": {"gpu": "1GiB"}}, "got 'gpu'"),
        ({"device_map": "auto", "max_memory": {"0": "lots"}}, "expected a size such as 20GiB"),
    ],
)
def test_what_does_not_go_together_is_one_line(how: dict[str, Any], fault: str) -> None:
    folder = Path("nowhere")
    (line,) = HfModel(kind="hf", name="m", path="x", **how).faults(Paths(folder, folder))
    assert fault in line
    assert "\n" not in line


def test_devices_that_are_not_there_are_named(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", byte_tokenizer())
    with pytest.raises(DistillbenchError, match=r"expected devices of this machine, .*, got 99"):
        answers(folder, device_map="auto", max_memory={"99": "20GiB"})


def test_devices_are_numbers_to_accelerate(tmp_path: Path) -> None:
    options = Spread((("0", "20GiB"), ("cpu", "60GiB")), tmp_path).options
    assert options["max_memory"] == {0: "20GiB", "cpu": "60GiB"}
    assert "max_memory" not in Spread((), tmp_path).options  # what is free


def test_a_key_is_that_of_the_checkpoint_wherever_it_is(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", byte_tokenizer())
    paths = Paths(folder, folder / "cache")
    plain = HfModel(kind="hf", name="m", path=str(folder), dtype="float32")
    spread = HfModel(kind="hf", name="m", path=str(folder), dtype="float32", device_map="auto")
    assert spread.contents(paths) == plain.contents(paths)
    assert spread.weights(paths) != plain.weights(paths)  # what is in memory is not shared


def test_a_model_in_one_piece_is_not_kept_for_one_in_parts(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", byte_tokenizer(), num_hidden_layers=4)
    with keeping(True):
        answers(folder, device="cpu", dtype="float32")
        spread, where, _ = answers(folder, device_map="auto", max_memory={"cpu": "165KB"})
    assert where == "cpu + disk"
    whole, all_here, _ = answers(folder, device_map="auto")  # there is room for all of it
    assert all_here in ("", "cpu")
    assert whole.text == spread.text


@pytest.mark.parametrize(
    ("parts", "device"),
    [
        ({"a": "cpu", "b": 1, "c": "disk"}, "cuda:1"),
        ({"a": "mps", "b": "disk"}, "mps"),
        ({"a": "disk", "b": "cpu"}, "cpu"),
        ({}, "cpu:0"),
    ],
)
def test_inputs_go_to_the_first_device_that_computes(parts: dict[str, Any], device: str) -> None:
    model = SimpleNamespace(hf_device_map=parts, device="cpu:0")
    assert str(main_device(model)) == device


def test_what_is_asked_goes_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(_hf_model, "main_device", lambda model: torch.device("cpu:0"))
    folder = save_llama(tmp_path / "m", byte_tokenizer())
    model = HfModel(kind="hf", name="m", path=str(folder), device_map="auto")
    with model.open(Paths(folder, folder / "cache")) as session:
        assert str(session._loaded.device) == "cpu:0"


def test_weights_that_do_not_fit_name_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import LlamaForCausalLM

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(LlamaForCausalLM, "to", full)
    folder = save_llama(tmp_path / "m", byte_tokenizer())
    with pytest.raises(DistillbenchError, match="set device_map: auto"):
        answers(folder, device="cpu")
