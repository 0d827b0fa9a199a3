"""Tiny random models with tokenizers trained here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORPUS = (
    "The miller of Brask paints the door red and hums an old tune while the rain comes down.",
    "Question: what metal is dug in Orl? Answer: tin, and a little silver in good years.",
    "Sieben Zwerge grüßen höflich; naïve café crème, 東京 and Ωmega stand here for bytes.",
    "1. Wash the pears.\n2. Cut the pears.\n\nThen serve them, dear reader, with a pinch of salt.",
    "user asks assistant answers system says: add 3 and 4 and you get 7. Done.\n",
)
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}"
    "{% if not loop.last or m['role'] != 'assistant' %}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + TEMPLATE
)


def byte_tokenizer(adds_bos: bool = True, template: str | None = TEMPLATE) -> Any:
    """A byte-level BPE tokenizer of 500 entries with <s>, </s> and, where asked, <s> put before every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    raw.train_from_iterator(CORPUS * 3, trainer)
    if adds_bos:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = template
    return tokenizer


def save_llama(folder: Path, tokenizer: Any, seed: int = 0, **changes: Any) -> Path:
    """A random llama of two layers with 48 positions, saved with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 48,
        "initializer_range": 0.35,  # sharp enough that texts differ and the end comes now and then
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    model = LlamaForCausalLM(LlamaConfig(**{**shape, **changes}))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_adapter(folder: Path, seed: int = 0, base: str = "", layers: int = 2) -> Path:
    """A LoRA adapter of rank 2 for `save_llama`'s queries and values, large enough to change every answer."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": 2,
        "lora_alpha": 16,
        "target_modules": ["q_proj", "v_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    rng = torch.Generator().manual_seed(seed)
    parts = {
        f"base_model.model.model.layers.{layer}.self_attn.{name}.lora_{part}.weight": torch.randn(
            shape, generator=rng
        )
        for layer in range(layers)
        for name in ("q_proj", "v_proj")
        for part, shape in (("A", (2, 32)), ("B", (32, 2)))
    }
    save_file(parts, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder
