"""What servers are sent and what they send back: OpenAI's chat and text completions, Anthropic's messages.

Sources: references of OpenAI's endpoints /v1/chat/completions and /v1/completions and of Anthropic's /v1/messages;
vLLM's OpenAI-compatible server (`continue_final_message`, prompt log-probabilities by `echo`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from harness.files.conversations import content_text
from harness.files.formats._stops import calls_tool, stop_of, text_or_none, thoughts
from harness.keys import draw_seed
from harness.models._conversation import with_system
from harness.models._rows import Row, cut, drawing_of
from harness.models._server_faults import Fault
from harness.models._server_scores import read_scores
from harness.models._session import Told
from harness.text.clean import reply_start, with_trace
from harness.types import Decoding, DistillbenchError, Message, Request

Api = Literal["openai", "anthropic"]
CHAT, TEXT, MESSAGES = "/chat/completions", "/completions", "/messages"

_MOST_STOPS = 4  # stop strings that OpenAI takes; replies are cut at all of them here
_NO_ANSWER = {  # reasons to end that leave a reply incomplete or empty for good
    "content_filter": "content_filter", "refusal": "content_filter", "safety": "content_filter",
    "tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
}  # fmt: skip


class Question(NamedTuple):
    """One request as the server gets it."""

    path: str  # behind the server's address
    body: dict[str, Any]


class Reply(NamedTuple):
    """What a server sent back for one request."""

    row: Row
    told: Told
    model: str = ""  # how it calls what answered; "" = it does not say
    fingerprint: str = ""  # of its software and settings, where it states one


@dataclass(frozen=True)
class Wire:
    """How one model is asked; no connection."""

    name: str  # of the model in the configuration
    api: Api
    model: str
    system: str | None
    body: Mapping[str, Any]  # further fields of every request; null takes one of ours out
    length_key: str  # the field with the largest number of tokens
    prefills: bool  # a last message of the assistant is continued
    prices: tuple[float, float]  # dollars per million tokens read and written

    def question(self, request: Request, prompt_id: str, decoding: Decoding) -> Question:
        """The request in the server's form; raises Fault for one that this server cannot be asked."""
        if request.kind in ("score", "read"):
            text = _plain(request) + request.continuation
            fields = {"prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": 1}
            return Question(TEXT, self._whole({**fields, "echo": True}))
        fields = self._drawn(request, prompt_id, decoding)
        if isinstance(request.context, str):
            if self.api == "anthropic":
                raise Fault("takes conversations only; leave the task's `chat` alone", "missing")
            return Question(TEXT, self._whole({"prompt": request.context, **fields}))
        messages = with_system(request.context, self.system)
        if self.api == "anthropic":
            return Question(MESSAGES, self._whole({**_anthropic(messages), **fields}))
        fields["messages"] = [{"role": m.role, "content": m.text} for m in messages]
        if not request.open:
            if not self.prefills:
                raise Fault(
                    "is asked to go on with a reply that the task begins; set `prefill: true` for a server that takes "
                    "continue_final_message (vLLM, SGLang)",
                    "missing",
                )
            fields |= {"add_generation_prompt": False, "continue_final_message": True}
        return Question(CHAT, self._whole(fields))

    def reply(self, request: Request, content: Mapping[str, Any]) -> Reply:
        """What came; raises Fault where it is no answer."""
        told = self.told(content)
        try:
            if self.api == "anthropic":
                row = _written(request, content, content.get("stop_reason"), content.get("content"))
            else:
                row = _chosen(request, _choice(content))
        except DistillbenchError:
            raise Fault("answers with something that is not text", "missing", paid=True) from None
        n_tokens = row.n_tokens or int(told.get("completion_tokens", 0))
        names = (content.get("model"), content.get("system_fingerprint"))
        model, fingerprint = (name if isinstance(name, str) else "" for name in names)
        return Reply(row._replace(n_tokens=n_tokens), told, model, fingerprint)

    def _whole(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        whole = {"model": self.model, **fields, **self.body}
        return {name: value for name, value in whole.items() if value is not None}

    def _drawn(self, request: Request, prompt_id: str, decoding: Decoding) -> dict[str, Any]:
        """How the reply is drawn."""
        most, temperature, top_p = drawing_of(request, decoding)
        stops = [stop for stop in request.until if stop.strip() or (stop and self.api == "openai")]
        name = "max_tokens" if isinstance(request.context, str) else self.length_key
        fields: dict[str, Any] = {name: most, "temperature": temperature}
        if temperature > 0 and top_p < 1:
            fields["top_p"] = top_p
        if stops:
            fields["stop" if self.api == "openai" else "stop_sequences"] = stops[:_MOST_STOPS]
        if temperature > 0 and self.api == "openai":
            luck = draw_seed(
                decoding.seed, decoding.sample, prompt_id, request.repeat, request.slot
            )
            fields["seed"] = int(luck[:7], 16)
        return fields

    def told(self, content: Mapping[str, Any]) -> dict[str, str | int | float]:
        """Tokens that are billed for a response, and their price; empty where it states none."""
        usage = content.get("usage")
        if not isinstance(usage, Mapping):
            return {}
        read = _count(usage, "prompt_tokens", "input_tokens")
        read += _count(usage, "cache_creation_input_tokens")
        read += _count(usage, "cache_read_input_tokens")
        wrote = _count(usage, "completion_tokens", "output_tokens")
        told: dict[str, str | int | float] = {"prompt_tokens": read, "completion_tokens": wrote}
        if any(self.prices):
            told["usd"] = (read * self.prices[0] + wrote * self.prices[1]) / 1e6
        return told


def _plain(request: Request) -> str:
    if not isinstance(request.context, str):
        raise Fault(
            "gives log-probabilities of plain text only; leave the task's `chat` alone", "missing"
        )
    return request.context


def _count(usage: Mapping[str, Any], *names: str) -> int:
    counts = (usage.get(name) for name in names)
    return next((n for n in counts if type(n) is int and n >= 0), 0)


def _anthropic(messages: Sequence[Message]) -> dict[str, Any]:
    """The conversation with its system messages beside it."""
    system = "\n\n".join(m.text for m in messages if m.role == "system")
    turns = [{"role": m.role, "content": m.text} for m in messages if m.role != "system"]
    return {"messages": turns, **({"system": system} if system else {})}


def _choice(content: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = content.get("choices")
    if not isinstance(choices, list) or len(choices) != 1:
        n = len(choices) if isinstance(choices, list) else "no"
        raise Fault(f"answers {n} choices instead of 1", "again", paid=True)
    choice = choices[0]
    if not isinstance(choice, Mapping):
        raise Fault("answers a choice that is not an object", "again", paid=True)
    return choice


def _chosen(request: Request, choice: Mapping[str, Any]) -> Row:
    """The row of a choice."""
    if request.kind in ("score", "read"):
        return read_scores(request, _plain(request), choice.get("logprobs"))
    message = choice.get("message")
    if not isinstance(message, Mapping):
        message = {"content": choice.get("text")}
    # an empty content beside a refusal is not an answer of its own
    text = message.get("content") or message.get("refusal")
    text = message.get("content") if text is None else text
    return _written(request, message, choice.get("finish_reason"), text)


def _written(request: Request, message: Mapping[str, Any], reason: Any, content: Any) -> Row:
    """The row of a reply, its thoughts before it; raises Fault where nothing was written."""
    stop = stop_of(reason)
    if stop == "unknown":
        stop = _NO_ANSWER.get(str(reason), "unknown")
    trace = thoughts(message)
    text = None if content is None or content == [] else content_text(content, "")
    if not text and (calls_tool(message) or stop in ("tool_calls", "content_filter")):
        words = {"content_filter": "filters the content"}.get(stop, "calls a tool")
        raise Fault(f"{words} and answers nothing", "missing", paid=True)
    text = text_or_none(text, stop, trace)
    if text is None:
        raise Fault("answers without a text", "again", paid=True)
    whole = with_trace(trace, _spelled(text))
    start = reply_start(whole, "")
    stops = [s for s in request.until if s]
    shorter = whole if start is None else whole[:start] + cut(whole[start:], stops)
    return Row("generate", shorter, stop if shorter == whole else "stop")


def _spelled(text: str) -> str:
    """The text with a replacement character for every half of a character, as a limit of tokens may leave one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
