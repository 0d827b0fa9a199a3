"""The Board of a run: everything derived from its record, computed once for page, tables, figures and exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any

from harness.board.answers import Read, TaskAnswers, task_answers
from harness.board.claims import (
    Choice,
    Claim,
    Claims,
    MeasureColumn,
    choose,
    columns_of,
    make_claims,
    outcome,
)
from harness.board.record import (
    Change,
    CollectionRecord,
    JobRecord,
    RunRecord,
    Variant,
    named,
)
from harness.board.subjects import Group, ScoreIndex, Subject, of_pair, subjects_of
from harness.panel.topics import Topic
from harness.types import Pair, Score


@dataclass(frozen=True)
class Row:
    """One row of the leaderboard."""

    subject: Subject
    rank: int | None  # in the column that the board is ranked by
    claims: tuple[Claim, ...]  # one per column
    parameters: int | None
    size_bytes: int | None
    tokens_per_s: float | None  # generated or scored tokens over measured seconds; provenance
    missing: str = ""  # why the job of a sweep that it belongs to gave no record


@dataclass(frozen=True)
class Board:
    """A record with its subjects, the claims about them, and the rows of the leaderboard."""

    record: RunRecord
    subjects: tuple[Subject, ...]
    index: ScoreIndex
    columns: tuple[MeasureColumn, ...]  # of the leaderboard, those that hold anything
    ranked_by: MeasureColumn | None  # the first of them with a value
    claims: Claims
    rows: tuple[Row, ...]  # by teacher and rank
    read: Read
    undrawn: Mapping[str, str] = field(default_factory=dict)  # kind of figure that fails -> why
    # what has been drawn of it, which every page and exporter shares
    drawings: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def claim(self, topic: Topic, subject: Subject) -> Claim:
        """The claim about the subject on a topic."""
        score = self.index.about(topic, subject)
        return self.claims[subject, score.metric] if score is not None else Claim(None)

    def controls_of(self, subject: Subject) -> list[Subject]:
        """The controls of the subject's teacher under the same setting."""
        return [s for s in self.subjects if s.role == "control" and s.group == subject.group]

    def relatives_of(self, subject: Subject) -> list[str]:
        """Models of the run of the same lineage as the subject or its teacher: no comparison with controls has them."""
        lineages = self.record.runs()[subject.variant].lineages
        pair = (subject.student, subject.teacher, subject.base)
        own = {lineages.get(model, model) for model in pair[:2]}
        return sorted(m for m, lineage in lineages.items() if lineage in own and m not in pair)

    def changes_of(self, subject: Subject) -> list[Change]:
        """The subject beside its base and its teacher, task by task."""
        own = (subject.student, subject.teacher, subject.base, subject.variant)
        return [c for c in self.record.changes if (c.student, c.teacher, c.base, c.variant) == own]

    def choices(self) -> list[Choice]:
        """Which students to take, for every teacher, base and setting in their order."""
        groups: dict[Group, list[Subject]] = {}
        for s in self.subjects:
            if s.role == "student":
                groups.setdefault(s.group, []).append(s)
        runs = self.record.runs()
        return [self._choice(students, runs[group[2]]) for group, students in groups.items()]

    def _choice(self, students: Sequence[Subject], run: RunRecord) -> Choice:
        sizes = {name: _whole(facts.get("parameters")) for name, facts in run.models.items()}
        return choose(
            students,
            {s: self.claim("capability", s) for s in students},
            run.comparisons,
            {s for s in students if any(_is_loss(c, run) for c in self.changes_of(s))},
            {name: float(n) for name, n in sizes.items() if n is not None},
        )

    def scores_of(self, subject: Subject, *measures: str) -> list[Score]:
        """Scores of all models under the subject's setting, and those that do not depend on the sweep.

        Those of some measures and their parts alone, where these are named.
        """
        settings, scores = (subject.variant, ()), self.record.scores
        if not measures:
            return [s for s in scores if s.variant in settings]
        kinds = {(setting, name) for setting in settings for name in measures}
        return [scores[i] for i in sorted(i for kind in kinds for i in self._places.get(kind, ()))]

    @cached_property
    def _places(self) -> Mapping[tuple[Variant, str], Sequence[int]]:
        """(setting, measure) -> the places of its scores and those of its parts among all."""
        places: dict[tuple[Variant, str], list[int]] = {}
        for i, s in enumerate(self.record.scores):
            places.setdefault((s.variant, s.metric.partition("/")[0]), []).append(i)
        return places

    def answers(self) -> Iterator[TaskAnswers]:
        """Stored answers of the first sample, task by task, read lazily."""
        return task_answers(self.record, self.read)

    def pairs_in(self, answers: TaskAnswers) -> list[Pair]:
        """Students with teacher and base, each under the name that it has among these answers."""

        def name(model: str, variant: Variant) -> str:
            """The name that a model has among these answers: with its swept values where it has them."""
            swept = named(model, variant)
            return swept if swept in answers.answers else model

        pairs = (
            Pair(name(s.teacher, s.variant), name(s.student, s.variant), name(s.base, s.variant))
            for s in self.subjects
            if s.role == "student"
        )
        return list(
            dict.fromkeys(p for p in pairs if {p.student, p.teacher} <= set(answers.answers))
        )


