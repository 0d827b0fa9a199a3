"""Stage after the page: the headline numbers of a run are told to the trackers that it names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness.board.board import Board, make_board
from harness.board.record import RunRecord, setting
from harness.console.foreign import muffled
from harness.console.invisible import spelled_out
from harness.console.progress import say
from harness.console.secrets import redacted
from harness.plugins import build
from harness.stages.parts import telling_fault
from harness.store.store import Store
from harness.trackers import AbstractTracker, Told
from harness.types import Score

_ODD = re.compile(r"[^\w\-. ]+")  # in a part of a name; what every tracker takes is left
_VERSIONS = ("distillbench", "lm-eval")


def track(record: RunRecord, page: Path) -> None:
    """Tells every tracker of the record about it; one that fails is said in a line, and counts as a missing part."""
    if not record.trackers:
        return
    runs = [told_of(redacted(run), page, setting(v)) for v, run in record.runs().items()]
    store = Store(page.parent.parent)
    for name, fields in record.trackers.items():
        if not telling_fault(f"tracker {name}", partial(_tell, name, dict(fields), runs), store):
            say(f"told {name}: {len(runs)} run{'s' * (len(runs) != 1)}")


def _tell(name: str, fields: dict[str, object], runs: list[Told]) -> None:
    tracker: AbstractTracker = build("trackers", name, fields)
    with muffled(lambda _: None):
        for told in runs:
            tracker.track(told)


def told_of(record: RunRecord, page: Path, words: str = "") -> Told:
    """What trackers are told of a run; `words`: its swept values."""
    board = make_board(record)
    numbers: dict[str, float] = {}
    for name, score in _headlines(board):
        ends = {"": score.value, "/low": score.low, "/high": score.high, "/n": float(score.n)}
        numbers |= {
            f"{name}{end}": v for end, v in ends.items() if v is not None and math.isfinite(v)
        }
    versions = {k: record.versions[k] for k in _VERSIONS if k in record.versions}
    facts = {"configuration": record.configuration, "page": str(page), "sweep": words, **versions}
    title = spelled_out(" ".join(filter(None, [record.title, words])))
    return Told(title or "distillbench", numbers, {k: v for k, v in facts.items() if v})


def _headlines(board: Board) -> Iterator[tuple[str, Score]]:
    """Name and score of the leaderboard's cells, and of each model's own score on a task."""
    several = len({row.subject.teacher for row in board.rows}) > 1
    for row in board.rows:
        whose = (row.subject.student, row.subject.teacher) if several else (row.subject.student,)
        for column, claim in zip(board.columns, row.claims, strict=True):
            if claim.score is not None and claim.value is not None:
                yield _named(*whose, column.metric), claim.score
    alone = set(board.index.metrics("own_score"))
    for score in board.record.scores:
        if score.metric in alone and not score.teacher and score.value is not None:
            yield _named(score.student, score.metric, score.task), score


def _named(*parts: str) -> str:
    """A name of parts between slashes, with nothing in it that a tracker refuses."""
    pieces = [piece for part in parts for piece in spelled_out(part).split("/")]
    return "/".join(_ODD.sub("_", piece).strip(". ") or "_" for piece in pieces)
