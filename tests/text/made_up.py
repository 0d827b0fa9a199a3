"""Made-up models whose habits of wording are known: families of teachers, students, and models that nobody taught."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.text.attribution import Candidate, Member
from harness.text.corpus import Corpus, Replies, gather
from harness.text.tokens import read_tokens
from harness.types import Floats

PLAIN = [*"abdefghijklmn", *",.:;!?"]
RARE = [f"rare{k}" for k in range(260)]
TOPICS = [[f"topic{i}{k}" for k in "abcdefgh"] for i in range(30)]
PROMPTS = tuple(f"p{i:02}" for i in range(len(TOPICS)))


def voice(seed: int) -> Floats:
    """How often somebody uses each plain word or mark, and each rare word."""
    rng = np.random.default_rng(seed)
    some = [rng.gamma(1.0, size=len(words)) for words in (PLAIN, RARE)]
    return np.concatenate([share * x / x.sum() for share, x in zip((0.6, 0.4), some, strict=True)])


def replies(habits: Floats, seed: int, length: int = 60) -> list[str]:
    """One reply per prompt, in a voice, a fifth of it about the prompt's topic."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array(PLAIN + RARE)
    texts = []
    for topic in TOPICS:
        size = int(rng.integers(length // 2, length + 1))
        some = rng.choice(vocabulary, size=size, p=habits)
        texts.append(" ".join(np.where(rng.random(size) < 0.2, rng.choice(topic, size), some)))
    return texts


def read(texts: Sequence[str], prompts: Sequence[str] = PROMPTS) -> Replies:
    """One model's replies, read."""
    return Replies(tuple(prompts), read_tokens(texts))


ASKED = read([f"Tell me about {topic[0]}." for topic in TOPICS])


def everybody(extra: dict[str, Replies] | None = None) -> dict[str, Replies]:
    """Two families of two versions each, a student of the first, eight lineages that nobody taught."""
    made = {}
    for f, family in enumerate(("red", "blue")):
        for version in range(2):
            made[f"{family}{version}"] = read(replies(voice(f), 10 * f + version))
    made["pupil"] = read(replies(0.8 * voice(0) + 0.2 * voice(50), 99))
    for k in range(8):
        made[f"own{k}"] = read(replies(voice(100 + k), 200 + k))
    return made | (extra or {})


CANDIDATES = [Candidate(f"{f}{v}", f) for f in ("red", "blue") for v in range(2)]
BACKGROUND = [Member(f"own{k}", f"lab{k}") for k in range(8)]


def corpus(made: dict[str, Replies]) -> Corpus:
    """Their replies in one vocabulary."""
    return gather(made, ASKED)