def _is_loss(change: Change, run: RunRecord) -> bool:
    """Whether a student lost against its base outside of what was distilled."""
    domain = run.tasks.get(change.task, {}).get("domain")
    return (change.against, domain) == ("base", "outside") and outcome(change) == "worse"


def no_answers(collection: CollectionRecord) -> None:
    """Always None: the reader of answers for records whose store is elsewhere."""


def make_board(record: RunRecord, read: Read = no_answers) -> Board:
    """The Board of a record; `read` reaches the stored answers of a collection.

    Claims, ranks and facts are made within one setting: the board of a sweep holds the boards of its jobs.
    """
    parts = [_part(run, variant) for variant, run in record.runs().items()]
    index = ScoreIndex.of(record) if record.jobs else parts[0].index
    subjects = tuple(s for part in parts for s in part.subjects)
    columns = columns_of(index, subjects)
    ranked = [part.ranked_by for part in parts if part.ranked_by is not None]
    teachers = list(dict.fromkeys(s.teacher for s in subjects))
    rows = [row for part in parts for row in _rows(part, columns, teachers)]
    return Board(
        record=record,
        subjects=subjects,
        index=index,
        columns=columns,
        ranked_by=next((c for c in columns if c in ranked), None),
        claims={key: claim for part in parts for key, claim in part.claims.items()},
        rows=(
            *(row for _, row in sorted(rows, key=itemgetter(0))),
            *_missing_rows(record, columns),
        ),
        read=read,
    )


@dataclass(frozen=True)
class _Part:
    """What may be said of one setting."""

    run: RunRecord
    index: ScoreIndex
    subjects: tuple[Subject, ...]
    claims: Claims
    ranked_by: MeasureColumn | None

    def claim(self, subject: Subject, column: MeasureColumn | None) -> Claim:
        """The claim of a column; an empty one where this setting does not measure it."""
        return (
            Claim(None)
            if column is None
            else self.claims.get((subject, column.metric), Claim(None))
        )


def _part(run: RunRecord, variant: Variant) -> _Part:
    index, subjects = ScoreIndex.of(run), subjects_of(run, variant)
    columns = columns_of(index, subjects)
    claims = make_claims(index, subjects, columns, run.comparisons, run.lineages)
    return _Part(run, index, subjects, claims, _ranking(columns, subjects, claims))


def _ranking(
    columns: Sequence[MeasureColumn], subjects: Sequence[Subject], claims: Claims
) -> MeasureColumn | None:
    """The column that students are ranked by: the first with ranks, or with a value where nobody has a rival."""
    own = [c for c in columns if not c.alone]
    ranked = (c for c in own if any(claims[s, c.metric].rank is not None for s in subjects))
    groups = [s.group for s in subjects if s.role == "student"]
    if len(set(groups)) < len(groups):
        return next(ranked, None)
    valued = (c for c in own if any(claims[s, c.metric].value is not None for s in subjects))
    return next(valued, None)


_Place = tuple[int, bool, float, float, str]


def _rows(
    part: _Part, columns: Sequence[MeasureColumn], teachers: Sequence[str]
) -> Iterator[tuple[_Place, Row]]:
    """Rows with their places: by teacher; students by rank and value, then the others by value."""
    for subject in part.subjects:
        leading = part.claim(subject, part.ranked_by)
        facts = part.run.models.get(subject.student, {})
        size = (_whole(facts.get("parameters")), _whole(facts.get("size_bytes")))
        own = tuple(part.claim(subject, c) for c in columns)
        row = Row(subject, leading.rank, own, *size, speed(part.run, subject.student))
        yield _place(row, leading.merit, teachers), row


def _place(row: Row, merit: float | None, teachers: Sequence[str]) -> _Place:
    return (
        teachers.index(row.subject.teacher),
        row.subject.role != "student",
        row.rank if row.rank is not None else float("inf"),
        -(merit if merit is not None else float("-inf")),
        row.subject.label,
    )


def _missing_rows(record: RunRecord, columns: Sequence[MeasureColumn]) -> Iterator[Row]:
    """A row for every student under every setting whose job gave no record, with its reason."""
    for job in record.jobs:
        for pair in record.pairs if job.facts is None else ():
            claims = tuple(Claim(_without_value(pair, c.metric, job)) for c in columns)
            yield Row(of_pair(pair, job.variant), None, claims, None, None, None, job.missing)


def _without_value(pair: Pair, metric: str, job: JobRecord) -> Score:
    names = (metric, "", pair.student, pair.teacher, pair.base or "")
    return Score(*names, None, None, None, 0, "", "none", job.missing, (), variant=job.variant)


def _whole(value: str | int | float | None) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None


def speed(record: RunRecord, model: str) -> float | None:
    """Tokens of a model over the seconds of the collections that measured them; None where none did."""
    timed = [c for c in record.collections if c.model == model and c.wall_s > 0 and c.n_tokens > 0]
    wall_s = sum(c.wall_s for c in timed)
    return sum(c.n_tokens for c in timed) / wall_s if wall_s > 0 else None
