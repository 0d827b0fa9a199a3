"""Collects the missing answers of one model; interrupted work is resumed."""

from __future__ import annotations

import os
import resource
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.console.forecast import Amounts
from harness.console.foreign import FAILURES, listening
from harness.console.progress import News
from harness.console.workload import amounts
from harness.executors import Tell
from harness.executors._boundary import in_one_line
from harness.keys import digest
from harness.models import AbstractModel, AbstractSession, Answered, Facts, Failed, Purse
from harness.stages.spilled import FACT, variables_in
from harness.stages.unfinished import Unanswered, Unfinished, billed, unanswered_notes
from harness.store.store import Store
from harness.store.tables import join_outputs, outputs_from_table
from harness.store.waiting import WAIT_S, Pace, Wait
from harness.store.work import Work
from harness.types import Outputs, Paths, RequestSet, Unavailable

_AT_ONCE = 64  # collections that are locked at the same time: every lock is an open file


@dataclass(frozen=True)
class ModelJob:
    """The cells of one model that are still missing."""

    model: AbstractModel
    paths: Paths
    cells: tuple[Unanswered, ...]
    purse: Purse = field(default_factory=Purse)  # what the run may still spend
    published: str | None = None  # key of answers that the model gave before; None = there are none


def amounts_of(planned: Unanswered, batch: Iterable[int] | None = None) -> Amounts:
    """Expected tokens of a cell, or of those of its requests that are in `batch`."""
    asked = planned.requests.requests
    return amounts(
        planned.task,
        asked if batch is None else (asked[i] for i in batch),
        planned.decoding,
    )


def name_of(planned: Unanswered) -> str:
    """The name of a collection in messages: "student x zoo_facts"."""
    return f"{planned.model} x {planned.task}"


def answer_all(job: ModelJob, store: Store, tell: Tell, pace: Pace = Pace()) -> None:  # noqa: B008 - it is frozen
    """Opens one model and collects its cells; cells that another process holds come last."""
    started = time.perf_counter()
    model = job.model.name
    tell(News(model, doing=f"loading {model}"))
    try:
        with (
            listening(lambda line: tell(News(model, alarm=line))),
            job.model.open(job.paths, _previous(job, store)) as session,
        ):
            load_s = time.perf_counter() - started
            tell(News(model, spent={"load_s": load_s}))
            session.spend_from(job.purse)
            collector = _Collector(session, store, tell, load_s)
            busy = {cell.key: cell for cell in collector.collect(job.cells)}
            if busy:
                task = next(iter(busy.values())).task
                doing = f"{model} waits for another process that collects {task}"
                tell(News(model, doing=doing))
            waits = {key: Wait(name_of(cell), pace.clock()) for key, cell in busy.items()}
            while busy:
                pace.sleep(WAIT_S)
                tell(News(model, spent={"wait_s": WAIT_S}))
                waiting = _still_waited_for(busy, waits, store, tell, pace.clock())
                busy = {cell.key: cell for cell in collector.collect(waiting)}
    except FAILURES as error:
        for cell in job.cells:
            if not store.has(cell.key):
                _fail(cell, error, store, tell)
    tell(News(model, over=True))


def _still_waited_for(
    busy: Mapping[str, Unanswered],
    waits: Mapping[str, Wait],
    store: Store,
    tell: Tell,
    now_s: float,
) -> list[Unanswered]:
    """The cells that other processes hold, without those whose holders show no sign of life."""
    alive = []
    for key, cell in busy.items():
        said = waits[key].look(store.holder(key), store.last_sign(key), now_s)
        if isinstance(said, Unavailable):
            _fail(cell, said, store, tell)
            continue
        if said:
            tell(News(cell.model, alarm=said))
        alive.append(cell)
    return alive


def _previous(job: ModelJob, store: Store) -> Facts | None:
    """The facts that the model stored with the answers of an interrupted run, else with those that are complete."""
    for cell in job.cells:
        with store.work(cell.key) as work:
            if work is not None and (facts := work.facts()) is not None:
                return facts
    if job.published is None:
        return None
    how = store.provenance(job.published)
    return {name: fact for name, fact in how.items() if isinstance(fact, (str, int, float))}


