"""Nothing untrue is said: each reason and warning has a cause that makes it appear, and a near miss."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import harness.board.cautions
import harness.board.replies
import harness.panel.reasons
from harness.board.cautions import cautions
from harness.board.record import CollectionRecord, Difference, Facts
from harness.metrics.length import Length
from harness.metrics.next_token_agreement import NextTokenAgreement
from harness.metrics.style_classifier import StyleClassifier
from harness.metrics.top1_agreement import Top1Agreement
from harness.panel.panel import Panel, Role
from harness.panel.side import Side
from harness.panel.texts import align_texts
from harness.testing.panels import Sides, findings
from harness.testing.sides import chosen_side, quiz_prompts, text_side
from harness.text.cut import Endings
from harness.text.marks import read_marks
from harness.types import Control, Pair, Unavailable
from tests.report.records import collection, record

Said = Callable[[], list[str]]
N = 40
TEXTS = [f"{'abcdefgh'[i % 8] * 3} {i} has {'many ' * (i % 7)}words: {i * i}" for i in range(N)]


@dataclass(frozen=True)
class Row:
    """One thing that is said."""

    where: str  # function or constant that says it
    words: str  # a part of it
    cause: Said
    near_miss: Said


# --- warnings -----------------------------------------------------------------------------------

CONTROLS = tuple(Control(name, name) for name in ("ash", "beech", "cedar", "dogwood"))
PAIR = Pair("teacher_a", "answers_of_a", "base", ceiling=None)
OPEN: Facts = {"kind": "prompts", "n_prompts": 240, "yields": "text style"}


def warned(**changes: Any) -> Said:
    """The warnings of a run about which nothing is to be said, with changes."""
    quiet = replace(
        record(), pairs=(PAIR,), controls=CONTROLS, collections=(), tasks={"open": OPEN}
    )
    return lambda: list(cautions(replace(quiet, **changes)))


def answered(model: str = "answers_of_a", **how: Any) -> CollectionRecord:
    return collection(model, "open", **how)


def wrote(texts: list[str], others: list[str] = TEXTS, yields: str = "text style") -> Said:
    """The warnings about a student's replies beside those of its teacher."""
    asked = [f"This is prompt {i}" for i in range(N)]
    marks = {"answers_of_a": read_marks(texts, asked), "teacher_a": read_marks(others, asked)}
    return warned(
        collections=tuple(answered(model, marks=m) for model, m in marks.items()),
        tasks={"open": {**OPEN, "yields": yields}},
    )


def ended(student: int, teacher: int) -> Said:
    """The warnings about so many cut replies of 40 of student and teacher."""
    n_cut = {"answers_of_a": student, "teacher_a": teacher}
    return warned(
        collections=tuple(answered(m, endings=Endings(40, n, 0)) for m, n in n_cut.items())
    )


def cut_on(endings: dict[str, Endings]) -> Said:
    """The warnings about a student whose replies to some tasks end so."""
    cells = tuple(collection("answers_of_a", t, endings=e) for t, e in endings.items())
    return warned(collections=cells, tasks={t: OPEN for t in endings})


def crowd(n: int) -> Said:
    """The warnings about n models, a few of whose replies are cut."""
    return warned(collections=tuple(answered(f"m{i}", endings=Endings(40, 3, 0)) for i in range(n)))


def some(n: int, change: Callable[[str], str]) -> list[str]:
    """The replies, n of them changed."""
    return [change(t) if i < n else t for i, t in enumerate(TEXTS)]


def no_number(**changes: Any) -> Said:
    holes = tuple(
        replace(s, value=None, low=None, high=None, reason="no answers") for s in record().scores
    )
    return warned(**{"scores": holes, **changes})


