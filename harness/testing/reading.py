"""Made-up models that read: texts in words, a distribution over a small vocabulary at every word."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.models._rows import Row, full_tokens, outputs_of
from harness.panel.side import Side
from harness.testing.panels import Sides
from harness.testing.sides import prompt_id, sides_of, text_side
from harness.types import Floats, Message, Prompt, Request, RequestSet, TokenColumns

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
    ids = np.array([word_id(w) for words, _ in rows for w in words])
    nats = np.concatenate([x for _, x in rows])
    return full_tokens([words for words, _ in rows], ids, nats, top, vocabulary)


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
            context = (Message("user", prompts[i].text),)
            requests.append(Request(i, "read", context, author, slot, continuation=text))
            rows.append((words_of(text), logprobs_of(model, text, author)))
    ids = [[word_id(w) for w in words] for words, _ in rows]
    nats = [float(x[np.arange(len(i)), i].sum()) for (_, x), i in zip(rows, ids, strict=True)]
    answers = [Row("read", logprob_nats=x, n_tokens=len(i)) for x, i in zip(nats, ids, strict=True)]
    outputs = outputs_of(answers, stored_tokens(rows, top) if top else None)
    yields = ("reading",) if tuple(texts) == ("",) else ("reading", "answers")
    asked = RequestSet("read", prompts, tuple(requests), True, "1", yields)
    return Side(model, model, asked, outputs, None, (model,))


def reading_sides(n: int = 30, top: int = 8) -> Sides:
    """Teacher, student, base and two controls that read the answers of teacher, base and controls."""
    texts = {m: written(m, n) for m in ("teacher", "base", "control0", "control1")}
    side = {m: reading_side(m, texts, top) for m in ("student", *texts)}
    return sides_of("read", side)


def next_token_sides(n: int = 60) -> Sides:
    """Models with one next token per context; the student writes the teacher's on most."""

    def tokens(model: str, share: float) -> list[str]:
        """A model's next tokens, of which this share is the teacher's."""
        taught = [str(_rng("teacher", i).choice(_WORDS)) for i in range(n)]
        own = [str(_rng(model, i).choice(_WORDS)) for i in range(n)]
        copied = [_rng("copied", model, i).random() < share for i in range(n)]
        return [t if c else o for t, o, c in zip(taught, own, copied, strict=True)]

    shares = {"student": 0.8, "teacher": 1.0, "base": 0.2, "control0": 0.3, "control1": 0.4}
    side = {}
    for model, share in shares.items():
        asked = text_side(model, tokens(model, share))
        side[model] = replace(asked, requests=replace(asked.requests, yields=("next_token",)))
    return sides_of("talk", side)
