"""What a run leaves for its page: scores, how they were made, and what a careful reader asks first."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.board.comparisons import compared
from harness.board.plain import from_plain, to_plain
from harness.board.record import CellRecord, MetricNote, RunRecord
from harness.console.progress import stage
from harness.metrics import AbstractMetric
from harness.panel.panel import Side
from harness.plan.collections import Plan, PlannedCell
from harness.plan.run import Run
from harness.stages.library import Library
from harness.stages.overlap import seen_in_training
from harness.stages.spilled import spilled
from harness.store.store import Store
from harness.types import Score, Unavailable

_FEW_PROMPTS = 200
_PACKAGES = (
    "distillbench",
    "lm-eval",
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
)


@stage("gathering what the page shows")
def make_record(plan: Plan, store: Store, scores: Sequence[Score]) -> RunRecord:
    """The record of one run."""
    run = plan.run
    roles = roles_of(run)
    cells = tuple(_cell_record(run, c, store) for c in plan.cells)
    return RunRecord(
        title=run.title,
        scores=tuple(scores),
        comparisons=compared(scores, roles),
        pairs=run.pairs,
        controls=run.controls,
        roles=roles,
        models={name: _model_facts(plan, name, store) for name in run.models},
        tasks={name: _task_facts(plan, name) for name in run.tasks},
        metrics=tuple(map(note_of, run.metrics.values())),
        cells=cells,
        warnings=tuple(_warnings(plan, store, cells)),
        versions=_versions(),
        answers=answers_from(Library(plan, store)),
    )


def note_of(metric: AbstractMetric) -> MetricNote:
    """What the page says of a measure, and reads from it."""
    says = (metric.unit, metric.better, metric.level, metric.explanation)
    return MetricNote(metric.name, *says, metric.leaderboard, metric.topics, metric.gap_units)


def roles_of(run: Run) -> dict[str, str]:
    """model -> its role: the first of student, teacher, base, control, ceiling that fits."""
    pairs = run.pairs
    sets: dict[str, set[str | None]] = {
        "student": {p.student for p in pairs},
        "teacher": {p.teacher for p in pairs},
        "base": {p.base for p in pairs},
        "control": {c.model for c in run.controls},
        "ceiling": {p.ceiling for p in pairs},
    }
    return {
        m: next((role for role, names in sets.items() if m in names), "other") for m in run.models
    }


def answers_from(library: Library) -> Callable[[str, str, int], Side | None]:
    """A look-up of stored answers that says None where there are none."""

    def answers(model: str, task: str, sample: int) -> Side | None:
        try:
            return library.side(model, task, sample)
        except Unavailable:
            return None

    return answers


def join_records(
    records: Sequence[RunRecord], variants: Sequence[tuple[tuple[str, str], ...]]
) -> RunRecord:
    """One record for all jobs of a sweep; `variants` holds each job's swept keys and values."""
    first = records[0]
    scores = [
        replace(s, variant=v) for r, v in zip(records, variants, strict=True) for s in r.scores
    ]
    comparisons = [
        replace(c, variant=v) for r, v in zip(records, variants, strict=True) for c in r.comparisons
    ]
    return replace(
        first,
        scores=tuple(scores),
        comparisons=tuple(comparisons),
        models={k: v for r in records for k, v in r.models.items()},
        tasks={k: v for r in records for k, v in r.tasks.items()},
        roles={k: v for r in records for k, v in r.roles.items()},
        pairs=tuple(dict.fromkeys(p for r in records for p in r.pairs)),
        controls=tuple(dict.fromkeys(c for r in records for c in r.controls)),
        metrics=tuple({m.name: m for r in records for m in r.metrics}.values()),
        cells=tuple(dict.fromkeys(c for r in records for c in r.cells)),
        warnings=tuple(dict.fromkeys(w for r in records for w in r.warnings)),
        variants=tuple(dict.fromkeys(k for v in variants for k, _ in v)),
    )


def record_to_json(record: RunRecord) -> str:
    """A record without its answers, for the jobs of a sweep."""
    fields = {k: v for k, v in vars(record).items() if k != "answers"}
    return json.dumps(to_plain(fields), sort_keys=True)


def record_from_json(text: str, answers: Callable[[str, str, int], Side | None]) -> RunRecord:
    """The inverse of record_to_json."""
    return replace(from_plain(RunRecord, json.loads(text) | {"answers": None}), answers=answers)


def _cell_record(run: Run, planned: PlannedCell, store: Store) -> CellRecord:
    cell = planned.cell
    blank = CellRecord(
        cell.model,
        cell.task,
        cell.decoding.sample,
        len(planned.requests.requests),
        0,
        0,
        0,
        0,
        0,
        0,
        None,
        "",
    )
    if not store.has(planned.key):
        return replace(blank, missing=store.failure(planned.key) or "not collected yet")
    how = store.provenance(planned.key)
    backend = run.models[cell.model]
    prices = [
        backend.usd_per_hour * how["wall_s"] / 3600 if backend.usd_per_hour is not None else None,
        backend.usd_per_million_tokens * how["n_tokens"] / 1e6
        if backend.usd_per_million_tokens is not None
        else None,
    ]
    known = [p for p in prices if p is not None]
    names = (
        "n_answered",
        "n_tokens",
        "wall_s",
        "latency_p50_s",
        "latency_p95_s",
        "peak_memory_bytes",
    )
    return replace(blank, usd=sum(known) if known else None, **{n: how[n] for n in names})


