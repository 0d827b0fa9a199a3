"""Missing numbers, grouped by the kind of their reason. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.board.record import RunRecord, named
from harness.board.tables import ordered
from harness.types import Score

_NUMBER = re.compile(r"[-\u2212]?\d[\d.,]*(?:e[-+]?\d+)?\u00a0?%?")
_GAP = "\u2026"  # stands for a number or a name
_NO_GAP = re.compile("gap within noise|there is no gap")  # as stats and measures say it
_WHERE = 3  # places that are named


@dataclass(frozen=True)
class MissingPart:
    """A measure, or a part of one, whose number is missing in some places for one kind of reason."""

    part: str  # measure, or measure/part
    reason: str  # in full: the first of them
    n: int  # numbers
    where: tuple[str, ...]  # the first places: "student ← teacher on task"


@dataclass(frozen=True)
class Missing:
    """Numbers that are missing for one kind of reason."""

    kind: str  # the reason without its numbers and names
    n: int
    parts: tuple[MissingPart, ...]  # the largest first
    no_gap: bool = False  # teacher and base do not differ here, so nothing could be taken over


def missing_results(record: RunRecord) -> list[Missing]:
    """Every missing number of a run, by kind of reason, the largest group first."""
    names = _names([*record.models, *record.tasks])
    kinds: dict[str, dict[str, list[Score]]] = {}
    for score in ordered(record.scores):
        if score.value is None:
            kind = kinds.setdefault(_kind(score.reason, names), {})
            kind.setdefault(score.metric, []).append(score)
    groups = [_group(kind, parts) for kind, parts in kinds.items()]
    if record.left_out:
        groups.append(_left_out(record.left_out))
    return sorted(groups, key=lambda m: (-m.n, m.kind))


def undrawn(figure: str, reason: str) -> Missing:
    """What is missing where a figure cannot be drawn."""
    part = MissingPart(f"figure {figure}", reason, 1, ("this page",))
    return Missing(f"{part.part} cannot be drawn", 1, (part,))


def _left_out(tasks: Mapping[str, str]) -> Missing:
    """Tasks that a run did without."""
    parts = tuple(MissingPart(f"task {t}", why, 1, ("every model",)) for t, why in tasks.items())
    return Missing("the task was left out: its data are not there", len(parts), parts)


def _group(kind: str, parts: dict[str, list[Score]]) -> Missing:
    made = [_part(metric, scores) for metric, scores in parts.items()]
    made.sort(key=lambda p: (-p.n, p.part))
    return Missing(kind, sum(p.n for p in made), tuple(made), bool(_NO_GAP.search(kind)))


def _part(metric: str, scores: list[Score]) -> MissingPart:
    where = dict.fromkeys(map(_place, scores))
    return MissingPart(metric, scores[0].reason, len(scores), tuple(where)[:_WHERE])


def _place(score: Score) -> str:
    model = named(score.student, score.variant)
    who = f"{model} \u2190 {score.teacher}" if score.teacher else model
    return f"{who} on {score.task}"


def _names(names: Iterable[str]) -> re.Pattern[str]:
    """What finds whole names, the longest first."""
    longest = sorted(Counter(names), key=lambda name: (-len(name), name))
    words = "|".join(map(re.escape, longest)) or r"(?!)"
    return re.compile(rf"(?<![\w.-])(?:{words})(?![\w-])")


def _kind(reason: str, names: re.Pattern[str]) -> str:
    """The reason with a mark for each number and name; what follows a colon is left out where it holds some."""
    bare = re.sub(rf"{_GAP}(?:, {_GAP})+", _GAP, _NUMBER.sub(_GAP, names.sub(_GAP, reason)))
    head, colon, rest = bare.partition(": ")
    return head if colon and _GAP in rest else bare
