"""A loaded transformers model: its tokenizer, its limits, and what its user should know of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.keys import draw_seed
from harness.models._hf_adapter import base_of, with_adapter
from harness.models._hf_base import Base
from harness.models._hf_dtype import torch_dtype
from harness.models._hf_files import tokenizer_files
from harness.models._hf_linear import quicken
from harness.models._hf_spread import Spread, main_device, weights
from harness.models._hf_text import Speller, make_speller
from harness.models._hf_work import Work
from harness.models._kept import taken
from harness.types import DistillbenchError

if TYPE_CHECKING:
    import torch

_LAYER = re.compile(r"^(?:model|transformer)\.(?:layers|h|blocks)\.(\d+)\.")
_LENGTH_KEYS = ("n_positions", "max_position_embeddings", "n_ctx")
# what transformers raises at a damaged or unknown checkpoint; anything else is the reason of its missing collections
_UNREADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    ImportError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
)
# what transformers writes as a tokenizer's model_max_length where there is none
_UNSET_LENGTH = 10**30
_DEFAULT_LENGTH = 2048  # lm-eval's


@dataclass(frozen=True)
class Wish:
    """How a checkpoint is to be loaded."""

    name: str  # the configuration's name of the model, for messages
    folder: Path
    path: str  # what the user calls the folder
    adapter: Path | None
    dtype: str  # checkpoint, float32, bfloat16, float16
    device: str  # auto, or torch's name
    code: bool  # whether the folder's own Python files may run
    max_length: int | None
    spread: Spread | None = None  # over several devices; None = all of it is on `device`

    @property
    def spelling(self) -> Path:
        """The folder of the tokenizer: the adapter's, where it brings one, was used in training."""
        return self.adapter if self.adapter and tokenizer_files(self.adapter) else self.folder

    def place(self, device: torch.device) -> Hashable:
        """What the weights without an adapter are loaded from: equal where they are the same in memory."""
        files = [(f.name, f.stat()) for f in sorted(self.folder.iterdir()) if f.is_file()]
        stamps = [(name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in files]
        spread = self.spread is not None
        return str(self.folder), tuple(stamps), self.dtype, str(device), self.code, spread


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, with its tokenizer and limits."""

    name: str
    model: Any
    speller: Speller
    device: torch.device
    max_length: int  # tokens of context and continuation together
    eos_ids: frozenset[int]  # by generation_config.json and the tokenizer
    arguments: frozenset[str]  # what the model's forward accepts
    notes: tuple[str, ...]  # what its user should know, each one line
    base: Base | None = (
        None  # the checkpoint without its adapter; None = it is nobody's to give back
    )
    adapted: Any | None = None  # peft's model around it; None = it has no adapter
    work: Work | None = None  # what it does is counted here; None = nobody asks

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return self.speller.tokenizer

    def timing(self, name: str) -> AbstractContextManager[None]:
        """Inside, seconds are counted under this name."""
        return nullcontext() if self.work is None else self.work.timing(name)

    def close(self) -> None:
        """Gives the checkpoint back, for the next model that shares it."""
        if self.work is not None:
            self.work.close()
        if self.base is not None:
            self.base.give_back(self.adapted)

    @cached_property
    def vocabulary(self) -> str:
        """Digest of (token, id) pairs: two models' token ids mean the same where it is equal."""
        return self.speller.vocabulary()

    @cached_property
    def fingerprint(self) -> str:
        """Digest of a sample of every weight: tells models apart where sampling is seeded."""
        return draw_seed(
            [
                [n, p.detach().flatten()[:8].double().nan_to_num().tolist()]
                for n, p in weights(self.model)
            ]
        )

    @cached_property
    def repetition_penalty(self) -> float:
        """The checkpoint's own setting, which greedy decoding with transformers obeys; 1 = none."""
        return float(self.model.generation_config.repetition_penalty or 1.0)


def load(wish: Wish) -> LoadedModel:
    """The checkpoint in memory, on its device, ready to be asked.

    Raises DistillbenchError where it is not whole, or its adapter does not fit.
    """
    device = _device(wish)
    place = wish.place(device)
    known = taken(place)
    with _telling_faults(wish), _without_bars():
        tokenizer = _tokenizer(wish)
        if known is None:
            model, report = _read(wish)
    if known is None:
        _refuse_parts(wish, model, report)
        _settle(wish, model.eval(), device)
        known = Base.of(place, model)
    if wish.spread:
        device = main_device(known.model)
    if wish.adapter is None:
        return _loaded(wish, known, None, tokenizer, device)
    adapted = with_adapter(known.model, wish.adapter, wish.name, wish.path)
    adapted.get_base_model().eval().to(device)
    return _loaded(wish, known, adapted, tokenizer, device)


def _settle(wish: Wish, model: Any, device: torch.device) -> None:
    """Brings the model to its device; one that is spread is where it belongs."""
    import torch

    if wish.spread is not None:
        return
    try:
        quicken(model.to(device))
    except torch.OutOfMemoryError:
        raise DistillbenchError(
            f"model {wish.name}: its weights do not fit into the memory of {device}; set device_map: auto to spread "
            "them over all devices, the machine's memory and the disk, or set a smaller dtype"
        ) from None


@contextmanager
def _telling_faults(wish: Wish) -> Iterator[None]:
    """Inside, what transformers raises at a checkpoint that it cannot read is said in our words."""
    try:
        yield
    except DistillbenchError:
        raise
    except (*_UNREADABLE, _contradictory()) as error:
        told = error.__cause__ if isinstance(error, _contradictory()) else error
        reason = str(told).strip() or type(error).__name__
        raise DistillbenchError(
            f"model {wish.name}: expected a whole checkpoint in {wish.folder}, transformers says: "
            f"{reason.splitlines()[0]}; save it again (for code of its own: `trust_remote_code: true`)"
        ) from error


def _contradictory() -> type[Exception]:
    """What transformers raises at a configuration that contradicts itself."""
    from huggingface_hub.errors import StrictDataclassError

    return StrictDataclassError


def _tokenizer(wish: Wish) -> Any:
    import transformers

    return transformers.AutoTokenizer.from_pretrained(wish.spelling, trust_remote_code=wish.code)


def _read(wish: Wish) -> tuple[Any, Mapping[str, Any]]:
    """The model, and transformers' report of the weights that it read."""
    import transformers

    options = {"trust_remote_code": wish.code}
    config = transformers.AutoConfig.from_pretrained(wish.folder, **options)
    _refuse_unknown_quantization(wish, config)
    if config.is_encoder_decoder:
        raise DistillbenchError(
            f"model {wish.name}: expected a decoder-only model, got {config.model_type}, which has an "
            "encoder; use `kind: lm_eval, model: hf` for it"
        )
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        wish.folder,
        dtype=torch_dtype(wish.dtype),
        use_safetensors=True,
        output_loading_info=True,
        **options,
        **(wish.spread.options if wish.spread else {}),
    )
    return model, report


