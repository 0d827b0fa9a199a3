"""The Board of a run: everything derived from its record, computed once for page, tables, figures and exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from harness.board.record import Change, CollectionRecord, RunRecord, Variant, named
from harness.board.subjects import Group, ScoreIndex, Subject, subjects_of
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

    def claim(self, topic: Topic, subject: Subject) -> Claim:
        """The claim about the subject on a topic."""
        score = self.index.about(topic, subject)
        return self.claims[subject, score.metric] if score is not None else Claim(None)

    def controls_of(self, subject: Subject) -> list[Subject]:
        """The controls of the subject's teacher under the same setting."""
        return [s for s in self.subjects if s.role == "control" and s.group == subject.group]

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
        sizes = {
            name: float(n)
            for name, facts in self.record.models.items()
            if (n := _whole(facts.get("parameters"))) is not None
        }
        return [
            choose(
                students,
                {s: self.claim("capability", s) for s in students},
                self.record.comparisons,
                {s for s in students if any(map(self._is_loss, self.changes_of(s)))},
                sizes,
            )
            for students in groups.values()
        ]

    def _is_loss(self, change: Change) -> bool:
        """Whether a student lost against its base outside of what was distilled."""
        domain = self.record.tasks.get(change.task, {}).get("domain")
        return (change.against, domain) == ("base", "outside") and outcome(change) == "worse"

    def scores_of(self, subject: Subject) -> list[Score]:
        """Scores of all models under the subject's setting, and those that do not depend on the sweep."""
        return [s for s in self.record.scores if s.variant in (subject.variant, ())]

    def answers(self) -> Iterator[TaskAnswers]:
        """Stored answers of the first sample, task by task, read lazily."""
        return task_answers(self.record, self.read)

    def pairs_in(self, answers: TaskAnswers) -> list[Pair]:
        """Students with teacher and base, each under the name that it has among these answers."""

        def name(model: str, variant: Variant) -> str:
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


def no_answers(collection: CollectionRecord) -> None:
    """Always None: the reader of answers for records whose store is elsewhere."""


def make_board(record: RunRecord, read: Read = no_answers) -> Board:
    """The Board of a record; `read` reaches the stored answers of a collection."""
    index, subjects = ScoreIndex.of(record), subjects_of(record)
    columns = columns_of(index, subjects)
    claims = make_claims(index, subjects, columns, record.comparisons, record.lineages)
    ranked_by = next(
        (c for c in columns if any(claims[s, c.metric].value is not None for s in subjects)), None
    )
    return Board(
        record=record,
        subjects=subjects,
        index=index,
        columns=columns,
        ranked_by=ranked_by,
        claims=claims,
        rows=_rows(record, subjects, columns, ranked_by, claims),
        read=read,
    )


def _rows(
    record: RunRecord,
    subjects: Sequence[Subject],
    columns: Sequence[MeasureColumn],
    ranked_by: MeasureColumn | None,
    claims: Claims,
) -> tuple[Row, ...]:
    """Rows by teacher: students by rank and value, then the others by value."""
    leading = {s: claims[s, ranked_by.metric] if ranked_by else Claim(None) for s in subjects}
    teachers = list(dict.fromkeys(s.teacher for s in subjects))
    rows = []
    for subject, claim in leading.items():
        facts = record.models.get(subject.student, {})
        size = (_whole(facts.get("parameters")), _whole(facts.get("size_bytes")))
        own = tuple(claims[subject, c.metric] for c in columns)
        rows.append(Row(subject, claim.rank, own, *size, _speed(record, subject.student)))
    rows.sort(key=lambda r: _place(r, leading, teachers))
    return tuple(rows)


def _place(
    row: Row, leading: Mapping[Subject, Claim], teachers: Sequence[str]
) -> tuple[int, bool, float, float, str]:
    value = leading[row.subject].value
    return (
        teachers.index(row.subject.teacher),
        row.subject.role != "student",
        row.rank if row.rank is not None else float("inf"),
        -(value if value is not None else float("-inf")),
        row.subject.label,
    )


def _whole(value: str | int | float | None) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None


def _speed(record: RunRecord, model: str) -> float | None:
    timed = [c for c in record.collections if c.model == model and c.wall_s > 0 and c.n_tokens > 0]
    wall_s = sum(c.wall_s for c in timed)
    return sum(c.n_tokens for c in timed) / wall_s if wall_s > 0 else None
