"""A server with OpenAI's or Anthropic's interface: vLLM, SGLang, llama.cpp, transformers serve, hosted APIs.

What answers behind an address cannot be seen from here: address, name and `snapshot` stand for it in the key of every
answer, and what the server says of itself is stored with the first answer and compared when a run goes on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final
from urllib.parse import urlsplit

from harness.console.credentials import CURE, argument_faults, shown_variable, variable_fault
from harness.console.secrets import remember
from harness.keys import describes, speed
from harness.models import AbstractModel, AbstractSession, Budget, Collecting, Facts, Offer
from harness.models._server_batch import BatchSession
from harness.models._server_http import Connection, host_of
from harness.models._server_session import Identity, Manner, ServerSession
from harness.models._server_tries import Clock
from harness.models._server_wire import Api, Wire
from harness.types import DistillbenchError, Paths

_VERSION = "2023-06-01"  # of Anthropic's interface
_OPENAI, _AZURE = "api.openai.com", ".openai.azure.com"
_LENGTHS = ("max_tokens", "max_completion_tokens")


@final
@dataclass(frozen=True)
class ServerModel(AbstractModel):
    """A model behind an address."""

    version = 1
    # up to the version: https://api.openai.com/v1, http://127.0.0.1:8000/v1
    url: str = ""
    model: str = ""  # its name there
    api: Api = "openai"  # whose interface it has
    # dated name of what answers (2026-01-31), where the name there may come to mean another model
    snapshot: str = ""
    # further fields of every request (reasoning_effort: low); null takes out one that is sent otherwise
    body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    # field with the largest number of tokens; None = max_completion_tokens for OpenAI's own chats, else max_tokens
    length_key: Literal["max_tokens", "max_completion_tokens"] | None = describes(None)
    # whether it returns log-probabilities of a prompt; None = where it is asked in plain text
    scores: bool | None = describes(None)
    prefill: bool = describes(False)  # whether it goes on with a reply that was begun
    api_key_env: str | None = describes(None)  # type: ignore[misc]  # variable with its API key
    # prices of answers asked one by one; by batch they count half
    usd_per_million_input: float | None = describes(None)  # price of what it reads
    usd_per_million_output: float | None = describes(None)  # price of what it writes
    connections: int = speed(8)  # requests under way at once
    timeout_s: float = speed(600.0)  # for a whole response
    tries: int = speed(8)  # of one request, over about two minutes
    collect: Collecting | None = speed(None)  # None = as the run's key `collect` says

    def __post_init__(self) -> None:
        if self.api_key_env is not None:
            remember(self.api_key_env)
        wrong = [
            *_address_faults(self.url),
            *(
                []
                if self.model
                else ["key model is missing; expected the model's name on the server"]
            ),
            *(
                f"key {key}: expected {least} or more, got {value:g}"
                for key, value, least in (
                    ("connections", self.connections, 1),
                    ("tries", self.tries, 1),
                    ("usd_per_million_input", self.usd_per_million_input or 0, 0),
                    ("usd_per_million_output", self.usd_per_million_output or 0, 0),
                )
                if not value >= least
            ),
        ]
        if not 0 < self.timeout_s < float("inf"):
            wrong.append(f"key timeout_s: expected seconds above 0, got {self.timeout_s:g}")
        if wrong:
            raise DistillbenchError("\n".join(wrong))
        object.__setattr__(self, "url", _address(self.url))

    def offers(self) -> frozenset[Offer]:
        """Texts, and log-probabilities of plain text."""
        scores = not self.chat if self.scores is None else self.scores
        return frozenset({"generate", "score", "read"}) if scores else frozenset({"generate"})

    def faults(self, paths: Paths) -> list[str]:
        """Secrets in the configuration, plain text for Anthropic, log-probabilities of a chat."""
        faults = [f"key {fault}" for fault in argument_faults(self.body, "body")]
        if fault := variable_fault("key api_key_env", self.api_key_env):
            faults.append(fault)
        if self.api == "anthropic" and not self.chat:
            faults.append("key api: anthropic takes conversations only; set `chat: true`")
        if self.scores and (self.chat or self.api == "anthropic"):
            faults.append(
                "key scores: servers give log-probabilities of plain text only; delete it or chat"
            )
        if self.usd_per_million_tokens is not None:
            faults.append(
                "key usd_per_million_tokens: expected usd_per_million_input and usd_per_million_output of a server"
            )
        return [f"model {self.name}: {fault}" for fault in faults]

    def budget_faults(self, budget: Budget) -> list[str]:
        """Prices that are not known."""
        if budget.usd is None or None not in (
            self.usd_per_million_input,
            self.usd_per_million_output,
        ):
            return []
        return [
            f"budget.usd: model {self.name} names no prices; add usd_per_million_input and usd_per_million_output "
            "(0 where it costs nothing)"
        ]

    def usd_at_most(self, read: float, written: float) -> float | None:
        """What so many tokens cost by its two prices; None where one is not named."""
        if None in (self.usd_per_million_input, self.usd_per_million_output):
            return None
        each_read, each_written = self._prices()
        return (each_read * read + each_written * written) / 1e6

    def collected(self, how: Collecting) -> ServerModel:
        """The model, asked in this way unless it names one itself."""
        return self if self.collect or how == "now" else replace(self, collect=how)

    def stays(self) -> bool:
        """Its key, its budget and what is loopback are those of the machine that the command runs on."""
        return True

    def unready(self) -> list[str]:
        """A key that is not set; a batch can be handed in by hand."""
        variable = self._missing_key()
        if variable is None or self.collect == "batch":
            return []
        return [
            f"model {self.name}: environment variable {shown_variable(variable)} is not set; set it to the API key, or "
            "name another by api_key_env"
        ]

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[AbstractSession]:
        """A connection; nothing is sent yet."""
        connection = Connection(self.url, self._headers(), self.timeout_s)
        wire, host, identity = self.wire(), host_of(self.url), Identity(self.name, previous)
        facts = {"host": host, "url": self.url, "asked_for": self.model, "snapshot": self.snapshot}
        try:
            if self.collect == "batch":
                folder = paths.results / "batches" / f"{_plain(self.name)}-{self.key(paths)[:8]}"
                key = None if self._missing_key() else self.api_key_env
                yield BatchSession(wire, connection, host, folder, identity, facts, key=key)
            else:
                manner = Manner(self.connections, self.tries, Clock())
                yield ServerSession(wire, connection, host, manner, identity, facts)
        finally:
            connection.close()

    def wire(self) -> Wire:
        """How it is asked."""
        own = self.api == "openai" and _is_of(self.url, _OPENAI, _AZURE)
        return Wire(
            self.name, self.api, self.model, self.system, self.body,
            length_key=self.length_key or _LENGTHS[own],
            prefills=self.prefill or self.api == "anthropic", prices=self._prices(),
        )  # fmt: skip

    def _prices(self) -> tuple[float, float]:
        """Dollars per million tokens read and written; by batch half of those named, as both providers charge.

        Source: the pricing pages of OpenAI's and Anthropic's batch interfaces, 2026.
        """
        share = 0.5 if self.collect == "batch" else 1.0
        named = (self.usd_per_million_input or 0.0, self.usd_per_million_output or 0.0)
        return share * named[0], share * named[1]

    def _missing_key(self) -> str | None:
        """The variable of a key that is not set; None where it is, or no key is needed."""
        variable = self.api_key_env
        return variable if variable and not os.environ.get(variable, "").strip() else None

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self.api_key_env, "").strip() if self.api_key_env else ""
        if self.api == "anthropic":
            return {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}
        if _is_of(self.url, _AZURE):
            return {"api-key": key} if key else {}
        return {"authorization": f"Bearer {key}"} if key else {}


def _is_of(url: str, *ends: str) -> bool:
    """Whether an address is of one of these hosts."""
    return (urlsplit(url).hostname or "").endswith(ends)


def _plain(name: str) -> str:
    """A name as a folder may be called."""
    return re.sub(r"[^\w.-]", "_", name)


def _address(url: str) -> str:
    """An address as the keys have it: scheme and host in small letters, no slash at the end."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{host_of(url).lower()}{parts.path.rstrip('/')}"


def _address_faults(url: str) -> list[str]:
    if not url:
        return ["key url is missing; expected an address such as http://127.0.0.1:8000/v1"]
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return ["key url: expected an address such as http://127.0.0.1:8000/v1, got something else"]
    if "@" in parts.netloc:
        return [f"key url: expected an address without user name and password; {CURE}"]
    if parts.query or parts.fragment:
        return [f"key url: expected an address without a query; {CURE}"]
    ends = ("/chat/completions", "/completions", "/messages")
    if end := next((end for end in ends if parts.path.rstrip("/").endswith(end)), ""):
        return [f"key url: expected the address without {end}, which is put behind it"]
    return []
