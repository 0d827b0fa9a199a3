"""What a run would do, said without doing it: cells, requests, tokens, what is stored, time, money. Asks no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.board.numerals import count, scaled, seconds
from harness.plan.collections import Collection, Plan, faults_of, make_plan
from harness.plan.identities import identify
from harness.plan.run import Run
from harness.stages.loop import summaries_in
from harness.stages.outlook import forewarned
from harness.store.store import Store
from harness.types import DistillbenchError

HEADS = ("model", "collections", "stored", "requests left", "tokens at most", "time", "cost")
_NOT_KNOWN = "–"


@dataclass(frozen=True)
class Preview:
    """What is known of a run before it begins."""

    rows: tuple[tuple[str, ...], ...]  # one per model under HEADS, then their sum
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def planned(run: Run, store: Store) -> Plan:
    """The plan as far as its request sets are stored.

    Raises DistillbenchError with every fault that can be known now, one a line.
    """
    identities = identify(run)
    plan = make_plan(run, identities, summaries_in(store))
    if faults := [*identities.faults, *faults_of(plan)]:
        raise DistillbenchError("\n".join(dict.fromkeys(faults)))
    return plan


def preview(plan: Plan, store: Store) -> Preview:
    """What a plan would do."""
    models: dict[str, list[Collection]] = {m: [] for m in plan.run.models}
    for c in plan.collections:
        models[c.model].append(c)
    parts = {m: _Part.of(plan.run, m, own, store) for m, own in models.items()}
    whole = _Part.sum(parts.values())
    rows = [(name, *part.cells()) for name, part in parts.items()]
    return Preview(
        (*rows, ("together", *whole.cells())), tuple(_notes(plan)), tuple(forewarned(plan, store))
    )


@dataclass(frozen=True)
class _Part:
    """One model's share of a run; None = nothing like it was measured yet."""

    collections: int
    stored: int
    requests: int  # of collections that are not stored; none where answers are recorded
    tokens: float  # of these, read and written at most; an estimate
    time_s: float | None
    usd: float | None
    at_most: bool  # whether its dollars are those of the longest replies

    @classmethod
    def of(cls, run: Run, model: str, own: Sequence[Collection], store: Store) -> _Part:
        """A model's collections; seconds and dollars are those of its stored ones, by expected work.

        Where none is stored, dollars are those of the longest replies, by the model's own prices.
        """
        there = [c for c in own if store.has(c.key)]
        stored = {c.key for c in there}
        asks = not run.models[model].recorded
        left = [c for c in own if asks and c.key not in stored and c.summary.built]
        work, expected = (sum(map(_work, some)) for some in (there, left))
        how = [store.provenance(c.key) for c in there]
        share = expected / work if work else None
        time_s = 0.0 if not left else None if share is None else share * _sum(how, "wall_s")
        written = None if share is None else share * _sum(how, "n_tokens")
        prices = run.models[model].usd_per_hour, run.models[model].usd_per_million_tokens
        costs = [
            price * amount * unit
            for price, amount, unit in zip(prices, (time_s, written), (1 / 3600, 1e-6), strict=True)
            if price is not None and amount is not None
        ]
        billed = [one["usd"] for one in how if "usd" in one]
        costs += [share * sum(billed)] if billed and share is not None else []
        read = sum(c.summary.tokens_read() for c in left)
        most = sum(c.summary.tokens_written(c.decoding) for c in left)
        requests = sum(c.summary.n_requests for c in left)
        listed = None if costs or not left else run.models[model].usd_at_most(read, most)
        usd = sum(costs) if costs else listed
        at_most = listed is not None
        return cls(len(own), len(there), requests, read + most, time_s, usd, at_most)

    @classmethod
    def sum(cls, parts: Iterable[_Part]) -> _Part:
        """All parts together; their time as if one were asked after another."""
        every = list(parts)
        times, costs = [p.time_s for p in every], [p.usd for p in every if p.usd is not None]
        return cls(
            sum(p.collections for p in every),
            sum(p.stored for p in every),
            sum(p.requests for p in every),
            sum(p.tokens for p in every),
            None if None in times else sum(t for t in times if t is not None),
            sum(costs) if costs else None,
            any(p.at_most for p in every),
        )

    def cells(self) -> tuple[str, ...]:
        """Its numbers under HEADS."""
        if not self.collections:
            return (_NOT_KNOWN,) * (len(HEADS) - 1)
        return (
            count(self.collections),
            count(self.stored),
            count(self.requests),
            scaled(self.tokens),
            _NOT_KNOWN if self.time_s is None else seconds(self.time_s) if self.time_s else "none",
            _NOT_KNOWN if self.usd is None else f"{'≤ ' * self.at_most}{self.usd:.2f} USD",
        )


def _work(collection: Collection) -> float:
    return sum(collection.summary.amounts(collection.task, collection.decoding).values())


def _sum(how: Sequence[Mapping[str, float]], name: str) -> float:
    return float(sum(one[name] for one in how))


def _notes(plan: Plan) -> Iterable[str]:
    """Request sets that are not known, and measures that will have nothing to look at."""
    unbuilt = dict.fromkeys(s.task for s in plan.sets if s.summary is None)
    if unbuilt:
        yield (
            f"not built yet, so not counted: the requests of {', '.join(unbuilt)} (`distillbench plan load=true` with "
            "the same words builds them; no model is asked)"
        )
    if plan.pending:
        yield f"not counted: {', '.join(plan.pending)}, which read answers of other tasks"
    if not unbuilt:
        for name, metric in plan.run.metrics.items():
            if not any(plan.fits(task, metric.looks_at.yields) for task in plan.run.tasks):
                yield f"{name}: {metric.looks_at.no_task()}"
