"""Log-probabilities against float64, in the shape of Gemma 3: a vocabulary of 262,144 tokens, a sliding window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models.hf import HfModel
from harness.types import Decoding, Paths, Request
from tests.models.shapes import SHAPES

ROWS, WINDOW = 262_144, 8
TEXT = "the tin mine in Orl is old, and the red mill beside it is not"


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Gemma 3 of two layers, one with a window that is shorter than the text."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=ROWS, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, sliding_window=WINDOW, max_position_embeddings=128,
        layer_types=["sliding_attention", "full_attention"], initializer_range=0.5, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("gemma")
    Gemma3ForCausalLM(config).save_pretrained(folder)
    SHAPES["gemma"].tokenizer().save_pretrained(folder)
    return folder


def test_log_probabilities_are_those_of_float64(gemma: Path) -> None:
    """Within 1e-5 nats a token: torch's own float32 log_softmax is off by 4e-5 at this size."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    exact: Any = AutoModelForCausalLM.from_pretrained(gemma, dtype=torch.float64)
    ids = AutoTokenizer.from_pretrained(gemma).encode(TEXT)
    assert len(ids) > 2 * WINDOW
    with torch.inference_mode():
        logits = exact(torch.tensor([ids])).logits[0, :-1]
    expected = logits.log_softmax(-1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()
    model = HfModel(kind="hf", name="m", path=str(gemma), device="cpu")
    with model.open(Paths(gemma, gemma)) as session:
        whole = Request(0, "score", "", continuation=TEXT)
        found = session.answer_batch([whole], ["p"], Decoding(top_logprobs=2))
    assert found.tokens is not None
    assert found.tokens.token_ids.tolist() == ids[1:]  # behind the beginning
    np.testing.assert_allclose(found.tokens.logprobs, expected, atol=1e-5, rtol=0)
