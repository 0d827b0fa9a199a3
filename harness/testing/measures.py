"""The contract of measures, as tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from harness.metrics import AbstractMetric
from harness.panel.panel import Role, View
from harness.stats.intervals import Estimate, evaluate
from harness.testing.judgements import drawn_sides
from harness.testing.making import made
from harness.testing.panels import Sides, findings
from harness.testing.reading import next_token_sides, reading_sides
from harness.testing.sides import quiz_sides, shuffled_sides, talk_sets, talk_sides, trained_sides
from harness.types import Finding, Mean, Smooth, Unavailable

Expected = float | tuple[float, float]  # a number, or the ends between which it lies
Estimates = Mapping[tuple[str, str], Estimate | str]  # (part, leaf) -> number, or reason
_SIDES = {
    View.STYLE: talk_sides,
    View.TEXT: talk_sets,
    View.REPLIES: talk_sides,
    View.GRADES: quiz_sides,
    View.CHOICES: quiz_sides,
    View.TOKENS: reading_sides,
    View.READING: reading_sides,
    View.ANSWERS: reading_sides,
    View.NEXT_TOKEN: next_token_sides,
    View.JUDGEMENTS: drawn_sides,
    View.PROMPTS: trained_sides,
}


def check_metric(
    metric: type[AbstractMetric] | AbstractMetric | str,
    sides: Sides | None = None,
    itself: Mapping[str, Expected] | None = None,
    siblings: bool = True,
    **fields: Any,
) -> None:
    """Raises AssertionError with a sentence if a measure breaks its contract.

    sides: made-up answers that have what it looks at; None = those of its view.
    itself: part ("" = the measure itself) -> what it says of a teacher that is its own student.
    siblings: False = two controls that answer alike may count as two.
    fields: its own, as a matrix has them.
    """
    measure = made("metrics", metric, fields)
    sides = sides_for(measure) if sides is None else sides
    check_declaration(measure)
    check_findings(measure, sides)
    check_seed(measure, sides)
    check_order(measure, sides)
    check_missing_roles(measure, sides)
    check_itself(measure, sides, itself or {})
    if siblings and "controls" in measure.looks_at.roles:
        check_siblings(measure, sides)


def sides_for(measure: AbstractMetric) -> Sides:
    """Made-up answers of the kind that a measure looks at."""
    return _SIDES[measure.looks_at.views[0]]()


def estimates(measure: AbstractMetric, sides: Sides) -> Estimates:
    """Everything that a measure says, evaluated; reasons where there is no value."""
    try:
        said = findings(measure, [sides], np.random.default_rng(7))
    except Unavailable as error:
        return {("", ""): str(error)}
    names = [(f.name, f.leaf) for f in said]
    assert len(set(names)) == len(names), (
        f"{measure.name}: expected one finding of a name, got two: {sorted(names)}"
    )
    return {(f.name, f.leaf): _evaluated(f) for f in said}


def check_declaration(measure: AbstractMetric) -> None:
    """Checks that it declares its explanation, and what it looks at."""
    name, looks = measure.name, measure.looks_at
    assert measure.unit, f"{name}: expected a unit, got none"
    assert measure.better in ("higher", "lower", "none"), f"{name}: better is {measure.better!r}"
    assert looks.views, f"{name}: looks_at: expected a view, got none"
    strange = set(looks.roles) - set(get_args(Role))
    assert not strange, f"{name}: looks_at: roles that nobody has: {', '.join(sorted(strange))}"
    assert looks.at_models or looks.at_pairs, f"{name}: it is asked of nobody"
    n = len(measure.explanation)
    assert 40 < n < 900, f"{name}: explanation: expected 40 to 900 characters, got {n}"
    parts = {part for parts in measure.topics.values() for part in parts}
    assert all(isinstance(part, str) for part in parts), f"{name}: topics: expected names of parts"


def check_findings(measure: AbstractMetric, sides: Sides) -> None:
    """It says at least one number, each over prompts that it was given, or the reason why there is none."""
    known = {p.id for p in sides.student.requests.prompts}
    for item in findings(measure, [sides], np.random.default_rng(7)):
        part, statistic = item.name or measure.name, item.statistic
        assert statistic != "", f"{part}: expected a number or a reason, got an empty text"
        if isinstance(statistic, (Mean, Smooth)):
            rows = statistic.values if isinstance(statistic, Mean) else statistic.parts
            n = len(statistic.prompts)
            assert len(rows) == n == len(statistic.clusters), (
                f"{part}: {len(rows)} values, {n} prompts, {len(statistic.clusters)} clusters"
            )
            assert set(statistic.prompts) <= known, f"{part}: prompts that nobody was asked"
    said = estimates(measure, sides)
    assert any(isinstance(e, Estimate) for e in said.values()), (
        f"{measure.name}: expected a number of the made-up answers, got "
        f"{'; '.join(map(str, said.values()))}; pass answers that suit it: sides=..."
    )


def check_order(measure: AbstractMetric, sides: Sides) -> None:
    """Prompts, requests and answers in another order change nothing."""
    _require_same(measure, "in another order of the prompts", sides, shuffled_sides(sides))


def check_seed(measure: AbstractMetric, sides: Sides) -> None:
    """The same answers and the same seed give the same bytes."""
    _require_same(measure, "a second time", sides, sides)


class _Noted:
    """Inside, an exception gets a note."""

    def __init__(self, note: str) -> None:
        self._note = note

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(self._note)


def check_missing_roles(measure: AbstractMetric, sides: Sides) -> None:
    """Checks that a missing role gives a number or a reason."""
    without: Mapping[Role, Sides] = {
        "teacher": replace(sides, teacher=None),
        "base": replace(sides, base=None),
        "second": replace(sides, ceiling=None),
        "ceiling": replace(sides, ceiling=None),
        "controls": replace(sides, controls=()),
        "population": replace(sides, controls=()),
    }
    for role in measure.looks_at.also:
        with _Noted(f"{measure.name}: it fails where nobody has the role {role}"):
            estimates(measure, without[role])


def check_itself(measure: AbstractMetric, sides: Sides, expected: Mapping[str, Expected]) -> None:
    """A teacher that is its own student gets the stated numbers."""
    said = estimates(measure, of_itself(sides))
    for part, number in expected.items():
        estimate = said.get((part, ""))
        label = f"{measure.name}/{part}" if part else measure.name
        assert isinstance(estimate, Estimate), f"{label} of a model against itself: {estimate}"
        low, high = number if isinstance(number, tuple) else (number - 1e-12, number + 1e-12)
        assert low <= estimate.value <= high, (
            f"{label} of a model against itself: expected {number}, got {estimate.value}"
        )


def of_itself(sides: Sides) -> Sides:
    """The same, the teacher being its own student."""
    assert sides.teacher is not None
    return replace(sides, student=sides.teacher)


def check_siblings(measure: AbstractMetric, sides: Sides) -> None:
    """A further control of a lineage, one that answers as its sibling does, changes nothing."""
    first, *rest = (replace(c, lineage=f"lab of {c.model}") for c in sides.controls)
    twin = replace(first, model="twin of a control")
    one = estimates(measure, replace(sides, controls=(first, *rest)))
    two = estimates(measure, replace(sides, controls=(first, *rest, twin)))
    assert one.keys() == two.keys(), f"{measure.name}: a sibling of a control changes the parts"
    wrong = list(_differences(one, two, 1e-9))
    assert not wrong, f"{measure.name}: a sibling of a control changes {wrong}"


def _require_same(measure: AbstractMetric, how: str, one: Sides, two: Sides) -> None:
    first, second = estimates(measure, one), estimates(measure, two)
    parts = first.keys() | second.keys()
    others = [p for p in sorted(parts) if first.get(p) != second.get(p)]
    assert not others, f"{measure.name}: {how} it says something else of {_spelled(others)}"


def _spelled(parts: Sequence[tuple[str, str]]) -> str:
    return ", ".join(" in ".join(filter(None, part)) or "the measure itself" for part in parts)


def _differences(one: Estimates, two: Estimates, close: float) -> Iterator[str]:
    for name, a in one.items():
        b = two[name]
        if isinstance(a, str) or isinstance(b, str):
            same = a == b
        else:
            same = abs(a.value - b.value) <= close * abs(a.value) and a.n == b.n
        if not same:
            yield f"{_spelled([name])}: {_brief(a)} became {_brief(b)}"


def _brief(said: Estimate | str) -> str:
    return said if isinstance(said, str) else f"{said.value:g} (n = {said.n})"


def _evaluated(item: Finding) -> Estimate | str:
    if isinstance(item.statistic, str):
        return item.statistic
    try:
        return evaluate(item.statistic, np.random.default_rng(7))
    except Unavailable as error:
        return str(error)
