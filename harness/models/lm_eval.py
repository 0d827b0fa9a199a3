"""Any model type that lm-eval has: servers of its own (vllm, sglang), APIs, and its in-process models.

Source: EleutherAI lm-evaluation-harness; the answers are those of `lm-eval run --model TYPE --model_args ...`.
What answers behind a name cannot be seen from here, so `snapshot` stands for it in the key of every answer.
"""

from __future__ import annotations

import difflib
import gc
import inspect
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, final

import numpy as np

from harness.console.credentials import argument_faults, shown_variable, variable_fault
from harness.console.foreign import muffled, notify
from harness.console.secrets import redacted, remember
from harness.keys import describes, digest, draw_seed, place, speed
from harness.models import AbstractModel
from harness.models._conversation import with_system
from harness.models._lm_eval_tries import is_client, told, watch
from harness.types import Decoding, DistillbenchError, Kind, Outputs, Paths, Request

_METHODS = {"score": "loglikelihood", "read": "loglikelihood_rolling", "generate": "generate_until"}
_CHAT_ONLY = frozenset(
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
_TEXT_ONLY = _CHAT_ONLY | {"anthropic-completions", "openai-completions"}
_SEEDED = frozenset(  # types that take a seed with every request
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
_KEYLESS = frozenset({"local-completions", "local-chat-completions"})
_PLACE = frozenset(  # arguments that say where or how fast, not what is answered
    {
        "base_url",
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


@dataclass
class _Held:
    """What an entered back end holds."""

    model: Any = None
    # variables as they were before
    environment: dict[str, str | None] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)  # what was said of this model already


@final
@dataclass(frozen=True)
class LmEvalBackend(AbstractModel):
    """A model as lm-eval asks it. Sampled answers can be repeated only with types that take a seed."""

    version = 1
    # lm-eval's name of the type: vllm, local-completions, openai-chat-completions, hf ...
    model: str = ""
    # the type's own arguments; those in _PLACE are in no key
    args: Mapping[str, str | int | float | bool] = place(default_factory=dict, hash=False)
    # dated name of what answers (gpt-4o-2024-08-06, my-model 2026-01-31): in every answer's key
    snapshot: str = ""
    # whether it returns log-probabilities; None = what its type is known for
    scores: bool | None = describes(None)
    # variable with the API key; None = the one that lm-eval reads
    api_key_env: str | None = describes(None)  # type: ignore[misc]
    batch: int = speed(64)  # requests handed over at once, and lost at most by a kill
    _held: _Held = field(default_factory=_Held, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.api_key_env is not None:
            remember(self.api_key_env)
        if not self.model:
            raise DistillbenchError(
                "key model is missing; expected one of lm-eval's model types, such as vllm"
            )
        if not self.snapshot:
            raise DistillbenchError(
                "key snapshot is missing; expected a dated name of what answers, such as gpt-4o-2024-08-06: "
                "answers are stored under it, so change it when the model behind the name changes"
            )
        if self.batch < 1:
            raise DistillbenchError(f"key batch: expected 1 or more, got {self.batch}")

    def contents(self, paths: Paths) -> Mapping[str, str]:
        """The arguments that change answers."""
        return {"args": digest({k: v for k, v in self.args.items() if k not in _PLACE})}

    def offers(self) -> frozenset[Kind | Literal["tokens"]]:
        """Texts, and log-probabilities where the type returns them; never single tokens."""
        scores = self.model not in _TEXT_ONLY if self.scores is None else self.scores
        return frozenset({"generate", "score", "read"}) if scores else frozenset({"generate"})

    def faults(self, paths: Paths) -> list[str]:
        """An unknown type, secrets in the configuration, a key that is not set, plain text for a chat API."""
        found = []
        if self.model not in (known := _types()):
            near = difflib.get_close_matches(self.model, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            found.append(
                f"key model: {self.model!r} is no model type of lm-eval{hint} (known: {', '.join(known)})"
            )
        found += [f"key {fault}" for fault in argument_faults(self.args)]
        variable = self._key_variable()
        if fault := variable_fault("key api_key_env", self.api_key_env):
            found.append(fault)
        elif variable and not os.environ.get(variable):
            found.append(
                f"environment variable {shown_variable(variable)} is not set; set it to the API key, or name another "
                "by api_key_env"
            )
        if self.model in _CHAT_ONLY and not self.chat:
            found.append(f"{self.model} takes conversations only; set `chat: true`")
        return [f"model {self.name}: {fault}" for fault in found]

    def batches(self, requests: Sequence[Request], decoding: Decoding) -> list[list[int]]:
        """In order; lm-eval sorts inside a batch."""
        return [
            list(range(i, min(i + self.batch, len(requests))))
            for i in range(0, len(requests), self.batch)
        ]

    def __enter__(self) -> Self:
        variable, read = self._key_variable(), _read_variable(self.model)
        if variable:
            remember(variable)
        if variable and read and variable != read:
            self._held.environment[read] = os.environ.get(read)
            os.environ[read] = os.environ.get(variable, "")
        try:
            with muffled(self._hear):
                self._held.model = self._made()
        except (
            TypeError,
            ValueError,
            OSError,
            ImportError,
            KeyError,
            AssertionError,
            RuntimeError,
        ) as error:
            self.__exit__()
            raise DistillbenchError(
                f"model {self.name}: lm-eval cannot make {self.model} with {', '.join(self.args) or 'no arguments'}: "
                f"{_first_line(error)}; check `args` (APIs need pip install 'lm-eval[api]', vllm 'lm-eval[vllm]' ...)"
            ) from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.model = None
        for name, value in self._held.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._held.environment.clear()

    def answer(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch: one call of lm-eval for every kind of request in it."""
        if decoding.top_logprobs and "tokens" not in self.offers():
            raise DistillbenchError(
                f"model {self.name}: lm-eval returns no tokens; set decoding.top_logprobs=0"
            )
        found: dict[int, Any] = {}
        for kind in sorted({r.kind for r in requests}):
            rows = [i for i, r in enumerate(requests) if r.kind == kind]
            found.update(
                zip(rows, self._ask(kind, [requests[i] for i in rows], decoding), strict=True)
            )
        texts = tuple(
            str(found[i]) if r.kind == "generate" else None for i, r in enumerate(requests)
        )
        spelled = [
            t if t is not None else r.continuation for t, r in zip(texts, requests, strict=True)
        ]
        return Outputs(
            request=np.arange(len(requests)),
            kind=tuple(r.kind for r in requests),
            n_tokens=np.array([self._n_tokens(text) for text in spelled], dtype=np.int64),
            text=texts,
            stop=tuple("unknown" if r.kind == "generate" else None for r in requests),
            logprob_nats=np.array(
                [_nats(r.kind, found[i]) for i, r in enumerate(requests)], dtype=np.float64
            ),
            greedy=tuple(
                bool(found[i][1]) if r.kind == "score" else None for i, r in enumerate(requests)
            ),
            choice=(None,) * len(requests),
            answered=(True,) * len(requests),
        )

    def facts(self) -> dict[str, str | int | float]:
        """Type, snapshot and version."""
        from importlib.metadata import version

        return {"type": self.model, "snapshot": self.snapshot, "lm_eval": version("lm_eval")}

    def _ask(self, kind: Kind, requests: Sequence[Request], decoding: Decoding) -> Sequence[Any]:
        """lm-eval's answers to requests of one kind, in order."""
        from lm_eval.api.instance import Instance

        instances = [
            Instance(
                request_type=_METHODS[kind], doc={}, arguments=self._arguments(r, decoding), idx=i
            )
            for i, r in enumerate(requests)
        ]
        methods = {
            "score": self._held.model.loglikelihood,
            "read": self._held.model.loglikelihood_rolling,
            "generate": self._held.model.generate_until,
        }
        # our own bar tells the progress
        quiet = "disable_tqdm" in inspect.signature(methods[kind]).parameters
        options = {"disable_tqdm": True} if quiet else {}
        with muffled(self._hear):
            found, failure = _tried(methods[kind], instances, options)
            if failure:
                # dying tasks log the headers of their requests: while nobody listens, please
                gc.collect()
        if failure:
            raise DistillbenchError(
                f"model {self.name}: {self.model} failed on {len(requests)} requests ({_METHODS[kind]}): "
                f"{failure}; check the server and `args`; what was answered before is kept"
            )
        return found

    def _made(self) -> Any:
        """lm-eval's own model, whose tries are watched where it asks a server."""
        from lm_eval.api.registry import get_model

        model = get_model(self.model)(**self.args)
        if is_client(model):
            watch(model, self.name, self.model)
        return model

    def _hear(self, record: logging.LogRecord) -> None:
        """Says in our own words what a user should know of a log line, most of it once."""
        words = told(record.getMessage(), tried_again=not is_client(self._held.model))
        if words is not None and (words not in self._held.told or "tries again" in words):
            self._held.told.add(words)
            notify(f"{self.name}: {words}")

    def _arguments(self, request: Request, decoding: Decoding) -> tuple[Any, ...]:
        """What lm-eval's Instance carries for one request."""
        if request.kind == "read":
            return (request.continuation,)
        if request.kind == "score":
            return (self._context(request), request.continuation)
        temperature = decoding.temperature if request.temperature is None else request.temperature
        options: dict[str, Any] = {
            "until": list(request.until),
            "max_gen_toks": request.max_new_tokens or decoding.max_new_tokens,
            "temperature": temperature,
            "do_sample": temperature > 0,
        }
        top_p = decoding.top_p if request.top_p is None else request.top_p
        if temperature > 0 and top_p < 1:
            options["top_p"] = top_p
        # one seed per sample: lm-eval sends equal options together
        if temperature > 0 and self.model in _SEEDED:
            luck = draw_seed(
                self.snapshot, decoding.seed, decoding.sample, request.repeat, request.slot
            )
            options["seed"] = int(luck[:7], 16)
        return (self._context(request), options)

    def _context(self, request: Request) -> Any:
        """Text, or whatever the type makes of a conversation."""
        if isinstance(request.context, str):
            if self.model in _CHAT_ONLY:
                raise DistillbenchError(
                    f"model {self.name}: {self.model} takes conversations only; set `chat: true` for the "
                    "model and leave the task's `chat` alone"
                )
            return request.context
        messages = with_system(request.context, self.system)
        history = [{"role": m.role, "content": m.content} for m in messages]
        return self._held.model.apply_chat_template(history, add_generation_prompt=request.open)

    def _n_tokens(self, text: str) -> int:
        """Tokens of a text; 0 where the type knows no tokenizer."""
        from lm_eval.api.model import TemplateLM

        model = self._held.model
        if not isinstance(model, TemplateLM) or model.tokenizer is None or self.model in _CHAT_ONLY:
            return 0
        return len(model.tok_encode(text, add_special_tokens=False))

    def _key_variable(self) -> str | None:
        """The variable that must hold a key; None where none is needed."""
        if self.api_key_env is not None:
            return self.api_key_env
        return None if self.model in _KEYLESS else _read_variable(self.model)


def _types() -> list[str]:
    """lm-eval's model types; imports none of them."""
    import lm_eval.models  # noqa: F401 - fills the registry
    from lm_eval.api.registry import model_registry

    return sorted(model_registry.keys())


def _read_variable(model: str) -> str | None:
    return next((variable for start, variable in _KEYS.items() if model.startswith(start)), None)


def _failures() -> tuple[type[Exception], ...]:
    """What a server, or lm-eval's reading of its answer, raises."""
    general = (OSError, RuntimeError, ValueError, KeyError, TypeError, AssertionError, IndexError)
    try:
        import aiohttp
    except ImportError:
        return general
    return (*general, aiohttp.ClientError)


def _nats(kind: Kind, found: Any) -> float:
    """The log-probability in lm-eval's answer; NaN for texts."""
    if kind == "generate":
        return float("nan")
    return float(found[0] if kind == "score" else found)


def _tried(
    method: Callable[..., Sequence[Any]], instances: Sequence[Any], options: Mapping[str, bool]
) -> tuple[Sequence[Any], str]:
    """What a method of lm-eval answers, and "" or what failed: as text, so that nothing of the failure lives on."""
    try:
        return method(instances, **options), ""
    except _failures() as error:
        return (), _first_line(error)


def _first_line(error: Exception) -> str:
    return redacted((str(error).strip() or type(error).__name__).splitlines()[0])
