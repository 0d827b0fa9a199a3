"""Tables of every measure, and of how the run was made. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.record import (
    CollectionRecord,
    Facts,
    MetricNote,
    RunRecord,
    Variant,
    settings_among,
)
from harness.board.subjects import Role, roles_in
from harness.board.tables import ordered
from harness.panel.prompts import is_category
from harness.panel.topics import Topic
from harness.types import Score

_MOST_ROWS = 120
_MOST_COLUMNS = 40
_MOST_PLOTS = 6
_FIRST: tuple[Topic, ...] = ("capability", "style", "own_score")


@dataclass(frozen=True)
class Model:
    """A column of a measure's table: a model, its teacher if it has one, its swept values."""

    student: str
    teacher: str
    variant: Variant


@dataclass(frozen=True)
class Measure:
    """All scores of one metric and its parts."""

    name: str
    note: MetricNote | None
    columns: tuple[Model, ...]
    rows: tuple[tuple[str, str, tuple[Score | None, ...]], ...]  # (part, task, a score per column)
    left_out: int  # rows and columns that are in scores.csv only
    plots: tuple[str, ...]  # metric names to draw


def measures(board: Board) -> list[Measure]:
    """Every metric of the run: headlines and the models' own scores first, then by name."""
    families: dict[str, list[Score]] = {}
    for score in ordered(board.record.scores):
        families.setdefault(score.metric.split("/")[0], []).append(score)
    topics = [name.split("/")[0] for topic in _FIRST for name in board.index.metrics(topic)]
    names = dict.fromkeys([*(n for n in topics if n in families), *sorted(families)])
    return [
        _measure(name, families[name], board.index.notes.get(name), board.record) for name in names
    ]


def _measure(
    name: str, scores: Sequence[Score], note: MetricNote | None, record: RunRecord
) -> Measure:
    # the whole, its parts, then parts of parts, which are the first to be left out where there is no room
    scores = sorted(scores, key=lambda s: s.metric.count("/"))
    order = {m: i for i, m in enumerate(record.models)}
    keys = sorted({_key(s) for s in scores}, key=lambda k: (k[1], order.get(k[0], len(order)), k))
    rows: dict[tuple[str, str], dict[tuple[str, str, Variant], Score]] = {}
    for score in scores:
        rows.setdefault((score.metric.partition("/")[2], score.task), {})[_key(score)] = score
    shown = list(rows.items())[:_MOST_ROWS]
    left_out = len(rows) - len(shown) + max(0, len(keys) - _MOST_COLUMNS)
    keys = keys[:_MOST_COLUMNS]
    columns = tuple(Model(*key) for key in keys)
    table = tuple((part, task, tuple(row.get(k) for k in keys)) for (part, task), row in shown)
    drawn = (s.metric for s in scores if s.value is not None and not is_category(s.metric))
    plots = list(dict.fromkeys(drawn))[:_MOST_PLOTS]
    return Measure(name, note, columns, table, left_out, tuple(plots))


def _key(score: Score) -> tuple[str, str, Variant]:
    return score.student, score.teacher, score.variant


@dataclass(frozen=True)
class Made:
    """One collection as a row of the table; None where it was not measured (recorded answers)."""

    collection: CollectionRecord
    settings: tuple[str, ...]  # of a sweep, under which it was collected; () = all
    tokens_per_s: float | None
    wall_s: float | None
    p50_s: float | None
    p95_s: float | None
    peak_bytes: int | None


def made(record: RunRecord) -> list[Made]:
    """Collections by model and task; a zero becomes None, "not measured"."""
    every = list(record.runs())
    rows = sorted(record.collections, key=lambda c: (c.model, c.task, c.sample))
    return [_made(c, settings_among(c.variants or every, every)) for c in rows]


def _made(c: CollectionRecord, settings: tuple[str, ...]) -> Made:
    speed = c.n_tokens / c.wall_s if c.wall_s > 0 and c.n_tokens > 0 else None
    return Made(
        c,
        settings,
        speed,
        c.wall_s or None,
        c.latency_p50_s or None,
        c.latency_p95_s or None,
        c.peak_memory_bytes or None,
    )


@dataclass(frozen=True)
class Described:
    """Facts of a model or a task, and the settings of a sweep under which they hold."""

    name: str
    settings: tuple[str, ...]  # () = all
    facts: Facts
    roles: tuple[Role, ...] = ()  # of a model


def described_models(record: RunRecord) -> list[Described]:
    """Every model with its facts and roles, once for each of its versions."""
    runs = record.runs().items()
    return _described(
        [(v, {m: (f, roles_in(run, m)) for m, f in run.models.items()}) for v, run in runs]
    )


def described_tasks(record: RunRecord) -> list[Described]:
    """Every task with its facts, once for each of its versions."""
    runs = record.runs().items()
    return _described([(v, {t: (f, ()) for t, f in run.tasks.items()}) for v, run in runs])


Version = tuple[Facts, tuple[Role, ...]]


def _described(runs: Sequence[tuple[Variant, Mapping[str, Version]]]) -> list[Described]:
    owners: dict[str, list[tuple[Version, list[Variant]]]] = {}
    for variant, named in runs:
        for name, version in named.items():
            versions = owners.setdefault(name, [])
            same = next((own for known, own in versions if known == version), None)
            if same is None:
                versions.append((version, [variant]))
            else:
                same.append(variant)
    return [
        Described(name, settings_among(own, [variant for variant, _ in runs]), *version)
        for name, versions in owners.items()
        for version, own in versions
    ]


def fact_columns(rows: Sequence[Described]) -> list[str]:
    """Facts that a table of models shows: the usual ones in their order, then all others by name."""
    usual = ["kind", "parameters", "size_bytes", "dtype", "device"]
    known = {key for row in rows for key in row.facts}
    return [k for k in usual if k in known] + sorted(known - {*usual, "role"})
