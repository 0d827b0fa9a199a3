"""Which settings of a checkpoint's generation_config.json our decoding follows, and which it need not know.

A key that is in neither list is refused: it would change what the model writes.
Source: transformers 5.23, generation/configuration_utils.py.
"""

from __future__ import annotations

from harness.models._hf_model import LoadedModel
from harness.types import DistillbenchError

_FOLLOWED = frozenset({"eos_token_id", "repetition_penalty"})
# how sampled text is drawn: the run's decoding says that
_OF_SAMPLING = frozenset(
    [
        "do_sample",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "top_h",
        "typical_p",
        "epsilon_cutoff",
        "eta_cutoff",
    ]
)
# lengths that a request states, other tokens' names, memory and speed, what generate returns, what only beams read
_HARMLESS = frozenset(
    [
        "max_length",
        "max_new_tokens",
        "bos_token_id",
        "pad_token_id",
        "decoder_start_token_id",
        "use_cache",
        "cache_implementation",
        "cache_config",
        "max_cache_len",
        "prefill_chunk_size",
        "compile_config",
        "disable_compile",
        "low_memory",
        "continuous_batching_config",
        "return_dict_in_generate",
        "output_attentions",
        "output_hidden_states",
        "output_scores",
        "output_logits",
        "num_return_sequences",
        "early_stopping",
        "length_penalty",
        "diversity_penalty",
        "renormalize_logits",
        "remove_invalid_values",
        "is_assistant",
        "num_assistant_tokens",
        "num_assistant_tokens_schedule",
        "assistant_confidence_threshold",
        "assistant_early_exit",
        "assistant_lookbehind",
        "assistant_ensemble_weight",
        "target_lookbehind",
        "prompt_lookup_num_tokens",
        "max_matching_ngram_size",
        "speculation_type",
        "use_mtp",
        "transformers_version",
        "_from_model_config",
    ]
)
# values at which other settings change nothing
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "encoder_repetition_penalty": (1.0,),
    "guidance_scale": (1.0,),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "penalty_alpha": (0.0,),
    "token_healing": (False,),
}


def check_settings(loaded: LoadedModel) -> None:
    """Refuses checkpoints whose own settings would change what they write and are not followed here."""
    known = _FOLLOWED | _OF_SAMPLING | _HARMLESS
    for key, value in sorted(loaded.model.generation_config.to_dict().items()):
        empty = value is None or value in ([], {}, "")
        if key not in known and not empty and value not in _NEUTRAL.get(key, ()):
            raise DistillbenchError(
                f"model {loaded.name}: generation_config.json sets {key}={value!r}, which is not supported; "
                "remove the key, or use `kind: lm_eval, model: hf`"
            )
