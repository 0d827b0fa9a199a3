"""Which models can compute a tree of inputs, by what their configuration and transformers' cache of them say.

A tree is computed in one sequence, with a mask and positions of its own (`_hf_tree.py`). That is right where a token's
state depends on nothing but the tokens that it attends to and its position: not in recurrent layers, not beyond a
sliding window, not where the frequencies of rotary positions change with an input's length.
Source: transformers 5.23, cache_utils.py (`get_layer_types_and_kwargs`) and modeling_rope_utils.py.
"""

from __future__ import annotations

from typing import Any

from harness.models._hf_model import LoadedModel

_ARGUMENTS = frozenset(
    ["attention_mask", "position_ids", "past_key_values", "use_cache", "logits_to_keep"]
)
_ATTENTION = frozenset(["sdpa", "eager"])  # others take no mask of ours
# windows that transformers builds masks for; any other lies inside the attention, by places rather than positions
_WINDOWS = frozenset(
    [
        "sliding_window",
        "use_sliding_window",
        "max_window_layers",
        "sliding_window_pattern",
        "_sliding_window_pattern",
    ]
)
_LOCAL = ("window", "local_att", "attn_temperature", "logn")


def longest_branch(loaded: LoadedModel) -> int:
    """The longest input in tokens that may be computed as part of a tree; 0 = the model has to read each alone."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    model = loaded.model
    text = model.config.get_text_config(decoder=True)
    ours = type(model).__module__.startswith("transformers.models.")
    if not ours or model._is_stateful or not loaded.arguments >= _ARGUMENTS:
        return 0
    if text._attn_implementation not in _ATTENTION or _has_own_window(text.to_dict()):
        return 0
    most = min(loaded.max_length, *_rope_limits(text, loaded.max_length))
    for layer in DynamicCache(config=model.config).layers:
        if type(layer) is DynamicSlidingWindowLayer:
            most = min(most, int(layer.sliding_window))
        elif type(layer) is not DynamicLayer:
            return 0
    return most


def _has_own_window(settings: dict[str, Any]) -> bool:
    return any(
        value and key not in _WINDOWS and any(part in key for part in _LOCAL)
        for key, value in settings.items()
    )


def _rope_limits(text: Any, otherwise: int) -> list[int]:
    """Up to which length the frequencies of rotary positions are fixed, by kind of layer."""
    settings = getattr(text, "rope_parameters", None) or {}  # models without rotary positions
    nested = [v for v in settings.values() if isinstance(v, dict)]
    limits = [otherwise]
    for rope in [settings, *nested]:
        sort = str(rope.get("rope_type", ""))
        if "dynamic" in sort:
            limits.append(0)
        if sort == "longrope":
            limits.append(int(rope.get("original_max_position_embeddings") or 0))
    return limits
