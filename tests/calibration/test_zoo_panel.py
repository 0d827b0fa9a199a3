"""The zoo panel's summary: what it counts, by hand, and that the committed one is that of the committed rows."""

from __future__ import annotations

import pytest

from tests.calibration.zoo_summary import (
    TABLE,
    Row,
    Share,
    accused,
    accused_at_level,
    false_pairs,
    guilty,
    has_low_p,
    one_alone,
    read_rows,
    summary,
    truth,
)


def row(seed: int, way: str, teacher: str, outcome: str = "cannot tell", **cells: object) -> Row:
    """A row; p is .5 where none is given."""
    plain: dict[str, object] = {
        "odds": 1.0, "p": 0.5, "named": 0, "elsewhere": outcome, "elsewhere_odds": 1.0, "errors_p": 0.5,
        "read": "cannot tell", "read_named": 0, "read_bits": 0.0, "read_odds": None,
    }  # fmt: skip
    return Row(seed, way, teacher, truth(way, teacher), outcome, **{**plain, **cells})  # type: ignore[arg-type]


ROWS = (
    row(1, "base", "a"), row(1, "base", "b", p=0.04),
    row(1, "talker_1", "a", "supports", p=0.02), row(1, "talker_1", "b"),
    row(2, "base", "a"), row(2, "base", "b"),
    row(1, "open_a", "a", "supports", named=1, p=0.01), row(1, "open_a", "b", p=0.03),
    row(2, "few_b", "a"), row(2, "few_b", "b", "does not support"),
    row(1, "task_only_a", "a", "does not support"), row(1, "task_only_a", "b"),
    row(2, "mixed", "a", "supports", odds=8.0), row(2, "mixed", "b", odds=2.0),
)  # fmt: skip


def test_a_model_is_accused_where_either_teacher_is_supported() -> None:
    made = accused(ROWS, lambda r: r.outcome == "supports")
    assert (made.n, made.of) == (1, 3)
    # drawn seeds: (1, 1), (1, 2), (2, 2) accuse 2 of 4, 1 of 3, 0 of 2
    assert made.seeds == (0.0, 0.5)
    # 1 of 3: quantiles .025 of beta(1, 3) and .975 of beta(2, 2)
    assert made.exact == pytest.approx((0.0084, 0.9057), abs=1e-4)


def test_the_level_holds_for_both_teachers_together() -> None:
    """The base's .04 is no .05 after Holm; the talker's .02 is."""
    assert (accused_at_level(ROWS).n, accused_at_level(ROWS).of) == (1, 3)


def test_false_pairs_count_one_by_one() -> None:
    """Six of innocents, two of students of the other teacher, one of the student of task answers."""
    made = false_pairs(ROWS, has_low_p)
    assert (made.n, made.of) == (3, 9)


def test_students_of_replies_are_guilty_and_those_of_both_count_apart() -> None:
    made = guilty(ROWS, lambda r: r.named == 1)
    assert (made.n, made.of) == (1, 2)
    assert guilty(ROWS, lambda r: True, "few").of == 1
    assert one_alone(ROWS) == ["mixed of seed 2 (8, 2)"]


@pytest.mark.parametrize(
    ("way", "teacher", "expected"),
    [
        ("open_a", "a", 1), ("open_a", "b", 0), ("few_c", "a", 0), ("mixed", "b", 1),
        ("task_only_a", "a", None), ("paraphrased_b", "b", None), ("paraphrased_b", "a", 0),
    ],
)  # fmt: skip
def test_what_is_true(way: str, teacher: str, expected: int | None) -> None:
    assert truth(way, teacher) is expected


def test_the_summary_is_that_of_the_rows() -> None:
    assert TABLE.with_suffix(".md").read_text(encoding="utf-8") == summary(read_rows())


def test_the_page_of_evidence_says_what_the_rows_say() -> None:
    rows = read_rows()
    page = (TABLE.parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    of_page = page.split("## How often it is wrong, measured")[1].split("\n## ")[0]
    readers = [r for r in rows if r.read_bits is not None]
    lines = {
        "innocent models of which a teacher is supported": (
            accused(rows, lambda r: r.outcome == "supports"),
            accused(readers, lambda r: r.read == "supports"),
        ),
        "innocent models with p of 5 % or less for one of two teachers (Holm)": (
            accused_at_level(rows),
        ),
        "students whose teacher is named (of twelve teachers; of two)": (
            guilty(rows, lambda r: r.named == 1),
            guilty(rows, lambda r: r.read_named == 1),
        ),
        "students whose teacher is supported": (
            guilty(rows, lambda r: r.outcome == "supports"),
            guilty(rows, lambda r: r.read == "supports"),
        ),
    }
    for what, shares in lines.items():
        assert f"| {what} | {' | '.join(map(in_percent, shares))} |" in of_page.replace(
            " | too few innocents to reach it |", " |"
        )


def in_percent(made: Share) -> str:
    """A share as the page has it."""
    low, high = (round(100 * end) for end in made.exact)
    return f"{made.n} of {made.of} [{low}, {high}] %"
