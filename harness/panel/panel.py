"""What a measure compares: the answers of student, teacher, base, ceiling and controls to one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.types import Grades, Outputs, RequestSet, Seen


@dataclass(frozen=True)
class Side:
    """One model's answers to one task."""

    model: str
    # models of one lineage count once among controls; the model's name where none is given
    lineage: str
    requests: RequestSet
    outputs: Outputs
    grades: Grades | None
    keys: tuple[str, ...]  # store keys of outputs, requests, grades ...
    identity: tuple[str, ...] = ()  # names under which the model may rightly speak of itself
    samples: tuple[Outputs, ...] = ()  # further samples of the same requests, where there are any
    # Prompt.id -> as its training data has it; None = it names no such data
    seen: Mapping[str, Seen] | None = None


@dataclass(frozen=True)
class Sides:
    """Everything that a measure may look at for one student on one task."""

    task: str
    student: Side
    teacher: Side | None = None
    base: Side | None = None
    base_kind: Literal["before", "sibling"] = "before"
    # the teacher's second sample, or another version of the same teacher
    ceiling: Side | None = None
    ceiling_kind: Literal["second_sample", "other_version"] = "second_sample"
    controls: tuple[Side, ...] = ()  # models known or assumed not to have learned from this teacher
    others: tuple[Side, ...] = ()  # every further model of the matrix, for reference populations
    minimum: int = 20  # fewest shared prompts for which a number is given
