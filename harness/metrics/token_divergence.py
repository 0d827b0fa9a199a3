"""Token divergence: how far apart the distributions of student and teacher over the next token are.

Source: Kullback and Leibler 1951; Lin 1991 (Jensen-Shannon); expected acceptance after Leviathan et al. 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.panel import Looks, Panel, View
from harness.panel.reads import Read, own_texts, ratio, require, token_columns
from harness.panel.side import Side
from harness.stats.alternatives import (
    Distributions,
    Stored,
    distributions,
    is_whole,
    js_nats,
    kl_nats,
    shared_mass,
    top_overlap,
)
from harness.types import (
    Better,
    DistillbenchError,
    Finding,
    Floats,
    Prompt,
    TokenColumns,
    Unavailable,
)


class _Part(NamedTuple):
    """One number about two distributions."""

    name: str
    unit: str
    better: Better
    bound: str  # how it relates to the true value where not the whole vocabulary is stored
    values: Callable[[Distributions], Floats]  # (T,)


_PARTS = (
    _Part("", "nats per token", "lower", ", at least", lambda d: kl_nats(d.teacher, d.student)),
    _Part(
        "kl_student_teacher",
        "nats per token",
        "lower",
        ", at least",
        lambda d: kl_nats(d.student, d.teacher),
    ),
    _Part("js", "nats per token", "lower", ", at least", lambda d: js_nats(d.teacher, d.student)),
    _Part(
        "acceptance", "share", "higher", ", at most", lambda d: shared_mass(d.teacher, d.student)
    ),
    _Part("mass_covered", "share", "none", "", lambda d: d.covered),
)
_TOP = ("top1_agreement", "topk_overlap")


class _Document(NamedTuple):
    """Sums over the tokens of one text."""

    prompt: Prompt
    n_tokens: int
    sums: dict[str, float]  # part -> sum over tokens


@dataclass(frozen=True)
class TokenDivergence(AbstractMetric):
    """Divergences per token on the teacher's own answers, or on a fixed text."""

    overlap: int = 10  # of how many most probable tokens the overlap is taken

    unit = "nats per token"
    better = "lower"
    looks_at = Looks((View.READING, View.TOKENS), needs=("teacher",))
    explanation = (
        "KL(teacher || student) over the next token, on the teacher's own answers or a fixed text; 0 = the same "
        "distribution. This direction punishes a student that is surer than its teacher; `js` and acceptance do so "
        "less, and may order students otherwise. Also: the other direction, how often both put the same token first, "
        "and how many of the first ten they share. Tokens that one of the two did not store are one bucket: "
        "divergences are then at least, acceptance at most what is shown, and `mass_covered` says how much of the "
        "teacher is outside it. Same tokenizer only."
    )

    def __post_init__(self) -> None:
        if self.overlap < 1:
            raise DistillbenchError(f"key overlap: expected 1 or more, got {self.overlap}")

    def measure(self, panels: Sequence[Panel], rng: np.random.Generator) -> list[Finding]:
        """One entry per part; the unit says where a number is a bound."""
        student, teacher, minimum = panels[0].student, panels[0].teacher, panels[0].minimum
        columns = (token_columns(teacher), token_columns(student))
        _require_one_vocabulary(teacher, student, columns)
        exact = all(is_whole(Stored(c.top_ids, c.top_logprobs)) for c in columns)
        texts = own_texts(panels[0])
        documents = [
            d for pair in texts if (d := _document(pair, columns, exact, self.overlap)) is not None
        ]
        if texts and not documents:
            raise Unavailable(
                f"{teacher.model} and {student.model} cut the same texts into different tokens"
            )
        require(len({d.prompt.id for d in documents}), minimum)
        findings = [
            _finding(p.name, documents, minimum, p.unit + ("" if exact else p.bound), p.better)
            for p in _PARTS
        ]
        return findings + [_finding(name, documents, minimum, "share", "higher") for name in _TOP]


def _require_one_vocabulary(teacher: Side, student: Side, columns: Sequence[TokenColumns]) -> None:
    if not _mean_the_same(*columns):
        raise Unavailable(
            f"{teacher.model} and {student.model} have different tokenizers: their tokens cannot be compared one by "
            "one (bits_per_byte, preference and shared_boundaries can)"
        )


def _mean_the_same(one: TokenColumns, two: TokenColumns) -> bool:
    """Whether the ids that occur on both sides are the same tokens: one may know more than the other (a pad token)."""
    if one.vocabulary and one.vocabulary == two.vocabulary:
        return True
    shared = one.names.keys() & two.names.keys()
    return bool(shared) and all(one.names[i] == two.names[i] for i in shared)


def _document(
    pair: tuple[Read, Read], columns: Sequence[TokenColumns], exact: bool, overlap: int
) -> _Document | None:
    """Sums of every part over one text; None where the two cut it into different tokens."""
    cuts = [
        slice(int(c.offsets[r.row]), int(c.offsets[r.row + 1]))
        for r, c in zip(pair, columns, strict=True)
    ]
    ids = [c.token_ids[cut] for c, cut in zip(columns, cuts, strict=True)]
    if not len(ids[0]) or not np.array_equal(ids[0], ids[1]):
        return None
    teacher, student = (
        Stored(c.top_ids[cut], c.top_logprobs[cut]) for c, cut in zip(columns, cuts, strict=True)
    )
    both = distributions(teacher, student, exact)
    sums = {p.name: float(p.values(both).sum()) for p in _PARTS}
    k = min(overlap, teacher.ids.shape[1], student.ids.shape[1])
    sums["top1_agreement"] = float(top_overlap(teacher, student, 1).sum())
    sums["topk_overlap"] = float(top_overlap(teacher, student, k).sum())
    return _Document(pair[0].prompt, len(ids[0]), sums)


def _finding(
    name: str, documents: Sequence[_Document], minimum: int, unit: str, better: Better
) -> Finding:
    if not all(np.isfinite(d.sums[name]) for d in documents):
        return Finding(
            "infinite: one model gives probability 0 to what the other finds possible",
            name,
            unit=unit,
            better=better,
        )
    per_text = [(d.prompt, d.sums[name], float(d.n_tokens)) for d in documents]
    return Finding(ratio(per_text, minimum), name, unit=unit, better=better)
