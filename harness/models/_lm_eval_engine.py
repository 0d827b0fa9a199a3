"""lm-eval's own models: translation of our requests to theirs, and of their answers to ours."""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Literal

from harness.console.foreign import muffled, notify
from harness.console.secrets import redacted
from harness.keys import draw_seed
from harness.models._conversation import with_system
from harness.models._lm_eval_client import NO_TEXT, hear_names
from harness.models._lm_eval_tries import is_client, told, watch
from harness.models._lm_eval_types import CHAT_ONLY, SEEDED
from harness.models._rows import Row, drawing_of, outputs_of
from harness.models._session import Facts
from harness.text.clean import TAGS, behind_its_tag
from harness.types import Decoding, DistillbenchError, Outputs, Request

Way = Literal["score", "read", "read behind", "generate"]
_METHODS: Mapping[Way, str] = {
    "score": "loglikelihood",
    "read": "loglikelihood_rolling",
    "read behind": "loglikelihood",
    "generate": "generate_until",
}
# what lm-eval raises where its arguments or its server are wrong
_GENERAL = (OSError, RuntimeError, ValueError, KeyError, TypeError, AssertionError)


class Rendered(str):
    """A conversation that a chat template has written, and closed for a reply."""


def way_of(request: Request) -> Way:
    """How a request is asked: texts to read differ by whether something stands before them."""
    if request.kind == "choose":
        raise ValueError("lm-eval's models make no choices")
    return "read behind" if request.kind == "read" and request.context != "" else request.kind