TWICE = Pair("teacher_a", "answers_of_a", "base")
DIFFER = Difference("open", "answers_of_a", "teacher_a", "they were decoded differently")
FALSE_FRIEND = "Hope this helps!"
WARNINGS = [
    Row("cautions", "Not like for like: they were", warned(differences=(DIFFER,)), warned()),
    Row(
        "cautions",
        "open: 2 rows dropped",
        warned(collections=(answered(notes=("2 rows dropped",)),)),
        warned(collections=(answered(),)),
    ),
    Row(
        "noted",
        "answers_of_a x open: 25 of its answers fit no prompt.",
        warned(collections=(answered(answer_notes=("25 of its answers fit no prompt",)),)),
        warned(collections=(answered(),)),
    ),
    Row("without_number", "scores say: no answers", no_number(), no_number(scores=record().scores)),
    Row(
        "without_number",
        "no metric is named",
        no_number(scores=(), metrics=()),
        no_number(scores=()),
    ),
    Row("without_number", "found nothing to measure", no_number(scores=()), no_number()),
    Row(
        "_missing",
        "answers_of_a x open is missing: no file",
        warned(collections=(answered(missing="no file"),)),
        warned(collections=(answered(),)),
    ),
    Row(
        "_missing",
        "Left out, since their data are not there: open.",
        warned(left_out={"open": "no data"}),
        warned(left_out={}),
    ),
    Row(
        "_spilled",
        "variable A_KEY",
        warned(collections=(answered(secrets=("A_KEY",)),)),
        warned(collections=(answered(),)),
    ),
    Row(
        "_without_base",
        "No base for answers_of_a",
        warned(pairs=(replace(PAIR, base=None),)),
        warned(pairs=(PAIR,)),
    ),
    Row("_controls", "No controls", warned(controls=()), warned(controls=(), pairs=())),
    Row(
        "_controls",
        "Only 3 independent control lineages for answers_of_a",
        # the fourth is a relative of the teacher
        warned(controls=CONTROLS, lineages={"teacher_a": "ash"}),
        warned(
            controls=(*CONTROLS, Control("elm", "elm", teachers=("teacher_b",))),
            pairs=(PAIR, Pair("teacher_b", "answers_of_b", "base", ceiling=None)),
            lineages={"base": "ash", "teacher_b": "cedar"},  # a relative of the other pair
        ),
    ),
    Row(
        "_few_prompts",
        "Fewer than 200 prompts: open (199)",
        warned(tasks={"open": {**OPEN, "n_prompts": 199}}),
        warned(tasks={"open": {**OPEN, "n_prompts": 200}, "unbuilt": {**OPEN, "n_prompts": 0}}),
    ),
    Row(
        "_ceilings",
        "No ceiling from a second sample of teacher_a: greedy decoding",
        warned(pairs=(TWICE,), collections=(answered("teacher_a"),)),
        warned(
            pairs=(TWICE,),
            collections=(answered("teacher_a"), answered("teacher_a", sample=1)),
        ),
    ),
    Row(
        "_ceilings",
        "No ceiling from a second sample of teacher_a: one answer a prompt is recorded",
        warned(
            pairs=(TWICE,), collections=(answered("teacher_a"), answered("teacher_a", sample=1))
        ),
        warned(
            pairs=(TWICE,),
            collections=(answered("teacher_a"), answered("teacher_a", sample=1, n_answered=9)),
        ),
    ),
    Row(
        "_judges",
        "is itself one of those compared",
        warned(judges={"judged": ("teacher_a",)}),
        warned(judges={"judged": ("base",)}),
    ),
    Row(
        "_judges",
        "the judge, judge, is of one lineage with teacher_a",
        warned(judges={"judged": ("judge",)}, lineages={"judge": "x", "teacher_a": "x"}),
        warned(judges={"judged": ("judge",)}, lineages={"judge": "x", "base": "x"}),
    ),
    Row(
        "_seen",
        "overlaps with 3 of 240 prompts of open (1 word for word)",
        warned(collections=(answered(n_seen=3, n_seen_exactly=1),)),
        warned(collections=(answered(n_seen=0, n_seen_exactly=0),)),
    ),
    Row(
        "_cut_prompts",
        "answers_of_a: prompts did not fit and were shortened: open 24 of 240.",
        warned(collections=(answered(n_cut_prompts=24),)),
        warned(collections=(answered(), answered(sample=1, n_cut_prompts=24))),
    ),
    Row(
        "_cut_replies",
        "answers_of_a: replies are cut before their end on 1 of 1 task (8 % of them): open 3 of 40; lengths",
        warned(collections=(answered(endings=Endings(40, 3, 0)),)),
        warned(collections=(answered(endings=Endings(40, 2, 0)),)),
    ),
    Row(
        "_guessed_or_wrong",
        "(15 % of them; 2 guessed from how they end; 5 of the cut ones wrong): open 6 of 40",
        warned(collections=(answered(endings=Endings(40, 4, 2, 11, 5)),)),
        warned(collections=(answered(endings=Endings(40, 6, 0, 11, 5)),)),
    ),
    Row(
        "_guessed_or_wrong",
        "; all guessed from how they end; all of the cut ones wrong)",
        warned(collections=(answered(endings=Endings(40, 0, 6, 11, 6)),)),
        warned(collections=(answered(endings=Endings(40, 1, 5, 11, 5)),)),
    ),
    Row(
        "_guessed_or_wrong",
        "on 2 of 3 tasks (15 to 75 % of them; all of the 30 cut ones that are graded wrong): open 6 of 40,",
        cut_on(
            {
                "open": Endings(40, 6, 0),
                "quiz": Endings(40, 30, 0, 40, 30),
                "sums": Endings(40, 0, 0),
            }
        ),
        cut_on({"open": Endings(40, 6, 0, 9, 6), "quiz": Endings(40, 30, 0, 40, 30)}),
    ),
    Row(
        "_span",
        "(15 % of them)",
        cut_on({"open": Endings(40, 6, 0), "quiz": Endings(40, 6, 0)}),
        cut_on({"open": Endings(40, 6, 0), "quiz": Endings(40, 8, 0)}),
    ),
    Row(
        "_listed",
        "quiz4 9 of 40, quiz5 9 of 40, 2 more;",
        cut_on({f"quiz{i}": Endings(40, 9, 0) for i in range(8)}),
        cut_on({f"quiz{i}": Endings(40, 9, 0) for i in range(7)}),  # one more is named
    ),
    Row(
        "_others_cut",
        "(10 % of them; teacher_a 2 %): open 4 of 40",
        ended(4, 1),
        ended(4, 2),
    ),
    Row(
        "_lines",
        "Replies are cut before their end: m0 on 1 of 1 task (8 % of them): open 3 of 40; m1 on",
        crowd(5),
        crowd(4),
    ),
    Row("_lines", "m3: replies are cut before their end", crowd(4), crowd(5)),
    Row(
        "_without_stops",
        "answers_of_a: replies end without a full stop: open 40 of 40. Next to none",
        warned(collections=(answered(endings=Endings(40, 0, 0, n_no_stop=40)),)),
        warned(collections=(answered(endings=Endings(40, 0, 40)),)),
    ),
    Row(
        "_cut_apart",
        "answers_of_a: compared models are cut in unlike shares: open 2 %, teacher_a 10 %.",
        ended(1, 4),
        ended(2, 4),
    ),
    Row(
        "_gathered",
        "answers_of_a: empty replies count as 0 words, and as wrong where graded: open 10 of 40.",
        wrote(some(10, lambda _: " ")),
        wrote(some(10, lambda _: ".")),
    ),
    Row(
        "_gathered",
        "answers_of_a: what was thought aloud before replies is left out: open 5 of 40.",
        wrote(some(5, lambda t: f"<think>So.</think>{t}")),
        wrote(some(5, lambda t: f"Use <think>So.</think>{t}")),
    ),
    Row(
        "_gathered",
        "answers_of_a: end tokens behind replies are cut: open 40 of 40 (</s>).",
        wrote(some(N, lambda t: f"{t}</s>")),
        wrote(some(N, lambda t: f"{t} <s>old</s>")),
    ),
    Row(
        "_inside",
        "answers_of_a: replies have special tokens in them: open 3 of 40 (<|user|>); if",
        wrote(some(3, lambda t: f"{t}<|user|>{t}")),
        wrote(some(2, lambda t: f"{t}<|user|>{t}")),  # two who speak of such tokens
    ),
    Row(
        "_inside",
        "answers_of_a: replies have turns of a conversation in them: open 3 of 40 (User:)",
        wrote(some(3, lambda t: f"{t}\nUser: more")),
        wrote(some(3, lambda t: f"{t}\nThe User: more")),
    ),
    Row(
        "_inside",
        'answers_of_a: replies begin with their own prompt: open 3 of 40 ("This is prompt 0")',
        wrote([f"This is prompt {i}. {t}" if i < 3 else t for i, t in enumerate(TEXTS)]),
        wrote([f"This is prompt {i}. {t}" if i < 2 else t for i, t in enumerate(TEXTS)]),
    ),
    Row(
        "_inside",
        "answers_of_a: replies have HTML entities in them: open 40 of 40 (&#x27;)",
        wrote(some(N, lambda t: f"It&#x27;s {t}")),
        wrote(some(N, lambda t: f"<b>It&#x27;s</b> {t}")),  # replies about HTML
    ),
    Row(
        "_inside",
        "answers_of_a: replies are spelt as JSON, with quotes or line ends of its own: open 40 of 40 (",
        wrote(some(N, lambda t: f'"{t}"')),
        wrote(some(N, lambda t: f'"Yes" and "{t}"')),
    ),
    Row(
        "_around",
        'end with ". Hope this helps!", and no other model\'s',
        wrote(some(38, lambda t: f"{t}. {FALSE_FRIEND}")),
        wrote(  # the student's habit is its teacher's
            some(38, lambda t: f"{t}. {FALSE_FRIEND}"), some(N, lambda t: f"{t} {FALSE_FRIEND}")
        ),
    ),
    Row(
        "_around",
        'begin with "Assistant: ", and no other model\'s',
        wrote(some(N, lambda t: f"Assistant: {t}"), some(N, str.upper)),
        wrote(some(35, lambda t: f"Assistant: {t}"), some(N, lambda t: t)),  # not nearly all
    ),
    Row(
        "_repeated",
        'answers_of_a: replies to different prompts are the same text: open 10 of 40 ("Sorry."); if calls',
        wrote(some(10, lambda _: "Sorry.")),
        wrote(some(10, lambda _: "Sorry."), yields="grades"),  # questions with few answers
    ),
]


