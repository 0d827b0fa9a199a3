"""A run made up for tests of what is made from a Board: a teacher, two students, a base, two controls."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.board import Board, make_board
from harness.board.record import (
    CaseRecord,
    CollectionRecord,
    LikenessTree,
    MethodNote,
    MetricNote,
    RunRecord,
)
from harness.panel.side import Side
from harness.plugins import plugin_class
from harness.testing.sides import acc_grades, text_side
from harness.text.likeness_tree import Branch
from harness.types import Control, Pair, Score

HEADLINES = ("capability_transfer", "style_transfer", "capa", "gap_recovered", "task_score")
# model -> how much of the way from base to teacher it went
MODELS = {"base": 0.0, "teacher": 1.0, "near": 0.8, "far": 0.3, "ash": 0.1, "beech": 0.15}
CONTROLS = ("ash", "beech")
TASKS = ("quiz", "talk")
_PROMPTS = 40


def made_board(*measures: str) -> Board:
    """The Board of the made-up run with numbers of these measures beside the usual ones; parts may be named."""
    return make_board(made_record(*measures), answers_to)


def made_record(*measures: str) -> RunRecord:
    """The record of the made-up run."""
    names = tuple(dict.fromkeys([*HEADLINES, *measures]))
    roles = dict.fromkeys(MODELS, "student") | dict.fromkeys(CONTROLS, "control")
    roles |= {"base": "base", "teacher": "teacher"}
    whole = tuple(dict.fromkeys(n.split("/")[0] for n in names))
    return RunRecord(
        title="Made up",
        scores=tuple(s for name in names for s in _scores(name)),
        comparisons=(),
        pairs=(Pair("teacher", "near", "base"), Pair("teacher", "far", "base")),
        controls=tuple(Control(c, c) for c in CONTROLS),
        models={m: {"role": roles[m], "kind": "fake", "parameters": 1000} for m in MODELS},
        tasks={t: {"kind": "prompts", "n_prompts": _PROMPTS, "chat": True} for t in TASKS},
        metrics=tuple(map(note, whole)),
        collections=tuple(_collection(m, t) for m in MODELS for t in TASKS),
        warnings=("This run is made up.",),
        versions={"distillbench": "made up"},
        case=_case(),
    )


def _case() -> CaseRecord:
    """A case of which nothing but a tree and fitted odds are there."""
    joined = (Branch(("far", "near"), 0.2, 0.9), Branch(("far", "near", "teacher"), 0.5, 1.0))
    method = MethodNote("made_up", "A method that weighed nobody.")
    trees, fitted = (LikenessTree("quiz", joined),), {"made_up on quiz": {"date": "made up"}}
    return CaseRecord("", (), {}, (), (method,), trees=trees, calibrations=fitted)


def note(name: str) -> MetricNote:
    """What a measure says of itself."""
    kind = plugin_class("metrics", name)
    says = (kind.unit, kind.better, kind.level, kind.explanation)
    return MetricNote(name, *says, kind.leaderboard, kind.topics, kind.gap_units)


def answers_to(collection: CollectionRecord) -> Side | None:
    """The answers of a collection of the made-up run."""
    model, level = collection.model, MODELS[collection.model]
    texts = [
        f"Reply {i} of {model if i / _PROMPTS > level else 'teacher'}." for i in range(_PROMPTS)
    ]
    side = text_side(model, texts, collection.task)
    if collection.task != "quiz":
        return side
    right = [i / _PROMPTS < 0.2 + 0.7 * level for i in range(_PROMPTS)]
    return Side(
        model, model, side.requests, side.outputs, acc_grades(side.requests.prompts, right), ()
    )


def _scores(name: str) -> list[Score]:
    kind = plugin_class("metrics", name.split("/")[0])
    alone = not kind.looks_at.at_pairs
    measured: Sequence[str] = (
        tuple(MODELS) if alone else [m for m in MODELS if m not in ("teacher", "base")]
    )
    tasks = ("+".join(TASKS),) if kind.across_tasks else TASKS
    return [
        Score(
            metric=name, task=task, student=m, teacher="" if alone else "teacher", base="" if alone else "base",
            value=MODELS[m], low=MODELS[m] - 0.06, high=MODELS[m] + 0.06, n=_PROMPTS, unit=kind.unit,
            better=kind.better, reason="", inputs=("ab" * 32,),
        )
        for task in tasks
        for m in measured
    ]  # fmt: skip


def _collection(model: str, task: str) -> CollectionRecord:
    return CollectionRecord(
        model=model, task=task, sample=0, key=f"{model} {task}", requests_key=task, n_prompts=_PROMPTS,
        n_requests=_PROMPTS, n_answered=_PROMPTS, n_tokens=9000, wall_s=12.5, latency_p50_s=0.02,
        latency_p95_s=0.05, peak_memory_bytes=0, usd=None, missing="",
    )  # fmt: skip
