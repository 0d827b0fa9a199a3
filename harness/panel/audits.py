"""What is said of a file of training answers: the share of its rows that looks like each family, and which rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.panel.evidence import Outcome


@dataclass(frozen=True)
class AlikeRow:
    """A row that is among those most like a family's answers."""

    family: str
    place: str  # "row 12"
    score: float  # 0 = as others write at this length, 1 = as the family does
    false_rate: float  # share of other writers' answers of this length that score as much
    true_rate: (
        float  # the same of the family's answers, each version left out of what it is judged by
    )
    beginning: str


@dataclass(frozen=True)
class FamilyShare:
    """What share of a file's rows looks like one family."""

    family: str
    outcome: Outcome
    share: float | None = None  # None = nothing can be told
    low: float | None = None
    high: float | None = None
    p: float | None = None  # that a set by nobody of them stands out as much, towards any family
    n: int = 0  # rows that were compared
    n_alike: int = 0  # of these, rows as alike as at most ALIKE of other writers' answers
    n_lineages: int = 0  # other writers
    n_versions: int = 0
    apart: float | None = None  # AUROC of left-out versions beside left-out other writers
    n_copies: int = 0  # rows that are, word for word, answers of the family
    # lineages that would be said to hold rows of the family, each left out of what it is judged by
    accused: tuple[str, ...] = ()
    reason: str = ""  # why nothing is told


@dataclass(frozen=True)
class Audit:
    """Whose answers the rows of a file look like, as seen from one task that the crowd answered."""

    file: str  # its name
    task: str
    n_rows: int = 0
    n_read: int = 0  # rows that were looked at
    # why a row cannot be compared -> rows
    left_out: Mapping[str, int] = field(default_factory=dict)
    shares: tuple[FamilyShare, ...] = ()  # the largest first
    rows: tuple[AlikeRow, ...] = ()  # family by family, the most alike first
    notes: tuple[str, ...] = ()  # how the file was read
    reason: str = ""  # why there are no shares
