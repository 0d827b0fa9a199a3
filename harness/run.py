"""One run through its stages; the exit code says how it went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import gate
from harness.collect import collect
from harness.matrix import Run
from harness.plan import Plan, make_plan
from harness.progress import say
from harness.record import make_record
from harness.records import RunRecord
from harness.report import write_report
from harness.score import score
from harness.spilled import spilled
from harness.store import Store
from harness.types import DistillbenchError

DONE, GATE_FAILED, WRONG_INPUT, CELLS_MISSING, OUR_FAULT = 0, 1, 2, 3, 70


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    record: RunRecord | None  # None where nothing was scored


def execute(run: Run, reference: Path, *, alone: bool) -> Outcome:
    """Runs the stages that were asked for; `alone` = False leaves report and gate to the end of the sweep.

    Raises DistillbenchError where the input is wrong.
    """
    faults = gate.faults(run.conditions)
    if faults:
        raise DistillbenchError("\n".join(faults))
    store = Store(run.paths.results, run.lock)
    plan = make_plan(run, store, say)
    if "collect" in run.stages:
        collect(plan, store)
        if plan.pending:  # reading tasks: what their authors wrote is there only now
            plan = make_plan(run, store, say)
            collect(plan, store)
    for line in spilled(plan, store):
        say(f"warning: {line}")
    code = _missing(plan, store)
    if not {"score", "report", "gate"} & set(run.stages):
        return Outcome(code, None)
    record = make_record(plan, store, score(plan, store))
    if alone and "report" in run.stages:
        say(f"the page: {write_report(record, run.paths.results / 'report')}")
    if alone and "gate" in run.stages:
        code = max(code, judge(run, record, reference), key=_severity)
    return Outcome(code, record)


def judge(run: Run, record: RunRecord, reference: Path) -> int:
    """The gate's verdict, with one line for every broken condition."""
    lines = gate.broken_conditions(run.conditions, record.scores, reference)
    for line in lines:
        say(f"gate: {line}")
    if run.conditions and not lines:
        say(f"gate: all {len(run.conditions)} conditions hold")
    return GATE_FAILED if lines else DONE


def worst(codes: list[int]) -> int:
    """The code that a sweep exits with."""
    return max(codes, key=_severity, default=DONE)


def _severity(code: int) -> int:
    return (DONE, CELLS_MISSING, GATE_FAILED, WRONG_INPUT, OUR_FAULT).index(code)


def _missing(plan: Plan, store: Store) -> int:
    missing = [c for c in plan.cells if not store.has(c.key)]
    if not missing:
        return DONE
    say(f"{len(missing)} of {len(plan.cells)} collections are missing:")
    for planned in missing:
        why = store.failure(planned.key) or "not collected yet"
        say(f"  {planned.cell.model} x {planned.cell.task}: {why}")
    for task in plan.pending:
        say(f"  everyone x {task}: it reads answers that are among these")
    return CELLS_MISSING
