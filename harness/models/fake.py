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
from harness.models._rows import Row, drawing_of, full_tokens, outputs_of
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
    "river", "stone", "lamp", "garden", "copper", "window", "letter", "market", "bridge", "winter", "kettle",
    "harbour", "orchard", "ladder", "saddle", "mirror", "basket", "candle", "meadow", "anchor", "pepper", "ribbon",
    "thunder", "velvet",
)  # fmt: skip
_VERBS = (
    "holds", "turns", "keeps", "finds", "carries", "opens", "brings", "follows", "leaves", "mends",
)  # fmt: skip
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


class _Answer(NamedTuple):
    """The answer to one request, with the tokens that it is made of."""

    row: Row
    pieces: Sequence[str] = ()
    logprobs: Floats = np.empty((0, _VOCABULARY))  # (n, _VOCABULARY)


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
        pairs = zip(requests, prompt_ids, strict=True)
        answers = [self._answer(r, prompt, decoding) for r, prompt in pairs]
        top = min(decoding.top_logprobs, _VOCABULARY)
        return outputs_of([a.row for a in answers], _tokens(answers, top) if top else None)

    def _answer(self, request: Request, prompt_id: str, decoding: Decoding) -> _Answer:
        context, kind = spelled(request.context), request.kind
        if kind == "choose":
            choice = _number(self._mind(prompt_id), context) % 4
            return _Answer(Row(kind, choice=choice))
        if kind == "generate":
            return self._written(request, context, prompt_id, decoding)
        pieces = _PIECE.findall(request.continuation)
        key = f"{self._mind(context)}|{context}|{request.continuation}"
        logprobs, ids = _distributions(key, pieces), _ids(pieces)
        nats = float(logprobs[np.arange(len(ids)), ids].sum())
        greedy = bool((logprobs.argmax(axis=1) == ids).all()) if kind == "score" else None
        row = Row(kind, logprob_nats=nats, greedy=greedy, n_tokens=len(ids))
        return _Answer(row, pieces, logprobs)

    def _written(
        self, request: Request, context: str, prompt_id: str, decoding: Decoding
    ) -> _Answer:
        most, temperature, _ = drawing_of(request, decoding)
        luck = (decoding.seed, decoding.sample, request.repeat) if temperature > 0 else ()
        whole = self.model.answers.get(context) or "".join(
            self._sentences(context, f"{prompt_id}|{request.slot}|{luck}")
        )
        pieces = _PIECE.findall(whole)
        text, stop = "".join(pieces[:most]), "eos" if len(pieces) <= most else "length"
        for until in request.until:
            if until and until in text:
                text, stop = text.split(until)[0], "stop"
        tokens = _PIECE.findall(text)
        logprobs = _distributions(f"{self.model.seed}|{self.model.style}|{context}", tokens)
        return _Answer(Row("generate", text, stop, n_tokens=len(tokens)), tokens, logprobs)

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
            noun = _one_of(_STEMS, nouns)
            other = _one_of(told if told and rng.random() < 0.5 else _STEMS, rng)
            hedge, link = _HEDGES[_favourite(favourites, rng)], _LINKS[_favourite(favourites, rng)]
            clause = f"{hedge} the {noun} {_one_of(_VERBS, rng)} the {other}"
            longer = rng.random() < listing
            more = f", {link} the {noun} {_one_of(_VERBS, rng)}" if longer else ""
            yield f"{chr(10) + '- ' if bullets else ' '}{clause}{more}."
        yield f" {_CLOSINGS[_favourite(favourites, rng)]}".rstrip()


def _one_of(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


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


def _tokens(answers: Sequence[_Answer], top: int) -> TokenColumns:
    ids = np.concatenate([_ids(a.pieces) for a in answers])
    logprobs = np.concatenate([a.logprobs for a in answers])
    vocabulary = digest("fake", _VOCABULARY)
    return full_tokens([a.pieces for a in answers], ids, logprobs, top, vocabulary)
