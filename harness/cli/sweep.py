"""Sweeps: every job leaves a file; after the last one page shows them all, and every gate answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from harness.board.saved import read_record, write_record
from harness.cli.composition import drop_multirun_file
from harness.cli.exits import coded
from harness.console.progress import say
from harness.console.secrets import redacted
from harness.plugins import use_folders
from harness.stages.record import join_records
from harness.stages.report import stored_answers, write_report
from harness.stages.run import DONE, Outcome, Remark, worst
from harness.store.store import Store
from harness.types import DistillbenchError

_JOB = "job.json"  # beside the record of the job, in a folder of its own
_ended: list[int] = []


def happened() -> bool:
    """Whether this process ran a sweep to its end."""
    return bool(_ended)


def code() -> int:
    """The worst exit code of the sweep's jobs and of its page."""
    return worst(_ended)


def check_callback() -> None:
    """Raises DistillbenchError if the callback is missing: jobs would not be gathered, nor gates checked."""
    callbacks = HydraConfig.get().callbacks or {}
    if not any(
        c.get("_target_") == f"{OnePage.__module__}.{OnePage.__name__}" for c in callbacks.values()
    ):
        raise DistillbenchError(
            "hydra.callbacks.one_page: a sweep needs it for its page and its exit code; leave it in"
        )


def leave_job(job_code: int, outcome: Outcome | None) -> None:
    """Writes the record of one job and its remarks into the sweep's folder, whatever the job's own folder is called."""
    hydra = HydraConfig.get()
    overrides = dict(o.split("=", 1) for o in hydra.overrides.task if "=" in o)
    record = redacted(outcome.record) if outcome else None
    remarks = [[r.about, r.text] for r in outcome.remarks] if outcome else []
    content = {
        "code": job_code,
        "overrides": redacted(overrides),
        "scored": record is not None,
        "remarks": remarks,
    }
    folder = _jobs(Path(hydra.runtime.cwd, hydra.sweep.dir)) / str(hydra.job.num)
    folder.mkdir(parents=True, exist_ok=True)
    if record is not None:
        write_record(record, folder)
    (folder / _JOB).write_text(json.dumps(content, sort_keys=True))


class OnePage(Callback):  # type: ignore[misc]
    """Hydra's callback: makes the one page of a sweep.

    Hydra turns what a callback raises into a warning, so it never raises: every failure becomes an exit code.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Removes what an older sweep left in the same folder."""
        code_of_start = coded(lambda: _clear(_jobs(Path(config.hydra.sweep.dir))))
        _ended.extend([code_of_start] if code_of_start else [])

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """The sweeper has just written the whole configuration; every job keeps a redacted one of its own."""
        drop_multirun_file(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Gathers the jobs, writes their page and says what their gates say."""
        jobs: list[dict[str, Any]] = []
        _ended.append(coded(lambda: _gather(_jobs(Path(config.hydra.sweep.dir)), jobs)))
        if jobs:
            _ended.append(coded(lambda: _page(jobs, config)))
            _ended.append(coded(lambda: _say_remarks(jobs)))


def _jobs(folder: Path) -> Path:
    """Where the jobs of a sweep leave their records."""
    return folder / "jobs"


def _clear(folder: Path) -> int:
    if folder.is_dir():
        shutil.rmtree(folder)
    return DONE


def _gather(folder: Path, jobs: list[dict[str, Any]]) -> int:
    """Adds what the jobs left to `jobs`; the worst of their codes."""
    paths = sorted(folder.glob(f"*/{_JOB}"), key=lambda p: int(p.parent.name))
    if not paths:
        raise DistillbenchError("the sweep has no job: one of its keys has no value to take")
    jobs.extend({**json.loads(p.read_text()), "folder": p.parent} for p in paths)
    return worst([int(job["code"]) for job in jobs])


def _page(jobs: Sequence[Mapping[str, Any]], config: DictConfig) -> int:
    scored = [j for j in jobs if j["scored"]]
    if scored and "report" in config.stages:
        asked = config.paths.plugins
        plugins = [asked] if isinstance(asked, str) else asked
        use_folders([Path(p).expanduser().absolute() for p in plugins])
        records = [read_record(j["folder"]) for j in scored]
        joined = join_records(records, swept([j["overrides"] for j in scored]))
        results = Path(config.paths.results).expanduser().absolute()
        read = stored_answers(Store(results, bool(config.paths.lock)))
        say(f"the page of {len(scored)} jobs: {write_report(joined, results / 'report', read)}")
    return DONE


def _say_remarks(jobs: Sequence[Mapping[str, Any]]) -> int:
    """Says every job's remarks with its swept values; where some jobs have a gate, one without scores has no answer."""
    remarks = [[Remark(*r) for r in job["remarks"]] for job in jobs]
    gated = any(r.about == "gate" for job in remarks for r in job)
    variants = swept([job["overrides"] for job in jobs])
    for job, own, variant in zip(jobs, remarks, variants, strict=True):
        if gated and not job["scored"]:
            own = [
                *own,
                Remark("gate", f"no condition was looked at: this job ended with {job['code']}"),
            ]
        for remark in own:
            say(remark.line(" ".join(f"{k}={v}" for k, v in variant)))
    return DONE


def swept(overrides: Sequence[Mapping[str, str]]) -> list[tuple[tuple[str, str], ...]]:
    """Per job, the keys whose values differ between jobs, with its own values."""
    keys = sorted({k for o in overrides for k in o})
    varying = [k for k in keys if len({o.get(k, "") for o in overrides}) > 1]
    return [tuple((k.lstrip("+"), o.get(k, "")) for k in varying) for o in overrides]
