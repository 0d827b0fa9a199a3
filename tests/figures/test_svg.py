"""Drawings as SVG: numbers at their pixels, sound XML, and no text that leaves the figure or lies on another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from harness.figures import (
    Curve,
    Dot,
    Dots,
    Drawing,
    Frame,
    Grid,
    Heat,
    HeatCell,
    Label,
    Mark,
    Panels,
    Plane,
    Planes,
    RowName,
    Rows,
    Ticks,
    numbers_of,
)
from harness.figures._glyphs import LINE, lines_within, text_width
from harness.page.scales import Scale, stepped, ticks
from harness.page.svg import svg
from harness.plugins import kinds
from tests.figures.test_figures import drawn
from tests.report.records import HOSTILE, record

SVG = "{http://www.w3.org/2000/svg}"
WIDTHS = (330.0, 474.0, 620.0)
NUMBERS = numbers_of(["a"], [["1"]])
LONG = "an-unusually_long/name+of a model with a revision-0.12.3-chat-hf"


class Text(NamedTuple):
    """A text with its box, at most so large, in pixels from the upper left corner."""

    words: str
    left: float
    top: float
    right: float
    bottom: float


def texts(root: ElementTree.Element) -> Iterator[Text]:
    for element in root.iter(f"{SVG}text"):
        words, size = element.text or "", float(element.get("font-size", "12"))
        bold = "strong" in element.get("class", "")
        width, height = text_width(words, size, bold=bold) - 2, LINE * size
        share = {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "start")]
        turned = re.match(r"translate\((\S+) (\S+)\)rotate", element.get("transform", ""))
        if turned:
            x, y = map(float, turned.groups())
            box = (x - 0.85 * height, y - width / 2, x + 0.15 * height, y + width / 2)
        else:
            x, y = float(element.get("x", "")), float(element.get("y", ""))
            left = x - share * width
            box = (left, y - 0.75 * height, left + width, y + 0.25 * height)
        yield Text(words, *box)


def words_of(*marks: Mark) -> list[str]:
    """The texts of a figure of one row."""
    text = svg(plain(Rows((RowName("a"),), "share"), *marks), 330, "").text
    return [t.words for t in texts(ElementTree.fromstring(text))]


def wrong(drawing: Drawing, width: float) -> list[str]:
    """What is cut or lies on something else, one line each."""
    sketch = svg(drawing, width, "a title")
    root = ElementTree.fromstring(sketch.text)
    said, every = [], list(texts(root))
    for i, t in enumerate(every):
        inside = t.left >= -1 and t.right <= sketch.width + 1 and t.top >= -1
        if not (inside and t.bottom <= sketch.height + 1):
            said.append(f"{t.words} is cut")
        for o in every[:i]:
            across = min(t.right, o.right) - max(t.left, o.left)
            along = min(t.bottom, o.bottom) - max(t.top, o.top)
            if across > 1 and along > 3:
                said.append(f"{t.words} lies on {o.words}")
    return said


@pytest.mark.parametrize("kind", kinds("figures"))
def test_of_every_figure_no_text_is_cut_or_lies_on_another(kind: str) -> None:
    drawing = drawn(kind)
    assert {w: wrong(drawing, w) for w in WIDTHS} == {w: [] for w in WIDTHS}


def test_names_are_as_long_as_people_make_them() -> None:
    run = record()
    name = {p.student: f"{LONG}-{i}" for i, p in enumerate(run.pairs)}
    longer = replace(
        run,
        pairs=tuple(replace(p, student=name[p.student]) for p in run.pairs),
        scores=tuple(replace(s, student=name.get(s.student, s.student)) for s in run.scores),
        models={name.get(m, m): facts for m, facts in run.models.items()},
        lineages={name.get(m, m): own for m, own in run.lineages.items()},
        collections=tuple(replace(c, model=name.get(c.model, c.model)) for c in run.collections),
    )
    for kind in ("transfer_map", "agreement", "task_heatmap", "style_families", "pareto_map"):
        drawing = drawn(kind, longer)
        assert {w: wrong(drawing, w) for w in WIDTHS} == {w: [] for w in WIDTHS}, kind


def plain(frame: Frame, *marks: Mark) -> Drawing:
    return Drawing(marks, frame, NUMBERS)


@pytest.mark.parametrize(
    "frame",
    [
        Rows((RowName(LONG), RowName("b\nc", strong=True)), LONG),
        Plane(LONG, LONG * 2, (0, 1), (-1000, 1000), 250),
        Planes((Plane("x", "y", (0, 1), (0, 1), 0.5, 300, (), LONG),) * 5),
        Panels(Ticks("step", tuple((float(i), f"run/checkpoint-{i}") for i in range(12)), (0, 11)), ((0, 1),)),
    ],
    ids=lambda frame: type(frame).__name__,
)  # fmt: skip
def test_long_titles_and_many_ticks_stay_inside(frame: Frame) -> None:
    mark = (
        Curve("c", "student", (Dot(0, 0), Dot(11, 1)), True, 0)
        if isinstance(frame, Panels)
        else Dots("student", (Dot(0.5, 0, (0.1, None)), Dot(0.7, 1)))
    )
    assert {w: wrong(plain(frame, mark), w) for w in WIDTHS} == {w: [] for w in WIDTHS}


def test_a_dot_and_its_interval_stand_at_their_numbers() -> None:
    frame = Rows((RowName("a"),), "share", span=(0.0, 1.0))
    low, high = (plain(frame, Dots("teacher", (Dot(x, 0, (0.0, 1.5)),))) for x in (0.0, 1.0))
    ends = [re.search(r'class="ends" d="M(\S+) (\S+)H(\S+)"', svg(d, 620, "").text) for d in (low, high)]  # fmt: skip
    places = [re.search(r'class="solid" d="M(\S+) (\S+)m', svg(d, 620, "").text) for d in (low, high)]  # fmt: skip
    assert ends[0] is not None
    assert ends[1] is not None
    assert places[0] is not None
    assert places[1] is not None
    assert ends[0].groups() == ends[1].groups(), "beyond the axis an interval ends with it"
    assert places[0].group(1) == ends[0].group(1)
    assert places[1].group(1) == ends[0].group(3)
    assert places[0].group(2) == ends[0].group(2)


def test_a_curve_that_is_higher_stands_higher() -> None:
    plane = Plane("x", "y", (0.0, 1.0), (0.0, 1.0), 0.5)
    text = svg(plain(plane, Curve("c", "student", (Dot(0, 0), Dot(1, 1)), True, 0)), 330, "").text
    way = re.search(r'class="curve" d="M(\S+) (\S+)L(\S+) (\S+)"', text)
    assert way is not None
    x0, y0, x1, y1 = map(float, way.groups())
    assert x0 < x1
    assert y0 > y1, "pixels count downwards"


def test_cells_are_the_darker_the_higher_and_an_empty_one_says_why() -> None:
    row = (HeatCell(0.25, "¼", ()), HeatCell(7.0, "7", ()), HeatCell(None, "", ("no grade",)))
    root = ElementTree.fromstring(svg(plain(Grid(("x", "y", "z"), ("r",)), Heat((row,))), 330, "").text)  # fmt: skip
    assert [e.get("fill-opacity") for e in root.iter() if e.get("class") == "dark"] == [
        "0.25",
        "1.00",
    ]
    assert [e.text for e in root.iter(f"{SVG}title")] == ["no grade"]
    assert [t.words for t in texts(root)][-3:] == ["¼", "7", "–"]


def test_hostile_names_stay_text() -> None:
    names = tuple(RowName(text[:200]) for text in HOSTILE if text)
    dot = Dot(1, 0, told=(HOSTILE[0],), link=(HOSTILE[0], "t"))
    sketch = svg(
        plain(Rows(names, HOSTILE[6]), Dots("student", (dot,))), 620, HOSTILE[6] + HOSTILE[0]
    )
    root = ElementTree.fromstring(sketch.text)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} == {"svg", "g", "path", "text", "title"}
    assert "\x00" not in sketch.text
    assert "\u202e" not in sketch.text
    assert str(root.get("aria-label")).endswith(HOSTILE[0])


def test_a_legend_names_the_roles_where_there_are_several() -> None:
    one, two = Dots("student", (Dot(1, 0),)), Dots("control", (Dot(2, 0),))
    assert "student" not in words_of(one)
    assert words_of(one, two)[:2] == ["student", "control"]


def test_names_at_the_ends_of_curves_move_apart() -> None:
    frame = Panels(Ticks("step", ((0.0, "0"), (1.0, "1")), (0, 1)), ((0.0, 1.0),), 60)
    ends = [Label(f"model {i}", 1, 0.5, ("left", "middle"), "frame", size=11.5) for i in range(9)]
    drawing = plain(frame, Curve("c", "student", (Dot(0, 0), Dot(1, 1)), True, 0), *ends)
    assert wrong(drawing, 330) == []
    assert svg(drawing, 330, "").text.count('class="leader"') >= 8


def test_ticks_are_round_numbers() -> None:
    assert [w for _, w in ticks((0.0, 1.0), 5)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [w for _, w in stepped((-0.1, 0.6), 0.25)] == ["0.00", "0.25", "0.50"]
    assert [x for x, _ in stepped((-4000, 9000), 5000)] == [0, 5000]
    assert Scale((0.0, 2.0), 100, 300, logarithmic=True)(10) == 200


def test_lines_break_after_separators_and_lose_nothing() -> None:
    lines = lines_within(LONG, 12, 90)
    assert "".join(lines).replace(" ", "") == LONG.replace(" ", "")
    assert all(text_width(line, 12) <= 90 for line in lines)
    assert lines_within("学生学生学生", 10, 32) == ["学生学", "生学生"]
    assert lines_within("i", 12, 0.1) == ["i"]


def test_of_numbers_that_would_touch_every_second_stands_there() -> None:
    plane = Plane("x", "y", (-2.0, 2.0), (0.0, 1.0), 0.25)
    text = svg(plain(plane, Curve("", "student", (Dot(0, 0), Dot(1, 1)), True, 0)), 474, "").text
    halves = [x / 2 for x in range(-4, 5)]
    words = [t.words for t in texts(ElementTree.fromstring(text))]
    assert words[words.index("y") + 1 : -1] == [
        f"{x:.2f}".replace("-", "\u2212") for x in halves
    ], words