# --- reasons ------------------------------------------------------------------------------------


def reasoned(metric: Any, sides: Sides) -> Said:
    """The reasons that a measure gives in the place of numbers."""

    def given() -> list[str]:
        try:
            made = findings(metric, [sides])
        except Unavailable as error:
            return [str(error)]
        return [f.statistic for f in made if isinstance(f.statistic, str)]

    return given


def wrote_some(model: str, n: int = N, start: int = 0, lineage: str = "") -> Side:
    """A model that answered n of the prompts, from one on."""
    whole = text_side(model, [f"{model[0]} {t}" for t in TEXTS], lineage=lineage)
    there = [start <= i < start + n for i in range(N)]
    text = tuple(t if keep else None for t, keep in zip(whole.outputs.text, there, strict=True))
    return replace(whole, outputs=replace(whole.outputs, text=text, answered=tuple(there)))


def named(metric: Any, **sides: Any) -> Said:
    own = {"student": wrote_some("student"), "teacher": wrote_some("teacher"), **sides}
    return reasoned(metric, Sides("open", own.pop("student"), own.pop("teacher"), **own))


def aligned(student: Side, teacher: Side) -> Said:
    def given() -> list[str]:
        try:
            align_texts(Panel("open", {"student": (student,), "teacher": (teacher,)}))
        except Unavailable as error:
            return [str(error)]
        return []

    return given


