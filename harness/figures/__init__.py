"""Figures: pictures on the page, drawn from the record of a run. One file, one subclass of AbstractFigure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from harness.board.record import RunRecord


@dataclass(frozen=True)
class AbstractFigure(ABC):
    """A picture on the page."""

    kind: str
    name: str

    title: ClassVar[str]
    reading: ClassVar[str]  # one line: how to read this
    order: ClassVar[int]  # place on the page
    per: ClassVar[Literal["run", "student", "metric"]] = "run"
    # per: "student" = drawn once per student, from a record that holds its pair and variant alone;
    # "metric" = drawn for any measure that no other figure shows

    @abstractmethod
    def draw(self, record: RunRecord) -> dict[str, Any] | None:
        """A plotly figure as JSON-ready dict ("data", "layout"), or None where there is nothing to draw.

        "table" ({"columns": [...], "rows": [[...]]}) holds the same numbers in words; "reading" and "notes" (a list)
        may replace or add to the class's reading.
        """
