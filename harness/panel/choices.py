"""Choices: the probability that a model gave each option of a prompt, and the option chosen; defined here only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from harness.panel import reasons
from harness.panel.orders import place_of
from harness.panel.panel import Panel
from harness.panel.prompts import Prompts, share
from harness.panel.side import Side, once
from harness.types import Floats, Ints, Prompt

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ChoiceTable:
    """One model's choices, one row per multiple-choice prompt that it was recorded on."""

    prompts: tuple[Prompt, ...]  # (P,) sorted by id; each has two options or more
    rows: Mapping[str, int]  # Prompt.id -> row
    # (P, K) K = most options of any prompt; 0 beyond a prompt's own, and where unanswered
    probabilities: Annotated[Floats, "P K"]
    chosen: Annotated[Ints, "P"]  # option; -1 where unanswered
    answered: Mask  # (P,) False = no option of the prompt could be read from the answer
    # (P,) the same option, and no other as likely, in every order that the options are asked in; True where that is one
    steady: Mask


@dataclass(frozen=True)
class AlignedChoices(Prompts):
    """Choices of several models on the prompts that all of them have."""

    models: tuple[
        str, ...
    ]  # (models,) student, teacher, base, as far as they are looked at; then controls
    lineages: tuple[str, ...]  # (models,)
    n_core: int  # models before the controls
    probabilities: Annotated[Floats, "models P K"]
    chosen: Annotated[Ints, "models P"]  # option; -1 where unanswered
    answered: Mask  # (models, P)
    steady: Mask  # (models, P): the same option was chosen in every order of the options

    @property
    def controls(self) -> range:
        """Rows of the controls."""
        return range(self.n_core, len(self.models))

    @property
    def n_options(self) -> Annotated[Ints, "P"]:
        """Number of options of each prompt (P,); prompts may differ."""
        return np.array([p.n_options for p in self.prompts], dtype=np.int64)

    @property
    def gold(self) -> Annotated[Ints, "P"]:
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

    def where(self, mask: Mask) -> AlignedChoices:
        """The same on the prompts where the mask (P,) is true."""
        return replace(
            self,
            prompts=tuple(p for p, keep in zip(self.prompts, mask, strict=True) if keep),
            probabilities=self.probabilities[:, mask],
            chosen=self.chosen[:, mask],
            answered=self.answered[:, mask],
            steady=self.steady[:, mask],
        )