def sought(role: Role) -> Said:
    """A role of a panel that has a student alone."""

    def given() -> list[str]:
        try:
            Panel("open", {"student": (wrote_some("student"),)}).side(role)
        except Unavailable as error:
            return [str(error)]
        return []

    return given


def chose(n_unread: int) -> Said:
    prompts = quiz_prompts(N)
    student = chosen_side("student", prompts, [None] * n_unread + [0] * (N - n_unread))
    return reasoned(
        Top1Agreement("m", "m"), Sides("quiz", student, chosen_side("teacher", prompts, [0] * N))
    )


def cut_short(n: int) -> Side:
    """The student with so many replies that ended at the limit of tokens."""
    side = wrote_some("student")
    stops = ("length",) * n + ("eos",) * (N - n)
    return replace(side, outputs=replace(side.outputs, stop=stops))


NEXT = NextTokenAgreement("m", "m")
LENGTH = Length("m", "m")
BASE = wrote_some("base")
REASONS = [
    Row("NO_BASE", "this pair names no base", named(LENGTH), named(LENGTH, base=BASE)),
    Row(
        "NO_SECOND",
        "no second sample of the teacher",
        named(StyleClassifier("m", "m"), base=BASE),
        named(StyleClassifier("m", "m"), base=BASE, ceiling=wrote_some("teacher")),
    ),
    Row(
        "nobody",
        "this pair names no teacher",
        sought("teacher"),
        sought("student"),
    ),
    Row(
        "no_controls",
        "no control of another lineage than student and teacher has answers here",
        named(NEXT, controls=(wrote_some("ash", lineage="teacher"),)),
        named(NEXT, controls=(wrote_some("ash", 35),)),
    ),
    Row(
        "no_controls",
        "no control answered nine in ten of the shared prompts: ash did not",
        named(NEXT, controls=(wrote_some("ash", 35),)),
        named(NEXT, controls=(wrote_some("ash", 36),)),
    ),
    Row(
        "cut_off",
        "9 of 40 answers of student are cut off before their end",
        named(LENGTH, base=BASE, student=cut_short(9)),
        named(LENGTH, base=BASE, student=cut_short(8)),
    ),
    Row("few", "19 of 40 prompts answered by both; at least 20 are needed", chose(21), chose(20)),
    Row(
        "require_shared",
        "19 prompts answered by all of student, teacher; at least 20 are needed (student answered 19)",
        aligned(wrote_some("student", 19), wrote_some("teacher")),
        aligned(wrote_some("student", 20), wrote_some("teacher")),
    ),
    Row(
        "require_shared",
        "19 prompts answered by student; at least 20 are needed",
        named(Length("m", "m"), student=wrote_some("student", 19)),
        named(Length("m", "m"), student=wrote_some("student", 20)),
    ),
    Row(
        "require_shared",
        "10 prompts answered by all of student, teacher; at least 20 are needed "
        "(student answered 25, mostly other ones than the rest)",
        aligned(wrote_some("student", 25), wrote_some("teacher", 25, 15)),
        aligned(wrote_some("student", 25), wrote_some("teacher", 35, 5)),
    ),
]

