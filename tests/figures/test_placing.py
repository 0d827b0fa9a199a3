"""Names of points: none crosses another, a mark, a line to a name, or the frame; whoever has room is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.board.joined import Job, join
from harness.board.record import RunRecord
from harness.figures import AbstractFigure, Band, Curve, Dots, Drawing, Names, Plane, Planes
from harness.figures._glyphs import text_size
from harness.figures._placing import Box, Plot, Wanted, place_names, text_box
from harness.plugins import build
from tests.figures.marks import of_type
from tests.report.records import board, record

PLOT = Plot(400, 400, (-0.2, 1.2), (-0.2, 1.2))


def cross(a: Box, b: Box) -> bool:
    """Whether two boxes have an inner point in common."""
    return max(a.left, b.left) < min(a.right, b.right) and max(a.bottom, b.bottom) < min(
        a.top, b.top
    )


def inside(box: Box, width: float, height: float) -> bool:
    return box.left >= 0 and box.right <= width and box.bottom >= 0 and box.top <= height


def wrong(drawing: Drawing) -> list[str]:
    """Names of a map that cross another name or a mark, or leave the frame, at each size that it is drawn in."""
    frame = drawing.frame
    assert isinstance(frame, (Plane, Planes))
    planes = frame.planes if isinstance(frame, Planes) else (frame,)
    said = []
    for names in of_type(drawing, Names):
        plane = planes[names.panel]
        plot = Plot(names.width, names.height, plane.x_span, plane.y_span)
        marks = [
            box
            for dots in of_type(drawing, Dots)
            if dots.panel == names.panel
            for d in dots.dots
            for box in plot.mark((d.x, d.y), dots.size, (d.x_ends, d.y_ends))
        ]
        boxes, lines = [], []
        for name in names.names:
            x, y = plot.at(name.x, name.y)
            middle = (x + name.shift[0], y + name.shift[1])
            boxes.append(text_box(middle, name.text, name.size))
            lines.append(np.linspace((x, y), middle, 60) if name.leader else np.empty((0, 2)))
        for i, box in enumerate(boxes):
            text = f"{names.names[i].text} at {names.width}"
            said += [f"{text} leaves the frame"] * (not inside(box, names.width, names.height))
            said += [f"{text} crosses a mark" for mark in marks if cross(box, mark)]
            said += [
                f"the line to another name crosses {text}"
                for j, line in enumerate(lines)
                if j != i and any(cross(box, Box(a, b, a + 0.1, b + 0.1)) for a, b in line.tolist())
            ]
            said += [f"{text} crosses a name" for other in boxes[:i] if cross(box, other)]
    return said


def transfer_map(run: RunRecord) -> Drawing:
    figure: AbstractFigure = build("figures", "transfer_map", {"kind": "transfer_map"})
    drawing = figure.draw(board(run), None)
    assert isinstance(drawing, Drawing)
    return drawing


def test_every_student_band_corner_base_and_teacher_of_the_map_is_named_and_nothing_crosses() -> (
    None
):
    drawing = transfer_map(record())
    assert wrong(drawing) == []
    every = of_type(drawing, Names)
    assert [names.panel for names in every] == [0, 0, 1, 1]
    assert all(a.width > b.width for a, b in (every[:2], every[2:]))
    for names in every[::2]:
        texts = {name.text for name in names.names}
        assert {"imitator", "clone", "neither", "learner", "base", "teacher, asked again"} <= texts
        assert "unrelated models" in texts
    assert [band.panel for band in of_type(drawing, Band)] == [0, 1]
    texts = {name.text for names in every[::2] for name in names.names}
    students = {
        d.link[0]
        for dots in of_type(drawing, Dots)
        for d in dots.dots
        if d.link and dots.role == "student"
    }
    starts = {text.split("\n")[0].split(" \u2190")[0] for text in texts}
    assert all(any(s.startswith(start) for start in starts) for s in students)
    assert len(students) == 6


@pytest.mark.parametrize("seed", range(6))
def test_of_a_crowd_nobody_crosses_anybody(seed: int) -> None:
    """Students and controls drawn close to base and teacher, where the names of these stand too."""
    rng = np.random.default_rng(seed)
    scores = tuple(
        s
        if s.value is None or s.metric not in ("capability_transfer", "style_transfer")
        else replace(s, value=(v := float(rng.normal(seed % 2, 0.08))), low=v - 0.1, high=v + 0.1)
        for s in record().scores
    )
    drawing = transfer_map(replace(record(), scores=scores))
    assert wrong(drawing) == []
    assert len(of_type(drawing, Names)[0].names) > 8


def test_of_a_sweep_the_names_are_the_values() -> None:
    run = record()
    student = run.pairs[0].student
    one = replace(
        run, pairs=run.pairs[:1], scores=tuple(s for s in run.scores if s.student == student)
    )
    swept = join([Job((("decoding.temperature", v),), one) for v in ("0", "0.5", "1")])
    drawing = transfer_map(swept)
    assert wrong(drawing) == []
    assert isinstance(drawing.frame, Plane), "one student of one teacher, however often swept"
    texts = {name.text for name in of_type(drawing, Names)[0].names}
    (path,) = of_type(drawing, Curve)
    assert (path.joined, len(path.dots)) == (True, 3)
    assert {"temperature=0", "temperature=0.5", "temperature=1"} <= texts


def test_a_name_at_the_edge_turns_inwards_and_keeps_off_its_own_interval() -> None:
    point = PLOT.at(1.15, 0.5)
    marks = PLOT.mark((1.15, 0.5), 12, ((0.9, 1.19), (0.3, 0.7)))
    (spot,) = place_names([Wanted("a_student", 12, point)], marks, PLOT)
    assert spot is not None
    assert not spot.leader
    box = text_box(spot.middle, "a_student", 12)
    assert inside(box, 400, 400)
    assert not any(cross(box, mark) for mark in marks)


def test_where_there_is_no_room_there_is_no_name_and_a_line_leads_to_the_far_ones() -> None:
    point = PLOT.at(0.5, 0.5)
    many = [Wanted("a rather long name", 12, point, rank=int(i != 39)) for i in range(40)]
    spots = place_names(many, PLOT.mark((0.5, 0.5), 12), PLOT)
    assert spots[39] is not None
    assert not spots[39].leader, "the first has the nearest place"
    assert any(spot is not None and spot.leader for spot in spots)
    assert None in place_names([*many, *many], [], Plot(200, 120, (-0.2, 1.2), (-0.2, 1.2)))
    assert place_names([Wanted("wide" * 40, 12, point)], [], PLOT) == [None]


def test_a_text_is_as_wide_as_its_widest_line() -> None:
    assert text_size("ab\nabcd", 10) == (text_size("abcd", 10)[0], 2 * text_size("a", 10)[1])
    assert text_size("\u5b66\u751f", 10)[0] == 22
    assert text_size("mmm", 10)[0] > text_size("aaa", 10)[0] > text_size("iii", 10)[0]
