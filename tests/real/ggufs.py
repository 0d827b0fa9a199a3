"""The zoo's checkpoints as files that llama.cpp reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

# HF's name of a layer's tensor -> GGUF's
_OF_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(checkpoint: Path, to: Path) -> None:
    """Writes a Llama with tied embeddings and a byte-level BPE whose digits stand alone, in float32."""
    import gguf

    config = json.loads((checkpoint / "config.json").read_bytes())
    heads = config["num_attention_heads"]
    writer = gguf.GGUFWriter(to, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    rope = config.get("rope_parameters") or {}
    writer.add_rope_freq_base(float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))))
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, checkpoint)
    for name, values in load_file(checkpoint / "model.safetensors").items():
        turned = (
            _turned(values, heads) if name.endswith(("q_proj.weight", "k_proj.weight")) else values
        )
        writer.add_tensor(_gguf_name(name), np.ascontiguousarray(turned, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: object, checkpoint: Path) -> None:
    import gguf

    assert isinstance(writer, gguf.GGUFWriter)
    whole = json.loads((checkpoint / "tokenizer.json").read_bytes())
    vocabulary = whole["model"]["vocab"]
    special = {added["content"]: added["id"] for added in whole["added_tokens"]}
    names = {at: name for name, at in (vocabulary | special).items()}
    tokens = [names[at] for at in range(len(names))]
    kinds = (gguf.TokenType.NORMAL, gguf.TokenType.CONTROL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")  # single digits, then GPT-2's words
    writer.add_token_list(tokens)
    writer.add_token_types([kinds[name in special] for name in tokens])
    merges = whole["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    [end] = special.values()
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(True)
    writer.add_chat_template((checkpoint / "chat_template.jinja").read_text(encoding="utf-8"))


def _turned(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key as llama.cpp turns positions: pairs side by side, not half a head apart."""
    rows, width = values.shape
    return values.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def _gguf_name(name: str) -> str:
    ends = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
    }
    if name in ends:
        return ends[name]
    layer, part = name.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{_OF_LAYER[part.removesuffix('.weight')]}.weight"
