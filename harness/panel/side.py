"""One model's answers to one task, as everything that reads answers gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from harness.types import Grades, Outputs, RequestSet, Seen

P = ParamSpec("P")
T = TypeVar("T")


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
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, make: Callable[Concatenate[Side, P], T], *more: P.args, **no: P.kwargs) -> T:
        """`make(self, *more)`, made once for this side and remembered by what is hashable in `more`."""
        place = (make, *more)
        if place not in self.memo:
            self.memo[place] = make(self, *more, **no)
        made: T = self.memo[place]
        return made

    def remember(self, make: Callable[[Side], T], made: T) -> None:
        """Lets `once(make)` be what was made before."""
        self.memo[make,] = made
