"""Stage after scoring: every verdict about every model of a case, stored with what is documented of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import pyarrow as pa

from harness.board.plain import from_plain, to_plain
from harness.console.forecast import Sort
from harness.executors import Desk, Entry, Job, Product, Reason
from harness.keys import code_digest, digest, draw_seed
from harness.panel.calibration import errors_of
from harness.panel.choices import choice_table
from harness.panel.evidence import Crowd, Opinion, Origin, Verdict, without_lineage
from harness.panel.panel import View
from harness.panel.rates import settled
from harness.plan.collections import Collection, Plan
from harness.plan.run import Case, Run
from harness.stages.crowds import answered, crowd_of, sides_of, tokens_key_of
from harness.stages.features import COST, tokens_job
from harness.stages.library import Library
from harness.stages.liken import liken_jobs, liken_keys, recalled
from harness.stages.lineages import tree_jobs
from harness.stages.loop import Lacks, Made, make_all
from harness.store.store import Store
from harness.store.tables import SCHEMA
from harness.types import Unavailable
from harness.verdicts import AbstractVerdict

_FITTED = "fitted"  # in the provenance of verdicts: what was fitted for them


@final
@dataclass(frozen=True)
class WeighJob(Job):
    """Weighs everyone of a case by one method on one task."""

    method: str = ""
    task: str = ""

    doing: ClassVar[str] = "weighing evidence"

    def make(self, desk: Desk) -> Iterator[Product]:
        """One row per model and family; a reason where the method has nothing to say of anybody."""
        run, began = desk.plan.run, time.process_time()
        library, verdict = Library(desk.plan, desk.store), run.verdicts[self.method]
        crowd = crowd_of(run.case, sides_of(desk, library, self.task), self.task)
        alone = liken_keys(verdict, desk.plan, self.task, desk.store)
        crowd = replace(crowd, likenesses=recalled(alone, verdict, desk.store))
        try:
            prepared = prepare(verdict, crowd, run.seed)
            made = judged(verdict, prepared, crowd, run.case)
        except Unavailable as error:
            yield Reason(self.keys[0], str(error))
            return
        rows = [json.dumps(to_plain(v), ensure_ascii=False, allow_nan=False) for v in made]
        how: dict[str, Any] = {COST: time.process_time() - began}
        known = [o for o in without_lineage(run.case.origins, "") if o.model in crowd.sides]
        fitted = verdict.calibrated(prepared, known, time.strftime("%Y-%m-%d", time.gmtime()))
        if fitted is not None:
            fitted = replace(fitted, errors=errors_of(made, run.case.origins))
            how[_FITTED] = to_plain(fitted)
        yield Entry(self.keys[0], pa.table({"verdict": rows}), {"verdict": verdict.name}, how)


def weighed(verdict: AbstractVerdict, crowd: Crowd, case: Case, seed: int) -> list[Verdict]:
    """What a method says of every model of a crowd, each with its own lineage left out. Raises Unavailable."""
    return judged(verdict, prepare(verdict, crowd, seed), crowd, case)


def prepare(verdict: AbstractVerdict, crowd: Crowd, seed: int) -> Any:
    """What a method makes once for all suspects. Raises Unavailable."""
    rng = np.random.default_rng([seed, int(draw_seed(verdict.name)[:8], 16)])
    return verdict.prepare(crowd, rng)


def judged(verdict: AbstractVerdict, prepared: Any, crowd: Crowd, case: Case) -> list[Verdict]:
    """The same of what was prepared."""
    origins = {o.model: o for o in case.origins}
    made = []
    for suspect in crowd.sides:
        known = [o for o in without_lineage(case.origins, suspect) if o.model in crowd.sides]
        origin = origins.get(suspect)
        n = n_answered(crowd, suspect, verdict)
        for opinion in _opinions(verdict, prepared, suspect, known, crowd):
            if suspect in crowd.families[opinion.family]:
                continue
            truth = origin.learned_from(opinion.family) if origin else None
            made.append(Verdict(verdict.name, crowd.task, suspect, opinion, n, truth))
    return settled(made, case.origins)


def n_answered(crowd: Crowd, model: str, verdict: AbstractVerdict) -> int:
    """Prompts that a model answered, in options or in words, as the verdict looks at them."""
    if verdict.looks_at is View.CHOICES:
        return int(choice_table(crowd.sides[model]).answered.sum())
    return crowd.n_answered(model, read=verdict.reads_tokens)


def _opinions(
    verdict: AbstractVerdict, prepared: Any, suspect: str, known: Sequence[Origin], crowd: Crowd
) -> list[Opinion]:
    """What a method says of one suspect; its reason for every family where it has nothing to say."""
    try:
        return verdict.weigh(prepared, suspect, known)
    except Unavailable as error:
        return [
            Opinion(family, own[0], None, "cannot tell", reason=str(error), is_told=False)
            for family, own in crowd.families.items()
        ]


def weigh(plan: Plan, store: Store) -> Made:
    """Weighs what is not weighed yet, and grows the trees that are not there."""
    executor = plan.run.executor.suited(os.cpu_count() or 1)
    return make_all(plan, store, partial(_jobs, store), executor)


@dataclass(frozen=True)
class Weighed:
    """What the verdicts of a run say, and why some say nothing."""

    verdicts: tuple[Verdict, ...]
    missing: tuple[str, ...]
    # method -> seconds of all its tasks, the reading of tokens included; None where some were not measured
    cpu_s: Mapping[str, float | None]
    # "method on task" -> the odds that it fitted, for later runs
    calibrations: Mapping[str, Any]


def verdicts_of(plan: Plan, store: Store) -> Weighed:
    """The stored verdicts of a run, method by method."""
    made: list[Verdict] = []
    missing = []
    cpu_s: dict[str, float | None] = {}
    calibrations: dict[str, Any] = {}
    for method, task, key in cells(plan, store):
        if store.has(key):
            rows = store.table(key)["verdict"].to_pylist()
            made += [from_plain(Verdict, json.loads(row)) for row in rows]
            if fitted := store.provenance(key).get(_FITTED):
                calibrations[f"{method} on {task}"] = fitted
            alone = liken_keys(plan.run.verdicts[method], plan, task, store)
            own = (key, *_tokens(plan, store, method, task), *alone.values())
            spent = [store.provenance(k).get(COST) for k in own if store.has(k)]
            cpu_s[method] = _total([cpu_s.get(method, 0.0), *spent])
        else:
            missing.append(f"{method} on {task}: {store.failure(key) or 'not weighed'}")
    return Weighed(tuple(made), tuple(missing), cpu_s, calibrations)


def _total(seconds: Sequence[float | None]) -> float | None:
    known = [s for s in seconds if s is not None]
    return sum(known) if len(known) == len(seconds) else None


def cells(plan: Plan, store: Store) -> Iterator[tuple[str, str, str]]:
    """Method, task and key of everything that is to be weighed, as far as answers are there."""
    for method, verdict in plan.run.verdicts.items():
        for task in plan.run.tasks:
            there = answered(plan, task, store)
            if there and plan.fits(task, frozenset({verdict.looks_at})):
                yield method, task, _key(verdict, plan.run, there)


def _key(verdict: AbstractVerdict, run: Run, there: Sequence[Collection]) -> str:
    """Digest of what determines the verdicts of a method: its code and fields, all answers, and what is documented."""
    answers = [(c.model, c.key, c.requests_key) for c in there]
    case = (sorted(run.case.origins, key=lambda o: o.model), run.case.families)
    return digest("verdicts", SCHEMA, code_of(verdict), vars(verdict), run.seed, answers, case)


def code_of(verdict: AbstractVerdict) -> str:
    """Digest of the code that decides what a method says."""
    alone = ("harness.stages.weigh", "harness.stages.crowds", "harness.panel.texts")
    used = (type(verdict).__module__, "harness.panel.rates", "harness.text.clean")
    return code_digest(*used, alone=(*alone, "harness.panel.evidence"))


def _tokens(plan: Plan, store: Store, method: str, task: str) -> dict[str, Collection]:
    """Key of the tokens -> the answers that they are of, for a method that reads them."""
    there = answered(plan, task, store) if plan.run.verdicts[method].reads_tokens else []
    return {tokens_key_of(plan, c): c for c in there}


def _jobs(store: Store, plan: Plan, lacks: Lacks) -> list[Job]:
    """One job for each method and task, and before them those for tokens and for likenesses; and the trees."""
    jobs: dict[str, Job] = {j.keys[0]: j for j in tree_jobs(store, plan, lacks)}
    for method, task, key in cells(plan, store):
        if not lacks(key):
            continue
        there = answered(plan, task, store)
        needs = _tokens(plan, store, method, task)
        jobs |= {k: tokens_job(k, c) for k, c in needs.items() if lacks(k)}
        if alone := liken_jobs(method, plan, task, store, lacks):
            jobs |= {j.keys[0]: j for j in alone}
            continue
        jobs[key] = WeighJob(
            (key,),
            f"{method} on {task}",
            method,
            {Sort(method): float(len(there))},
            needs=tuple(needs),
            apart=True,
            method=method,
            task=task,
        )
    return list(jobs.values())
