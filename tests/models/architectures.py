"""Tiny random models of every sort of attention, recurrence and position that people have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.models.tiny import byte_tokenizer

_LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 96,
    "initializer_range": 0.35,
}
_GROUPED = {**_LLAMA, "num_key_value_heads": 2}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 96, "initializer_range": 0.35}
_LAYERS = ["sliding_attention", "full_attention"]

# name: (transformers' name of the configuration, its fields, the longest input that may share)
ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Any], int]] = {
    "llama": ("LlamaConfig", _GROUPED, 96),
    "gpt2": ("GPT2Config", _GPT, 96),
    "qwen3": ("Qwen3Config", {**_GROUPED, "head_dim": 8}, 96),
    "gpt_neox": ("GPTNeoXConfig", _LLAMA, 96),
    "gemma3": (
        "Gemma3TextConfig",
        {**_GROUPED, "head_dim": 8, "sliding_window": 24, "layer_types": _LAYERS},
        24,
    ),
    "mistral": ("MistralConfig", {**_GROUPED, "sliding_window": 24}, 24),
    "mixtral": ("MixtralConfig", {**_GROUPED, "num_local_experts": 4}, 96),
    "olmo2": ("Olmo2Config", _GROUPED, 96),
    "phi": ("PhiConfig", _LLAMA, 96),
    "mamba": (
        "MambaConfig",
        {"hidden_size": 32, "num_hidden_layers": 2, "initializer_range": 0.35},
        0,
    ),
    "bloom": ("BloomConfig", {"hidden_size": 32, "n_layer": 2, "n_head": 4}, 0),
    "gpt_neo": (
        "GPTNeoConfig",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "max_position_embeddings": 96,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 16,
            "initializer_range": 0.35,
        },
        0,
    ),
    "falcon with alibi": (
        "FalconConfig",
        {**_LLAMA, "alibi": True, "max_position_embeddings": 96},
        0,
    ),
    "dynamic positions": (
        "LlamaConfig",
        {**_LLAMA, "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}},
        0,
    ),
}


def save(folder: Path, name: str, adds_bos: bool = False) -> Path:
    """A random model of an architecture with the tokenizer of `tiny`."""
    import torch
    import transformers

    torch.manual_seed(0)
    sort, fields, _ = ARCHITECTURES[name]
    tokenizer = byte_tokenizer(adds_bos)
    config = getattr(transformers, sort)(
        **fields, vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