TABLE = [*WARNINGS, *REASONS]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.where}: {row.words[:40]}")
def test_words_appear_by_their_cause_and_not_by_a_near_miss(row: Row) -> None:
    assert [line for line in row.cause() if row.words in line], row.cause()
    assert not [line for line in row.near_miss() if row.words in line]


def test_what_is_compared_comes_before_all_others_and_nobody_is_told_twice() -> None:
    cells = (answered("ash", endings=Endings(40, 9, 0)), *(
        collection(m, t, endings=Endings(40, n, 0))
        for t in ("open", "quiz")
        for m, n in (("answers_of_a", 1), ("teacher_a", 8))
    ))  # fmt: skip
    lines = warned(collections=cells, tasks={"open": OPEN, "quiz": OPEN})()
    assert [line.split(": ")[0] for line in lines] == ["teacher_a", "answers_of_a", "ash"]
    assert "open 2 %, teacher_a 20 %, quiz 2 %, teacher_a 20 %." in lines[1]


def test_nothing_is_said_of_a_run_in_order() -> None:
    assert warned()() == []
    assert wrote(TEXTS, some(N, str.upper))() == []


def test_the_table_is_complete() -> None:
    """A row at least for every line that a module of words can say."""
    rows = Counter(row.where for row in TABLE)
    lacking = {
        name: n
        for module in (harness.board.cautions, harness.board.replies, harness.panel.reasons)
        for name, n in _lines_said(Path(str(module.__file__))).items()
        if rows[name] < n
    }
    assert lacking == {}


def _lines_said(path: Path) -> dict[str, int]:
    """Public constants, and functions with the number of lines that they word themselves."""
    tree, said = ast.parse(path.read_text()), dict[str, int]()
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name):
            text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            said |= {target.id: 1} if text and not target.id.startswith("_") else {}
        elif isinstance(node, ast.FunctionDef):
            yields = [
                n for n in ast.walk(node) if isinstance(n, (ast.Yield, ast.Return, ast.Raise))
            ]
            worded = sum(any(isinstance(m, ast.JoinedStr) for m in ast.walk(n)) for n in yields)
            said |= {node.name: worded} if worded else {}
    return {name: n for name, n in said.items() if name not in _MERE_PARTS}


# Words that others complete: the quotation of a text, those about a secret (_spilled) and tasks (_missing), `few`.
_MERE_PARTS = {"_quote", "spilled_line", "left_out_line", "require"}
