"""`distillbench report SWEEP ...`: one page from the lists of sweeps that have ended, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.cli import jobs
from harness.cli.gathering import conclude, results_of
from harness.cli.jobs import Job
from harness.console.progress import say
from harness.types import DistillbenchError

_RESULTS = "paths.results="
_USAGE = (
    "distillbench report SWEEP ... [paths.results=DIR]: each SWEEP is the folder of a sweep, such as "
    "results/sweeps/DATE"
)


def report_again(words: Sequence[str]) -> int:
    """The exit code of all jobs of the sweeps, after their one page; of equal jobs the last with a record counts."""
    if not words or {"-h", "--help"} & set(words):
        say(_USAGE)
        return 0 if words else 2
    places = [Path(w.removeprefix(_RESULTS)) for w in words if w.startswith(_RESULTS)]
    listed = _joined(
        [job for w in words if not w.startswith(_RESULTS) for job in _jobs_in(Path(w))]
    )
    results = places[-1:] or results_of(listed) or [Path("results")]
    return conclude(listed, [place.absolute() / "report" for place in results], wanted=True)


def _jobs_in(folder: Path) -> list[Job]:
    lists = jobs.lists_in(folder) or [f for f in (folder, folder.parent) if jobs.is_list(f)][:1]
    if not lists:
        raise DistillbenchError(
            f"{folder}: expected the folder of a sweep, found no list of jobs in it; {_USAGE}"
        )
    return [job for place in lists for job in jobs.read(place)]


def _joined(listed: Sequence[Job]) -> list[Job]:
    """The jobs in order, each once."""
    once: dict[frozenset[tuple[str, str]], Job] = {}
    for job in listed:
        key = frozenset(job.overrides.items())
        if job.scored or key not in once or not once[key].scored:
            once[key] = job
    return [replace(job, number=i) for i, job in enumerate(once.values())]
