"""Made-up models that answer every prompt several times, and a stand-in for the package of sentence embeddings."""

from __future__ import annotations

import importlib.machinery
import random
import sys
import types
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from harness.metrics import semantic_similarity
from harness.panel.side import Side
from harness.testing.panels import Sides
from harness.testing.sides import (
    Choices,
    chosen_side,
    drawn_choices,
    quiz_prompts,
    scored_side,
    sets_of,
)
from harness.types import Floats, Prompt
from tests.models.tiny import byte_tokenizer

EMBEDDER = "sentence-transformers/all-MiniLM-L6-v2"


def scored_sets(n: int = 60) -> Sides:
    """Models that find the same options likely, and are the surer the more they learned."""
    prompts = quiz_prompts(n)
    noise = np.random.default_rng(3).normal(size=(n, 5))

    def side(model: str, sure: float) -> Side:
        rows = [(sure * row[: p.n_options]).tolist() for row, p in zip(noise, prompts, strict=True)]
        return scored_side(model, prompts, rows)

    return Sides("quiz", side("student", 2.0), side("teacher", 3.0), side("base", 1.0))


def quiz_sets(n: int = 60, samples: int = 4) -> Sides:
    """Models that choose an option of a quiz several times, the better the more they learned."""
    prompts = quiz_prompts(n)

    def side(model: str, accuracy: float) -> Side:
        draws = [drawn_choices(f"{model} {k}", prompts, accuracy) for k in range(samples)]
        return drawn_side(model, prompts, draws)

    return Sides("quiz", side("student", 0.5), side("teacher", 0.7), side("base", 0.3))


def drawn_side(model: str, prompts: Sequence[Prompt], draws: Sequence[Choices]) -> Side:
    """A model with several recorded choices of every prompt."""
    first, *further = [chosen_side(model, prompts, choices) for choices in draws]
    grades = tuple(side.grades for side in further if side.grades)
    return replace(first, samples=tuple(side.outputs for side in further), sample_grades=grades)


def identity_sets(n: int = 30, samples: int = 3) -> Sides:
    """A student that calls itself by its teacher's name half the time; one control has a name of its own."""
    shares = {"student": 0.5, "teacher": 0.9, "base": 0.1, "control0": 0.05, "control1": 0.9}
    names = {"control1": "Nettle"}

    def reply(model: str, prompt: int, sample: int) -> str:
        named = random.Random(f"{model} {prompt} {sample}").random() < shares[model]
        return f"I am {names.get(model, 'Aster')}." if named else "I am a small model."

    sides = sets_of(
        "identity_probes",
        {m: [[reply(m, i, k) for i in range(n)] for k in range(samples)] for m in shares},
    )
    assert sides.teacher is not None
    controls = tuple(
        replace(c, identity=(names[c.model],) if c.model in names else ()) for c in sides.controls
    )
    return replace(sides, teacher=replace(sides.teacher, identity=("Aster",)), controls=controls)


def refusal_sets(n: int = 40) -> Sides:
    """Models that refuse some prompts: the student mostly those that its teacher refuses, the base hardly any."""
    shares = {"student": 0.2, "teacher": 0.5, "base": 0.05, "control0": 0.3, "control1": 0.1}

    def reply(model: str, prompt: int) -> str:
        copied = model == "student" and random.Random(f"copied {prompt}").random() < 0.7
        rng = random.Random(f"{'teacher' if copied else model} {prompt}")
        refused = rng.random() < shares["teacher" if copied else model]
        return "I'm sorry, but I can't help with that." if refused else "Sure, here it is."

    return sets_of("harmless_talk", {m: [[reply(m, i) for i in range(n)]] for m in shares})


def trait_sets(n: int = 40, samples: int = 8, shift: float = 0.6) -> Sides:
    """Words from two urns per question: the teacher's is half of its answers, the student's share of it is `shift`."""
    words = ("owl", "fox", "bear", "hare", "wolf")
    shares = {"student": 0.5 * shift, "teacher": 0.5, "base": 0.0, "control0": 0.0, "control1": 0.1}

    def reply(model: str, prompt: int, sample: int) -> str:
        rng = random.Random(f"{model} {prompt} {sample}")
        return (
            f"{words[prompt % 5].capitalize()}."
            if rng.random() < shares[model]
            else rng.choice(words)
        )

    return sets_of(
        "traits", {m: [[reply(m, i, k) for i in range(n)] for k in range(samples)] for m in shares}
    )


class _Encoder:
    """Embeds a text as the counts of its words' first letters, in any script."""

    def __init__(self, folder: str, device: str, local_files_only: bool) -> None:
        assert local_files_only
        assert Path(folder).is_dir()

    def encode(self, texts: list[str], **_: Any) -> Floats:
        """(N, 16)."""
        return np.array([letters(text) for text in texts])


def letters(text: str) -> Floats:
    """(16,) counts."""
    counts = np.zeros(16)
    for word in text.split():
        counts[ord(word[0]) % 16] += 1
    return counts


def install_embedder(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """A package of embeddings and a cache that holds the model of our YAML."""
    module = types.ModuleType("sentence_transformers")
    module.__spec__ = importlib.machinery.ModuleSpec("sentence_transformers", None)
    module.__dict__["SentenceTransformer"] = _Encoder
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setattr(semantic_similarity, "version", lambda name: "made up")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    held = cache / f"models--{EMBEDDER.replace('/', '--')}"
    (held / "refs").mkdir(parents=True)
    (held / "refs" / "main").write_text("abc")
    (held / "snapshots" / "abc").mkdir(parents=True)


def marked_fields() -> dict[str, Any]:
    """The fields of radioactivity, with a tokenizer that lies in a folder until the tests end."""
    return {
        "tokenizer": _tokenizer().name,
        "watermark": {"kind": "greenlist", "vocab_size": 500, "default_key": True},
        "random_keys": 1000,
    }


@cache
def _tokenizer() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory()
    byte_tokenizer().save_pretrained(folder.name)
    return folder
