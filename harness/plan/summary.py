"""Summaries of request sets, which plans use instead of the rows: stored beside them, or declared by the task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.console.forecast import Amounts, Sort
from harness.console.workload import read_tokens, written_tokens
from harness.types import Decoding, Kind, Request, RequestSet


@dataclass(frozen=True)
class Work:
    """The amount of work in the requests of one kind, before a decoding is known."""

    tokens: float  # read, plus those written where a request states a maximum
    open_ended: int  # requests whose length the decoding states
    written: int = 0  # tokens that the others may write at most


@dataclass(frozen=True)
class Summary:
    """A request set in brief."""

    asks: str  # digest of what a model is asked
    n_prompts: int
    n_requests: int
    chat: bool
    version: str
    yields: tuple[str, ...]
    notes: tuple[str, ...]
    work: Mapping[Kind, Work]  # kinds of request -> how much there is of them
    # what of a decoding can change the answers: fields of Decoding that some request leaves to it
    open_fields: tuple[str, ...]
    built: bool = True  # False = declared by the task; the number of requests is unknown

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of request."""
        return frozenset(self.work)

    def effective(self, decoding: Decoding) -> Decoding:
        """`decoding` with every field that cannot change the answers to these requests set to its default."""
        none = Decoding()
        sampled = self.sampled(decoding)
        decides = {
            "temperature": "temperature" in self.open_fields,
            "top_p": sampled and "top_p" in self.open_fields,
            "max_new_tokens": "max_new_tokens" in self.open_fields,
            "seed": sampled,
            # options are chosen in recorded answers only, which may hold several of one prompt
            "sample": sampled or "choose" in self.work,
        }
        return dataclasses.replace(
            decoding, **{k: getattr(none, k) for k, open_ in decides.items() if not open_}
        )

    def sampled(self, decoding: Decoding) -> bool:
        """Whether two answers to one of these requests may differ."""
        warm = "temperature" in self.open_fields and decoding.temperature > 0
        return warm or "hot" in self.open_fields

    def amounts(self, task: str, decoding: Decoding) -> Amounts:
        """Expected tokens by kind of request."""
        each = written_tokens(decoding.max_new_tokens)
        return {
            Sort(kind, task): work.tokens + each * work.open_ended
            for kind, work in self.work.items()
        }

    def tokens_read(self) -> float:
        """Tokens that are read, about."""
        return sum(work.tokens - written_tokens(work.written) for work in self.work.values())

    def tokens_written(self, decoding: Decoding) -> float:
        """Tokens that are written, at most."""
        return sum(
            work.written + work.open_ended * decoding.max_new_tokens for work in self.work.values()
        )


def summarize(requests: RequestSet, asks: str) -> Summary:
    """The summary of a request set that was built."""
    return Summary(
        asks,
        len(requests.prompts),
        len(requests.requests),
        requests.chat,
        requests.version,
        requests.yields,
        requests.notes,
        _work(requests.requests),
        open_fields(requests.requests),
    )


def declared(forms: Sequence[Request], yields: tuple[str, ...], chat: bool, asks: str) -> Summary:
    """The summary of a request set that needs answers first: `forms` has a request of every form that it will have."""
    work = {r.kind: Work(0.0, 0) for r in forms}
    return Summary(asks, 0, 0, chat, "", yields, (), work, open_fields(forms), built=False)


def open_fields(requests: Sequence[Request]) -> tuple[str, ...]:
    """Fields of a decoding that some request leaves to it; "hot" where one states a temperature above 0 itself."""
    generated = [r for r in requests if r.kind == "generate"]
    left = [
        name
        for name in ("temperature", "top_p", "max_new_tokens")
        if any(getattr(r, name) is None for r in generated)
    ]
    hot = any(r.temperature is not None and r.temperature > 0 for r in generated)
    return (*left, *(["hot"] if hot else []))


def summary_to_json(summary: Summary) -> dict[str, Any]:
    """A summary as plain values."""
    return dataclasses.asdict(summary)


def summary_from_json(values: Mapping[str, Any]) -> Summary:
    """The inverse of summary_to_json."""
    tuples = {name: tuple(values[name]) for name in ("yields", "notes", "open_fields")}
    work = {kind: Work(**fields) for kind, fields in values["work"].items()}
    return Summary(**{**values, **tuples, "work": work})


def _work(requests: Sequence[Request]) -> dict[Kind, Work]:
    work: dict[Kind, Work] = {}
    for request in requests:
        so_far = work.get(request.kind, Work(0.0, 0))
        open_ended = request.kind == "generate" and request.max_new_tokens is None
        stated = (request.max_new_tokens or 0) if request.kind == "generate" else 0
        work[request.kind] = Work(
            so_far.tokens + read_tokens(request) + written_tokens(stated),
            so_far.open_ended + open_ended,
            so_far.written + stated,
        )
    return work
