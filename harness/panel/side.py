"""One model's answers to one task, as everything that reads answers gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from harness.types import Grades, Outputs, RequestSet, Seen

P = ParamSpec("P")
T = TypeVar("T")


class Remembering(Protocol):
    """An object with a memo of results computed from it."""

    @property
    def memo(self) -> dict[Any, Any]:
        """(name of the function, its other arguments) -> result."""


R = TypeVar("R", bound=Remembering)


def once(make: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """A function whose result is kept in the memo of its first argument, by what is hashable in the others."""
    name = make.__qualname__

    @wraps(make)
    def remembered(keeper: R, /, *given: P.args, **no: P.kwargs) -> T:
        """What the memo has, else what the function returns now."""
        place, memo = (name, *given), keeper.memo
        if place not in memo:
            memo[place] = make(keeper, *given, **no)
        made: T = memo[place]
        return made

    return remembered


class _Outputs:
    """The field `outputs` of a side: given as they are, or as what reads them when somebody first looks."""

    _given = "_outputs"

    def __get__(self, side: Side | None, _: type[Side]) -> Outputs:
        if side is None:
            raise AttributeError("outputs")  # so that the field has no default
        given: Outputs | Callable[[], Outputs] = vars(side)[self._given]
        if not isinstance(given, Outputs):
            given = vars(side)[self._given] = given()
        return given

    def __set__(self, side: Side, given: Outputs | Callable[[], Outputs]) -> None:
        vars(side)[self._given] = given


@dataclass(frozen=True)
class Side:
    """One model's answers to one task."""

    model: str
    # models of one lineage count once among controls; the model's name where none is given
    lineage: str
    requests: RequestSet
    outputs: _Outputs = _Outputs()  # what stands here is how it is kept: there is no default
    grades: Grades | None  # type: ignore[misc]
    # store keys of outputs, requests, grades ...
    keys: tuple[str, ...]  # type: ignore[misc]
    identity: tuple[str, ...] = ()  # names under which the model may rightly speak of itself
    samples: tuple[Outputs, ...] = ()  # further samples of the same requests, where there are any
    # of further samples that could be graded
    sample_grades: tuple[Grades, ...] = ()
    # Prompt.id -> as its training data has it; None = it names no such data
    seen: Mapping[str, Seen] | None = None
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
