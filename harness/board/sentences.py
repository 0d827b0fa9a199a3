"""One sentence per student about what came across, made from numbers and claims alone. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.board.board import Board
from harness.board.changes import SaidChange, in_words, said_changes, too_few
from harness.board.claims import Choice, Claim, corner, outcome
from harness.board.numerals import estimate, number, percent
from harness.board.recipes import over_recipe
from harness.board.subjects import Subject
from harness.types import Score

Part = tuple[str, bool]  # text, strong
_MOST_NAMED = 8  # students in one sentence
_MOST_LOSSES = 3  # tasks in one sentence
_NO_TASK = "no task that both have a number of their own for"
_MOST_OPEN = 6  # students, and tasks of one, below the table


@dataclass(frozen=True)
class Sentence:
    """A sentence about one student; `strong` marks the numbers."""

    subject: Subject
    # the corner of the map that it is in: clone, imitator, learner, neither; "" = cannot be said
    corner: str
    parts: tuple[Part, ...]
    doubts: tuple[str, ...]  # why a number is absent, or what weakens it


@dataclass(frozen=True)
class Decision:
    """Which student of a teacher to take, in one line; `strong` marks names and numbers."""

    choice: Choice
    parts: tuple[Part, ...]


def decisions(board: Board) -> list[Decision]:
    """One line per teacher, base and setting: who is to be taken, or why nobody can be named."""
    return [Decision(choice, tuple(_decision(board, choice))) for choice in board.choices()]


def _decision(board: Board, choice: Choice) -> list[Part]:
    students = [s for s in board.subjects if s.role == "student" and s.group == choice.group]
    lossy = (
        [
            (
                f" {_listed([s.label for s in choice.lossy], 'and')} lost outside of what was distilled.",
                False,
            )
        ]
        if choice.lossy
        else []
    )
    if not choice.chosen:
        return [*_by_style(board, choice, students), *lossy]
    first = choice.chosen[0]
    named = _listed([s.label for s in choice.chosen], "or")
    if len(students) == 1:
        start: list[Part] = [("Only ", False), (named, True), (" was tested: it closes ", False)]
    else:
        start = [("Take ", False), (named, True), (": ", False)]
        start += [(f"not told apart; {first.label} ", False)] if len(choice.chosen) > 1 else []
        start += [("closes ", False)]
    capability, style = (board.claim(topic, first).score for topic in ("capability", "style"))
    assert capability is not None
    parts = [*start, (_share(capability), True), (" of the capability gap", False)]
    parts += _reached_by_others(board, first)
    if style is not None and style.value is not None:
        parts += [(", and goes ", False), (_share(style), True), (" of the way in style", False)]
        parts += _unrelated(board, first)
    parts += [*_behind(board, first), *_kept(board, first), (".", False)]
    return [*parts, *_named(board, first), *_as_recipe(board, first, students), *lossy]


def _by_style(board: Board, choice: Choice, students: Sequence[Subject]) -> list[Part]:
    """Why nobody can be named; before it how far students went in style, where that is known."""
    scores = [(s, board.claim("style", s).score) for s in students]
    known = [(s, score) for s, score in scores if score is not None and score.value is not None]
    nobody = f"No student can be named: {choice.why}." if len(students) > 1 else f"{choice.why}."
    if not known or len(known) > _MOST_NAMED:
        return [(f"No student can be named: {choice.why}.", False)]
    parts: list[Part] = []
    for i, (subject, score) in enumerate(known):
        parts += [("; " if i else "", False), (subject.label, True), (" went ", False)]
        parts += [(_share(score), True), (" of the way in style", False)]
        parts += _unrelated(board, subject) if not i else []
        if score.low is not None and score.high is not None and score.low <= 1 <= score.high:
            parts.append((f", not told apart from {subject.teacher}", False))
        parts += _length(board, subject)
    return [*parts, (f". {nobody[0].upper()}{nobody[1:]}", False)]


def _reached_by_others(board: Board, subject: Subject) -> list[Part]:
    """How far models come in capability that the teacher did not teach."""
    highest = board.claim("capability", subject).highest
    return (
        [] if highest is None else [(f" (unrelated models: up to {percent(highest.value)})", False)]
    )


def _behind(board: Board, subject: Subject) -> list[Part]:
    """The tasks on which a student is worse than its teacher, the largest loss first."""
    changes = _beside_teacher(board, subject)
    lost = _losses(changes, _MOST_LOSSES)
    if not changes:
        return []
    if not lost:
        return [(f"; behind {subject.teacher} on no task, as far as the prompts tell", False)]
    return [(f"; against {subject.teacher} it ", False), (_listed(lost, "and"), True)]


def _beside_teacher(board: Board, subject: Subject) -> list[SaidChange]:
    """A student's graded tasks beside its teacher's."""
    graded = board.index.metrics("own_score")
    changes = said_changes(board.changes_of(subject), board.record.tasks)
    return [c for c in changes if c.change.against == "teacher" and c.change.metric in graded]


def _losses(changes: Sequence[SaidChange], most: int) -> list[str]:
    """In words on which tasks something is lost, the largest loss first."""
    lost = [c for c in changes if outcome(c.change) == "worse"]
    lost.sort(key=lambda c: -abs(c.change.difference))
    words = [f"{c.words} on {c.change.task}" for c in lost[:most]]
    words[1:] = [w.removeprefix("lost ") for w in words[1:]]
    more = len(lost) - len(words)
    return [*words, *([f"some on {more} more task{'s' * (more > 1)}"] if more else [])]


def losses(board: Board) -> list[Sentence]:
    """What each of a few students lost against its teacher, where the tasks are few too; else nothing."""
    students = [s for s in board.subjects if s.role == "student"]
    beside = {s: _beside_teacher(board, s) for s in students}
    if len(students) > _MOST_OPEN or not any(beside.values()):
        return []
    made = []
    for subject, changes in beside.items():
        lost = _losses(changes, _MOST_OPEN)
        unclear = [
            c.change for c in changes if outcome(c.change) == "not told apart" and too_few(c.change)
        ]
        fine = len(changes) - len(unclear) - sum(outcome(c.change) == "worse" for c in changes)
        nothing = "nothing lost that the prompts show" if changes else _NO_TASK
        parts: list[Part] = [(_listed(lost, "and") if lost else nothing, bool(changes))]
        if unclear:
            names = [f"{c.task} ({c.n})" for c in unclear[:_MOST_OPEN]]
            parts.append((f"; too few prompts to tell on {_listed(names, 'and')}", False))
        if fine and lost:
            parts.append((f"; no loss seen on {fine} other task{'s' * (fine > 1)}", False))
        made.append(Sentence(subject, "", (*parts, (".", False)), ()))
    return made


def _named(board: Board, subject: Subject) -> list[Part]:
    """That a student says it is its teacher, by the task where it does so most: in more replies than not."""
    names = board.index.metrics("teacher_names")
    scores = [s for name in names for s in board.index.all(name, subject) if s.value is not None]
    most = max(scores, key=lambda s: s.value or 0.0, default=None)
    if most is None or most.value is None or most.value <= 0.5:
        return []
    share = percent(most.value, most.low, most.high)
    return [
        (f" On {most.task} it calls itself by ", False),
        ("its teacher\u2019s name", True),
        (f" in {share} of its replies.", False),
    ]


def _as_recipe(board: Board, first: Subject, students: Sequence[Subject]) -> list[Part]:
    """What its seeds say of the recipe that a student is a seed of; nothing where it is of none."""
    recipes = board.record.runs()[first.variant].recipes
    recipe = recipes.get(first.student)
    if recipe is None:
        return []
    seeds = [s for s in students if recipes.get(s.student) == recipe]
    scores = [score for s in seeds if (score := board.claim("capability", s).score) is not None]
    told = over_recipe(recipe, scores)
    if told.value is None:
        return [(f" Of its recipe {recipe} nothing can be said: {told.reason}.", False)]
    share = percent(told.value, told.low, told.high)
    over = f" over {len(told.seeds)} seeds."
    return [
        (" Its recipe ", False),
        (recipe, True),
        (" closes ", False),
        (share, True),
        (over, False),
    ]


def _kept(board: Board, subject: Subject) -> list[Part]:
    """What the prompts say of losses outside of what was distilled, by the task that would show the least of one."""
    tasks = board.record.runs()[subject.variant].tasks
    outside = [
        c.change
        for c in said_changes(board.changes_of(subject), tasks)
        if (c.change.against, c.domain) == ("base", "outside") and c.change.better != "none"
    ]
    if not outside:
        return []
    unclear = [c for c in outside if outcome(c) == "not told apart"]
    if not unclear:
        return [(f"; nothing lost against {subject.base} outside of what was distilled", False)]
    least = max(unclear, key=lambda c: math.inf if c.detectable is None else c.detectable)
    return [(f"; against {subject.base}, outside of what was distilled, {in_words(least)}", False)]


def _unrelated(board: Board, subject: Subject) -> list[Part]:
    """How far models go in style that the teacher did not teach."""
    score = board.index.about("unrelated_style", subject)
    if score is None or score.value is None:
        return []
    return [(f" (unrelated models: {percent(score.value)})", False)]


def _listed(names: Sequence[str], word: str) -> str:
    if len(names) > _MOST_NAMED:
        rest = f"{len(names) - _MOST_NAMED + 1} others"
        names = [*names[: _MOST_NAMED - 1], f"one of {rest}" if word == "or" else rest]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def sentences(board: Board) -> list[Sentence]:
    """One sentence per student, in the order of the matrix."""
    return [_sentence(board, s) for s in board.subjects if s.role == "student"]


def _sentence(board: Board, subject: Subject) -> Sentence:
    style, capability = board.claim("style", subject), board.claim("capability", subject)
    halves = [("style", style), ("capability", capability)]
    said = [(word, c.score) for word, c in halves if c.score is not None and c.value is not None]
    parts = [("took over ", False)] if said else _agreement(board, subject)
    for i, (word, score) in enumerate(said):
        parts += [(" and ", False)] if i else []
        whose = f" of its {word}" if i else f" of {subject.teacher}\u2019s {word}"
        parts += [(_share(score), True), (whose, False)]
        parts += _beside_style(board, subject, style) if word == "style" else []
    if said:
        style_alone = [word for word, _ in said] == ["style"]
        parts.append((" beyond the base" if style_alone else _gap_word(subject), False))
    parts += _length(board, subject) if style.value is not None else []
    if board.claim("inherited_errors", subject).above_zero:
        parts += [("; it repeats ", False), ("more of the teacher\u2019s mistakes", True)]
        parts += [(" than the controls do", False)]
    parts.append((".", False))
    place = corner(style.score, capability.score)
    return Sentence(subject, place, tuple(parts), tuple(_doubts(board, subject, halves)))


def _beside_style(board: Board, subject: Subject, style: Claim) -> list[Part]:
    """Whether the style is overdone, and how far models go that the teacher did not teach."""
    parts: list[Part] = [(", overdoing it", True)] if style.beyond_teacher else []
    unrelated = board.index.about("unrelated_style", subject)
    if unrelated is None or unrelated.value is None or unrelated.high is None:
        return parts
    sd = round(100 * (unrelated.high - unrelated.value))
    return [*parts, (f" (unrelated models: {percent(unrelated.value)}, sd {sd} points)", False)]


def _share(score: Score) -> str:
    """A share with its interval; a share below 0 is described as a distance that grew."""
    words = percent(score.value or 0.0, score.low, score.high)
    return f"none ({words})" if (score.value or 0.0) < 0 else words


def _gap_word(subject: Subject) -> str:
    return " gap" if subject.base_kind == "before" else " transfer"


def _agreement(board: Board, subject: Subject) -> list[Part]:
    """What can be said without a base: agreement with the teacher beside that of the controls."""
    score = board.index.about("agreement", subject)
    if score is None or score.value is None:
        return [("has no headline number", False)]
    controls = [board.index.about("agreement", c) for c in board.controls_of(subject)]
    values = [x.value for x in controls if x is not None and x.value is not None]
    kappa = f"\u03ba = {estimate(score.value, score.low, score.high)}"
    parts = [(f"agrees with {subject.teacher} beyond chance at ", False), (kappa, True)]
    if values:
        parts.append((f"; controls reach {number(min(values))} to {number(max(values))}", False))
    return parts


def _length(board: Board, subject: Subject) -> list[Part]:
    """The gap recovered by length alone, the trivial explanation to beat, where it was measured."""
    score = board.index.about("length", subject)
    if score is None or score.value is None or not board.index.is_gap(score):
        return []
    way = percent(score.value)
    return [("; in length alone it went ", False), (way, True), (" of the way", False)]


def _doubts(board: Board, subject: Subject, halves: list[tuple[str, Claim]]) -> list[str]:
    """Why a headline is missing, whether it is above base and controls, whether there was enough text."""
    doubts = [
        f"{word.capitalize()}: {c.score.reason}"
        for word, c in halves
        if c.score is not None and c.value is None
    ]
    doubts += [
        f"{word.capitalize()} not significantly above the base"
        for word, c in halves
        if c.value is not None and not c.above_base
    ]
    beside = [
        f"{word}: {_beside(c)}"
        for word, c in halves
        if c.value is not None and c.highest is not None
    ]
    line = "; ".join(beside)
    doubts += [line[0].upper() + line[1:]] if beside else []
    lost = [
        f"{c.change.task}: {c.words}"
        for c in said_changes(board.changes_of(subject), board.record.tasks)
        if c.change.against == "base" and outcome(c.change) == "worse"
    ]
    doubts += [f"Against {subject.base}, {'; '.join(lost)}"] if lost else []
    short = board.index.about("short_replies", subject)
    if short is not None and short.value is not None and short.value > 0.5:
        doubts.append(f"{percent(short.value)} of its replies are too short to show a style")
    return doubts


def _beside(claim: Claim) -> str:
    """The claim beside the controls, in words."""
    assert claim.highest is not None
    reach = f"{claim.highest.model} reaches {percent(claim.highest.value)}"
    if claim.above_controls is None:
        few = f"{claim.lineages} lineage{'s' * (claim.lineages != 1)} of controls"
        return f"too few controls to compare with ({few}; {reach})"
    return (
        f"{'above' if claim.above_controls else 'not above'} what unrelated models reach ({reach})"
    )