def _refuse_parts(wish: Wish, model: Any, report: Mapping[str, Any]) -> None:
    """Raises DistillbenchError where weights are absent, or some that are there would be left out."""
    if missing := sorted(report["missing_keys"]):
        raise DistillbenchError(
            f"model {wish.name}: expected all weights in {wish.folder}, got none for {len(missing)} of them "
            f"({', '.join(missing[:3])} ...); they would be random. Save the checkpoint again"
        )
    if strange := sorted(key for key in report["unexpected_keys"] if "lora_" in key):
        raise DistillbenchError(
            f"model {wish.name}: expected a checkpoint's weights in {wish.folder}, got those of an adapter among them "
            f"({strange[0]} ...), which would be left out; merge it (merge_and_unload) and save the checkpoint again"
        )
    if surplus := _beyond(model.config, report["unexpected_keys"]):
        raise DistillbenchError(
            f"model {wish.name}: expected the layers that config.json states in {wish.folder}, got weights of more "
            f"({surplus[0]} ...), which would be left out: correct num_hidden_layers, or save the checkpoint again"
        )


def _refuse_unknown_quantization(wish: Wish, config: Any) -> None:
    """Raises DistillbenchError for a method that transformers would skip: it took packed weights as they are."""
    from transformers.quantizers.auto import AutoHfQuantizer

    stated = getattr(config, "quantization_config", None)
    if isinstance(stated, dict) and not AutoHfQuantizer.supports_quant_method(stated):
        raise DistillbenchError(
            f"model {wish.name}: expected a quantization that this transformers knows in {wish.folder}, got "
            f"{stated.get('quant_method')!r}; update transformers, or save the checkpoint without it"
        )


def _beyond(config: Any, unexpected: Iterable[str]) -> list[str]:
    """Weights of decoder layers that a configuration does not have."""
    n_layers = config.get_text_config().num_hidden_layers
    places = ((key, _LAYER.search(key)) for key in sorted(unexpected))
    return [key for key, place in places if place and int(place[1]) >= n_layers]


@contextmanager
def _without_bars() -> Iterator[None]:
    """Inside, transformers and accelerate show no progress and no report of their own: we say what matters."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    spreading = getLogger("accelerate")
    spreading_level = spreading.level
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    spreading.setLevel(ERROR)
    try:
        yield
    finally:
        spreading.setLevel(spreading_level)
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _loaded(
    wish: Wish, base: Base, adapted: Any | None, tokenizer: Any, device: torch.device
) -> LoadedModel:
    model = base.model if adapted is None else adapted.get_base_model()
    # Long prompts are cut and counted: no warning for every model that they are long.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    speller = make_speller(wish.name, tokenizer, int(model.get_input_embeddings().weight.shape[0]))
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, (list, tuple)) else [ends]
    return LoadedModel(
        name=wish.name,
        model=model,
        speller=speller,
        device=device,
        max_length=wish.max_length or _max_length(model.config, tokenizer),
        eos_ids=frozenset(int(i) for i in (*ends, tokenizer.eos_token_id) if i is not None),
        arguments=frozenset(inspect.signature(model.forward).parameters),
        notes=tuple(_notes(wish, speller)),
        base=None if wish.spread else base,
        adapted=adapted,
        work=Work(model),
    )


def _notes(wish: Wish, speller: Speller) -> Iterator[str]:
    if speller.behind:
        marks = "".join(map(speller.token, speller.behind))
        yield (
            f"its tokenizer puts {marks} behind every text; it is left out here, because nothing may stand between a "
            "context and its answer (lm-eval's own `hf` leaves it in: its numbers differ)"
        )
    base = base_of(wish.adapter) if wish.adapter else ""
    if base and Path(base).name != Path(wish.path).name:
        yield f"its adapter names {base} as its base, and is applied to {wish.path}"


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
