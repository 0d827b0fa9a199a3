"""The one owner of options: what probability a model gave each option of a prompt, and which one it chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.panel.panel import Side
from harness.types import Floats, Ints, Prompt, Unavailable

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ChoiceTable:
    """One model's choices, one row per multiple-choice prompt that it was recorded on."""

    model: str
    prompts: tuple[Prompt, ...]  # (P,) sorted by id; each has two options or more
    # (P, K) K = most options of any prompt; 0 beyond a prompt's own, and where unanswered
    probabilities: Floats
    chosen: Ints  # (P,) option; -1 where unanswered
    answered: Mask  # (P,) False = no option of the prompt could be read from the answer


@dataclass(frozen=True)
class AlignedChoices:
    """Choices of several models on the prompts that all of them have."""

    prompts: tuple[Prompt, ...]  # (P,) sorted by id
    probabilities: Floats  # (models, P, K)
    chosen: Ints  # (models, P) option; -1 where unanswered
    answered: Mask  # (models, P)

    @property
    def ids(self) -> tuple[str, ...]:
        """Prompt ids (P,)."""
        return tuple(p.id for p in self.prompts)

    @property
    def clusters(self) -> tuple[str, ...]:
        """Resampling units (P,)."""
        return tuple(p.cluster for p in self.prompts)

    @property
    def n_options(self) -> Ints:
        """Number of options of each prompt (P,); prompts may differ."""
        return np.array([p.n_options for p in self.prompts], dtype=np.int64)

    @property
    def gold(self) -> Ints:
        """Right option (P,); -1 where the task states none."""
        return np.array([-1 if p.gold is None else p.gold for p in self.prompts], dtype=np.int64)

    @property
    def right(self) -> Mask:
        """(models, P): the right option was chosen. Unanswered is not right."""
        return np.asarray(self.answered & (self.chosen == self.gold))

    @property
    def wrong(self) -> Mask:
        """(models, P): a wrong option was chosen. Unanswered is neither right nor wrong here."""
        return np.asarray(self.answered & (self.gold >= 0) & (self.chosen != self.gold))

    def of(self, models: Sequence[int]) -> AlignedChoices:
        """The same for some of the models, given by their rows."""
        rows = list(models)
        return AlignedChoices(
            self.prompts, self.probabilities[rows], self.chosen[rows], self.answered[rows]
        )

    def where(self, kept: Mask) -> AlignedChoices:
        """The same on the prompts where kept (P,) is true."""
        prompts = tuple(p for p, keep in zip(self.prompts, kept, strict=True) if keep)
        return AlignedChoices(
            prompts, self.probabilities[:, kept], self.chosen[:, kept], self.answered[:, kept]
        )