def softmax(logits: Annotated[Floats, "*leading K"]) -> Annotated[Floats, "*leading K"]:
    """Probabilities (..., K) that add up to 1, from log-probabilities (..., K); -inf is not an option."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def one_hot(chosen: Annotated[Ints, "P"], n_options: int) -> Annotated[Floats, "P n_options"]:
    """(P, n_options) 1 at the chosen option; a row of zeros where it is -1."""
    return np.asarray(chosen[:, None] == np.arange(n_options), dtype=np.float64)


@once
def choice_table(side: Side) -> ChoiceTable:
    """A model's choices, sorted by prompt id.

    From log-probabilities: softmax over the sums of each option (lm-eval's `acc`, not normalised by length), the first
    of equals chosen. From recorded choices: 1 at the option, unanswered where it is null or no option of this prompt.
    Prompts with a request that was never answered, none of whose options has a finite log-probability, or that are not
    multiple choice, are absent.
    """
    prompts = side.requests.prompts
    options = np.array([p.n_options or 0 for p in prompts], dtype=np.int64)
    by_order, recorded = _gathered(side, options)
    logits = by_order[0]
    beyond = np.arange(logits.shape[1]) >= options[:, None]
    scored = np.all(beyond | ~np.isnan(logits), axis=1) & np.any(np.isfinite(logits), axis=1)
    has_record = recorded > _ABSENT
    complete = [int(i) for i in np.flatnonzero((options >= 2) & (scored | has_record))]
    order = np.array(sorted(complete, key=lambda i: prompts[i].id), dtype=np.int64)
    recorded, options = recorded[order], options[order]
    by_score = scored[order] & ~has_record[order]
    chosen = np.where((recorded >= 0) & (recorded < options), recorded, -1)
    probabilities = one_hot(chosen, logits.shape[1])
    if by_score.any():
        shares = np.where(beyond[order], -np.inf, logits[order])[by_score]
        probabilities[by_score] = softmax(shares)
        chosen[by_score] = np.argmax(shares, axis=1)
    steady = _steady(by_order, _asked_orders(side, len(by_order)), beyond)[order]
    asked = tuple(prompts[i] for i in order)
    rows = {p.id: row for row, p in enumerate(asked)}
    return ChoiceTable(asked, rows, probabilities, chosen, chosen >= 0, steady)


@once
def unanswered(side: Side) -> frozenset[str]:
    """Ids of the multiple-choice prompts of which a model's answer names no option; empty for other tasks."""
    table = choice_table(side)
    return frozenset(table.prompts[i].id for i in np.flatnonzero(~table.answered))


_NULL, _ABSENT = -1, -2


def _gathered(side: Side, options: Annotated[Ints, "P"]) -> tuple[Floats, Ints]:
    """Log-probabilities (orders, prompts, K), NaN where there is none; recorded options (prompts,), -1 null, -2 absent.

    Slots from n_options on are left out: lm-eval's mutual-information scores repeat the options without their context.
    """
    outputs, requests = side.outputs, side.requests.requests
    places = [place_of(r.slot, int(options[r.prompt]) or 1) for r in requests]
    logits = np.full(
        (
            1 + max((p.order for p in places), default=0),
            len(options),
            max(int(options.max(initial=0)), 2),
        ),
        np.nan,
    )
    recorded = np.full(len(options), _ABSENT, dtype=np.int64)
    for row, index in enumerate(outputs.request.tolist()):
        request = requests[index]
        if request.repeat or not outputs.answered[row]:
            continue
        order, option = places[index]
        if request.kind == "score" and option < options[request.prompt]:
            logits[order, request.prompt, option] = outputs.logprob_nats[row]
        elif request.kind == "choose" and request.slot == 0:
            choice = outputs.choice[row]
            recorded[request.prompt] = _NULL if choice is None or choice < 0 else choice
    return logits, recorded


def _asked_orders(side: Side, n_orders: int) -> Mask:
    """(orders, prompts): in which orders the options of each prompt are asked."""
    prompts = side.requests.prompts
    asked = np.zeros((n_orders, len(prompts)), dtype=np.bool_)
    for r in side.requests.requests:
        asked[place_of(r.slot, prompts[r.prompt].n_options or 1).order, r.prompt] = True
    return asked


def _steady(logits: Annotated[Floats, "orders P K"], asked: Mask, beyond: Mask) -> Mask:
    """(P,) whether one option is the likeliest in all orders that are asked, and alone in each; all True for one order.

    Of equals the first would be taken, wherever it stands: none of them is what the model would always say.
    """
    if len(logits) == 1:
        return np.ones(asked.shape[1], dtype=np.bool_)
    shown = np.where(beyond, -np.inf, np.nan_to_num(logits, nan=-np.inf))
    best = shown.max(axis=2)
    alone = ((shown == best[..., None]).sum(axis=2) == 1) & np.isfinite(best)
    whole = np.all(beyond | ~np.isnan(logits), axis=2)
    same = shown.argmax(axis=2) == shown[0].argmax(axis=1)
    return np.asarray(np.all(~asked | (alone & whole & same), axis=0))


def align_choices(panel: Panel) -> AlignedChoices:
    """Choices of everyone on the prompts that all of them have; see `share` for what is raised."""
    shared = share(panel, lambda side: choice_table(side).rows, "multiple-choice prompts")
    sides = shared.sides
    tables = [choice_table(s) for s in sides]
    picked = [np.array([t.rows[i] for i in shared.ids], dtype=np.int64) for t in tables]
    width = max(t.probabilities.shape[1] for t in tables)
    wide = [
        np.pad(t.probabilities, ((0, 0), (0, width - t.probabilities.shape[1]))) for t in tables
    ]
    return AlignedChoices(
        shared.prompts,
        tuple(s.model for s in sides),
        tuple(s.lineage for s in sides),
        len(sides) - len(shared.controls),
        np.stack([p[i] for p, i in zip(wide, picked, strict=True)]),
        np.stack([t.chosen[i] for t, i in zip(tables, picked, strict=True)]),
        np.stack([t.answered[i] for t, i in zip(tables, picked, strict=True)]),
        np.stack([t.steady[i] for t, i in zip(tables, picked, strict=True)]),
    )


def gather_choices(sides: Mapping[str, Side]) -> AlignedChoices:
    """Everyone's choices, in the order of the names, on all prompts with a right option; unanswered where not asked."""
    tables = [choice_table(side) for side in sides.values()]
    graded = {p.id: p for t in tables for p in t.prompts if p.gold is not None}
    prompts = tuple(graded[i] for i in sorted(graded))
    width = max((t.probabilities.shape[1] for t in tables), default=2)
    chosen = np.full((len(tables), len(prompts)), -1, dtype=np.int64)
    steady = np.ones(chosen.shape, dtype=np.bool_)
    probabilities = np.zeros((*chosen.shape, width))
    for model, table in enumerate(tables):
        places = [(i, table.rows[p.id]) for i, p in enumerate(prompts) if p.id in table.rows]
        at, rows = np.array(places, dtype=np.int64).reshape(-1, 2).T
        chosen[model, at], steady[model, at] = table.chosen[rows], table.steady[rows]
        probabilities[model, at, : table.probabilities.shape[1]] = table.probabilities[rows]
    lineages = tuple(side.lineage for side in sides.values())
    return AlignedChoices(
        prompts, tuple(sides), lineages, 0, probabilities, chosen, np.asarray(chosen >= 0), steady
    )


def align_choices_with_gold(panel: Panel) -> AlignedChoices:
    """The same on the prompts that state a right option; raises Unavailable below the task's minimum."""
    aligned = align_choices(panel)
    graded = aligned.where(aligned.gold >= 0)
    what, of = "shared prompts with a right option", len(aligned.prompts)
    reasons.require(len(graded.prompts), panel.minimum, what, of)
    return graded
