"""`distillbench compare A B`: what changed from one result to another, paired by prompt, without running anything."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.board.numerals import estimate, number
from harness.board.record import RunRecord
from harness.board.runs import RunDifference, compare_runs, job_of
from harness.board.saved import read_record, results_folder
from harness.board.tables import runs_table
from harness.cli.tools import Parser
from harness.console.columns import in_columns, shortened
from harness.console.invisible import in_one_line, spelled_out
from harness.exports.csv import write_table
from harness.stages.run import DONE, GATE_FAILED
from harness.types import DistillbenchError

_HEADS = ("measure", "task", "student", "teacher", "A", "B", "B − A", "prompts")
_LONGEST = 28  # characters of a name
_MOST_REASONS = 6
_TITLES = (
    ("worse", "worse in B, significantly after Holm's correction"),
    ("better", "better in B, significantly after Holm's correction"),
    ("different", "different in B, where neither end is better"),
    ("not told apart", "not told apart"),
)


def compare_results(words: Sequence[str]) -> int:
    """Prints what is better and worse in the second result; 0, or 1 where --gate is asked for and something is worse.

    Raises DistillbenchError where a result is not there, or of another version.
    """
    asked = _parser().parse_args(words)
    first, second = (_result(word) for word in (asked.a, asked.b))
    rows = compare_runs(first, second)
    if not any(r.first is not None and r.second is not None for r in rows):
        raise DistillbenchError(
            f"{asked.a} and {asked.b} have no score in common: expected the same measures, tasks and models' names"
        )
    if asked.csv:
        write_table(runs_table(first, second), Path(asked.csv))
    print(spelled_out(f"A: {asked.a} ({first.title})\nB: {asked.b} ({second.title})"))
    for outcome, title in _TITLES:
        chosen = [r for r in rows if r.outcome == outcome]
        print(f"\n{title}: {len(chosen)}")
        if chosen and (asked.all or outcome != "not told apart"):
            print(*in_columns([_HEADS, *map(_words, chosen)]), sep="\n")
    _print_unpaired(rows)
    return GATE_FAILED if asked.gate and any(r.outcome == "worse" for r in rows) else DONE


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="distillbench compare",
        description="What changed from result A to result B. A result is the folder `results` of a run, or of a sweep "
        "followed by the values of one of its jobs: results:models.student.path=ckpt-3",
    )
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    parser.add_argument("--all", action="store_true", help="list what is not told apart, too")
    parser.add_argument("--csv", metavar="FILE", help="write every row to a file")
    parser.add_argument(
        "--gate", action="store_true", help="exit code 1 where something is significantly worse"
    )
    return parser


def _result(word: str) -> RunRecord:
    """The record of a result that the command line names."""
    if Path(word).exists():
        return read_record(results_folder(Path(word)))
    path, _, values = word.partition(":")
    if "=" not in values:
        return read_record(results_folder(Path(word)))
    pairs = (value.partition("=") for value in values.split(","))
    wanted = {key: value for key, _, value in pairs}
    return job_of(read_record(results_folder(Path(path))), wanted)


def _words(row: RunDifference) -> tuple[str, ...]:
    assert row.difference is not None  # it is paired
    ends = (None, None) if row.low is None or row.high is None else (-row.high, -row.low)
    swept = "".join(f" {k}={v}" for k, v in row.variant)
    names = (row.metric, row.task, f"{row.student}{swept}", row.teacher or "–")
    return (
        *(shortened(name, _LONGEST) for name in names),
        *("–" if v is None else number(v, row.low, row.high) for v in (row.first, row.second)),
        estimate(-row.difference, *ends),
        str(row.n),
    )


def _print_unpaired(rows: Sequence[RunDifference]) -> None:
    """How many scores have no interval, and why."""
    reasons = Counter(r.reason for r in rows if r.reason)
    print(f"\nnot paired: {sum(reasons.values())}")
    for reason, n in reasons.most_common(_MOST_REASONS):
        print(f"  {n}: {in_one_line(reason)}")
    others = sum(n for _, n in reasons.most_common()[_MOST_REASONS:])
    if others:
        print(f"  {others}: other reasons (--csv FILE has each)")
