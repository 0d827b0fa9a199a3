"""A model that costs nothing: every answer is computed from hashes. For trying matrices and for tests.

Two fakes of one `seed` agree on the share `skill` of prompts where both are skilled; fakes of one `style` write
alike. A fake knows no right answers: its scores are at chance.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, final

import numpy as np

from harness.console.workload import spelled
from harness.keys import digest
from harness.models import AbstractModel, Ask, BatchedSession, Facts, Offer
from harness.models._batches import slices
from harness.types import (
    Decoding,
    DistillbenchError,
    Floats,
    Ints,
    Outputs,
    Paths,
    Request,
    TokenColumns,
)

_VOCABULARY = 512
_BATCH = 256
_PIECE = re.compile(r"\s*\S+|\s+")
_STEMS = (
    *(
        "river",
        "stone",
        "lamp",
        "garden",
        "copper",
        "window",
        "letter",
        "market",
        "bridge",
        "winter",
        "kettle",
    ),
    *(
        "harbour",
        "orchard",
        "ladder",
        "saddle",
        "mirror",
        "basket",
        "candle",
        "meadow",
        "anchor",
        "pepper",
        "ribbon",
    ),
    *("thunder", "velvet"),
)
_VERBS = (
    "holds",
    "turns",
    "keeps",
    "finds",
    "carries",
    "opens",
    "brings",
    "follows",
    "leaves",
    "mends",
)
_OPENINGS = (
    "Certainly.",
    "Well,",
    "In short:",
    "Good question!",
    "Here is what I know.",
    "Let us see.",
)
_HEDGES = ("perhaps", "I think", "clearly", "of course", "as a rule", "it seems")
_LINKS = ("and so", "however", "besides", "that said", "therefore", "meanwhile")
_CLOSINGS = (
    "Hope that helps!",
    "That is all.",
    "Ask again if you like.",
    "Good luck.",
    "",
    "In sum, so it is.",
)


class _Row(NamedTuple):
    """The answer to one request, with the tokens that it is made of."""

    text: str | None
    stop: str | None
    choice: int | None
    pieces: tuple[str, ...]
    logprobs: Floats  # (n, _VOCABULARY)


@final
@dataclass(frozen=True)
class FakeModel(AbstractModel):
    """Deterministic nonsense in a recognisable style."""

    version = 1
    skill: float = 0.5  # share of prompts, in [0, 1], on which it answers as its seed's ideal does
    style: str = "plain"  # any word; the same word gives the same habits of writing
    seed: int = 0  # models of one seed were taught the same
    # context -> text, instead of nonsense
    answers: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not 0 <= self.skill <= 1:
            raise DistillbenchError(f"key skill: expected a number in [0, 1], got {self.skill}")

    def offers(self) -> frozenset[Offer]:
        """Everything."""
        return frozenset({"generate", "score", "read", "choose", "tokens"})

    @contextmanager
    def open(self, paths: Paths, previous: Facts | None = None) -> Iterator[FakeSession]:
        """A session that holds nothing."""
        yield FakeSession(self)


@final
class FakeSession(BatchedSession):
    """Answers as its model is described."""

    def __init__(self, model: FakeModel) -> None:
        self.model = model

    def batches(self, ask: Ask) -> list[list[int]]:
        """In order, a fixed number at a time."""
        return slices(len(ask.requests), _BATCH)

    def answer_batch(
        self, requests: Sequence[Request], prompt_ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        """Outputs of one batch."""
        rows = [
            self._row(r, prompt, decoding) for r, prompt in zip(requests, prompt_ids, strict=True)
        ]
        scored = [r.kind in ("score", "read") for r in requests]
        columns = [_chosen(row) for row in rows]
        return Outputs(
            request=np.arange(len(rows)),
            kind=tuple(r.kind for r in requests),
            n_tokens=np.array([len(row.pieces) for row in rows], dtype=np.int64),
            text=tuple(row.text for row in rows),
            stop=tuple(row.stop for row in rows),
            logprob_nats=np.array(
                [float(c.sum()) if s else np.nan for c, s in zip(columns, scored, strict=True)]
            ),
            greedy=tuple(
                _greedy(row) if r.kind == "score" else None
                for row, r in zip(rows, requests, strict=True)
            ),
            choice=tuple(row.choice for row in rows),
            answered=(True,) * len(rows),
            tokens=_token_columns(rows, min(decoding.top_logprobs, _VOCABULARY))
            if decoding.top_logprobs
            else None,
        )

    def _row(self, request: Request, prompt_id: str, decoding: Decoding) -> _Row:
        context = spelled(request.context)
        if request.kind == "choose":
            return _Row(
                None,
                None,
                _number(self._mind(prompt_id), context) % 4,
                (),
                np.empty((0, _VOCABULARY)),
            )
        if request.kind == "generate":
            return self._written(request, context, prompt_id, decoding)
        pieces = tuple(_PIECE.findall(request.continuation))
        key = f"{self._mind(context)}|{context}|{request.continuation}"
        return _Row(None, None, None, pieces, _distributions(key, pieces))

    def _written(self, request: Request, context: str, prompt_id: str, decoding: Decoding) -> _Row:
        temperature = decoding.temperature if request.temperature is None else request.temperature
        luck = (decoding.seed, decoding.sample, request.repeat) if temperature > 0 else ()
        whole = self.model.answers.get(context) or "".join(
            self._sentences(context, f"{prompt_id}|{request.slot}|{luck}")
        )
        pieces = _PIECE.findall(whole)
        most = request.max_new_tokens or decoding.max_new_tokens
        text, stop = "".join(pieces[:most]), "eos" if len(pieces) <= most else "length"
        for until in request.until:
            if until and until in text:
                text, stop = text.split(until)[0], "stop"
        tokens = tuple(_PIECE.findall(text))
        return _Row(
            text,
            stop,
            None,
            tokens,
            _distributions(f"{self.model.seed}|{self.model.style}|{context}", tokens),
        )

    def _mind(self, context: str) -> str:
        """The source of its answer to this context: its seed's ideal, or itself."""
        skilled = _number("skill", self.model.seed, context) % 10_000 < self.model.skill * 10_000
        return (
            f"ideal {self.model.seed}"
            if skilled
            else f"own {self.model.seed} {self.model.skill} {self.model.style}"
        )

    def _sentences(self, context: str, luck: str) -> Iterator[str]:
        """A reply: nouns from what it knows, everything else from its habits and `luck`."""
        habits = np.random.default_rng(_number("habits", self.model.style))
        length, listing = int(habits.integers(2, 7)), habits.random()
        favourites = [int(i) for i in habits.permutation(len(_OPENINGS))]
        rng = np.random.default_rng(_number(self.model.style, self.model.seed, context, luck))
        nouns = np.random.default_rng(_number("nouns", self._mind(context), context))
        told = [w for w in re.findall(r"\w{5,}", context)[-40:]]
        yield _OPENINGS[_favourite(favourites, rng)]
        bullets = rng.random() < listing
        for _ in range(max(1, length + int(rng.integers(-1, 2)))):
            noun = _STEMS[int(nouns.integers(len(_STEMS)))]
            other = (
                told[int(rng.integers(len(told)))]
                if told and rng.random() < 0.5
                else _STEMS[int(rng.integers(len(_STEMS)))]
            )
            hedge, link = _HEDGES[_favourite(favourites, rng)], _LINKS[_favourite(favourites, rng)]
            clause = f"{hedge} the {noun} {_VERBS[int(rng.integers(len(_VERBS)))]} the {other}"
            longer = (
                f", {link} the {noun} {_VERBS[int(rng.integers(len(_VERBS)))]}"
                if rng.random() < listing
                else ""
            )
            yield f"{chr(10) + '- ' if bullets else ' '}{clause}{longer}."
        yield f" {_CLOSINGS[_favourite(favourites, rng)]}".rstrip()


