"""The record of a sweep, made from those of its jobs. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.board.cautions import without_number
from harness.board.columns import reserved
from harness.board.record import (
    CollectionRecord,
    Facts,
    JobRecord,
    MetricNote,
    RunRecord,
    Variant,
    setting,
    settings_among,
)
from harness.types import DistillbenchError


class Job(NamedTuple):
    """One job of a sweep that has ended, or that never began."""

    values: Variant  # of the swept keys
    record: RunRecord | None  # None where it gave none
    missing: str = ""  # why it gave none


def join(jobs: Sequence[Job]) -> RunRecord:
    """One record for all jobs of a sweep; a swept key that a promised column is called like gets a `+` in front.

    Raises DistillbenchError where two jobs have the same values, or no job has a record.
    """
    if len({job.values for job in jobs}) < len(jobs):
        raise DistillbenchError(
            "two jobs of a sweep have the same values: nothing tells them apart"
        )
    records = [job.record for job in jobs if job.record is not None]
    if not records:
        raise DistillbenchError("no job of the sweep gave a record: there is nothing to show")
    taken = reserved(name for record in records for m in record.metrics for name in _shown(m))
    named = [job._replace(values=_renamed(job.values, taken)) for job in jobs]
    told = [(job.values, job.record) for job in named if job.record is not None]
    joined = replace(
        records[0],
        title=" · ".join(dict.fromkeys(r.title for r in records)),
        scores=tuple(replace(s, variant=v) for v, r in told for s in r.scores),
        comparisons=tuple(replace(c, variant=v) for v, r in told for c in r.comparisons),
        changes=tuple(replace(c, variant=v) for v, r in told for c in r.changes),
        models=_in_all([r.models for r in records]),
        tasks=_in_all([r.tasks for r in records]),
        pairs=tuple(dict.fromkeys(p for r in records for p in r.pairs)),
        controls=tuple(dict.fromkeys(c for r in records for c in r.controls)),
        metrics=tuple({m.name: m for r in records for m in r.metrics}.values()),
        collections=_collections(told),
        lineages={k: v for r in records for k, v in r.lineages.items()},
        recipes={k: v for r in records for k, v in r.recipes.items()},
        judges={k: v for r in records for k, v in r.judges.items()},
        left_out={k: v for r in records for k, v in r.left_out.items()},
        differences=tuple(dict.fromkeys(d for r in records for d in r.differences)),
        work=tuple(w for r in records for w in r.work),
        spent=_summed(r.spent for r in records),
        verdicts=(),
        case=None,
        audits=(),
        variants=tuple(dict.fromkeys(k for job in named for k, _ in job.values)),
        jobs=tuple(_job(job) for job in named),
    )
    return replace(joined, warnings=tuple(_warnings(joined, named)))


def _summed(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Where the time of all jobs went."""
    total: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        for name, number in part.items():
            total[name] += number
    return dict(total)


def _shown(note: MetricNote) -> list[str]:
    """A measure and its parts that the leaderboard may show."""
    return [note.name, *(f"{note.name}/{c.part}" for c in note.leaderboard if c.part)]


def idle_seeds(record: RunRecord) -> list[str]:
    """Swept seeds that change no answer, such as those of greedy decoding."""
    asked = {v: frozenset(c.key for c in run.collections) for v, run in record.runs().items()}
    idle = []
    for key in record.variants:
        groups: dict[Variant, set[frozenset[str]]] = {}
        for variant, keys in asked.items():
            groups.setdefault(tuple(e for e in variant if e[0] != key), set()).add(keys)
        if key.rsplit(".", 1)[-1] == "seed" and all(len(own) == 1 for own in groups.values()):
            idle.append(key)
    return idle


def _renamed(values: Variant, taken: frozenset[str]) -> Variant:
    return tuple((f"+{k}" if k in taken else k, v) for k, v in values)


def _job(job: Job) -> JobRecord:
    if job.record is None:
        return JobRecord(job.values, job.missing or "it gave no record")
    facts = replace(job.record, scores=(), comparisons=(), changes=(), collections=())
    return JobRecord(job.values, facts=facts)


def _in_all(jobs: Sequence[Mapping[str, Facts]]) -> dict[str, Facts]:
    """Name -> the facts that are the same in every job that knows the name."""
    names = dict.fromkeys(name for facts in jobs for name in facts)
    owners = {name: [facts[name] for facts in jobs if name in facts] for name in names}
    return {
        name: {k: v for k, v in own[0].items() if all(facts.get(k) == v for facts in own)}
        for name, own in owners.items()
    }


def _collections(told: Sequence[tuple[Variant, RunRecord]]) -> tuple[CollectionRecord, ...]:
    """Every collection once, with its settings where not all jobs have it."""
    settings: dict[CollectionRecord, list[Variant]] = {}
    for variant, record in told:
        for c in record.collections:
            settings.setdefault(c, []).append(variant)
    return tuple(
        replace(c, variants=tuple(own)) if len(own) < len(told) else c
        for c, own in settings.items()
    )


def _warnings(joined: RunRecord, jobs: Sequence[Job]) -> Iterator[str]:
    """What a careful reader is told first: jobs without a record, then the jobs' own warnings with their values.

    A job without one number says so for itself; the page does only where no job has one.
    """
    empty = without_number(joined)
    if empty:
        yield empty
    for job in jobs:
        if job.record is None:
            yield f"No record of {setting(job.values) or 'the job'}: {job.missing}"
    told = [(job.values, job.record) for job in jobs if job.record is not None]
    owners: dict[str, list[Variant]] = {}
    for variant, record in told:
        for line in record.warnings:
            if not empty or line != without_number(record):
                owners.setdefault(line, []).append(variant)
    for line, own in owners.items():
        words = "; ".join(settings_among(own, [variant for variant, _ in told]))
        yield f"{words}: {line}" if words else line
