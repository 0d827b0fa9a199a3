"""One line of ours for every retry of lm-eval, instead of its own lines, which contain headers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from harness.console.foreign import notify


def watch(model: Any, name: str, kind: str) -> None:
    """Makes one of lm-eval's API clients report every failed try that is followed by another.

    `name` is the configuration's name of the model, `kind` lm-eval's name of its type.
    """
    tries = _Tries(name, host(model.base_url) or kind, model.max_retries)
    call, acall = model.model_call, model.amodel_call

    def model_call(*args: Any, **kwargs: Any) -> Any:
        """lm-eval's own method, its tries counted."""
        with _Try(tries, id(kwargs.get("messages"))):
            return call(*args, **kwargs)

    async def amodel_call(*args: Any, **kwargs: Any) -> Any:
        """The same for requests that are asked side by side."""
        with _Try(tries, id(kwargs.get("messages"))):
            return await acall(*args, **kwargs)

    model.model_call, model.amodel_call = model_call, amodel_call


def is_client(model: Any) -> bool:
    """Whether a model of lm-eval asks a server over HTTP as all its API clients do."""
    # importing it needs packages that other types do without
    clients = sys.modules.get("lm_eval.models.api_models")
    return clients is not None and isinstance(model, clients.TemplateAPI)


def host(address: str | None) -> str:
    """Host and port of an address, without user information; "" where there is none."""
    return urlsplit(address or "").netloc.rpartition("@")[2]


def in_words(error: BaseException) -> str:
    """A description of what a server did, from the exception's type; never the text of the error."""
    import aiohttp
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    if isinstance(error, aiohttp.ClientResponseError) and not isinstance(
        error, aiohttp.ContentTypeError
    ):
        return f"answered {error.status}"
    if isinstance(error, (aiohttp.ContentTypeError, requests.JSONDecodeError)):
        return "answered something that is not JSON"
    if isinstance(error, (OSError, aiohttp.ClientError)):
        return f"did not answer ({type(error).__name__})"
    return f"answered something unreadable ({type(error).__name__})"


@dataclass(frozen=True)
class _Tries:
    """Failed tries of the requests that are under way."""

    name: str
    place: str
    most: int
    # id of a request's messages -> tries that failed
    failed: dict[int, int] = field(default_factory=dict)

    def end(self, request: int, error: BaseException | None) -> None:
        """Counts one try; a cancelled one does not count."""
        failed = self.failed.pop(request, 0) + 1
        if isinstance(error, Exception) and failed < self.most:
            self.failed[request] = failed
            notify(f"{self.name}: {self.place} {in_words(error)}; try {failed + 1} of {self.most}")


@dataclass(frozen=True)
class _Try:
    """One try of one request."""

    tries: _Tries
    request: int

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.tries.end(self.request, error)


def told(record_text: str, tried_again: bool) -> str | None:
    """Our words for a log line of lm-eval that a user should know of; None for all others.

    `tried_again`: also for tries that are made again, of the types that `watch` does not know.
    """
    for part, words in _WORDS.items():
        if part in record_text:
            return words
    return "a try failed; lm-eval tries again" if tried_again and "etrying" in record_text else None


_WORDS: Mapping[str, str] = {
    "eft truncating": "texts that are longer than max_length are cut from the left",
    "left truncated": "texts that are longer than max_length are cut from the left",
    "ould not parse generations": "the server gives no text for some requests; they have no answer",
}
