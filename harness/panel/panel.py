"""Who is compared on what: a measure declares it in one line, and gets a panel of exactly these sides.

    looks_at = Looks((View.STYLE,), needs=("teacher", "base"), also=("second",))

This line determines the tasks that fit, the prompts that are compared, the minimum, the text of the reason, and
the answers that are in the key of a score. The views are the modules beside this one: `texts`,
`samples`, `grades`, `choices`, `reads`, `judgements`; most bring the sides of a panel to the prompts that all share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Literal

from harness.panel import reasons
from harness.panel.side import Side
from harness.types import Unavailable

# second: the teacher's second sample; ceiling: that, or another version of the teacher; population: the
# controls that all students of a teacher and base share.
Role = Literal[
    "student", "teacher", "base", "second", "ceiling", "controls", "population"
]  # fmt: skip
BaseKind = Literal["before", "sibling"]

# What the number may be called depends on what the base is: a student that never saw the teacher
# recovers a gap too.
GAP_UNIT: Mapping[str, str] = {"before": "gap recovered", "sibling": "gap transferred"}


class View(StrEnum):
    """A kind of answers; its value is what a task says that it yields, its words complete "no task of this matrix"."""

    words: str

    def __new__(cls, value: str, words: str) -> View:
        """A member with its words."""
        member = str.__new__(cls, value)
        member._value_, member.words = value, words
        return member

    GRADES = "grades", "has right answers to grade"
    TEXT = "text", "asks for open-ended text"  # every sample of it
    STYLE = "style", "asks for open-ended text whose style is looked at"  # the first sample
    REPLIES = "replies", "asks for text, open-ended or graded"  # the first sample
    CHOICES = "choices", "is multiple choice"
    TOKENS = "tokens", "stores log-probabilities of tokens"
    READING = "reading", "gives texts to read"
    ANSWERS = "answers", "gives the answers of models to read"
    NEXT_TOKEN = "next_token", "asks for the next token alone"
    JUDGEMENTS = "verdicts", "is a judge's"
    # prompts that occur in training data, and grades if there are any: every task has it
    PROMPTS = "prompts", "asks anything"


@dataclass(frozen=True)
class Looks:
    """What a measure looks at."""

    views: tuple[View, ...]
    needs: tuple[Role, ...] = ()  # roles without which it has nothing to say
    also: tuple[Role, ...] = ()  # roles that it looks at where somebody has them

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        """All roles, the student's first."""
        return ("student", *self.needs, *self.also)

    @cached_property
    def seen(self) -> frozenset[View]:
        """The views, for keys."""
        return frozenset(self.views)

    @cached_property
    def yields(self) -> frozenset[str]:
        """What a task has to yield."""
        return self.seen - {View.PROMPTS}

    @property
    def at_models(self) -> bool:
        """Whether it is asked of every model alone."""
        return "teacher" not in self.needs

    @property
    def at_pairs(self) -> bool:
        """Whether it is asked of students with their teacher."""
        return "teacher" in self.roles

    def no_task(self) -> str:
        """The reason where no task fits."""
        return f"no task of this matrix {' and '.join(v.words for v in sorted(self.views))}"


@dataclass(frozen=True)
class Panel:
    """The sides that a measure looks at for one student on one task, by their roles."""

    task: str
    sides: Mapping[Role, tuple[Side, ...]]  # a role without sides may be absent
    base_kind: BaseKind = "before"
    minimum: int = 20  # fewest shared prompts for which a number is given

    def of(self, role: Role) -> tuple[Side, ...]:
        """All sides of a role."""
        return self.sides.get(role, ())

    def get(self, role: Role) -> Side | None:
        """The first side of a role, or None."""
        return next(iter(self.of(role)), None)

    def side(self, role: Role) -> Side:
        """The first side of a role; raises Unavailable where there is none."""
        side = self.get(role)
        if side is None:
            raise Unavailable(reasons.nobody(role))
        return side

    @property
    def student(self) -> Side:
        """The model that is measured."""
        return self.side("student")

    @property
    def teacher(self) -> Side:
        """Its teacher."""
        return self.side("teacher")

    @property
    def core(self) -> Mapping[Role, tuple[Side, ...]]:
        """The pair: those whose shared prompts are compared."""
        crowds = ("controls", "population")
        return {r: s for r, s in self.sides.items() if s and r not in crowds}

    @property
    def gap_unit(self) -> str:
        """What a share of the gap between base and teacher is called."""
        return GAP_UNIT[self.base_kind]

    def with_minimum(self, minimum: int) -> Panel:
        """The same where fewer, or more, prompts are enough."""
        return replace(self, minimum=minimum)

    def only(self, *roles: Role) -> Panel:
        """The same with some of the roles."""
        return replace(self, sides={r: s for r, s in self.sides.items() if r in roles})
