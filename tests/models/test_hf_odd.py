"""Checkpoints whose files contradict one another are refused; nothing is left out or made up without a word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from harness.models._hf_files import checkpoint_faults, read_json
from harness.models._hf_model import Wish, load
from harness.types import DistillbenchError
from tests.models.tiny import byte_tokenizer, save_llama


def wish(folder: Path) -> Wish:
    return Wish("odd", folder, str(folder), None, "checkpoint", "cpu", False, None)


def stated(folder: Path, **changes: object) -> Path:
    """The checkpoint with other settings."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_llama(tmp_path / "odd", byte_tokenizer())


@pytest.mark.parametrize("n", [0, 1])
def test_layers_that_its_configuration_does_not_have_are_refused(checkpoint: Path, n: int) -> None:
    with pytest.raises(DistillbenchError, match=r"got weights of more \(model\.layers\."):
        load(wish(stated(checkpoint, num_hidden_layers=n)))


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 3},
        {"num_attention_heads": 0},
        {"num_attention_heads": -1},
        {"hidden_size": 7},
        {"vocab_size": 10},
        {"vocab_size": -1},
        {"hidden_act": "no_such"},
        {"model_type": "no_such"},
        {"quantization_config": {"quant_method": "no_such"}},
    ],
    ids=str,
)
def test_settings_that_do_not_fit_the_weights_are_one_line(
    checkpoint: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(DistillbenchError, match="model odd: expected") as raised:
        load(wish(stated(checkpoint, **changes)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"", b"[]", b"1" * 5000])
def test_odd_files_are_faults(checkpoint: Path, name: str, content: bytes) -> None:
    (checkpoint / name).write_bytes(content)
    assert any(str(checkpoint / name) in fault for fault in checkpoint_faults(checkpoint))


def test_a_header_of_deep_json_is_a_fault(checkpoint: Path) -> None:
    header = b"[" * 100_000
    content = len(header).to_bytes(8, "little") + header
    (checkpoint / "model.safetensors").write_bytes(content)
    assert any("no readable header" in fault for fault in checkpoint_faults(checkpoint))
    (checkpoint / "x.json").write_bytes(header)
    with pytest.raises(DistillbenchError, match="nested too deeply"):
        read_json(checkpoint / "x.json")


def test_weights_of_other_shapes_are_one_line(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    weights = safetensors.numpy.load(path.read_bytes())
    cut = {k: v[:-1] if "mlp.up" in k else np.array(v) for k, v in weights.items()}
    path.write_bytes(safetensors.numpy.save(cut, {"format": "pt"}))
    with pytest.raises(DistillbenchError, match="model odd: expected"):
        load(wish(checkpoint))
