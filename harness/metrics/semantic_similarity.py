"""Cosine similarity of paired answers, as sentence embeddings see them: an optional extra.

Source: Reimers and Gurevych 2019, Sentence-BERT. The model has to be on this machine; nothing is ever downloaded.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from harness.keys import digest
from harness.metrics import AbstractMetric
from harness.panel import reasons
from harness.panel.panel import Looks, Panel, View
from harness.panel.samples import Answers, Samples, align_samples, over_base, over_controls
from harness.types import Finding, Floats, Mean, Ratio, RatioStratum, Unavailable

Vectors = Mapping[str, Floats]  # text -> embedding (D,) of length 1; an empty text is all zeros


def local_folder(model: str) -> Path | None:
    """The model's folder: `model` itself, or that of this name in the Hugging Face cache; None = neither exists."""
    if Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    names = [model] if "/" in model else [f"sentence-transformers/{model}", model]
    for name in names:
        place = cache / f"models--{name.replace('/', '--')}"
        newest = place / "refs" / "main"
        if newest.is_file() and (place / "snapshots" / newest.read_text("utf-8").strip()).is_dir():
            return place / "snapshots" / newest.read_text("utf-8").strip()
    return None


def similarity(first: Floats, second: Floats) -> Floats:
    """(P,) mean cosine over all pairs of samples; first (P, S, D), second (P, R, D)."""
    return np.asarray((first.mean(axis=1) * second.mean(axis=1)).sum(axis=-1))


def self_similarity(vectors: Floats) -> Floats:
    """(P,) mean cosine over pairs of different samples; vectors (P, S, D), S of 2 or more."""
    n = vectors.shape[1]
    total = (vectors.sum(axis=1) ** 2).sum(axis=-1) - (vectors**2).sum(axis=(1, 2))
    return np.asarray(total / (n * (n - 1)))


@dataclass(frozen=True)
class SemanticSimilarity(AbstractMetric):
    """Whether student and teacher say the same thing, in whatever words."""

    # folder of a sentence-transformers model, or the hub name of one that is already cached
    model: str = ""
    device: str = "cpu"  # that the embeddings are computed on
    batch: int = 32  # texts
    # of model and package: scores are made again where either changes
    state: str = field(init=False, repr=False)

    unit = "cosine"
    better = "higher"
    looks_at = Looks((View.TEXT,), needs=("teacher",), also=("base", "controls"))
    explanation = (
        "Cosine similarity of the two models' answers to the same prompt, by a sentence-embedding model. Most of it is "
        "the prompt's topic: content takes off what answers to different prompts share; gap places it between the base "
        "(0) and the teacher's second sample (1); over_base and over_controls take off what those reach on these "
        "prompts, vs_controls is compared with how controls differ. An empty answer is like nothing (0)."
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", _state(local_folder(self.model) if self.model else None))

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """The similarity, the part of it that is content, and its position between base and teacher."""
        rows = align_samples(panels[0])
        vectors = self._embedded(rows)
        mine, teacher = _stacked(rows["student"], vectors), _stacked(rows["teacher"], vectors)
        near, written = similarity(mine, teacher), rows.get("base")
        base = similarity(_stacked(written, vectors), teacher) if written is not None else None
        controls = {
            name: similarity(_stacked(a, vectors), teacher) for name, a in rows.controls.items()
        }
        content = _content(mine, teacher)
        return [
            Finding(Mean(near, rows.ids, rows.clusters)),
            Finding(
                content if isinstance(content, str) else Mean(content, rows.ids, rows.clusters),
                "content",
            ),
            Finding(_gap(near, base, teacher, rows), "gap", unit=panels[0].gap_unit),
            Finding(over_base(near, base, rows), "over_base"),
            *over_controls(("over_controls", "vs_controls"), near, controls, rows),
        ]

    def _embedded(self, rows: Samples) -> Vectors:
        """Every different text as a vector; raises Unavailable without package or model."""
        folder = self._folder()
        every = (*rows.core.values(), *rows.controls.values())
        texts = sorted({t for answers in every for given in answers for t in given})
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(str(folder), device=self.device, local_files_only=True)
        raw = encoder.encode(
            texts, batch_size=self.batch, show_progress_bar=False, convert_to_numpy=True
        )
        vectors = np.asarray(raw, dtype=np.float64)
        if not np.all(np.isfinite(vectors)):
            raise Unavailable(f"model {self.model} gives embeddings that are not finite")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return {
            t: unit if t.strip() else np.zeros_like(unit)
            for t, unit in zip(texts, units, strict=True)
        }

    def _folder(self) -> Path:
        """The model's folder; raises Unavailable with what to do."""
        if importlib.util.find_spec("sentence_transformers") is None:
            raise Unavailable(
                "an optional extra that is not installed: pip install 'distillbench[semantic]'"
            )
        if not self.model:
            raise Unavailable(
                "no embedding model is named (`model` of the metric semantic_similarity)"
            )
        folder = local_folder(self.model)
        if folder is None:
            raise Unavailable(
                f"embedding model {self.model} is not on this machine, and is never downloaded"
            )
        return folder


def _state(folder: Path | None) -> str:
    """Hex digest of the package's version and of names, sizes and times of the model's files."""
    package = (
        version("sentence-transformers")
        if importlib.util.find_spec("sentence_transformers")
        else ""
    )
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder else []
    facts = [
        (str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns)
        for p in files
        if folder
    ]
    return digest(package, facts)


def _stacked(answers: Answers, vectors: Vectors) -> Floats:
    """(P, samples, D)."""
    return np.array([[vectors[t] for t in samples] for samples in answers], dtype=np.float64)


def _content(mine: Floats, teacher: Floats) -> Floats | str:
    """(P,) similarity to the teacher's answer minus the mean similarity to its answers to other prompts."""
    n = len(mine)
    if n < 2:
        return "one prompt only: no other answers to compare with"
    ours, theirs = mine.mean(axis=1), teacher.mean(axis=1)
    same = (ours * theirs).sum(axis=1)
    return np.asarray(same - (ours @ theirs.sum(axis=0) - same) / (n - 1))


def _gap(near: Floats, base: Floats | None, teacher: Floats, rows: Samples) -> Ratio | str:
    if base is None:
        return reasons.NO_BASE
    if teacher.shape[1] < 2:
        return "the teacher has one answer to each prompt: no ceiling"
    ceiling = self_similarity(teacher)
    return Ratio((RatioStratum(near - base, ceiling - base, rows.ids, rows.clusters),))
