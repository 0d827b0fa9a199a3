"""What an upgrade invalidates: scores that are stored and made again because the code of their measures changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.metrics import AbstractMetric
from harness.plan.questions import Question
from harness.stages.measuring import code_of
from harness.store.damage import sealed, unsealed
from harness.store.drafts import write_whole
from harness.store.store import Store

_FILE = "code.json"  # in the results folder: measure -> digest of the code that last scored there


def renewed(missing: Iterable[Question], store: Store) -> str:
    """A line about stored scores that other code made than would now; "" where there are none."""
    known, asked = _known(store), list(missing)
    code = {
        metric.name: code_of(metric) for metric in {q.metric.name: q.metric for q in asked}.values()
    }
    changed = [
        q for q in asked if known.get(q.metric.name, code[q.metric.name]) != code[q.metric.name]
    ]
    if not changed:
        return ""
    stored = _stored(store)
    again = [q for q in changed if _place(q) in stored]
    names = list(dict.fromkeys(q.metric.name for q in again))
    if not again:
        return ""
    scores = "1 score" if len(again) == 1 else f"{len(again)} scores"
    measures = "1 measure" if len(names) == 1 else f"{len(names)} measures"
    verb, whose = ("is", "its") if len(again) == 1 else ("are", "their")
    return f"{scores} of {measures} {verb} made again: {whose} code changed ({', '.join(names)})"


def note_code(metrics: Sequence[AbstractMetric], store: Store) -> None:
    """Remembers the code with which these measures have scored."""
    before = _known(store)
    now = {**before, **{metric.name: code_of(metric) for metric in metrics}}
    if now != before:
        write_whole(store.root / _FILE, sealed(now))


def _known(store: Store) -> Mapping[str, str]:
    """Measure -> digest of its code; empty where nothing is known."""
    return dict(unsealed(store.root / _FILE) or {})


def _place(question: Question) -> tuple[str, str, str, str]:
    teacher = question.pair.teacher if question.pair else ""
    return question.metric.name, "+".join(question.tasks), question.student, teacher


def _stored(store: Store) -> set[tuple[str, str, str, str]]:
    """Measure, task, student and teacher of all stored scores, without parts of measures and tasks."""
    columns = ("metric", "task", "student", "teacher")
    rows = (
        row
        for _, _, table in store.packs.tables()
        for row in zip(*(table[name].to_pylist() for name in columns), strict=True)
    )
    return {
        (m.partition("/")[0], t.partition("/")[0], student, teacher)
        for m, t, student, teacher in rows
    }
