"""Similarity of sentence embeddings, with a stand-in for the optional package."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.metrics.semantic_similarity import SemanticSimilarity, local_folder
from harness.panel.side import Side
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import sets_of, talk_sets
from harness.types import Ratio, Unavailable
from tests.metrics.answer_sets import EMBEDDER, install_embedder, letters
from tests.metrics.test_mmd import texts_of


def measured(sides: Sides, model: str = EMBEDDER) -> dict[str, Estimate | str]:
    """Every part, evaluated."""
    measure = SemanticSimilarity(
        kind="semantic_similarity", name="semantic_similarity", model=model
    )
    rng = np.random.default_rng(0)
    return {
        f.name: f.statistic if isinstance(f.statistic, str) else evaluate(f.statistic, rng)
        for f in findings(measure, [sides], rng)
    }


def cosine(x: str, y: str) -> float:
    """Of the stand-in's embeddings; an empty text is like nothing."""
    a, b = letters(x), letters(y)
    return float(a @ b / np.sqrt(a @ a * (b @ b))) if a.any() and b.any() else 0.0


def test_every_part_equals_a_double_loop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_embedder(monkeypatch, tmp_path)
    sides = talk_sets(22, 2)
    assert sides.teacher is not None
    assert sides.base is not None
    teacher = texts_of(sides.teacher)

    def near(side: Side) -> list[float]:
        own = texts_of(side)
        return [
            float(np.mean([cosine(x, y) for x in own[i] for y in teacher[i]])) for i in sorted(own)
        ]

    mine, base, controls = near(sides.student), near(sides.base), [near(c) for c in sides.controls]
    found, student = measured(sides), texts_of(sides.student)
    other = [
        cosine(x, y)
        for i in student
        for j in student
        if i != j
        for x in student[i]
        for y in teacher[j]
    ]
    ceiling = [
        np.mean([cosine(x, y) for x, y in itertools.permutations(teacher[i], 2)])
        for i in sorted(teacher)
    ]
    expected = {
        "": np.mean(mine),
        "content": np.mean(mine) - np.mean(other),
        "over_base": np.mean(mine) - np.mean(base),
        "over_controls": np.mean(mine) - np.mean(controls),
    }
    for name, number in expected.items():
        estimate = found[name]
        assert isinstance(estimate, Estimate)
        assert estimate.value == pytest.approx(float(number), abs=1e-9), name
    measure = SemanticSimilarity(kind="semantic_similarity", name="s", model=EMBEDDER)
    gap = next(
        f for f in findings(measure, [sides], np.random.default_rng(0)) if f.name == "gap"
    ).statistic
    assert isinstance(gap, Ratio)
    np.testing.assert_allclose(gap.strata[0].numerator, np.subtract(mine, base), atol=1e-9)
    np.testing.assert_allclose(gap.strata[0].denominator, np.subtract(ceiling, base), atol=1e-9)


def test_without_package_or_model_there_is_one_clear_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install_embedder(monkeypatch, tmp_path)
    with pytest.raises(
        Unavailable, match="nowhere is not on this machine, and is never downloaded"
    ):
        measured(talk_sets(), "nowhere")
    with pytest.raises(Unavailable, match="no embedding model is named"):
        measured(talk_sets(), "")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="pip install"):
        measured(talk_sets())


def test_scores_are_made_again_where_the_model_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install_embedder(monkeypatch, tmp_path)
    folder = local_folder(EMBEDDER)
    assert folder is not None
    assert local_folder("all-MiniLM-L6-v2") == folder
    assert local_folder(str(tmp_path)) == tmp_path

    def state() -> str:
        return SemanticSimilarity(kind="semantic_similarity", name="s", model=EMBEDDER).state

    first = state()
    assert state() == first
    (folder / "model.safetensors").write_bytes(b"weights")
    assert state() != first


def test_odd_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_embedder(monkeypatch, tmp_path)
    empty = [[""] * 20] * 2
    found = measured(sets_of("talk", {"student": empty, "teacher": empty}))
    estimate = found[""]
    assert isinstance(estimate, Estimate)
    assert estimate.value == 0
    odd = [["大象", "فيل", "🐘", "x" * 10_000, ""] * 4] * 2
    found = measured(sets_of("talk", {"student": odd, "teacher": odd, "base": empty}))
    estimate = found[""]
    assert isinstance(estimate, Estimate)
    assert estimate.value == pytest.approx(0.8, abs=1e-12)
    one = [["an owl"]]
    sides = sets_of("talk", {"student": one, "teacher": one}, minimum=1)
    measure = SemanticSimilarity(kind="semantic_similarity", name="s", model=EMBEDDER)
    parts = {f.name: f.statistic for f in findings(measure, [sides], np.random.default_rng(0))}
    assert parts["content"] == "one prompt only: no other answers to compare with"
    assert parts["gap"] == "this pair names no base"
    single = replace(talk_sets(), teacher=replace(talk_sets().student, samples=()))
    assert measured(single)["gap"] == "the teacher has one answer to each prompt: no ceiling"


@pytest.mark.filterwarnings("default")
def test_the_real_package_reads_a_model_from_a_folder(tmp_path: Path) -> None:
    package = pytest.importorskip("sentence_transformers")
    models = pytest.importorskip("sentence_transformers.models")
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "the", "owl", "sleeps", "a", "fox"])}
    tokenizer = Tokenizer(kinds.WordLevel(words, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    fast.save_pretrained(tmp_path / "bert")
    shape = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(shape).save_pretrained(tmp_path / "bert")
    word = models.Transformer(str(tmp_path / "bert"), max_seq_length=32)
    package.SentenceTransformer(modules=[word, models.Pooling(16)], device="cpu").save(
        str(tmp_path / "embedder")
    )
    same = [["the owl sleeps", "a fox", "大象 🐘", "فيل"] * 5] * 2
    found = measured(
        sets_of("talk", {"student": same, "teacher": same}), str(tmp_path / "embedder")
    )
    estimate = found[""]
    assert isinstance(estimate, Estimate)
    assert estimate.value == pytest.approx(1.0, abs=1e-6)
