"""Properties of lm-eval's model types, by name: their arguments, their outputs, the variable of their API key."""

from __future__ import annotations

CHAT_ONLY = frozenset(
    {
        "anthropic-chat",
        "anthropic-chat-completions",
        "azure-openai-chat-completions",
        "litellm",
        "litellm-chat",
        "litellm-chat-completions",
        "local-chat-completions",
        "openai-chat-completions",
    }
)
# give no log-probabilities of a prompt
TEXT_ONLY = CHAT_ONLY | {"anthropic-completions", "openai-completions"}
SEEDED = frozenset(  # types that take a seed with every request
    {
        "azure-openai-chat-completions",
        "local-chat-completions",
        "local-completions",
        "openai-chat-completions",
    }
    | {"openai-completions", "vllm"}
)
_KEYS = {  # the variable that lm-eval itself reads, by the beginning of the type's name
    "anthropic": "ANTHROPIC_API_KEY",
    "azure-openai": "AZURE_OPENAI_API_KEY",
    "local": "OPENAI_API_KEY",
    "openai": "OPENAI_API_KEY",
    "textsynth": "TEXTSYNTH_API_SECRET_KEY",
    "watsonx": "WATSONX_API_KEY",
}
# ask without a key where none is configured
KEYLESS = frozenset({"local-completions", "local-chat-completions"})
PLACE = frozenset(  # arguments that say where or how fast, not what is answered
    {
        "batch_size",
        "max_batch_size",
        "num_concurrent",
        "max_retries",
        "timeout",
        "device",
    }
    | {
        "verify_certificate",
        "ca_cert_path",
        "gpu_memory_utilization",
        "tensor_parallel_size",
        "data_parallel_size",
    }
)


def types() -> list[str]:
    """lm-eval's model types; imports none of them."""
    import lm_eval.models  # noqa: F401 - fills the registry
    from lm_eval.api.registry import model_registry

    return sorted(model_registry.keys())


def read_variable(model: str) -> str | None:
    """The environment variable in which a type of model looks for its key; None where it needs none."""
    return next((variable for start, variable in _KEYS.items() if model.startswith(start)), None)
