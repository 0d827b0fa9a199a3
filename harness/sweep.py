"""Sweeps: every job leaves a job.json, and after the last one page shows them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from harness.composition import drop_multirun_file
from harness.progress import say
from harness.record import join_records, record_from_json, record_to_json
from harness.records import RunRecord
from harness.report import write_report
from harness.run import OUR_FAULT, worst
from harness.secrets import redacted
from harness.types import DistillbenchError, Side

_ended: list[int] = []


def happened() -> bool:
    """Whether this process ran a sweep to its end."""
    return bool(_ended)


def code() -> int:
    """The worst exit code of the sweep's jobs and of its page."""
    return worst(_ended)


def leave_job(job_code: int, record: RunRecord | None) -> None:
    """Writes what one job found into its own folder, for the page at the end."""
    hydra = HydraConfig.get()
    overrides = dict(o.split("=", 1) for o in hydra.overrides.task if "=" in o)
    found = record_to_json(redacted(record)) if record else None
    content = {"code": job_code, "overrides": redacted(overrides), "record": found}
    folder = Path(hydra.runtime.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(content, sort_keys=True))


class OnePage(Callback):  # type: ignore[misc]
    """Hydra's callback: makes the one page of a sweep."""

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """The sweeper has just written the whole configuration; every job keeps a redacted one of its own."""
        drop_multirun_file(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Gathers the jobs and writes their page; an exception here would only be a warning, so none leaves."""
        folder = Path(config.hydra.sweep.dir)
        results = Path(config.paths.results).expanduser().absolute()
        stages = list(config.stages)
        try:
            _ended.extend(_finish(folder, results, "report" in stages))
        except (DistillbenchError, OSError) as error:
            say(f"error: {error}")
            _ended.append(2 if isinstance(error, DistillbenchError) else OUR_FAULT)


def _finish(folder: Path, results: Path, report: bool) -> list[int]:
    jobs = [json.loads(p.read_text()) for p in sorted(folder.glob("*/job.json"), key=lambda p: int(p.parent.name))]
    records = [(record_from_json(j["record"], _no_answers), j["overrides"]) for j in jobs if j["record"]]
    codes = [int(j["code"]) for j in jobs]
    if not codes:
        return [OUR_FAULT]
    if records and report:
        variants = swept([overrides for _, overrides in records])
        joined = join_records([record for record, _ in records], variants)
        say(f"the page of {len(records)} jobs: {write_report(joined, results / 'report')}")
    return codes


def swept(overrides: Sequence[Mapping[str, str]]) -> list[tuple[tuple[str, str], ...]]:
    """Per job, the keys whose values differ between jobs, with its own values."""
    keys = sorted({k for o in overrides for k in o})
    varying = [k for k in keys if len({o.get(k, "") for o in overrides}) > 1]
    return [tuple((k.lstrip("+"), o.get(k, "")) for k in varying) for o in overrides]


def _no_answers(model: str, task: str, sample: int) -> Side | None:
    """Samples are shown on the pages of single runs, where a model answers a task one way."""
    return None