@dataclass(frozen=True)
class _Collector:
    """Collects cells with an opened model."""

    session: AbstractSession
    store: Store
    tell: Tell
    load_s: float
    told: dict[str, float] = field(default_factory=dict)  # what was said of where its time went

    def collect(self, cells: Sequence[Unanswered]) -> list[Unanswered]:
        """Collects what it can; returns the cells that another process is working on."""
        size = _AT_ONCE if self.session.together else 1
        groups = (cells[i : i + size] for i in range(0, len(cells), size))
        return [busy for group in groups for busy in self._collect_group(group)]

    def _collect_group(self, cells: Sequence[Unanswered]) -> list[Unanswered]:
        busy = []
        with ExitStack() as locks:
            collections: dict[str, Unfinished] = {}
            for cell in cells:
                work = locks.enter_context(self.store.work(cell.key))
                if work is None:
                    busy.append(cell)
                elif self.store.has(cell.key):
                    self.tell(News(cell.model, ended=amounts_of(cell)))
                    self._done(cell)
                else:
                    self._begin(cell, work, collections)
            self._answer(collections)
            for collection in collections.values():
                self._leave_pending(collection)
        return busy

    def _begin(self, cell: Unanswered, work: Work, collections: dict[str, Unfinished]) -> None:
        try:
            collection = Unfinished(cell, work, self.session)
            self.tell(News(cell.model, ended=amounts_of(cell, collection.replies)))
            if not self._publish(collection):
                collections[cell.key] = collection
        except FAILURES as error:
            _fail(cell, error, self.store, self.tell)

    def _answer(self, collections: dict[str, Unfinished]) -> None:
        """Asks for what is missing, round by round; complete and failed ones are removed from `collections`."""
        while asks := [ask for c in collections.values() if (ask := c.ask()) is not None]:
            self._say(collections)
            for event in self.session.answer(asks):
                if event.key in collections and self._take(collections[event.key], event):
                    del collections[event.key]
                self._say(collections)

    def _take(self, collection: Unfinished, event: Answered | Failed) -> bool:
        """Stores answers; True when the collection is finished."""
        planned = collection.planned
        try:
            if isinstance(event, Failed):
                raise event.error
            collection.add(event, self.session)
            piece = amounts_of(planned, event.outputs.request.tolist())
            spent = {"answer_s": event.wall_s, **self._spent()}
            self.tell(News(planned.model, ended=piece, seconds=event.wall_s, spent=spent))
            return self._publish(collection)
        except FAILURES as error:
            _fail(planned, error, self.store, self.tell, collection.replies)
            return True

    def _spent(self) -> dict[str, float]:
        """Where the session's time went since this was asked before."""
        now, before = dict(self.session.spent()), dict(self.told)
        self.told.update(now)
        return {name: number - before.get(name, 0) for name, number in now.items()}

    def _say(self, collections: Mapping[str, Unfinished]) -> None:
        """Reports what the model is working on: the first batch without its answers."""
        for collection in collections.values():
            if batch := collection.at_work():
                planned, done = collection.planned, len(collection.replies)
                sample = planned.decoding.sample
                again = f" (sample {sample + 1})" if sample else ""
                doing = f"{name_of(planned)}{again}, {done} of {len(collection.requests)} requests"
                piece = amounts_of(planned, batch)
                self.tell(News(planned.model, doing=doing, begun=piece))
                return

    def _publish(self, collection: Unfinished) -> bool:
        """Publishes a complete collection; False if it is incomplete."""
        stored = collection.stored()
        if stored is None:
            return False
        planned, table = collection.planned, join_outputs(stored.tables)
        outputs = outputs_from_table(table)
        facts = {**self.session.facts(), "load_s": self.load_s}
        provenance: dict[str, Any] = {
            **facts,
            **_cost(outputs, stored.timings),
            **billed(stored.told),
            **cut_facts(planned.requests, outputs),
            "peak_memory_bytes": _peak_memory_bytes(),
        }
        host = str(facts.get("host", "the server"))
        notes = [*self.session.notes(collection.answered()), *unanswered_notes(stored.told, host)]
        if notes:
            provenance["notes"] = notes
        if spilled := variables_in(outputs):
            provenance[FACT] = spilled
        cell = planned
        spec = {
            "model": cell.model,
            "task": cell.task,
            "asks": planned.summary.asks,
            "decoding": vars(cell.decoding),
            "journaled": self.session.journaled,
        }
        self.store.put(planned.key, table, spec, provenance)
        self.store.forget_failure(planned.key)
        collection.work.drop()
        self._done(planned)
        return True

    def _done(self, planned: Unanswered) -> None:
        if planned.decoding.sample == 0:
            self.tell(News(planned.model, line=f"done {name_of(planned)}"))

    def _leave_pending(self, collection: Unfinished) -> None:
        """Reports which answers are still missing; those that exist are kept."""
        planned, n = collection.planned, len(collection.requests)
        left = n - len(collection.replies)
        reason = (
            f"pending: {left} of {n} answers have not come yet; the same command goes on with them"
        )
        self.store.note_failure(planned.key, reason)
        rest = amounts_of(planned, (i for i in range(n) if i not in collection.replies))
        self.tell(News(planned.model, ended=rest, alarm=f"{name_of(planned)} is {reason}"))


def _cost(outputs: Outputs, timings: Sequence[tuple[float, int]]) -> dict[str, float | int]:
    """Seconds and tokens. A request's latency is the time of the batch in which it was answered."""
    latencies = np.repeat([wall for wall, _ in timings], [rows for _, rows in timings])
    return {
        "wall_s": float(sum(wall for wall, _ in timings)),
        "n_tokens": int(outputs.n_tokens.sum()),
        "n_answered": int(sum(outputs.answered)),
        "latency_p50_s": float(np.quantile(latencies, 0.5)),
        "latency_p95_s": float(np.quantile(latencies, 0.95)),
    }


def cut_facts(requests: RequestSet, outputs: Outputs) -> Facts:
    """How many prompts did not fit, and a digest of which they are ("" for none)."""
    rows = () if outputs.n_cut is None else np.flatnonzero(outputs.n_cut)
    asked = {requests.requests[int(outputs.request[row])].prompt for row in rows}
    ids = sorted(requests.prompts[i].id for i in asked)
    return {"n_cut_prompts": len(ids), "cut_prompts": digest(ids) if ids else ""}


def _peak_memory_bytes() -> int:
    """Largest resident memory of this process so far (Linux counts in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if os.uname().sysname == "Darwin" else int(peak) * 1024


def _fail(
    planned: Unanswered,
    error: Exception,
    store: Store,
    tell: Tell,
    answered: Mapping[int, Any] | None = None,
) -> None:
    # stop, finished work is kept
    if isinstance(error, OSError) and store.is_hindered_by(error):
        raise error
    reason = in_one_line(error)
    store.note_failure(planned.key, reason, "".join(traceback.format_exception(error)))
    rest = [i for i in range(len(planned.requests.requests)) if i not in (answered or {})]
    tell(
        News(
            planned.model,
            ended=amounts_of(planned, rest),
            alarm=f"missing {name_of(planned)}: {reason}",
        )
    )
