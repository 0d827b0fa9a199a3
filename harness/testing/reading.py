"""Made-up models that read: texts in words, a distribution over a small vocabulary at every word."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.panel.side import Side
from harness.testing.panels import Sides
from harness.testing.sides import blank_outputs, prompt_id, text_side
from harness.types import Floats, Message, Outputs, Prompt, Request, RequestSet, TokenColumns

VOCABULARY = 40
_TEXT = "the of river bread clock map snow engine garden whale salt and old new"
_WORDS = _TEXT.split()
_LIKENESS = {"teacher": {"teacher": 1.0}, "student": {"teacher": 0.7, "student": 0.3}}

Texts = Mapping[str, Sequence[str]]  # author ("" for a fixed text) -> one text per prompt


def _rng(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("|".join(map(str, parts)).encode()))


def words_of(text: str) -> list[str]:
    """The tokens of a text: words with the space before them."""
    return re.findall(r"\s*\S+", text)


def word_id(word: str) -> int:
    """Index of a word in the vocabulary."""
    return zlib.crc32(word.encode()) % VOCABULARY


def written(author: str, n: int) -> list[str]:
    """An author's texts for n prompts."""
    texts = []
    for i in range(n):
        rng = _rng("text", author, i)
        texts.append(" ".join(rng.choice(_WORDS, size=int(rng.integers(5, 12)))))
    return texts


def logprobs_of(model: str, text: str, author: str = "") -> Floats:
    """(T, VOCABULARY) nats: what a model says at every word; a student says nearly what its teacher says.

    Whoever wrote the text expects its words more than others do.
    """
    words, like = words_of(text), _LIKENESS.get(model, {model: 1.0})
    common = _rng("common", text).normal(0, 1, (len(words), VOCABULARY))
    common[np.arange(len(words)), [word_id(w) for w in words]] += 2 + like.get(author, 0.0)
    own = sum(w * _rng(m, text).normal(0, 1.5, common.shape) for m, w in like.items())
    logits = common + own
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def stored_tokens(
    rows: Sequence[tuple[Sequence[str], Floats]], top: int, vocabulary: str = "words"
) -> TokenColumns:
    """Token columns with the `top` most probable of each row's distributions; rows: (words, (T, V) nats)."""
    whole = np.concatenate([x for _, x in rows])
    ids = np.array([word_id(w) for words, _ in rows for w in words])
    best = np.argsort(-whole, axis=1, kind="stable")[:, :top]
    ends = [np.cumsum([len(w.encode()) for w in words]) for words, _ in rows]
    return TokenColumns(
        offsets=np.cumsum([0, *(len(words) for words, _ in rows)]),
        token_ids=ids,
        logprobs=whole[np.arange(len(ids)), ids].astype(np.float32),
        top_ids=best.astype(np.int32),
        top_logprobs=np.take_along_axis(whole, best, axis=1).astype(np.float32),
        byte_ends=np.concatenate(ends).astype(np.int64),
        vocabulary=vocabulary,
    )


def reading_side(model: str, texts: Texts, top: int = VOCABULARY) -> Side:
    """A model that read texts; top = 0 stores no tokens."""
    n = len(next(iter(texts.values())))
    prompts = tuple(
        Prompt(prompt_id("read", i), f"Tell me about no. {i}.", f"cluster {i // 2}", "")
        for i in range(n)
    )
    requests, rows = [], []
    for slot, (author, own) in enumerate(texts.items()):
        for i, text in enumerate(own):
            requests.append(
                Request(
                    i, "read", (Message("user", prompts[i].text),), author, slot, continuation=text
                )
            )
            rows.append((words_of(text), logprobs_of(model, text, author)))
    ids = [[word_id(w) for w in words] for words, _ in rows]
    nats = [float(x[np.arange(len(i)), i].sum()) for (_, x), i in zip(rows, ids, strict=True)]
    size = len(requests)
    outputs: Outputs = replace(
        blank_outputs(size, "read"),
        n_tokens=np.array([len(i) for i in ids]),
        logprob_nats=np.array(nats),
        answered=(True,) * size,
        tokens=stored_tokens(rows, top) if top else None,
    )
    yields = ("reading",) if tuple(texts) == ("",) else ("reading", "answers")
    return Side(
        model,
        model,
        RequestSet("read", prompts, tuple(requests), True, "1", yields),
        outputs,
        None,
        (model,),
    )


def reading_sides(n: int = 30, top: int = 8) -> Sides:
    """Teacher, student, base and two controls that read the answers of teacher, base and controls."""
    texts = {m: written(m, n) for m in ("teacher", "base", "control0", "control1")}
    side = {m: reading_side(m, texts, top) for m in ("student", *texts)}
    controls = (side["control0"], side["control1"])
    return Sides("read", side["student"], side["teacher"], side["base"], controls=controls)


def next_token_sides(n: int = 60) -> Sides:
    """Models with one next token per context; the student writes the teacher's on most."""

    def tokens(model: str, share: float) -> list[str]:
        taught = [str(_rng("teacher", i).choice(_WORDS)) for i in range(n)]
        own = [str(_rng(model, i).choice(_WORDS)) for i in range(n)]
        copied = [_rng("copied", model, i).random() < share for i in range(n)]
        return [t if c else o for t, o, c in zip(taught, own, copied, strict=True)]

    shares = {"student": 0.8, "teacher": 1.0, "base": 0.2, "control0": 0.3, "control1": 0.4}
    side = {}
    for model, share in shares.items():
        asked = text_side(model, tokens(model, share))
        side[model] = replace(asked, requests=replace(asked.requests, yields=("next_token",)))
    return Sides(
        "talk",
        side["student"],
        side["teacher"],
        side["base"],
        controls=(side["control0"], side["control1"]),
    )