class Engine:
    """A model of lm-eval, behind our types."""

    def __init__(
        self,
        *,
        name: str,
        type_: str,
        args: Mapping[str, str | int | float | bool],
        snapshot: str,
        system: str | None,
    ) -> None:
        self.name, self.type, self.snapshot, self._system = name, type_, snapshot, system
        self.names: list[str] = []  # names of the model in the server's responses, in order
        self._said: set[str] = set()  # messages about this model that were already shown
        self.made: Any = None
        try:
            with muffled(self._hear):
                self.made = self._make(args)
        except (*_GENERAL, ImportError) as error:
            raise DistillbenchError(
                f"model {name}: lm-eval cannot make {type_} with {', '.join(args) or 'no arguments'}: "
                f"{_first_line(error)}; check `args` (APIs need pip install 'lm-eval[api]', vllm 'lm-eval[vllm]' ...)"
            ) from error

    def _make(self, args: Mapping[str, Any]) -> Any:
        """lm-eval's model; if it asks a server, with its retries reported."""
        from lm_eval.api.registry import get_model

        made = get_model(self.type)(**args)
        if is_client(made):
            watch(made, self.name, self.type)
            hear_names(made, self.names.append)
        return made

    def facts(self) -> Facts:
        """Type, snapshot and version."""
        return {"type": self.type, "snapshot": self.snapshot, "lm_eval": version("lm_eval")}

    def call(self, way: Way, asked: Sequence[tuple[Any, ...]]) -> tuple[Sequence[Any], str]:
        """lm-eval's answers to requests that are asked in one way, in order, and "" or what failed.

        The failure is text, so that no reference to the exception remains.
        """
        from lm_eval.api.instance import Instance

        method = getattr(self.made, _METHODS[way])
        instances = [
            Instance(request_type=_METHODS[way], doc={}, arguments=arguments, idx=i)
            for i, arguments in enumerate(asked)
        ]
        # we show our own bar
        quiet = "disable_tqdm" in inspect.signature(method).parameters
        options = {"disable_tqdm": True} if quiet else {}
        with muffled(self._hear), self._cut_at_templates(way == "read behind"):
            try:
                return method(instances, **options), ""
            except _failures() as error:
                failure = _first_line(error)
            # ending tasks log the headers of their requests: drop these lines too
            gc.collect()
        return (), failure

    @contextmanager
    def _cut_at_templates(self, wanted: bool) -> Iterator[None]:
        """Inside, where `wanted`, a text behind a conversation begins where the chat template ends.

        lm-eval 0.4.13 (api/model.py, `TemplateLM._encode_pair`) moves the template's last white space to the text.
        """
        from lm_eval.api.model import TemplateLM

        if not wanted or not isinstance(self.made, TemplateLM):
            yield
            return
        own = self.made._encode_pair

        def pair(context: str, continuation: str) -> tuple[list[int], list[int]]:
            """Token ids of a context and of the text behind it, as `_encode_pair` returns them."""
            if not isinstance(context, Rendered):
                start, target = own(context, continuation)
                return start, target
            start, whole = (self.made.tok_encode(t) for t in (context, context + continuation))
            n = len(start)
            return start, whole[n:] if whole[:n] == start else self._bare(continuation)

        self.made._encode_pair = pair
        try:
            yield
        finally:
            del self.made._encode_pair

    def failed(self, way: Way, n: int, failure: str) -> DistillbenchError:
        """The error for `n` requests some of which were not answered."""
        return DistillbenchError(
            f"model {self.name}: {self.type} failed on {n} request{'s' * (n != 1)} ({_METHODS[way]}): {failure}; "
            "check the server and `args`; what was answered before is kept"
        )

    def outputs(self, requests: Sequence[Request], answers: Sequence[Any]) -> Outputs:
        """lm-eval's answers to requests as ours, in order."""
        return outputs_of([self._row(r, a) for r, a in zip(requests, answers, strict=True)])

    def _row(self, request: Request, answer: Any) -> Row:
        """One of lm-eval's answers: a text, a log-probability, or one with whether it is what would be written."""
        if request.kind == "generate":
            text = str(answer)
            if text == NO_TEXT:
                return Row("generate", answered=False)
            n = self._n_tokens(text)
            return Row("generate", self._reply(request, text), "unknown", n_tokens=n)
        n = self._n_tokens(request.continuation)
        if way_of(request) == "read":
            return Row("read", logprob_nats=float(answer), n_tokens=n)
        greedy = bool(answer[1]) if request.kind == "score" else None
        return Row(request.kind, logprob_nats=float(answer[0]), greedy=greedy, n_tokens=n)

    def arguments(self, request: Request, decoding: Decoding) -> tuple[Any, ...]:
        """What lm-eval's Instance carries for one request."""
        if decoding.top_logprobs:
            raise DistillbenchError(
                f"model {self.name}: lm-eval returns no tokens; set decoding.top_logprobs=0"
            )
        way = way_of(request)
        if way == "read":
            return (request.continuation,)
        if way != "generate":
            return (self._context(request), request.continuation)
        most, temperature, top_p = drawing_of(request, decoding)
        options: dict[str, Any] = {
            "until": list(request.until),
            "max_gen_toks": most,
            "temperature": temperature,
            "do_sample": temperature > 0,
        }
        if temperature > 0 and top_p < 1:
            options["top_p"] = top_p
        # one seed per sample: lm-eval sends equal options together
        if temperature > 0 and self.type in SEEDED:
            luck = draw_seed(
                self.snapshot, decoding.seed, decoding.sample, request.repeat, request.slot
            )
            options["seed"] = int(luck[:7], 16)
        return (self._context(request), options)

    def _context(self, request: Request) -> Any:
        """The context as text, or in the type's own form of a conversation."""
        if isinstance(request.context, str):
            if self.type in CHAT_ONLY:
                raise DistillbenchError(
                    f"model {self.name}: {self.type} takes conversations only; set `chat: true` for the "
                    "model and leave the task's `chat` alone"
                )
            return request.context
        messages = with_system(request.context, self._system)
        history = [{"role": m.role, "content": m.text} for m in messages]
        text = self.made.apply_chat_template(history, add_generation_prompt=request.open)
        closed = isinstance(text, str) and request.open
        return Rendered(text) if closed else text

    def _reply(self, request: Request, text: str) -> str:
        """A reply, behind the tag of the thought that its prompt opens and it does not close.

        Not where lm-eval leaves the closing tag out: with thoughts where `args` name their end, or as a special token.
        """
        context, made = self._context(request), self.made
        special = getattr(getattr(made, "tokenizer", None), "all_special_tokens", None) or ()
        is_left_out = bool(getattr(made, "think_end_token", None)) or not TAGS.isdisjoint(special)
        return (
            behind_its_tag(context, text) if isinstance(context, str) and not is_left_out else text
        )

    def _n_tokens(self, text: str) -> int:
        """Tokens of a text; 0 if the type has no tokenizer."""
        from lm_eval.api.model import TemplateLM

        made = self.made
        if not isinstance(made, TemplateLM) or made.tokenizer is None or self.type in CHAT_ONLY:
            return 0
        return len(self._bare(text))

    def _bare(self, text: str) -> list[int]:
        """Token ids of a text alone."""
        ids: list[int] = self.made.tok_encode(text, add_special_tokens=False)
        return ids

    def _hear(self, record: logging.LogRecord) -> None:
        """Reports what a user should know about a log line, in our own words, and most messages once only."""
        words = told(record.getMessage(), tried_again=not is_client(self.made))
        if words is not None and (words not in self._said or "tries again" in words):
            self._said.add(words)
            notify(f"{self.name}: {words}")


def _failures() -> tuple[type[Exception], ...]:
    """What a server, or lm-eval's reading of its answer, raises."""
    try:
        import aiohttp
    except ImportError:
        return (*_GENERAL, IndexError)
    return (*_GENERAL, IndexError, aiohttp.ClientError)


def _first_line(error: Exception) -> str:
    return redacted((str(error).strip() or type(error).__name__).splitlines()[0])
