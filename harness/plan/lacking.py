"""A run without the tasks whose data are not there, where that is asked for."""

from __future__ import annotations

from dataclasses import replace

from harness.plan.identities import chats_of, setting_of
from harness.plan.run import Run
from harness.types import DistillbenchError


def without_lacking(run: Run) -> Run:
    """The run without tasks that lack data, and those that read their answers; the same where `skip_missing` is false.

    Raises DistillbenchError where no task is left.
    """
    if not run.skip_missing:
        return run
    out = {name: lack for name in run.tasks if (lack := _lack(run, name))}
    for name, task in run.tasks.items():
        if (read := task.reads()) in out:
            out[name] = f"it reads answers to {read}, which was left out"
    if not out:
        return run
    left = {name: task for name, task in run.tasks.items() if name not in out}
    if not left:
        raise DistillbenchError("\n".join([*out.values(), "skip_missing: no task is left"]))
    return replace(run, tasks=left, left_out=out)


def _lack(run: Run, name: str) -> str:
    """Why a task lacks data, in one line; "" where it does not."""
    task = run.tasks[name]
    chats = chats_of(run, name) if task.reads() is None else []
    lacks = [line for chat in chats[:1] for line in task.lacks(setting_of(run, task, chat))]
    return "; ".join(dict.fromkeys(lacks))
