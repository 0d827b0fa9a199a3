"""The end of a sweep: its one page, its lines and its exit code, from the list of its jobs alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.board import joined
from harness.board.record import Variant, setting
from harness.cli.exits import ended
from harness.cli.jobs import Job, variants
from harness.cli.jobs import joined as joined_jobs
from harness.console.progress import say
from harness.plugins import use_folders
from harness.stages.checks import Checked, Remark, publish
from harness.stages.report import (
    copy_report,
    lacks_parts,
    set_aside,
    stored_answers,
    write_report,
)
from harness.stages.run import CELLS_MISSING, DONE, OUR_FAULT, WRONG_INPUT, worst
from harness.stages.tracking import track
from harness.store.store import Store
from harness.types import DistillbenchError


def conclude(
    listed: Sequence[Job],
    reports: Sequence[Path],
    *,
    wanted: bool,
    earlier: Sequence[Job] = (),
    tracked: bool = False,
) -> int:
    """The exit code of a sweep, after writing its page and saying what each job has to say.

    `reports` = folders of its page, the first to be written and the others copies; `wanted` = whether it has one;
    `earlier` = jobs that ended before and stand on the page too.
    `tracked` = whether trackers are told.
    """
    if not listed:
        raise DistillbenchError("the sweep has no job: one of its keys has no value to take")
    every = joined_jobs([*earlier, *listed]) if earlier else listed
    own = variants([*earlier, *listed])[len(earlier) :]
    codes = [CELLS_MISSING if job.code is None else job.code for job in listed]
    for job, values in zip(listed, own, strict=True):
        if job.missing and any(j.scored for j in listed):
            say(f"no record of job {job.number}{_of(setting(values))}: {job.missing}")
    if wanted:
        some = any(job.scored for job in every)
        made = ended(lambda: _page(every, reports, tracked=tracked)).code if some else None
        codes.append(made or DONE)
        if made != DONE:
            _say_aside(reports)
        elif lacks_parts(reports[0]):
            codes.append(OUR_FAULT)
    settings = [setting(values) for values in own]
    codes.append(_remarks(listed, settings))
    gates = [
        Checked(setting(values), job.conditions, job.remarks)
        for job, values in zip(every, variants(every), strict=True)
    ]
    for report in dict.fromkeys(reports[:1] if not wanted else reports):
        publish(gates, report)
    return worst(codes)


def results_of(listed: Sequence[Job]) -> list[Path]:
    """The folders `paths.results` of the jobs that left a record."""
    return [Path(r) for r in dict.fromkeys(job.results for job in listed if job.scored)]


def _of(words: str) -> str:
    return f" ({words})" if words else ""


def _page(listed: Sequence[Job], reports: Sequence[Path], *, tracked: bool) -> int:
    use_folders([Path(p) for p in dict.fromkeys(p for job in listed for p in job.plugins)])
    told: dict[Variant, joined.Job] = {}
    for job, values in zip(listed, variants(listed), strict=True):
        told.setdefault(values, joined.Job(values, job.record(), job.missing))
    record = joined.join(list(told.values()))
    for key in joined.idle_seeds(record):
        say(
            f"{key}: its values change no answer (nothing is drawn at random), so each was asked for once"
        )
    stores = [Store(folder, True) for folder in results_of(listed)]
    page = write_report(record, reports[0], stored_answers(stores))
    if tracked:
        track(record, page)
    for copy in reports[1:]:
        copy_report(reports[0], copy)
    n = len(told)
    say(f"the page of {n} job{'s' * (n > 1)}: {reports[-1] / page.name}")
    return DONE


def _say_aside(reports: Sequence[Path]) -> None:
    for report in reports:
        moved = set_aside(report)
        if moved is not None:
            say(f"there is no page of this sweep; that of an earlier run is now in {moved}")


def _remarks(listed: Sequence[Job], settings: Sequence[str]) -> int:
    """Says every job's remarks with its values; the code of those that are the sweep's own.

    Where some jobs have a gate, one without scores has no answer, and a condition that no job was looked at for is one.
    """
    gated = any(r.about == "gate" and job.conditions for job in listed for r in job.remarks)
    for job, words in zip(listed, settings, strict=True):
        own = job.remarks if gated else tuple(r for r in job.remarks if r.about != "gate")
        if gated and not job.scored:
            how = "it did not end" if job.code is None else f"this job ended with {job.code}"
            own = (*own, Remark("gate", f"no condition was looked at: {how}"))
        for remark in own:
            say(remark.line(words))
    if not gated:
        ungated = dict.fromkeys(r for job in listed for r in job.remarks if r.about == "gate")
        for remark in ungated:
            say(remark.line())
        return DONE
    looked_at: dict[str, bool] = {}
    for job in listed:
        for words, looked in job.conditions.items():
            looked_at[words] = looked_at.get(words, False) or looked
    lost = [words for words, looked in looked_at.items() if not looked]
    for words in lost:
        say(Remark("gate", f"{words}: no condition was looked at: no job has these values").line())
    return WRONG_INPUT if lost else DONE
