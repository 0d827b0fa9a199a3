"""Making of the record of a run: scores, how they were made, and warnings."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.board.cautions import cautions
from harness.board.comparisons import changes, compared
from harness.board.plain import to_plain
from harness.board.record import (
    CaseRecord,
    CollectionRecord,
    Difference,
    Facts,
    LikenessTree,
    MethodNote,
    MetricNote,
    RunRecord,
    WorkCount,
)
from harness.console.progress import stage
from harness.keys import digest
from harness.metrics import AbstractMetric
from harness.plan.collections import Collection, Plan
from harness.plan.run import Run
from harness.stages.audit import audits_of
from harness.stages.library import Library
from harness.stages.lineages import trees_of
from harness.stages.loop import Made
from harness.stages.marks import counts_of
from harness.stages.overlap import training_of
from harness.stages.spilled import FACT
from harness.stages.weigh import Weighed, verdicts_of
from harness.store.store import Store
from harness.types import Score

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


_IDLE = (
    "title", "stages", "workers", "paths", "exhibit", "columns", "figures", "report", "track", "executor", "budget",
    "collect", "gate", "objective",
)  # fmt: skip


@stage("gathering what the page shows")
def make_record(
    plan: Plan, store: Store, scores: Sequence[Score], work: Sequence[WorkCount] = ()
) -> RunRecord:
    """The record of one run; `work` = what was computed and what was read from the store."""
    run = plan.run
    roles = roles_of(run)
    library, said = Library(plan, store), verdicts_of(plan, store)
    record = RunRecord(
        title=run.title,
        scores=tuple(scores),
        comparisons=compared(scores, run.pairs),
        changes=changes(scores, run.pairs, _own_scores(run)),
        pairs=run.pairs,
        controls=run.controls,
        models={
            name: {"role": roles[name], **_model_facts(plan, name, store)} for name in run.models
        },
        tasks={name: _task_facts(plan, name) for name in run.tasks},
        metrics=tuple(map(note_of, run.metrics.values())),
        collections=tuple(_collection(plan, planned, store) for planned in plan.collections),
        versions=versions(),
        lineages={name: library.lineage(name) for name in run.models},
        recipes={name: m.recipe for name, m in run.models.items() if m.recipe},
        judges={
            name: tuple(readers)
            for name, task in run.tasks.items()
            if task.reads() is not None and (readers := task.readers())
        },
        differences=tuple(_differences(run, library)),
        work=tuple(work),
        columns=run.columns,
        figures=run.figures,
        interactive=run.interactive,
        exports={name: to_plain(exporter) for name, exporter in run.exports.items()},
        trackers={name: to_plain(tracker) for name, tracker in run.trackers.items()},
        left_out=run.left_out,
        configuration=_configuration(plan),
        verdicts=said.verdicts,
        case=_case(run, said, trees_of(plan, store)) if run.verdicts else None,
        audits=audits_of(plan, store),
    )
    return replace(record, warnings=cautions(record))


def count_work(
    made: Made, scores: Mapping[tuple[str, str], Sequence[str]], store: Store
) -> list[WorkCount]:
    """What was computed in this run and what was read from the store: answers, and scores by measure and tasks.

    `scores`: (metric, tasks) -> keys of its scores.
    """
    counts = [
        WorkCount(c.model, c.task, "", int(c.key in made.keys), int(c.key not in made.keys))
        for c in made.plan.collections
        if store.has(c.key)
    ]
    for (metric, task), keys in scores.items():
        computed = sum(key in made.keys for key in keys)
        counts.append(WorkCount("", task, metric, computed, len(keys) - computed))
    return counts


def note_of(metric: AbstractMetric) -> MetricNote:
    """The note of a measure: its description for the page, and what the page reads from it."""
    says = (metric.unit, metric.better, metric.level, metric.explanation)
    return MetricNote(metric.name, *says, *metric.on_page(), metric.gap_units)


def _configuration(plan: Plan) -> str:
    """Digest of what was asked of whom: the keys of a run that move no number are left out; "" where none are known."""
    recipe = plan.run.recipe
    if recipe is None:
        return ""
    asked = {key: value for key, value in recipe.config.items() if key not in _IDLE}
    return digest("configuration", asked, sorted(c.key for c in plan.collections))


def _case(run: Run, said: Weighed, trees: tuple[LikenessTree, ...]) -> CaseRecord:
    case = run.case
    methods = tuple(
        MethodNote(v.name, v.explanation, said.cpu_s.get(name)) for name, v in run.verdicts.items()
    )
    origins = tuple(sorted(case.origins, key=lambda o: o.model))
    terms = {n: m.terms for n, m in sorted(run.models.items()) if m.terms}
    return CaseRecord(
        case.suspect or "",
        case.candidates,
        case.families,
        origins,
        methods,
        said.missing,
        terms,
        trees,
        case.prior_odds,
        said.calibrations,
    )


def _own_scores(run: Run) -> set[str]:
    """Measures whose parts are grades of a model alone."""
    return {name for name, metric in run.metrics.items() if "own_score" in metric.topics}


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


def _collection(plan: Plan, planned: Collection, store: Store) -> CollectionRecord:
    """How the answers of one collection were obtained, or why there are none."""
    summary, sample = planned.summary, planned.decoding.sample
    training = None if sample else training_of(planned, store)
    seen = None if training is None else list(training.prompts.values())
    blank = CollectionRecord(
        model=planned.model,
        task=planned.task,
        sample=sample,
        n_requests=summary.n_requests,
        key=planned.key,
        requests_key=planned.requests_key,
        grades_key=planned.grades_key,
        n_prompts=summary.n_prompts,
        n_seen=None if seen is None else len(seen),
        n_seen_exactly=None if seen is None else sum(s.exact for s in seen),
        notes=summary.notes,
    )
    if not store.has(planned.key):
        return replace(blank, missing=store.failure(planned.key) or "not collected yet")
    how = store.provenance(planned.key)
    counts = counts_of(planned, store)
    names = ("n_answered", "n_tokens", "wall_s", "latency_p50_s", "latency_p95_s")
    return replace(
        blank,
        **{name: how[name] for name in (*names, "peak_memory_bytes")},
        usd=_price(plan.run, planned.model, how),
        n_prompt_tokens=how.get("prompt_tokens"),
        answer_notes=(*how.get("notes", ()), *_ungraded(planned, store)),
        secrets=tuple(str(how.get(FACT, "")).split()),
        n_cut_prompts=int(how.get("n_cut_prompts", 0)),
        marks=counts.marks if counts else None,
        endings=counts.endings if counts else None,
    )


def _ungraded(planned: Collection, store: Store) -> list[str]:
    """That a further sample could not be graded; a first one without grades is a missing score with its reason."""
    key, sample = planned.grades_key, planned.decoding.sample
    why = store.failure(key) if key and sample and not store.has(key) else None
    return [f"sample {sample + 1} is left out of scores: {why}"] if why else []


def _price(run: Run, model: str, how: Mapping[str, float]) -> float | None:
    """Dollars for the hours and the tokens of a collection, and what was billed; None where no price is known."""
    backend = run.models[model]
    rates = (
        (backend.usd_per_hour, how["wall_s"] / 3600),
        (backend.usd_per_million_tokens, how["n_tokens"] / 1e6),
    )
    known = [price * amount for price, amount in rates if price is not None]
    known += [how["usd"]] if "usd" in how else []
    return sum(known) if known else None


def _model_facts(plan: Plan, name: str, store: Store) -> Facts:
    facts = {"kind": plan.run.models[name].kind, "digest": plan.identities.models[name]}
    for planned in plan.collections:
        if planned.model == name and store.has(planned.key):
            how = store.provenance(planned.key)
            known = ("parameters", "size_bytes", "device", "dtype", "threads")
            return facts | {k: how[k] for k in known if k in how}
    return facts


def _task_facts(plan: Plan, name: str) -> Facts:
    sets = [c.summary for c in plan.collections if c.task == name]
    chats = sorted({c.chat for c in sets})
    return {
        "kind": plan.run.tasks[name].kind,
        "version": sets[0].version if sets else "",
        "n_prompts": sets[0].n_prompts if sets else 0,
        "chat": " and ".join("conversation" if c else "plain text" for c in chats),
        "yields": " ".join(sets[0].yields) if sets else "",
        "domain": plan.run.tasks[name].domain or "",
    }


def _differences(run: Run, library: Library) -> list[Difference]:
    """What makes a student's answers hard to compare with those of its teacher or its base."""
    return [
        Difference(task, pair.student, other, words)
        for pair in run.pairs
        for task in run.tasks
        for other in (pair.teacher, pair.base)
        if other
        for words in library.differences(task, pair.student, other)
    ]


def versions() -> dict[str, str]:
    """Package -> its version, for those that numbers may depend on; with Python's and the platform."""
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