def softmax(logits: Floats) -> Floats:
    """Probabilities (..., K) that add up to 1, from log-probabilities (..., K); -inf is no option."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def one_hot(chosen: Ints, n_options: int) -> Floats:
    """(P, n_options) 1 at the chosen option; a row of zeros where it is -1."""
    return np.asarray(chosen[:, None] == np.arange(n_options), dtype=np.float64)


def choice_table(side: Side) -> ChoiceTable:
    """A model's choices, sorted by prompt id.

    From log-probabilities: softmax over the sums of each option (lm-eval's `acc`, not normalised by length), the first
    of equals chosen. From recorded choices: 1 at the option, unanswered where it is null or no option of this prompt.
    Prompts with a request that was never answered, and prompts that are not multiple choice, are absent.
    """
    return replace(_table(_Identity(side)), model=side.model)


class _Identity:
    """The answers of a side as a key: the very same objects, which are never changed."""

    def __init__(self, side: Side) -> None:
        self.side = side

    def __hash__(self) -> int:
        return hash((id(self.side.requests), id(self.side.outputs)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Identity):
            return NotImplemented
        return other.side.requests is self.side.requests and other.side.outputs is self.side.outputs


@lru_cache(maxsize=32)  # every pair of a matrix looks at the same controls
def _table(key: _Identity) -> ChoiceTable:
    side = key.side
    prompts = side.requests.prompts
    options = np.array([p.n_options or 0 for p in prompts], dtype=np.int64)
    logits, recorded = _gathered(side, options)
    beyond = np.arange(logits.shape[1]) >= options[:, None]
    scored = np.all(beyond | ~np.isnan(logits), axis=1)
    has_record = recorded > _ABSENT
    kept = [int(i) for i in np.flatnonzero((options >= 2) & (scored | has_record))]
    order = np.array(sorted(kept, key=lambda i: prompts[i].id), dtype=np.int64)
    recorded, options = recorded[order], options[order]
    by_score = scored[order] & ~has_record[order]
    chosen = np.where((recorded >= 0) & (recorded < options), recorded, -1)
    probabilities = one_hot(chosen, logits.shape[1])
    if by_score.any():
        shares = np.where(beyond[order], -np.inf, logits[order])[by_score]
        probabilities[by_score] = softmax(shares)
        chosen[by_score] = np.argmax(shares, axis=1)
    return ChoiceTable(
        side.model, tuple(prompts[i] for i in order), probabilities, chosen, chosen >= 0
    )


_NULL, _ABSENT = -1, -2


def _gathered(side: Side, options: Ints) -> tuple[Floats, Ints]:
    """Log-probabilities (prompts, K), NaN where there is none, and recorded options (prompts,), -1 null, -2 absent.

    Slots from n_options on are left out: lm-eval's mutual-information scores repeat the options without their context.
    """
    outputs, requests = side.outputs, side.requests.requests
    logits = np.full((len(options), max(int(options.max(initial=0)), 2)), np.nan)
    recorded = np.full(len(options), _ABSENT, dtype=np.int64)
    for row, index in enumerate(outputs.request.tolist()):
        request = requests[index]
        if request.repeat or not outputs.answered[row]:
            continue
        if request.kind == "score" and request.slot < options[request.prompt]:
            logits[request.prompt, request.slot] = outputs.logprob_nats[row]
        elif request.kind == "choose" and request.slot == 0:
            choice = outputs.choice[row]
            recorded[request.prompt] = _NULL if choice is None or choice < 0 else choice
    return logits, recorded


def align_choices(sides: Sequence[Side], minimum: int = 1) -> AlignedChoices:
    """Choices of all sides on the prompts that every one of them has; raises Unavailable below `minimum` prompts."""
    return align_tables([choice_table(side) for side in sides], minimum)


def align_tables(tables: Sequence[ChoiceTable], minimum: int = 1) -> AlignedChoices:
    """Choices of all tables on the prompts that every one of them has, sorted by id.

    Raises Unavailable where fewer than `minimum` are shared, naming the model with fewest.
    """
    rows = [{p.id: i for i, p in enumerate(t.prompts)} for t in tables]
    shared = sorted(set.intersection(*(set(r) for r in rows)))
    if len(shared) < minimum:
        least = min(tables, key=lambda t: len(t.prompts))
        raise Unavailable(
            f"{len(shared)} multiple-choice prompts answered by all of {', '.join(t.model for t in tables)}; at least "
            f"{minimum} are needed ({least.model} answered {len(least.prompts)})"
        )
    picked = [np.array([r[i] for i in shared], dtype=np.int64) for r in rows]
    width = max(t.probabilities.shape[1] for t in tables)
    wide = [
        np.pad(t.probabilities, ((0, 0), (0, width - t.probabilities.shape[1]))) for t in tables
    ]
    return AlignedChoices(
        tuple(tables[0].prompts[i] for i in picked[0]),
        np.stack([p[i] for p, i in zip(wide, picked, strict=True)]),
        np.stack([t.chosen[i] for t, i in zip(tables, picked, strict=True)]),
        np.stack([t.answered[i] for t, i in zip(tables, picked, strict=True)]),
    )