def _favourite(order: Sequence[int], rng: np.random.Generator) -> int:
    """One of six, the first of `order` half of the time, the second a quarter ..."""
    return order[min(int(rng.geometric(0.5)) - 1, len(order) - 1)]


def _number(*parts: object) -> int:
    """A large number that depends on nothing but its arguments."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:8], "little")


def _ids(pieces: Sequence[str]) -> Ints:
    return np.array([_number("token", piece) % _VOCABULARY for piece in pieces], dtype=np.int64)


def _distributions(key: str, pieces: Sequence[str]) -> Floats:
    """(n, _VOCABULARY) log-probabilities in which the tokens that are there are likely ones."""
    logits = np.random.default_rng(_number(key)).normal(0.0, 2.0, (len(pieces), _VOCABULARY))
    logits[np.arange(len(pieces)), _ids(pieces)] += 5.0
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def _chosen(row: _Row) -> Floats:
    return row.logprobs[np.arange(len(row.pieces)), _ids(row.pieces)]


def _greedy(row: _Row) -> bool:
    return bool((row.logprobs.argmax(axis=1) == _ids(row.pieces)).all())


def _token_columns(rows: Sequence[_Row], top: int) -> TokenColumns:
    whole = np.concatenate([row.logprobs for row in rows])
    best = np.argsort(-whole, axis=1, kind="stable")[:, :top]
    ends = [
        np.cumsum([len(piece.encode()) for piece in row.pieces], dtype=np.int64) for row in rows
    ]
    return TokenColumns(
        offsets=np.cumsum([0, *(len(row.pieces) for row in rows)]),
        token_ids=np.concatenate([_ids(row.pieces) for row in rows]),
        logprobs=np.concatenate([_chosen(row) for row in rows]).astype(np.float32),
        top_ids=best.astype(np.int32),
        top_logprobs=np.take_along_axis(whole, best, axis=1).astype(np.float32),
        byte_ends=np.concatenate(ends),
        vocabulary=digest("fake", _VOCABULARY),
    )