def _model_facts(plan: Plan, name: str, store: Store) -> dict[str, str | int | float]:
    facts: dict[str, str | int | float] = {
        "kind": plan.run.models[name].kind,
        "digest": plan.model_keys[name],
    }
    for planned in plan.cells:
        if planned.cell.model == name and store.has(planned.key):
            how = store.provenance(planned.key)
            known = ("parameters", "size_bytes", "device", "dtype", "threads")
            return {**facts, **{k: how[k] for k in known if k in how}}
    return facts


def _task_facts(plan: Plan, name: str) -> dict[str, str | int | float]:
    sets = [c.requests for c in plan.cells if c.cell.task == name]
    chats = sorted({c.chat for c in sets})
    return {
        "kind": plan.run.tasks[name].kind,
        "version": sets[0].version if sets else "",
        "n_prompts": len(sets[0].prompts) if sets else 0,
        "chat": " and ".join("conversation" if c else "plain text" for c in chats),
        "yields": " ".join(sets[0].yields) if sets else "",
    }


def _warnings(plan: Plan, store: Store, cells: Sequence[CellRecord]) -> list[str]:
    run = plan.run
    found = [f"{c.model} has no answers to {c.task}: {c.missing}" for c in cells if c.missing]
    found.extend(f"{line}." for line in spilled(plan, store))
    without = sorted({p.student for p in run.pairs if p.base is None})
    if without:
        found.append(
            f"No base for {', '.join(without)}: what came across cannot be told from what was there before."
        )
    if run.pairs and not run.controls:
        found.append(
            "No controls: nothing shows how much of this a model would have that the teacher never taught."
        )
    elif run.pairs and len({c.lineage for c in run.controls}) < 4:
        lineages = len({c.lineage for c in run.controls})
        found.append(
            f"Only {lineages} independent control lineage{'s' * (lineages > 1)}: too few for any claim of provenance."
        )
    few = [(t, int(_task_facts(plan, t)["n_prompts"])) for t in run.tasks]
    small = [f"{t} ({n})" for t, n in few if n < _FEW_PROMPTS]
    if small:
        found.append(f"Fewer than {_FEW_PROMPTS} prompts: {', '.join(small)}; intervals are wide.")
    found.extend(_ceiling_warnings(plan))
    library = Library(plan, store)
    found.extend(_judge_warnings(plan, library))
    found.extend(_training_warnings(plan, store))
    differing = [
        d
        for p in run.pairs
        for t in run.tasks
        for m in (p.teacher, p.base)
        if m
        for d in library.differences(t, p.student, m)
    ]
    found.extend(dict.fromkeys(f"Not like for like: {d}." for d in differing))
    found.extend(
        dict.fromkeys(f"{c.cell.task}: {note}" for c in plan.cells for note in c.requests.notes)
    )
    return found


def _ceiling_warnings(plan: Plan) -> list[str]:
    greedy = sorted(
        {
            p.teacher
            for p in plan.run.pairs
            for t in plan.run.tasks
            if p.ceiling == "second_sample"
            and plan.find(p.teacher, t) is not None
            and any("text" in c.requests.yields for c in plan.cells if c.cell.task == t)
            and plan.find(p.teacher, t, 1) is None
        }
    )
    return (
        [
            f"Ceiling not attainable: the answers of {', '.join(greedy)} do not vary (greedy decoding)."
        ]
        if greedy
        else []
    )


def _judge_warnings(plan: Plan, library: Library) -> list[str]:
    """A judge favours its own answers, and those of its relatives."""
    run = plan.run
    judges = [
        (t, m)
        for t, task in run.tasks.items()
        for m in task.readers() or ()
        if task.reads() is not None
    ]
    found = []
    for task, judge in judges:
        for name in dict.fromkeys(m for p in run.pairs for m in (p.teacher, p.student)):
            if judge == name:
                found.append(
                    f"{task}: the judge, {judge}, is itself one of those compared; its verdicts favour it."
                )
            elif library.lineage(judge) == library.lineage(name):
                found.append(
                    f"{task}: the judge, {judge}, is of one lineage with {name}; its verdicts may favour it."
                )
    return found


def _training_warnings(plan: Plan, store: Store) -> list[str]:
    """How many prompts a model may have been trained on, where it says what it was trained on."""
    found = []
    for planned in plan.cells:
        cell = planned.cell
        if (
            cell.decoding.sample == 0
            and (training := seen_in_training(plan, store, planned))
            and training.prompts
        ):
            n, total = len(training.prompts), len(planned.requests.prompts)
            exact = sum(s.exact for s in training.prompts.values())
            found.append(
                f"{cell.model} was trained on text that overlaps with {n} of {total} prompts of {cell.task} "
                f"({exact} word for word)."
            )
    return found


def _versions() -> dict[str, str]:
    versions = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
