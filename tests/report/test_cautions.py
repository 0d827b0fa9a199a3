"""What a careful reader is told first, from a record alone."""

from __future__ import annotations

from dataclasses import replace

from harness.board.cautions import cautions, without_number
from harness.board.record import Difference, RunRecord
from harness.types import Control, Pair
from tests.report.records import collection, record


def told(**changes: object) -> tuple[str, ...]:
    """The lines of a run about which nothing is to be said, with changes."""
    controls = tuple(Control(name, name) for name in ("ash", "beech", "cedar", "dogwood"))
    quiet = replace(
        record(),
        pairs=(Pair("teacher_a", "answers_of_a", "base", ceiling=None),),
        controls=controls,
        collections=(),
    )
    return cautions(replace(quiet, **changes))  # type: ignore[arg-type]


def test_each_fact_has_its_line_in_the_order_of_the_page() -> None:
    run: RunRecord = record()
    facts = dict(next(iter(run.tasks.values())))
    lines = told(
        tasks={"open": {**facts, "n_prompts": 120, "yields": "text style"}},
        pairs=(Pair("teacher_a", "answers_of_a", None), Pair("teacher_a", "logits_of_a", "base")),
        controls=(Control("ash", "tree"), Control("beech", "tree")),
        lineages={"judge": "house", "logits_of_a": "house"},
        judges={"judged": ("judge", "answers_of_a")},
        collections=(
            collection("base", "open", missing="no file"),
            collection("teacher_a", "open", secrets=("A_KEY", "B_KEY"), notes=("2 rows dropped",)),
            collection(
                "answers_of_a", "open", n_seen=3, n_seen_exactly=1, notes=("2 rows dropped",)
            ),
            collection("logits_of_a", "open", n_seen=0, n_seen_exactly=0),
        ),
        differences=(
            Difference("open", "answers_of_a", "teacher_a", "they were decoded differently"),
            Difference("open", "logits_of_a", "teacher_a", "they were decoded differently"),
        ),
    )
    assert lines == (
        "base x open is missing: no file",
        "teacher_a x open: an answer holds the value of environment variable A_KEY and B_KEY; answers are kept as they "
        "came, so change that key before you show them to others.",
        "No base for answers_of_a: what came across cannot be told from what was there before.",
        "Not like for like: they were decoded differently.",
        "answers_of_a was trained on text that overlaps with 3 of 240 prompts of open (1 word for word).",
        "judged: the judge, judge, is of one lineage with logits_of_a; its verdicts may favour it.",
        "judged: the judge, answers_of_a, is itself one of those compared; its verdicts may favour it.",
        "Only 1 independent control lineage for answers_of_a, logits_of_a: too few for any claim of provenance.",
        "Fewer than 200 prompts: open (120); intervals are wide.",
        "No ceiling from a second sample of teacher_a: greedy decoding asks for one answer a prompt.",
        "open: 2 rows dropped",
    )


def test_a_run_without_a_number_says_why_first() -> None:
    holes = tuple(
        replace(s, value=None, low=None, high=None, reason="no answers") for s in record().scores
    )
    (line,) = told(scores=holes)
    assert line == without_number(replace(record(), scores=holes))
    assert line.endswith(f"{len(holes)} of {len(holes)} scores say: no answers")
    assert "no metric is named" in told(scores=(), metrics=())[0]
