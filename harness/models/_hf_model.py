"""A loaded transformers model: its tokenizer, its limits, and text to token ids as lm-eval's `hf` does it.

Source: lm-eval 0.4.13, models/huggingface.py (HFLM) and api/model.py (TemplateLM); scores must equal theirs.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.keys import digest, draw_seed
from harness.models._hf_dtype import wished_dtype
from harness.types import DistillbenchError, Message

if TYPE_CHECKING:
    import torch

_LENGTH_KEYS = ("n_positions", "max_position_embeddings", "n_ctx")
# what transformers writes as a tokenizer's model_max_length where there is none
_UNSET_LENGTH = 10**30
_DEFAULT_LENGTH = 2048  # lm-eval's


@dataclass(frozen=True)
class Wish:
    """How a checkpoint is to be loaded."""

    name: str  # the configuration's name of the model, for messages
    folder: Path
    dtype: str  # auto, float32, bfloat16, float16
    device: str  # auto, or torch's name
    code: bool  # whether the folder's own Python files may run
    max_length: int | None


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, with its tokenizer and limits."""

    name: str
    model: Any
    tokenizer: Any
    device: torch.device
    max_length: int  # tokens of context and continuation together
    prefix_id: int  # precedes texts that have no context
    eos_ids: frozenset[int]
    arguments: frozenset[str]  # what the model's forward accepts

    @cached_property
    def vocabulary(self) -> str:
        """Digest of (token, id) pairs: two models' token ids mean the same only where it is equal."""
        return digest(sorted(self.tokenizer.get_vocab().items()))

    @cached_property
    def fingerprint(self) -> str:
        """Digest of a sample of every weight: tells models apart where sampling is seeded."""
        return draw_seed(
            [
                [n, p.detach().flatten()[:8].double().tolist()]
                for n, p in self.model.named_parameters()
            ]
        )

    @cached_property
    def repetition_penalty(self) -> float:
        """The checkpoint's own setting, which greedy decoding with transformers obeys; 1 = none."""
        return float(self.model.generation_config.repetition_penalty or 1.0)

    def encode(self, text: str, special: bool | None = None) -> list[int]:
        """Token ids; special tokens as the tokenizer adds them unless the text brings its own or `special` says."""
        if special is None and text.startswith(self.tokenizer.decode(self.prefix_id)):
            special = False
        options = {} if special is None else {"add_special_tokens": special}
        return list(self.tokenizer.encode(text, **options))

    def encode_prompt(self, text: str) -> list[int]:
        """Token ids of a text to continue; never two beginning-of-sequence tokens."""
        begins = self.tokenizer.bos_token is not None and text.startswith(self.tokenizer.bos_token)
        return self.encode(text, False) if begins else list(self.tokenizer(text).input_ids)

    def encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Token ids of context and continuation, cut where the context's own tokens end.

        White space at the context's end goes to the continuation: most tokenizers join it to the word that follows.
        """
        if context == "":
            ids = self.encode(continuation, False)
            return (ids[:1], ids[1:]) if ids[:1] == [self.prefix_id] else ([self.prefix_id], ids)
        bare = context.rstrip()
        whole, start = self.encode(context + continuation), self.encode(bare)
        return start, whole[len(start) :]

    def render(
        self, messages: Sequence[Message], is_open: bool, options: Mapping[str, str | int | bool]
    ) -> str:
        """A conversation as text, by the model's own chat template."""
        import jinja2

        if not self.tokenizer.chat_template:
            raise DistillbenchError(
                f"model {self.name}: expected a chat template, got a tokenizer without one; "
                "set tokenizer.chat_template and save it, or ask in plain text (chat: false)"
            )
        try:
            text: str = self.tokenizer.apply_chat_template(
                [{"role": m.role, "content": m.text} for m in messages],
                tokenize=False,
                add_generation_prompt=is_open,
                continue_final_message=not is_open,
                **options,
            )
        except (jinja2.exceptions.TemplateError, ValueError) as error:
            roles = ", ".join(m.role for m in messages)
            raise DistillbenchError(
                f"model {self.name}: its chat template refuses a conversation of {roles}: {error}; "
                "leave out the system message (`system`, or `drop_system: true`), or ask in plain text (chat: false)"
            ) from None
        return text


def load(wish: Wish) -> LoadedModel:
    """The checkpoint in memory, on its device, ready to be asked."""
    import transformers

    device = _device(wish)
    options = {"trust_remote_code": wish.code}
    bars = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()  # we show our own bars
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(wish.folder, **options)
        # Long prompts are cut as lm-eval cuts them: no warning for every model that they are long.
        tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = (
            True
        )
        config = transformers.AutoConfig.from_pretrained(wish.folder, **options)
        if config.is_encoder_decoder:
            raise DistillbenchError(
                f"model {wish.name}: expected a decoder-only model, got {config.model_type}, which has an encoder; "
                "use `kind: lm_eval, model: hf` for it"
            )
        dtype = wished_dtype(wish.dtype, device)
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            wish.folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise DistillbenchError(
            f"model {wish.name}: expected a whole checkpoint in {wish.folder}, transformers says: "
            f"{str(error).strip().splitlines()[0]}; save it again (for code of its own: `trust_remote_code: true`)"
        ) from error
    finally:
        if bars:
            transformers.utils.logging.enable_progress_bar()
    if missing := sorted(report["missing_keys"]):
        raise DistillbenchError(
            f"model {wish.name}: expected all weights in {wish.folder}, got none for {len(missing)} of them "
            f"({', '.join(missing[:3])} ...); they would be random. Save the checkpoint again"
        )
    return _loaded(wish, model.eval().to(device), tokenizer, device)


def _loaded(wish: Wish, model: Any, tokenizer: Any, device: torch.device) -> LoadedModel:
    prefix = (
        tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    )
    if prefix is None:
        raise DistillbenchError(
            f"model {wish.name}: expected a tokenizer with a beginning- or end-of-sequence token, got neither; "
            "set tokenizer.eos_token and save it"
        )
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, (list, tuple)) else [ends]
    return LoadedModel(
        name=wish.name,
        model=model,
        tokenizer=tokenizer,
        device=device,
        max_length=wish.max_length or _max_length(model.config, tokenizer),
        prefix_id=int(prefix),
        eos_ids=frozenset(int(i) for i in (*ends, tokenizer.eos_token_id) if i is not None),
        arguments=frozenset(inspect.signature(model.forward).parameters),
    )


def _max_length(config: Any, tokenizer: Any) -> int:
    """The longest input in tokens, looked up in the same places and order as lm-eval."""
    text = config.get_text_config()
    for key in _LENGTH_KEYS:
        value = getattr(text, key, None)  # configurations map other names to these
        if value is not None:
            return int(value)
    known = tokenizer.model_max_length
    return int(known) if known is not None and known < _UNSET_LENGTH else _DEFAULT_LENGTH


def _device(wish: Wish) -> torch.device:
    import torch

    if wish.device == "auto":
        cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        device = torch.device(wish.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DistillbenchError(
            f"model {wish.name}: key device: expected a device of this machine, got {wish.device!r} "
            f"({str(error).splitlines()[0]}); use auto"
        ) from None
    return device
