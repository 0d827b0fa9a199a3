"""One run through its stages; the exit code says how it went."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.board.cautions import left_out_line, noted, without_number
from harness.board.jsons import note_spent
from harness.board.record import RunRecord
from harness.board.replies import of_answers
from harness.board.spent import spent_line
from harness.console.columns import in_columns
from harness.console.foreign import VERBOSE
from harness.console.progress import account, accounting, overhearing, say, say_aside, spent
from harness.plan.collections import Plan
from harness.plan.lacking import without_lacking
from harness.plan.run import Run
from harness.stages import gate
from harness.stages.again import Finished, say_again
from harness.stages.ahead import prepare, start_server
from harness.stages.ask import build_requests
from harness.stages.at_hand import at_hand
from harness.stages.audit import audit_rows
from harness.stages.bundle import PLAN
from harness.stages.checks import Checked, Remark, publish
from harness.stages.collect import collect
from harness.stages.exhibit import check_before, write_exhibit
from harness.stages.finished import recall, remember, surroundings
from harness.stages.loop import Made
from harness.stages.marks import count_marks
from harness.stages.objective import objective_of
from harness.stages.outlook import outlook
from harness.stages.preview import HEADS, planned, preview
from harness.stages.record import count_work, make_record
from harness.stages.registered import check_free, register, registered
from harness.stages.report import lacks_parts, stored_answers, write_report
from harness.stages.score import score
from harness.stages.spilled import spilled
from harness.stages.tracking import track
from harness.stages.weigh import weigh
from harness.store.code_memo import remembered_code
from harness.store.damage import Damaged
from harness.store.looks import looks
from harness.store.store import Store
from harness.types import DistillbenchError

DONE, GATE_FAILED, WRONG_INPUT, CELLS_MISSING, OUR_FAULT = 0, 1, 2, 3, 70


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    record: RunRecord | None  # None where nothing was scored, or the report stands as it was
    remarks: tuple[Remark, ...] = ()
    # a gate's conditions in words -> whether they were looked at
    conditions: Mapping[str, bool] = field(default_factory=dict)
    objective: float | None = (
        None  # what a sweeper optimises; None where nothing is, or it has no value
    )


def execute(run: Run, reference: Path, *, alone: bool) -> Outcome:
    """Runs the stages that were asked for, or says what they would do.

    alone: False leaves the page and all remarks to the end of the sweep.
    Where something stored turns out to be damaged the run begins again, once, and reads every entry before it relies on
    it. Raises DistillbenchError where the input is wrong.
    """
    run, store = without_lacking(run), Store(run.paths.results, run.paths.lock)
    if run.left_out:
        say(f"warning: {left_out_line(run.left_out)}")
    if "plan" in run.stages:
        with remembered_code(run.paths.cache):
            return _previewed(run, store)
    reference = run.baseline or reference
    _check_before(run, reference, alone=alone)
    with store.in_use(), remembered_code(run.paths.cache), accounting():
        return _begun_again(run, store, reference, alone=alone)


def _begun_again(run: Run, store: Store, reference: Path, *, alone: bool) -> Outcome:
    """The outcome of the stages; begun again, once, where something stored is damaged."""
    try:
        return _executed(run, store, reference, alone=alone)
    except Damaged as error:
        say(f"warning: {error.said}; what it held is made again")
    return _executed(run, replace(store, closely=True), reference, alone=alone)


def _executed(run: Run, store: Store, reference: Path, *, alone: bool) -> Outcome:
    """The outcome of the stages; raises Damaged where something stored is damaged, and is set aside by then."""
    if "collect" in run.stages:
        store.tidy()
    begun = start_server(run, store)
    made = build_requests(run, store)
    if begun:
        prepare(run)
    place = surroundings(run, reference) if alone and not run.exhibit else None
    seen = looks([run.paths.results, run.paths.cache])
    before = recall(store, made.plan, place) if place else None
    if place and before is not None:
        say_again(before, store.root)
        remember(store, made.plan, place, before, seen)
        return Outcome(before.code, None, before.remarks, before.conditions, before.objective)
    fixed = registered(made.plan, store, run.exhibit) if run.exhibit else None
    if "collect" in run.stages:
        for line in outlook(made.plan, store):
            say(f"warning: {line}")
        made = made.and_then(collect(made.plan, store))
    said = list[str]()
    with overhearing(said):
        for line in spilled(made.plan, store):
            say(f"warning: {line}")
    code = _missing(made.plan, store)
    if not {"score", "report", "gate"} & set(run.stages):
        return Outcome(_ours(made, code), None)
    made, record, code = _scored(made, store, code)
    with overhearing(said):
        for line in (*of_answers(record), *noted(record)):
            say(f"warning: {line}")
        ended = _judged(run, record, _ours(made, code), reference)
        if not alone:
            return ended
        ended = _shown(ended, run, store)
    if "report" in run.stages:
        note_spent(run.paths.results / "report", spent())
    if run.exhibit:
        _hand_out(made.plan, store, record, run.exhibit, fixed)
    if place and ended.code in (DONE, GATE_FAILED) and "report" in run.stages:
        how = (ended.code, tuple(said), ended.remarks, ended.conditions, ended.objective)
        remember(store, made.plan, place, Finished(*how), seen)
    return ended


def _check_before(run: Run, reference: Path, *, alone: bool) -> None:
    """Raises DistillbenchError where the end of the run could not be as asked: now rather than hours later."""
    check_before(run.exhibit, alone=alone)
    conditions = gate.applying(run.conditions, run.settings)
    gate.targets(conditions, reference)
    if alone and run.conditions and not conditions:
        raise DistillbenchError(f"gate: {gate.unasked(run.conditions)}")


def _scored(made: Made, store: Store, code: int) -> tuple[Made, RunRecord, int]:
    """What is made after grading, the record of it all, and the code so far."""
    made = made.and_then(count_marks(made.plan, store))  # which scoring then need not find out
    scored = score(made.plan, store)
    if any(e.error for e in scored.made.ended):
        code = CELLS_MISSING
    made = made.and_then(scored.made)
    work = count_work(made, scored.keys, store)
    for stage in (weigh, audit_rows):
        made = made.and_then(stage(made.plan, store))
    record = make_record(made.plan, store, scored.scores, work)
    return made, replace(record, spent=spent()), code


def _previewed(run: Run, store: Store) -> Outcome:
    """Says what the run would do."""
    plan = build_requests(run, store).plan if "build" in run.stages else planned(run, store)
    there = at_hand(plan, store)
    said = preview(there.plan, store)
    table = in_columns([HEADS, *said.rows], range(1, len(HEADS)))
    for line in (*table, *there.notes(), *said.notes):
        say(line)
    for line in said.warnings:
        say(f"warning: {line}")
    if run.exhibit:
        check_free(run.exhibit)
        digest = register(plan, store, run.exhibit)
        say(
            f"the plan: {run.exhibit / PLAN}, sha256 {digest}; write the digest down somewhere else"
        )
    return Outcome(DONE, None)


def _hand_out(
    plan: Plan, store: Store, record: RunRecord, folder: Path, fixed: bytes | None
) -> None:
    """Writes the bundle about the suspect, and says the digest that it cannot protect itself."""
    digest = write_exhibit(plan, store, record, folder, fixed)
    say(f"the bundle: {folder}; check it with: distillbench verify {folder}")
    say(f"digest of its manifest: {digest}; write it down somewhere else")


def _ours(made: Made, code: int) -> int:
    """The exit code; a bug of ours takes precedence over it."""
    if not made.our_fault:
        return code
    folder = made.plan.run.paths.results / "failures"
    say(f"a fault of distillbench; its traceback stands in {folder}; please report it")
    return OUR_FAULT


def _judged(run: Run, record: RunRecord, code: int, reference: Path) -> Outcome:
    """The outcome according to the scores: whether there is a number, and whether every condition holds."""
    remarks, codes = [], [code]
    empty = without_number(record)
    if empty:
        remarks.append(Remark("warning", empty))
        codes.append(CELLS_MISSING)
    if run.conditions and "gate" in run.stages:
        conditions = gate.applying(run.conditions, run.settings)
        broken = gate.broken_conditions(conditions, record, reference)
        remarks += [Remark("gate", line, c.whole, c.tier) for c, line in broken]
        failed = any(c.tier == "must" for c, _ in broken)
        if not failed:
            lost = {c.whole for c, _ in broken}
            remarks.append(Remark("gate", _held(len(conditions), len(lost))))
        codes.append(GATE_FAILED if failed else DONE)
    elif "gate" in run.settings or VERBOSE in os.environ:  # none is the rule, and no news
        remarks.append(Remark("gate", "none was named, so nothing was checked"))
    looked_at = {c.whole: gate.applies(c, run.settings) for c in run.conditions}
    return Outcome(worst(codes), record, tuple(remarks), looked_at, objective_of(run, record))


def _held(n: int, lost: int) -> str:
    """The line of a gate that is not broken; `lost` = conditions that should hold and do not."""
    if lost:
        return f"what must hold does: {n - lost} of {n} conditions hold"
    if n == 0:
        return "no condition is about this job"
    return "its one condition holds" if n == 1 else f"all {n} conditions hold"


def _shown(ended: Outcome, run: Run, store: Store) -> Outcome:
    """The outcome, once the page of the run is written and its remarks are said, the gate's last."""
    assert ended.record is not None
    code = ended.code
    if "report" in run.stages:
        folder = run.paths.results / "report"
        started = time.perf_counter()
        page = write_report(ended.record, folder, stored_answers([store]))
        account("page_s", time.perf_counter() - started)
        say_aside(spent_line(spent()))
        say(f"the page: {page}")
        track(ended.record, page)
        code = OUR_FAULT if lacks_parts(folder) else code
    for remark in ended.remarks:
        say(remark.line())
    publish([Checked("", ended.conditions, ended.remarks)], run.paths.results / "report")
    return replace(ended, code=code)


def worst(codes: list[int]) -> int:
    """The code that a sweep exits with."""
    return max(codes, key=_severity, default=DONE)


def _severity(code: int) -> int:
    return (DONE, CELLS_MISSING, GATE_FAILED, WRONG_INPUT, OUR_FAULT).index(code)


def _missing(plan: Plan, store: Store) -> int:
    """Reports what is missing and why; returns the exit code."""
    known = [c for c in plan.collections if c.summary.built]
    missing = [c for c in known if not store.has(c.key)]
    unbuilt = [s for s in plan.sets if s.summary is None]
    if not missing and not unbuilt and not plan.pending:
        return DONE
    say(f"{len(missing)} of {len(known)} collections are missing:")
    for c in missing:
        say(f"  {c.model} x {c.task}: {store.failure(c.key) or 'not collected yet'}")
    for asked in unbuilt:
        say(
            f"  everyone x {asked.task}: {store.failure(asked.key) or 'its requests are not built'}"
        )
    for task in plan.pending:
        say(f"  everyone x {task}: it reads answers that are among these")
    return CELLS_MISSING
