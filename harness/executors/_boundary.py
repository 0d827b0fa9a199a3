"""The boundary of a job: its products are written here, and its exceptions end here."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from harness.console.foreign import FAILURES
from harness.console.progress import News, Stage
from harness.executors import Desk, Ended, Job
from harness.plugins import outside_place
from harness.store.damage import Damaged
from harness.types import DistillbenchError, Unavailable

_PACKAGE = Path(__file__).resolve().parents[1]


def carry_out(job: Job, desk: Desk) -> Ended:
    """Makes a job and writes its products; an exception becomes the reason of every key that it has not made.

    The traceback is written to `failures/`. Raises OSError where nothing more can be stored, which ends the run.
    """
    started = time.perf_counter()
    if not job.reports:
        desk.tell(News(job.part, doing=job.title, begun=job.amounts))
    try:
        for product in job.make(desk):
            product.keep(desk.store)
        ended = Ended(job)
    except Damaged as error:
        ended = Ended(job, error.said, damaged=True)
    except (Exception, SystemExit) as error:  # a library that gives up may leave the program
        if isinstance(error, OSError) and desk.store.is_hindered_by(error):
            raise
        ended = _failed(job, desk, error)
    if ended.error and not ended.damaged:
        desk.tell(News(job.part, alarm=f"missing {job.title}: {ended.error}"))
    if not job.reports:
        seconds = time.perf_counter() - started
        known, spent = (
            None if ended.error else seconds,
            {f"{job.doing}_s".replace(" ", "_"): seconds},
        )
        desk.tell(News(job.part, ended=job.amounts, seconds=known, spent=spent))
    return ended


def say_over(done: Sequence[Ended], waiting: Sequence[Job], shown: Stage) -> None:
    """Tells of every part of which nothing is left."""
    for end in done:
        if not any(j.part == end.job.part for j in waiting if j is not end.job):
            shown.hear(News(end.job.part, over=True))


def _failed(job: Job, desk: Desk, error: Exception | SystemExit) -> Ended:
    wrong_input = isinstance(error, (DistillbenchError, Unavailable))
    place = "" if wrong_input else outside_place(error)
    reason = f"{in_one_line(error)} ({place})" if place else in_one_line(error)
    details = "".join(traceback.format_exception(error))
    for key in job.keys:
        if not job.is_done(key, desk.store):
            desk.store.note_failure(key, reason, details)
    theirs = (
        wrong_input
        or bool(place)
        or (job.foreign and (isinstance(error, FAILURES) or not _raised_here(error)))
    )
    return Ended(job, reason, isinstance(error, DistillbenchError), not theirs)


def in_one_line(error: BaseException) -> str:
    """The first line of what an exception says, or its name where it says nothing."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    known = isinstance(error, FAILURES)
    return first if known and first else f"{type(error).__name__}{': ' + first if first else ''}"


def _raised_here(error: BaseException) -> bool:
    """Whether an exception comes from a line of ours, not from one that we call."""
    last = list(_frames(error.__traceback__))[-1:]
    return any(_PACKAGE in Path(name).parents for name in last)


def _frames(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
